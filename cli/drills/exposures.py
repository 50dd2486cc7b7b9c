"""A model that moves between the ingress controller and the Gateway, with its callers.

Both routes lead to it until the callers have moved, by `former_exposure` of its entry. The callers
move at once here; in the account they follow the DNS record of the model's host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cli.drills.scene import Scene
from cli.errors import CliError
from cli.traffic.exchange import Caller
from cli.traffic.target import Target

Json = dict[str, Any]
OTHER = {"ingress": "gateway", "gateway": "ingress"}
_SHARED_KEYS = ("path", "hosts", "timeout_seconds")
_IN_A_ROW = 5
"""Answers after which a route is taken to work."""
_SECONDS = 10.0


@dataclass(slots=True)
class Move:
    """The two exposures of a model, as the stack file writes them."""

    here: Json
    there: Json
    url: str
    """Where the model answered before."""
    begun: bool = False


def other(exposure: Json) -> Json:
    """The exposure of the other kind, with the keys that both have."""
    shared = {key: exposure[key] for key in _SHARED_KEYS if key in exposure}
    return {"kind": OTHER[exposure["kind"]], **shared}


def planned(scene: Scene) -> Move:
    """The model's exposure, and the one that it moves to. Raises CliError."""
    here = scene.updates.entry(scene.model)["exposure"]
    return Move(here, other(here), scene.target.url)


def move(scene: Scene, plan: Move) -> None:
    """Add the other route, let the callers move to it, and remove the former one."""
    plan.begun = True
    _move(scene, plan.here, plan.there)
    scene.updates.deploy(scene.model, {"exposure": plan.there})
    scene.timeline.note(f"the {plan.here['kind']} route is removed")
    scene.timeline.sleep(scene.seconds)


def restore(scene: Scene, plan: Move) -> None:
    """Move back in the same way, from wherever the move was."""
    if not plan.begun:
        return
    _move(scene, plan.there, plan.here)
    # A controller that is made anew has another address, which the environment publishes.
    scene.updates.restore(publish=scene.target.url != plan.url)
    scene.timeline.note(f"the {plan.there['kind']} route is removed")


def _move(scene: Scene, former: Json, exposure: Json) -> None:
    """Let the model answer at both, and the callers move to the second."""
    scene.timeline.note(f"exposure {exposure['kind']}, former_exposure {former['kind']}")
    changes = {"exposure": exposure, "former_exposure": former}
    outputs = scene.updates.deploy(scene.model, changes).outputs
    url = next(str(one["url"]) for one in outputs["models"] if one["name"] == scene.model)
    found: list[Target] = []

    def answers() -> bool:
        try:
            found[:] = [scene.target_of(exposure, url)]
        except CliError:
            return False  # its address is not assigned yet
        return _answers(found[0])

    scene.wait(f"the {exposure['kind']} answers, and the {former['kind']} as well", answers)
    scene.callers.move_to(found[0])
    scene.timeline.note(f"the callers use the {exposure['kind']}: {found[0].url}")
    scene.timeline.sleep(scene.seconds)


def _answers(target: Target) -> bool:
    try:
        with Caller(target, _SECONDS) as caller:
            return all(caller.call(lambda _: None).status < 400 for _ in range(_IN_A_ROW))
    except CliError:
        return False
