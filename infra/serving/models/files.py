"""How a model's files get into its pods: settings, and volumes and containers of the pod.

The bucket and its readers are in `tenancy/bucket.py`.
"""

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.models.presets import DIRECT, DOWNLOAD, FUSE, IMAGE, STREAMER, Preset
from infra.serving.models.shared_cache import SharedCache
from infra.serving.quantity import Cpu, Memory, Size, amount
from infra.serving.scalars import texts

FOLDER = "/models"
DOWNLOADER = "gcr.io/google.com/cloudsdktool/google-cloud-cli:578.0.0-slim"
DOWNLOADER_AMOUNTS = {"cpu": "500m", "memory": "512Mi"}
"""Requests and limits of the container that copies files."""
FUSE_DRIVER = "gcsfuse.csi.storage.gke.io"
SIDECAR_DISK = 5 * 2**30
"""Bytes of the sidecar's ephemeral storage without a cache."""
_VOLUME = "files"
_TMP = "/tmp"  # noqa: S108 - in the container


class Direct(Settings, tag_field="via", tag=DIRECT):
    """The server reads the bucket itself."""


class Download(Settings, tag_field="via", tag=DOWNLOAD):
    """Copied onto the node's disk before the server starts, in each pod."""

    size: Annotated[
        Size, Meta(description="Size limit on the node's disk; more than the files need.")
    ]


class FuseSidecar(Settings):
    """Resources of the driver's sidecar: its requests, and its limits."""

    cpu: Annotated[Cpu | None, Meta(description="Cores. Default: `250m`, with a cache `1`.")] = None
    memory: Annotated[
        Memory | None, Meta(description="Memory. Default: `256Mi`, with a cache `1Gi`.")
    ] = None
    ephemeral_storage: Annotated[
        Size | None, Meta(description="Disk. Default: `5Gi` and the cache.")
    ] = None

    def __post_init__(self) -> None:
        texts(self, "cpu", "memory")


class GcsFuse(Settings, tag_field="via", tag=FUSE):
    """The bucket mounted as a folder, read-only, by GKE's Cloud Storage FUSE driver."""

    cache: Annotated[
        Size | None,
        Meta(description="Size of a read cache on the node's disk. Default: no cache."),
    ] = None
    sidecar: Annotated[FuseSidecar, Meta(description="Resources of the driver's sidecar.")] = (
        FuseSidecar()
    )

    def __post_init__(self) -> None:
        own = self.sidecar.ephemeral_storage
        if self.cache and own and amount(own) <= amount(self.cache):
            raise ValueError(
                f"sidecar.ephemeral_storage {own} holds the cache of {self.cache} too; set more, "
                "or leave it out"
            )

    @property
    def sidecar_resources(self) -> dict[str, str]:
        """The sidecar's requests and limits. Without a cache they are GKE's own defaults.

        The cache is an emptyDir that counts towards the sidecar's ephemeral storage:
        https://docs.cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-sidecar
        """
        disk = SIDECAR_DISK + int(amount(self.cache or "0"))
        return {
            "cpu": self.sidecar.cpu or ("1" if self.cache else "250m"),
            "memory": self.sidecar.memory or ("1Gi" if self.cache else "256Mi"),
            "ephemeral-storage": self.sidecar.ephemeral_storage or mebibytes(disk),
        }


class Streamer(Settings, tag_field="via", tag=STREAMER):
    """The server streams the safetensors files from the bucket into the GPUs (Run:ai's streamer).

    https://docs.vllm.ai/en/stable/models/extensions/runai_model_streamer/
    """

    concurrency: Annotated[
        Annotated[int, Meta(ge=1, le=256)] | None,
        Meta(description="Parallel reads of each process. Default: the streamer's own."),
    ] = None
    buffer: Annotated[
        Size | None,
        Meta(
            description="Memory of the pod that holds tensors on their way to the GPUs; more than "
            "the largest tensor. Default: half of what the memory limit leaves to the server."
        ),
    ] = None


class InImage(Settings, tag_field="via", tag=IMAGE):
    """The image contains the model; no `source`."""


def mebibytes(size: int) -> str:
    """A number of bytes as a quantity, rounded up: `6144Mi`."""
    return f"{-(-size // 2**20)}Mi"


Files = Direct | Download | GcsFuse | SharedCache | Streamer | InImage


