"""Settings: the keys of one entry of the catalog, and what they mean by default."""

from functools import cached_property
from typing import Annotated

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.serving.exposures import Exposure, FormerExposure
from infra.serving.models.adapters import Adapter, Lora
from infra.serving.models.availability import Disruption, Rollout, Spread
from infra.serving.models.canary import Canary
from infra.serving.models.custom import Custom
from infra.serving.models.custom import preset as custom_preset
from infra.serving.models.database import ModelDatabase
from infra.serving.models.files import Direct, Files
from infra.serving.models.imports import Import
from infra.serving.models.pod_settings import PodSettings
from infra.serving.models.presets import PRESETS, Preset
from infra.serving.models.secrets import EnvironmentValue
from infra.serving.models.size import ModelSize
from infra.serving.patterns import Image, Name, ServedName, Source
from infra.serving.quantity import Size
from infra.serving.resources import Resources
from infra.serving.scalars import Text
from infra.serving.scaling.settings import Autoscaling, Replicas

LONGEST_DRAIN = 3600
"""Seconds; the longest connection draining of a backend service."""
SHORTEST_DRAIN = 15
"""Seconds until load balancers have deregistered a pod. The default of an entry may be longer."""
EnvironmentName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Entry(Settings, dict=True):
    """The keys of an entry. They are not checked against each other; see `Model`."""

    name: Annotated[Name, Meta(description="Name of the model and of its objects.")]
    server: Annotated[str, Meta(description="Preset of the model server, or `custom`.")]
    replicas: Annotated[Replicas, Meta(description="Bounds of the number of replicas.")]
    resources: Annotated[Resources, Meta(description="Requests and limits of a replica.")]
    exposure: Annotated[
        Exposure,
        Meta(description="How it is reached; without callers outside: `{kind: cluster-ip}`."),
    ]
    hosts: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Hosts of a replica: vLLM divides the model over as many pods, each with "
            "`resources` and on a node of its own.",
        ),
    ] = 1
    former_exposure: Annotated[
        FormerExposure | None,
        Meta(
            description="What it moves from, `ingress` or `gateway`: it answers there as well, "
            "until this key is removed."
        ),
    ] = None
    team: Annotated[
        str | None,
        Meta(description="One of `teams`, whose namespace it runs in. Default: `namespace`."),
    ] = None
    source: Annotated[
        Source | None,
        Meta(description="Folder of the model's files, `gs://bucket/path`."),
    ] = None
    imported: Annotated[
        Import | None,
        Meta(description="Import of the files into `source`, from Hugging Face."),
    ] = field(name="import", default=None)
    served_name: Annotated[
        ServedName | None,
        Meta(description="Name that callers and the server use. Default: `name`."),
    ] = None
    files: Annotated[
        Files | None,
        Meta(description="How the files get into the pods. Default: the server reads the bucket."),
    ] = None
    size: Annotated[
        ModelSize | None,
        Meta(
            description="What the model's files take in a vLLM server's memory. Default: known for "
            "a source that ends with the name of a well-known model."
        ),
    ] = None
    image: Annotated[
        Image | None,
        Meta(description="Image in place of the preset's, with a fixed tag or a digest."),
    ] = None
    custom: Annotated[
        Custom | None, Meta(description="Replaces a preset; for server `custom` only.")
    ] = None
    arguments: Annotated[
        tuple[Text, ...],
        Meta(description="Arguments of the server; a flag replaces the preset's of that name."),
    ] = ()
    arguments_by_gpu: Annotated[
        dict[str, tuple[Text, ...]],
        Meta(
            description="Arguments by the type of GPU that a pod of a `compute_class` gets "
            "(`nvidia-l4`), after `arguments`; of a flag that is given twice the last counts."
        ),
    ] = field(default_factory=dict)
    environment: Annotated[
        dict[EnvironmentName, EnvironmentValue],
        Meta(description="Environment variables of the server; secrets by reference only."),
    ] = field(default_factory=dict)
    adapters: Annotated[
        tuple[Adapter, ...] | None,
        Meta(description="LoRA adapters of a vLLM server, added and removed without a restart."),
    ] = None
    lora: Annotated[
        Lora | None,
        Meta(description="Room for adapters. Default: as its keys say, if `adapters` is set."),
    ] = None
    pod: Annotated[
        PodSettings, Meta(description="Additions to the pod: containers, volumes, labels, …")
    ] = PodSettings()
    shared_memory: Annotated[
        Size | None, Meta(description="Size of /dev/shm; counts towards the memory limit.")
    ] = None
    temporary_storage: Annotated[
        Size | None,
        Meta(description="Size of /tmp, on the node's disk. Default: what the preset needs."),
    ] = None
    autoscaling: Annotated[
        Autoscaling | None, Meta(description="Required if replicas.min and max differ.")
    ] = None
    canary: Annotated[
        Canary | None, Meta(description="A second version that gets a share of the requests.")
    ] = None
    disruption: Annotated[
        Disruption, Meta(description="Budget for voluntary disruptions (PDB).")
    ] = Disruption(max_unavailable=1)
    rollout: Annotated[Rollout, Meta(description="Rolling updates.")] = Rollout()
    spread: Annotated[Spread, Meta(description="Topology spread of the replicas.")] = Spread()
    priority: Annotated[
        str | None, Meta(description="One of `priority_classes`. Default: the cluster's default.")
    ] = None
    node_pool: Annotated[
        str | None, Meta(description="Pool that it must run on. Default: any that fits.")
    ] = None
    compute_class: Annotated[
        str | None,
        Meta(
            description="One of `gke-cluster:compute_classes`: it runs on the first of the class's "
            "pools that has nodes. Every pool must fit, and `resources.gpu` has no type."
        ),
    ] = None
    postgres: Annotated[
        ModelDatabase | None,
        Meta(description="Its database, passed to its pods as libpq's variables (`PGHOST`, …)."),
    ] = None
    startup_seconds: Annotated[
        int, Meta(ge=10, le=3600, description="Time that loading the model may take.")
    ] = 300
    free_text: Annotated[
        bool | None,
        Meta(
            description="Requests contain prompts or code: Cloud Armor does not inspect bodies. "
            "Default: true for vLLM and OpenAI-compatible servers."
        ),
    ] = None
    drain_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=LONGEST_DRAIN)] | None,
        Meta(
            description="Time that a pod keeps serving, and its backend service lets answers end, "
            "once the pod is to stop. Default: `exposure.timeout_seconds`, at least 15."
        ),
    ] = None

    @property
    def model_name(self) -> str:
        """The name that callers and the server use."""
        return self.served_name or self.name

    @property
    def drain_or_default(self) -> int:
        """How long a pod drains: as long as an answer may take, unless the entry says otherwise."""
        if self.drain_seconds is not None:
            return self.drain_seconds
        former = self.former_exposure.timeout_seconds if self.former_exposure else None
        return max(SHORTEST_DRAIN, self.exposure.timeout_seconds or 0, former or 0)

    @cached_property
    def preset(self) -> Preset:
        """The preset of the model's server, or `custom` in the form of one."""
        return custom_preset(self.custom) if self.custom else PRESETS[self.server]

    @property
    def imports(self) -> dict[str, Import]:
        """The imports from Hugging Face, by key below the entry."""
        own = {"import": self.imported} if self.imported else {}
        return own | {
            f"adapters[{index}].import": one.imported
            for index, one in enumerate(self.adapters or ())
            if one.imported
        }

    @property
    def lora_or_default(self) -> Lora | None:
        """The room for adapters; None: the server takes none."""
        return self.lora or (Lora() if self.adapters is not None else None)

    @property
    def files_or_default(self) -> Files:
        """How the model's files get into its pods."""
        return self.files or Direct()
