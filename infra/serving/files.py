"""How a model's files come into its pods: what an entry says, and what the pod gets for it.

The bucket's name and who may read it are not decided here.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.manifest import Manifest
from infra.serving.presets import CACHE, DIRECT, DOWNLOAD, FUSE, IMAGE
from infra.serving.quantity import Quantity

FOLDER = "/models"
DOWNLOADER = "gcr.io/google.com/cloudsdktool/google-cloud-cli:578.0.0-slim"
FUSE_DRIVER = "gcsfuse.csi.storage.gke.io"
_VOLUME = "files"
_TMP = "/tmp"  # noqa: S108 - in the container


class Direct(Settings, tag_field="via", tag=DIRECT):
    """The server reads the bucket itself."""


class Download(Settings, tag_field="via", tag=DOWNLOAD):
    """Copied onto the node's disk before the server starts, for each pod anew."""

    size: Annotated[Quantity, Meta(description="Room on the node's disk: above the files' size.")]


class GcsFuse(Settings, tag_field="via", tag=FUSE):
    """The bucket mounted as a folder, read-only, by GKE's Cloud Storage FUSE driver."""

    cache: Annotated[
        Quantity | None,
        Meta(description="Keep what was read on the node's disk, up to this; none: nothing."),
    ] = None


class SharedCache(Settings, tag_field="via", tag=CACHE):
    """Copied once onto a volume that all replicas share; those that come later find it there."""

    size: Annotated[
        Quantity, Meta(description="Size of the volume: for all versions it is to hold.")
    ]
    storage_class: Annotated[
        Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")],
        Meta(description="Class of volumes that many nodes write to, as GKE's Filestore classes."),
    ] = "standard-rwx"


class InImage(Settings, tag_field="via", tag=IMAGE):
    """The image holds the model; no `source`."""


Files = Direct | Download | GcsFuse | SharedCache | InImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a pod needs so that a model's files are in it."""

    path: str
    """Where the server finds the files: a folder, or an address in a bucket."""
    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    init: list[dict[str, Any]] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """What the files' folder is in."""
        return self.path.rpartition("/")[0]


def supply(name: str, source: str | None, files: Files, *, serves: str) -> Supply:
    """What the pods of model `name`, whose server knows it as `serves`, need for its files."""
    inside = f"{FOLDER}/{serves}"
    mount = {"name": _VOLUME, "mountPath": inside, "readOnly": True}
    match files:
        case Direct():
            return Supply(path=source or inside)
        case Download():
            return Supply(
                path=inside,
                volumes=[{"name": _VOLUME, "emptyDir": {"sizeLimit": files.size}}],
                mounts=[mount],
                init=[downloader(source or "", inside)],
            )
        case GcsFuse():
            return Supply(
                path=inside,
                volumes=[{"name": _VOLUME, "csi": fuse(source or "", files)}],
                mounts=[mount],
                # By this GKE puts the driver's own container into the pod.
                annotations={"gke-gcsfuse/volumes": "true"},
            )
        case SharedCache():
            # One folder a source: a new version lies beside the old one, which serves meanwhile.
            kept = (source or "").removeprefix("gs://")
            return Supply(
                path=inside,
                volumes=[{"name": _VOLUME, "persistentVolumeClaim": {"claimName": claim(name)}}],
                mounts=[{**mount, "subPath": kept}],
                init=[filler(source or "", kept)],
            )
        case InImage():
            return Supply(path=inside)


def fuse(source: str, files: GcsFuse) -> dict[str, Any]:
    """The volume of the bucket's folder. The driver reads as the pod's service account."""
    bucket, _, folder = source.removeprefix("gs://").partition("/")
    # Objects made by other tools have no folders above them unless they are inferred.
    options = ["implicit-dirs", f"only-dir={folder}", "file-mode=444", "dir-mode=555"]
    cache = {"fileCacheCapacity": files.cache} if files.cache else {}
    return {
        "driver": FUSE_DRIVER,
        "readOnly": True,
        "volumeAttributes": {"bucketName": bucket, "mountOptions": ",".join(options), **cache},
    }


def claim(name: str) -> str:
    """The name of the claim of model `name`'s shared volume."""
    return f"{name}-files"


def volume(files: SharedCache) -> Manifest:
    """The spec of that claim: many nodes write, since any replica may be the first."""
    return {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": files.storage_class,
        "resources": {"requests": {"storage": files.size}},
    }


def filler(source: str, kept: str) -> dict[str, Any]:
    """The container that fills the shared volume, or finds it full; others wait for its lock."""
    copy = downloader(source, f"{FOLDER}/{kept}")
    # The folder must be there before anything is copied into it.
    script = 'mkdir -p "$0" && exec gcloud "$@"'
    return {
        **copy,
        "command": ["flock", f"{FOLDER}/.lock", "sh", "-c", script, f"{FOLDER}/{kept}"],
        "volumeMounts": [{"name": _VOLUME, "mountPath": FOLDER}, copy["volumeMounts"][1]],
    }


def downloader(source: str, target: str) -> dict[str, Any]:
    """The container that copies the files and ends; the server starts after it."""
    amounts = {"cpu": "500m", "memory": "512Mi"}
    return {
        "name": "model-files",
        "image": DOWNLOADER,
        "command": ["gcloud"],
        # Only what differs is copied, and each object is checked: an attempt may follow another.
        "args": ["storage", "rsync", source, target, "--recursive", "--checksums-only"],
        "env": [
            {"name": "HOME", "value": _TMP},
            {"name": "CLOUDSDK_CONFIG", "value": f"{_TMP}/gcloud"},
            {"name": "CLOUDSDK_CORE_DISABLE_PROMPTS", "value": "1"},
        ],
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": _VOLUME, "mountPath": target},
            {"name": "tmp", "mountPath": _TMP},
        ],
    }
