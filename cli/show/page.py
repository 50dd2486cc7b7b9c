"""A picture as one HTML file, which requests nothing and works without a server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cli.alerting import FIRING, Alert
from cli.show.picture import Model, Picture

_FOLDER = Path(__file__).parent


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


def alerts(picture: Picture) -> list[Alert]:
    """All alerts of an environment, those that fire first."""
    found = [*picture.alerts, *(alert for model in picture.models for alert in model.alerts)]
    return sorted(found, key=lambda alert: (alert.state != FIRING, alert.name))


def html(picture: Picture, *, root: str) -> str:
    """The page. `root` is the way from its folder to the repository's, or a URL of it."""
    templates = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    templates.filters["link"] = lambda place: f"{root}/{place.replace(':', '#L')}"
    templates.filters["number"] = lambda value: f"{value:.4g}"
    templates.filters["time"] = lambda text: (
        f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    )
    by_kind: dict[str, list[Model]] = {}
    for model in picture.models:
        by_kind.setdefault(model.exposure, []).append(model)
    return templates.get_template("page.html.j2").render(
        it=picture,
        counts=counts(picture),
        alerts=alerts(picture),
        models_of={front.kind: by_kind.get(front.kind, []) for front in picture.front_ends},
        # The file is part of the program: nothing in it comes from a user.
        style=Markup((_FOLDER / "page.css").read_text()),  # noqa: S704
    )