def room(files: Files) -> int | None:
    """Bytes that a model's files may have; None: as many as the bucket holds."""
    return int(amount(files.size)) if isinstance(files, Download | SharedCache) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a pod needs to have a model's files."""

    path: str
    """Directory or bucket URL of the files."""
    volumes: list[Manifest] = field(default_factory=list)
    mounts: list[Manifest] = field(default_factory=list)
    init: list[Manifest] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The parent of `path`."""
        return self.path.rpartition("/")[0]


def temporary_storage(preset: Preset, files: Files) -> str:
    """The default size of /tmp."""
    return preset.direct_storage if isinstance(files, Direct) else preset.temporary_storage


def supply(name: str, source: str | None, files: Files, *, serves: str) -> Supply:
    """What the pods of workload `name`, whose server serves model `serves`, need for its files."""
    inside = f"{FOLDER}/{serves}"
    mount = {"name": _VOLUME, "mountPath": inside, "readOnly": True}
    match files:
        case Direct() | Streamer():
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
                # GKE then injects the driver's sidecar.
                annotations={"gke-gcsfuse/volumes": "true", **sidecar_annotations(files)},
            )
        case SharedCache():
            # One directory per source, so that the old version stays while a new one is copied.
            kept = (source or "").removeprefix("gs://")
            return Supply(
                path=inside,
                volumes=[{"name": _VOLUME, "persistentVolumeClaim": {"claimName": claim(name)}}],
                mounts=[{**mount, "subPath": kept}],
                init=[cache_filler(source or "", kept)],
            )
        case InImage():
            return Supply(path=inside)


def sidecar_annotations(files: GcsFuse) -> dict[str, str]:
    """Annotations from which GKE sets the sidecar's requests and limits."""
    return {
        f"gke-gcsfuse/{resource}-{kind}": size
        for resource, size in files.sidecar_resources.items()
        for kind in ("request", "limit")
    }


def fuse(source: str, files: GcsFuse) -> Manifest:
    """The CSI volume of the bucket's folder. The driver reads as the pod's service account."""
    bucket, _, folder = source.removeprefix("gs://").partition("/")
    # Other tools create objects without folder objects; the driver infers folders.
    options = ["implicit-dirs", f"only-dir={folder}", "file-mode=444", "dir-mode=555"]
    cache = {"fileCacheCapacity": files.cache} if files.cache else {}
    return {
        "driver": FUSE_DRIVER,
        "readOnly": True,
        "volumeAttributes": {"bucketName": bucket, "mountOptions": ",".join(options), **cache},
    }


def claim(name: str) -> str:
    """The name of the PersistentVolumeClaim of workload `name`."""
    return f"{name}-files"


def shared_volume(files: Files) -> Manifest | None:
    """The spec of the PersistentVolumeClaim that replicas share; None if they share none.

    Any replica may be the first, so all may write.
    """
    if not isinstance(files, SharedCache):
        return None
    return {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": files.class_name,
        "resources": {"requests": {"storage": files.size}},
    }


def cache_filler(source: str, kept: str) -> Manifest:
    """The init container that fills the shared volume under a lock; later ones find it full."""
    copy = downloader(source, f"{FOLDER}/{kept}")
    # gcloud needs an existing target directory.
    script = 'mkdir -p "$0" && exec gcloud "$@"'
    return {
        **copy,
        "command": ["flock", f"{FOLDER}/.lock", "sh", "-c", script, f"{FOLDER}/{kept}"],
        "volumeMounts": [{"name": _VOLUME, "mountPath": FOLDER}, copy["volumeMounts"][1]],
    }


def downloader(source: str, target: str) -> Manifest:
    """The init container that copies the files."""
    return {
        "name": "model-files",
        "image": DOWNLOADER,
        "command": ["gcloud"],
        # Resumable: copies only what differs, by checksum.
        "args": ["storage", "rsync", source, target, "--recursive", "--checksums-only"],
        "env": [
            {"name": "HOME", "value": _TMP},
            {"name": "CLOUDSDK_CONFIG", "value": f"{_TMP}/gcloud"},
            {"name": "CLOUDSDK_CORE_DISABLE_PROMPTS", "value": "1"},
        ],
        "resources": {"requests": DOWNLOADER_AMOUNTS, "limits": DOWNLOADER_AMOUNTS},
        "securityContext": SECURITY_CONTEXT,
        "volumeMounts": [
            {"name": _VOLUME, "mountPath": target},
            {"name": "tmp", "mountPath": _TMP},
        ],
    }
