"""What a stack file says about the networking layer (namespace `gke-networking`).

Which model answers where is not said here: that comes with the serving layer's contract.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from gkeplatform.access import Iap
from gkeplatform.buckets import BucketArgs
from gkeplatform.config import Settings
from infra.networking import coverage
from infra.networking.armor import Armor
from infra.networking.tls import Certificate, DnsArgs, DomainArgs, HttpsArgs


class OutlierDetection(Settings):
    """Takes a pod that keeps failing out of the load balancer for a while."""

    consecutive_errors: Annotated[
        int, Meta(ge=1, le=1000, description="Answers of 5xx in a row after which a pod is out.")
    ] = 5
    interval_seconds: Annotated[int, Meta(ge=1, le=3600, description="Time between two looks.")] = (
        10
    )
    ejection_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="How long a pod is out at first.")
    ] = 30
    most_percent: Annotated[
        int, Meta(ge=1, le=100, description="Share of the pods that may be out at a time.")
    ] = 50


Header = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+$")]


class BackendArgs(Settings):
    """What holds for the backend service of every model."""

    timeout_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="How long a response may take.")
    ] = 30
    draining_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="How long requests under way may finish.")
    ] = 30
    max_rate: Annotated[
        int, Meta(ge=1, description="Requests per second that one pod, or one node, is given.")
    ] = 100
    log_sample_rate: Annotated[
        float, Meta(ge=0, le=1, description="Share of the requests that is logged, 0 to 1.")
    ] = 1.0
    session_affinity: Annotated[
        Literal["NONE", "CLIENT_IP", "GENERATED_COOKIE"],
        Meta(description="What keeps a caller with one pod, for models that hold state."),
    ] = "NONE"
    outlier_detection: Annotated[
        OutlierDetection | None, Meta(description="Takes failing pods out; none: probes alone do.")
    ] = None
    request_headers: Annotated[
        dict[Header, str],
        Meta(description="Headers that models get, as `X-Client-Region: {client_region}`."),
    ] = field(default_factory=dict)
    response_headers: Annotated[
        dict[Header, str], Meta(description="Headers that callers get with every answer.")
    ] = field(default_factory=dict)


class Cache(Settings):
    """How long Cloud CDN and browsers keep static files."""

    mode: Annotated[
        Literal["CACHE_ALL_STATIC", "USE_ORIGIN_HEADERS", "FORCE_CACHE_ALL"],
        Meta(description="What is kept: static files, what says so itself, or everything."),
    ] = "CACHE_ALL_STATIC"
    default_seconds: Annotated[int, Meta(ge=0, description="For files that do not say.")] = 3600
    client_seconds: Annotated[int, Meta(ge=0, description="In browsers, at most.")] = 3600
    max_seconds: Annotated[int, Meta(ge=0, description="At the edge, at most.")] = 86400
    stale_seconds: Annotated[
        int, Meta(ge=0, le=604800, description="How long an old file may stand in for a new one.")
    ] = 86400

    def __post_init__(self) -> None:
        if self.default_seconds > self.max_seconds:
            raise ValueError(
                f"default_seconds {self.default_seconds} exceeds max_seconds {self.max_seconds}"
            )


class ProbeArgs(Settings):
    """How the load balancer asks a model whether it can serve."""

    interval_seconds: Annotated[int, Meta(ge=1, le=300, description="Time between probes.")] = 10
    timeout_seconds: Annotated[int, Meta(ge=1, le=300, description="Time for the answer.")] = 5
    healthy_after: Annotated[int, Meta(ge=1, le=10, description="Answers until healthy.")] = 2
    unhealthy_after: Annotated[int, Meta(ge=1, le=10, description="Failures until not.")] = 3

    def __post_init__(self) -> None:
        if self.timeout_seconds > self.interval_seconds:
            raise ValueError(
                f"timeout_seconds {self.timeout_seconds} exceeds interval_seconds "
                f"{self.interval_seconds}"
            )


class StaticFilesArgs(BucketArgs):
    """The bucket that answers what no model answers."""

    cdn: Annotated[bool, Meta(description="Let Cloud CDN cache the files.")] = True
    cache: Annotated[Cache, Meta(description="How long they are kept.")] = Cache()
    public: Annotated[
        bool, Meta(description="Let everybody read the files; a bucket that serves must.")
    ] = False


class NetworkingConfig(Settings):
    """The networking layer of one environment."""

    backends: Annotated[BackendArgs, Meta(description="Every model's backend service.")] = (
        BackendArgs()
    )
    probes: Annotated[ProbeArgs, Meta(description="Every model's health check.")] = ProbeArgs()
    static_files: Annotated[StaticFilesArgs, Meta(description="The default backend.")] = (
        StaticFilesArgs()
    )
    armor: Annotated[
        Armor | None, Meta(description="Security policy of Cloud Armor; none: everybody may call.")
    ] = None
    iap: Annotated[
        Iap | None,
        Meta(description="Who may call models that do not say it themselves; none: everybody."),
    ] = None
    neg_wait_seconds: Annotated[
        int,
        Meta(ge=0, le=1800, description="How long GKE may take to make endpoint groups."),
    ] = 180
    domains: Annotated[
        tuple[DomainArgs, ...], Meta(description="Domains that the load balancer answers on.")
    ] = ()
    certificates: Annotated[
        tuple[Certificate, ...], Meta(description="Certificates; with any, HTTPS is served.")
    ] = ()
    private_keys: Annotated[
        dict[str, str],
        Meta(description="Keys of self-managed certificates by name, PEM; encrypted only."),
    ] = msgspec.field(default_factory=dict)
    https: Annotated[HttpsArgs, Meta(description="How HTTPS is served.")] = HttpsArgs()
    dns: Annotated[
        DnsArgs | None, Meta(description="Zone of the domains; none: others keep the records.")
    ] = None

    def __post_init__(self) -> None:
        coverage.check(self)
