"""What entries claim of the entrances that they share, and whether one URL map can hold it."""

from collections.abc import Sequence

from gkeplatform import routes, url_map_limits
from infra.serving.http_routes import Gateway, Ingress
from infra.serving.model import HttpLoadBalancer, Model, canary_of, claimed


def check(models: Sequence[Model]) -> None:
    """Refuses what two models claim, and more than Google lets a URL map hold."""
    owners: dict[str, list[int]] = {}
    for index, model in enumerate(models):
        for pattern in claimed(model):
            for earlier in owners.get(pattern, ()):
                _refuse_clash(f"models[{index}]", models[earlier], model)
            owners.setdefault(pattern, []).append(index)
    _refuse_shared_routes(models)
    if excess := url_map_limits.excess([claim for model in models if (claim := _claim(model))]):
        raise ValueError(f"models: {excess}")


def _claim(model: Model) -> url_map_limits.Claim | None:
    exposure = model.exposure
    if not isinstance(exposure, HttpLoadBalancer):
        return None
    return url_map_limits.Claim(
        hosts=exposure.hosts,
        paths=exposure.paths,
        patterns=claimed(model),
        versions=2 if canary_of(model) else 1,
    )


def _refuse_clash(key: str, one: Model, other: Model) -> None:
    if not isinstance(one.exposure, HttpLoadBalancer) or not isinstance(
        other.exposure, HttpLoadBalancer
    ):
        return
    both = routes.clash(one.exposure.hosts, claimed(one), other.exposure.hosts, claimed(other))
    if both:
        host = "every host" if both[0] == routes.ANY_HOST else f"host {both[0]}"
        raise ValueError(
            f'{key}.exposure.paths: "{other.name}" claims {both[1]} on {host}, which is '
            f'"{one.name}"\'s; give each model paths or hosts of its own'
        )


def _refuse_shared_routes(models: Sequence[Model]) -> None:
    """Two routes of one path: which of them answers is the controller's choice, not ours."""
    owners: dict[tuple[type[Ingress | Gateway], str, str], str] = {}
    for index, model in enumerate(models):
        exposure = model.exposure
        if not isinstance(exposure, Ingress | Gateway):
            continue
        for host in exposure.hosts or (routes.ANY_HOST,):
            owner = owners.setdefault((type(exposure), exposure.path, host), model.name)
            if owner != model.name:
                raise ValueError(
                    f'models[{index}].exposure.path: {exposure.path} is "{owner}"\'s, too; give '
                    "each model a path or hosts of its own"
                )
