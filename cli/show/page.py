"""A picture as one HTML file, which requests nothing and works without a server."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment
from markupsafe import Markup

from cli.alerting import FIRING, Alert
from cli.courses import drawing
from cli.pictures import chart
from cli.show import adapters
from cli.show.picture import Model, Picture, Violation
from cli.templates import templates_in
from gkeplatform.layers import ENVIRONMENT

_FOLDER = Path(__file__).parent
SCRIPTS = ("page.js", "live.js")
"""Of every page, and of a page that is served."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures at the top of the page."""

    models: int
    ready: int
    wanted: int
    """Replicas."""
    nodes: int
    firing: int
    violations: int
    """Those that stop an update."""
    advice: int
    waived: int


def counts(picture: Picture) -> Counts:
    """The sums over an environment, as the page and `--json` give them."""
    waived = sum(bool(one.waived) for one in picture.violations)
    stops = sum(one.stops for one in picture.violations)
    return Counts(
        models=len(picture.models),
        ready=sum(model.ready for model in picture.models),
        wanted=sum(model.wanted for model in picture.models),
        nodes=sum(len(pool.nodes) for pool in picture.pools),
        firing=sum(alert.state == FIRING for alert in alerts(picture)),
        violations=stops,
        advice=len(picture.violations) - waived - stops,
        waived=waived,
    )


def described(picture: Picture) -> dict[str, Any]:
    """The document of `--json`, which has every figure of the page."""
    found = asdict(picture)
    for one, model in zip(found["models"], picture.models, strict=True):
        one |= {"ready": model.ready, "wanted": model.wanted, "firing": model.firing}
    return {"counts": asdict(counts(picture)), **found}


def alerts(picture: Picture) -> list[Alert]:
    """All alerts of an environment, those that fire first."""
    found = [*picture.alerts, *(alert for model in picture.models for alert in model.alerts)]
    return sorted(found, key=lambda alert: (alert.state != FIRING, alert.name))


def violations(picture: Picture) -> list[Violation]:
    """What the policy pack found: what stops an update first, what is waived last."""
    return sorted(picture.violations, key=lambda one: (not one.stops, bool(one.waived)))


def parts(picture: Picture, *, root: str, named: bool = True) -> dict[str, Markup]:
    """What may change on the page while it is served: the HTML of each part by its name.

    `head:NAME` and `body:NAME` are within `models`, whose `frame` is what is left without them.
    There they bear their names, unless the page is not served (`named`).
    """
    by_kind: dict[str, list[Model]] = {}
    for model in picture.models:
        by_kind.setdefault(model.exposure, []).append(model)
    module = cast(
        Any,
        _templates(root)
        .get_template("parts.html.j2")
        .make_module(
            {
                "it": picture,
                "named": named,
                "counts": counts(picture),
                "every_alert": alerts(picture),
                "place_of": _places(picture),
                "every_violation": violations(picture),
                "charts": [
                    # It escapes what it is given.
                    Markup(  # noqa: S704
                        chart.svg(drawing.chart(one), with_events=False, name=f"course-{index}")
                    )
                    for index, one in enumerate(picture.courses, start=1)
                ],
                "models_of": {
                    front.kind: by_kind.get(front.kind, []) for front in picture.front_ends
                },
            }
        ),
    )
    found: dict[str, Markup] = {}
    for model in picture.models:
        found[f"head:{model.name}"] = module.head(model)
        found[f"body:{model.name}"] = module.body(model)
    found["frame"] = module.models(dict.fromkeys(found, ""))
    found["models"] = module.models(found)
    for name in ("summary", "courses", "pools", "layers", "alerts", "policies"):
        found[name] = getattr(module, name)()
    return found


def html(picture: Picture, *, root: str) -> str:
    """The page. `root` is the way from its folder to the repository's, or a URL of it."""
    return document(picture, parts(picture, root=root, named=False))


def document(picture: Picture, shown: Mapping[str, Markup], *, number: int | None = None) -> str:
    """The page with these parts; with a number it asks its server for later ones."""
    return (
        _templates("")
        .get_template("page.html.j2")
        .render(
            it=picture,
            parts=shown,
            style=_own("page.css"),
            script=_own(SCRIPTS[0]),
            live=number is not None,
            number=number,
            live_script=_own(SCRIPTS[1]),
        )
    )


def script(name: str) -> str:
    """The text of a script, as it is between its tags."""
    return f"\n{_own(name)}"


def _places(picture: Picture) -> dict[str, str]:
    """Where each alert comes from: its model's entry, or the layer of all others."""
    layer = f"{ENVIRONMENT.main}/__main__.py"
    own = {one.name: model.place for model in picture.models for one in model.alerts}
    return {**{one.name: layer for one in picture.alerts}, **own}


def _with_breaks(text: str) -> Markup:
    """The text, escaped, which may be broken after slashes, not only where it is too long."""
    return Markup("/<wbr>").join(text.split("/"))


def _own(name: str) -> Markup:
    # The file is part of the program: nothing in it comes from a user.
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704


@functools.cache
def _templates(root: str) -> Environment:
    templates = templates_in(_FOLDER)
    templates.filters["link"] = lambda place: f"{root}/{place.replace(':', '#L')}"
    templates.filters["breaks"] = _with_breaks
    templates.filters["adapters"] = adapters.text
    templates.filters["number"] = lambda value: f"{value:.4g}"
    templates.filters["time"] = lambda text: (
        f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    )
    templates.filters["is_before"] = lambda one, other: (
        datetime.fromisoformat(one) < datetime.fromisoformat(other)
    )
    return templates
