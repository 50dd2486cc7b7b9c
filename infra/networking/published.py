"""What the layer publishes, from what it read and what it made."""

from gkeplatform.contracts import RoutedModel, ServedModel
from infra.networking.routing import url


def routed(
    models: tuple[ServedModel, ...],
    groups: dict[str, tuple[str, ...]],
    *,
    address: str,
    services: dict[str, str],
) -> list[RoutedModel]:
    """The exposed models, each with its URL, its backend service and the groups behind it."""
    return [
        RoutedModel(
            name=model.name,
            url=url(model, address),
            backend_service=services[model.name],
            groups=groups[model.name],
        )
        for model in models
        if model.route
    ]
