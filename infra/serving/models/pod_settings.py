"""Settings: additions to the pod of a model server, `pod`.

Volumes, folders and identities have keys of their own. Containers are written as Kubernetes spells
them. `pod_checks` and `container_checks` validate them, `additions` builds the manifests, and the
policies judge the pod as a whole.
"""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.serving.patterns import SecretName, StorageClass
from infra.serving.quantity import Size
from infra.serving.scalars import Text, texts

VolumeName = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Folder = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._-]+)+$")]
SubPath = Annotated[
    str,
    Meta(
        # Kubernetes refuses absolute paths and the part `..`.
        pattern=r"^(?!(.*/)?\.\.(/|$))[^/\s]\S*$",
        extra={"explain": lambda one: f'"{one}" is not a path below the volume, as models/m1 is'},
    ),
]
MetadataKey = Annotated[
    str,
    Meta(
        pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?"
        r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
    ),
]
LabelValue = Annotated[str, Meta(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
if TYPE_CHECKING:
    LabelText = str
else:
    LabelText = LabelValue | int | float | bool
# 0 is root, which the restricted Pod Security Standard refuses.
Id = Annotated[int, Meta(ge=1, le=2_147_483_647)]


class Ephemeral(Settings):
    """A disk of each pod, created and deleted with it."""

    size: Annotated[Size, Meta(description="Size of the disk.")]
    storage_class: Annotated[StorageClass, Meta(description="Storage class.")] = "premium-rwo"


class Volume(Settings):
    """A volume of the pod, from exactly one source."""

    name: Annotated[VolumeName, Meta(description="Name of the volume, for `volumeMounts`.")]
    config_map: Annotated[
        SecretName | None, Meta(description="ConfigMap in the model's namespace.")
    ] = None
    secret: Annotated[SecretName | None, Meta(description="Secret in the model's namespace.")] = (
        None
    )
    empty_dir: Annotated[
        Size | None, Meta(description="Empty folder of this size on the node's disk.")
    ] = None
    claim: Annotated[
        SecretName | None,
        Meta(description="PersistentVolumeClaim; ReadWriteMany if there are several replicas."),
    ] = None
    ephemeral: Annotated[Ephemeral | None, Meta(description="A disk of each pod.")] = None
    mount_path: Annotated[
        Folder | None,
        Meta(description="Path in the model server's container. Default: not mounted there."),
    ] = None
    sub_path: Annotated[
        SubPath | None, Meta(description="File or folder of the volume to mount. Default: all.")
    ] = None
    read_only: Annotated[
        bool | None,
        Meta(description="Whether it is read-only. Default: empty_dir and ephemeral are not."),
    ] = None

    def __post_init__(self) -> None:
        given = list(self.sources)
        if len(given) != 1:
            raise ValueError(
                f'volume "{self.name}" has {" and ".join(given) or "no source"}; set one of '
                "config_map, secret, empty_dir, claim, ephemeral"
            )
        if self.mount_path is None and self.sub_path is not None:
            raise ValueError(f'volume "{self.name}": sub_path needs mount_path')

    @property
    def is_read_only(self) -> bool:
        """Whether the server's mount is read-only."""
        if self.read_only is None:
            return self.empty_dir is None and self.ephemeral is None
        return self.read_only

    @property
    def sources(self) -> dict[str, object]:
        """The sources that are set, by key."""
        values = {
            key: getattr(self, key)
            for key in ("config_map", "secret", "empty_dir", "claim", "ephemeral")
        }
        return {key: value for key, value in values.items() if value is not None}


class PodSettings(Settings):
    """Additions to the pod of a model."""

    containers: Annotated[
        tuple[dict[str, Any], ...],
        Meta(description="Further containers, as in a Kubernetes pod spec."),
    ] = ()
    init_containers: Annotated[
        tuple[dict[str, Any], ...],
        Meta(description="Init containers; with `restartPolicy: Always` native sidecars."),
    ] = ()
    volumes: Annotated[
        tuple[Volume, ...], Meta(description="Volumes, and where the server has them.")
    ] = ()
    writable: Annotated[
        dict[Folder, Size],
        Meta(description="Writable folders of the server, with size: `/cache: 5Gi`."),
    ] = field(default_factory=dict)
    image_pull_secrets: Annotated[
        tuple[SecretName, ...],
        Meta(description="Secrets with credentials of private registries."),
    ] = ()
    user: Annotated[Id | None, Meta(description="User id. Default: 65534.")] = None
    group: Annotated[Id | None, Meta(description="Group id. Default: 65534.")] = None
    fs_group: Annotated[
        Id | None, Meta(description="Group that owns the volumes. Default: `group`.")
    ] = None
    annotations: Annotated[
        dict[MetadataKey, Text], Meta(description="Annotations of the pods.")
    ] = field(default_factory=dict)
    labels: Annotated[dict[MetadataKey, LabelText], Meta(description="Labels of the pods.")] = (
        field(default_factory=dict)
    )

    def __post_init__(self) -> None:
        texts(self, "annotations", "labels")
