"""One entry of the catalog, checked, and the second version that it may describe."""

from functools import cached_property

from msgspec import structs
from msgspec.structs import asdict

from infra.serving.models import validation
from infra.serving.models.availability import Disruption
from infra.serving.models.canary import SUFFIX
from infra.serving.models.entry import Entry
from infra.serving.scalars import text, texts


class Model(Entry, dict=True):
    """One model: an entry of the catalog, from which all its objects are built."""

    def __post_init__(self) -> None:
        texts(self, "arguments", "environment")
        by_gpu = self.arguments_by_gpu.items()
        structs.force_setattr(
            self, "arguments_by_gpu", {kind: tuple(map(text, own)) for kind, own in by_gpu}
        )
        validation.check(self)
        try:
            _ = self.canary_version
        except ValueError as error:
            raise ValueError(f"canary: {error}") from None

    @cached_property
    def canary_version(self) -> "CanaryVersion | None":
        """The second version as an entry of its own; None if there is none.

        `ValueError` if it cannot exist.
        """
        share = self.canary
        if share is None:
            return None
        exposure = self.exposure.canary(share.node_port)
        changes = {
            key: value
            for key in ("source", "imported", "image", "arguments")
            if (value := getattr(share, key)) not in {None, getattr(self, key)}
        }
        if "source" in changes:
            # The model's import brings the model's files, not those of another source.
            changes.setdefault("imported", None)
        if not changes:
            raise ValueError(
                f'it would be the same as "{self.name}" itself; set its source, image or '
                "arguments to what differs"
            )
        values = {
            **asdict(self),
            **changes,
            "name": f"{self.name}{SUFFIX}",
            "canary": None,
            "exposure": exposure,
            "former_exposure": None,
            # The model's budget may require more replicas than the canary has.
            "disruption": Disruption(max_unavailable=1),
        }
        if "source" in changes:
            values["size"] = None  # it is that of the model's own files
        if share.replicas is not None:
            values["replicas"] = share.replicas
            if share.replicas.min == share.replicas.max:
                values["autoscaling"] = None
        return CanaryVersion(**values, serves=self.name)


class CanaryVersion(Model, kw_only=True, dict=True):
    """The second version of a model, derived from its entry. No stack file contains one."""

    serves: str
    """Name of the model."""

    @property
    def model_name(self) -> str:
        """The name that the model itself has for callers."""
        return self.served_name or self.serves
