"""A model that moves between Ingress and Gateway answers on both while it has a former exposure."""

import json
from typing import Any

import pytest
import yaml

from declared import STACKS, run_environment
from gkeplatform.errors import PlatformError
from infra import stack_file
from infra.path_routes import path_front_ends

FILE = "stacks/Pulumi.dev.yaml"
DEV: dict[str, Any] = yaml.safe_load((STACKS / "Pulumi.dev.yaml").read_text())["config"]
MODEL, PATH = "sentiment", "/model"
INGRESS, GATEWAY = {"kind": "ingress", "path": PATH}, {"kind": "gateway", "path": PATH}


def values(exposure: Any, former: Any = None, *, also: Any = None) -> dict[str, str]:
    """The keys of dev with a model that moves; `also` is merged into the stack file."""
    models = [dict(one) for one in DEV["gke-serving:models"]]
    for one in models:
        if one["name"] == MODEL:
            one["exposure"] = exposure
            if former:
                one["former_exposure"] = former
    changed = {**DEV, "gke-serving:models": models, **(also or {})}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in changed.items()
    }


def read(exposure: Any, former: Any = None, *, also: Any = None) -> stack_file.StackFile:
    return stack_file.read(values(exposure, former, also=also), file=FILE)


@pytest.mark.parametrize(("to", "source"), [(GATEWAY, INGRESS), (INGRESS, GATEWAY)])
def test_both_routes_lead_to_the_model_while_it_moves(to: Any, source: Any) -> None:
    serving = read(to, source).serving
    assert serving is not None
    fronts = {one.kind: one for one in path_front_ends(serving)}
    assert set(fronts) == {"ingress", "gateway"}
    for front in fronts.values():
        assert front.find(f"{PATH}/v1/models/{MODEL}").model == MODEL
    after = read(to).serving
    assert after is not None
    assert {one.kind for one in path_front_ends(after)} == {to["kind"]}


@pytest.mark.parametrize(
    ("exposure", "former", "problem"),
    [
        (INGRESS, INGRESS, r"former_exposure: the model is on ingress already"),
        ({"kind": "cluster-ip"}, INGRESS, r"a model on cluster-ip needs another Service"),
        ({"kind": "http-load-balancer", "paths": ["/m"]}, GATEWAY, r"move to ingress"),
        (GATEWAY, {"kind": "load-balancer"}, r"former_exposure.kind"),
        (INGRESS, {**GATEWAY, "rewrite": "/v9"}, r"former_exposure: rewrite"),
        (INGRESS, {**GATEWAY, "require_iap": True}, r"former_exposure: require_iap"),
    ],
)
def test_a_former_exposure_that_cannot_be(exposure: Any, former: Any, problem: str) -> None:
    with pytest.raises(PlatformError, match=problem):
        read(exposure, former)


def test_a_former_ingress_needs_a_controller() -> None:
    given = values(GATEWAY, INGRESS)
    del given["gke-serving:ingress"]
    with pytest.raises(PlatformError, match="former_exposure: an Ingress needs a controller"):
        stack_file.read(given, file=FILE)


def test_a_former_gateway_needs_the_gateway_api() -> None:
    cluster = {**DEV["gke-cluster:cluster"], "gateway_api": False}
    with pytest.raises(PlatformError, match=r"former_exposure.kind: gateway needs the Gateway API"):
        read(INGRESS, GATEWAY, also={"gke-cluster:cluster": cluster})


def test_another_models_path_is_not_taken_by_a_former_exposure() -> None:
    models = [dict(one) for one in DEV["gke-serving:models"]]
    for one in models:
        if one["name"] == "mobilenet":
            one["exposure"], one["former_exposure"] = {**GATEWAY, "path": "/other"}, INGRESS
    with pytest.raises(PlatformError, match=r'exposure.path: /model is "'):
        stack_file.read(values(INGRESS) | {"gke-serving:models": json.dumps(models)}, file=FILE)


def test_a_pod_drains_as_long_as_an_answer_of_the_former_exposure_may_take() -> None:
    serving = read(GATEWAY, {**INGRESS, "timeout_seconds": 90}).serving
    assert serving is not None
    assert next(one for one in serving.entries if one.name == MODEL).drain_seconds == 90


def test_a_move_adds_a_route_and_keeps_the_others_name() -> None:
    former = {**GATEWAY, "hosts": ["s.example"], "iap": {"members": ["group:a@acme.example"]}}
    also = {"gke-serving:gateway": {"certificate_map": "models"}}
    before = run_environment("dev", values(former, also=also))["serving"].inputs
    during = run_environment("dev", values(INGRESS, former, also=also))["serving"].inputs
    assert {one for one in before if one not in during} == set()
    assert all(during[one] == before[one] for one in before)
    added = {kind.rpartition(":")[2] for kind, _ in during if (kind, _) not in before}
    assert {"Ingress", "IngressClass"} <= added
