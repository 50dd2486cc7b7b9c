"""Configuration of the networking layer (namespace `gke-networking`).

Hosts and paths of the models are not configured here; they come with the serving contract.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.access import Iap
from gkeplatform.buckets import BucketArgs
from gkeplatform.config import Settings
from gkeplatform.naming import Naming
from infra.networking import certificate_coverage
from infra.networking.armor import FREE_TEXT_ROLE, ROLE, Armor
from infra.networking.certificate_plan import MAP, is_mapped
from infra.networking.tls import Certificate, DnsArgs, DomainArgs, HttpsArgs

YEAR = 31_622_400
"""The longest TTL of Cloud CDN, in seconds."""


class OutlierDetection(Settings):
    """Ejects a pod that keeps failing from the load balancer for a while."""

    consecutive_errors: Annotated[
        int, Meta(ge=1, le=1000, description="Consecutive 5xx responses that eject a pod.")
    ] = 5
    interval_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="Analysis interval, in seconds.")
    ] = 10
    ejection_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="Base ejection time, in seconds.")
    ] = 30
    most_percent: Annotated[
        int, Meta(ge=1, le=100, description="Maximum percentage of pods ejected at a time.")
    ] = 50


Header = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+$")]


class BackendArgs(Settings):
    """Settings of every model's backend service."""

    timeout_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="Backend timeout, in seconds.")
    ] = 30
    draining_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=3600,
            description="Connection draining timeout, in seconds; a model's longer "
            "`drain_seconds` wins.",
        ),
    ] = 30
    max_rate: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000_000,
            description="Maximum requests per second per pod, or per node.",
        ),
    ] = 100
    log_sample_rate: Annotated[
        float, Meta(ge=0, le=1, description="Share of requests to log, 0 to 1.")
    ] = 1.0
    session_affinity: Annotated[
        Literal["NONE", "CLIENT_IP", "GENERATED_COOKIE"],
        Meta(description="Session affinity, for models that hold state."),
    ] = "NONE"
    outlier_detection: Annotated[
        OutlierDetection | None,
        Meta(description="Ejects failing pods. Default: health checks only."),
    ] = None
    request_headers: Annotated[
        dict[Header, str],
        Meta(description="Headers added to requests, as `X-Client-Region: {client_region}`."),
    ] = field(default_factory=dict)
    response_headers: Annotated[
        dict[Header, str], Meta(description="Headers added to responses.")
    ] = field(default_factory=dict)


class Cache(Settings):
    """How long Cloud CDN and browsers cache static files."""

    mode: Annotated[
        Literal["CACHE_ALL_STATIC", "USE_ORIGIN_HEADERS", "FORCE_CACHE_ALL"],
        Meta(description="Cache mode of Cloud CDN."),
    ] = "CACHE_ALL_STATIC"
    default_seconds: Annotated[
        int, Meta(ge=0, le=YEAR, description="TTL of files without their own, in seconds.")
    ] = 3600
    client_seconds: Annotated[
        int, Meta(ge=0, le=YEAR, description="Maximum TTL in browsers, in seconds.")
    ] = 3600
    max_seconds: Annotated[
        int, Meta(ge=0, le=YEAR, description="Maximum TTL at the edge, in seconds.")
    ] = 86400
    stale_seconds: Annotated[
        int,
        Meta(
            ge=0, le=604800, description="Seconds a stale file may be served while it is refreshed."
        ),
    ] = 86400

    def __post_init__(self) -> None:
        if self.mode != "CACHE_ALL_STATIC":  # the others have no maximum
            return
        for key in ("default_seconds", "client_seconds"):
            if getattr(self, key) > self.max_seconds:
                raise ValueError(
                    f"{key} {getattr(self, key)} exceeds max_seconds {self.max_seconds}"
                )


class ProbeArgs(Settings):
    """Health checks of the load balancer."""

    interval_seconds: Annotated[int, Meta(ge=1, le=300, description="Seconds between probes.")] = 10
    timeout_seconds: Annotated[
        int, Meta(ge=1, le=300, description="Seconds to wait for a response.")
    ] = 5
    healthy_after: Annotated[
        int, Meta(ge=1, le=10, description="Consecutive successes until healthy.")
    ] = 2
    unhealthy_after: Annotated[
        int, Meta(ge=1, le=10, description="Consecutive failures until unhealthy.")
    ] = 3

    def __post_init__(self) -> None:
        if self.timeout_seconds > self.interval_seconds:
            raise ValueError(
                f"timeout_seconds {self.timeout_seconds} exceeds interval_seconds "
                f"{self.interval_seconds}"
            )


class StaticFilesArgs(BucketArgs):
    """The bucket of the default backend, for requests that reach no model."""

    cdn: Annotated[bool, Meta(description="Whether Cloud CDN caches the files.")] = True
    cache: Annotated[Cache, Meta(description="How long the files are cached.")] = Cache()
    public: Annotated[
        bool,
        Meta(description="Grant read access to everyone; a bucket that serves files needs it."),
    ] = False


class NetworkingConfig(Settings):
    """The networking layer of one environment."""

    backends: Annotated[
        BackendArgs, Meta(description="Settings of every model's backend service.")
    ] = BackendArgs()
    probes: Annotated[ProbeArgs, Meta(description="Settings of every model's health check.")] = (
        ProbeArgs()
    )
    static_files: Annotated[
        StaticFilesArgs, Meta(description="Default backend: a bucket of static files.")
    ] = StaticFilesArgs()
    armor: Annotated[
        Armor | None,
        Meta(description="Cloud Armor security policy. Default: none, everyone may call."),
    ] = None
    iap: Annotated[
        Iap | None,
        Meta(description="Identity-Aware Proxy for models without their own `iap`. Default: off."),
    ] = None
    neg_wait_seconds: Annotated[
        int,
        Meta(
            ge=0, le=1800, description="Seconds to wait until GKE has created the endpoint groups."
        ),
    ] = 180
    domains: Annotated[
        tuple[DomainArgs, ...], Meta(description="Domains of the load balancer.")
    ] = ()
    certificates: Annotated[
        tuple[Certificate, ...],
        Meta(description="Certificates. HTTPS is served if there is at least one."),
    ] = ()
    private_keys: Annotated[
        dict[str, str],
        Meta(description="Private keys of self-managed certificates, by name; PEM, encrypted."),
    ] = field(default_factory=dict)
    https: Annotated[HttpsArgs, Meta(description="HTTPS settings.")] = HttpsArgs()
    dns: Annotated[
        DnsArgs | None,
        Meta(description="Cloud DNS zone of the domains. Default: records are managed elsewhere."),
    ] = None

    def __post_init__(self) -> None:
        certificate_coverage.check(self)

    @property
    def serves_https(self) -> bool:
        """Whether the load balancer serves HTTPS."""
        return bool(self.certificates)

    def map_name(self, naming: Naming) -> str | None:
        """Physical name of the certificate map that the layer makes; None where it makes none."""
        return naming.of(MAP) if is_mapped(self.certificates) else None

    def policy_names(self, naming: Naming) -> tuple[str, ...]:
        """Physical names that the layer's security policies may have."""
        return (naming.of(ROLE), naming.of(FREE_TEXT_ROLE)) if self.armor else ()
