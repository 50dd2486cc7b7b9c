"""Rules about backend services: capacity, patience, logs, and who stands guard."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.rule import Stack, advisory, google, mandatory
from policies.rules.load_balancer import BACKEND_SERVICES, FIREWALLS
from policies.subjects import Path, Resource, gcp
from policies.values import Props, block, entries, flag, number, text, texts

HEALTH_CHECKS = gcp(
    "compute/healthCheck:HealthCheck", "compute/regionHealthCheck:RegionHealthCheck"
)
ARMOR = gcp("compute/securityPolicy:SecurityPolicy")
_BACKENDS = google("Backend services", "load-balancing/docs/backend-service")
_CHECKS = google("Health checks", "load-balancing/docs/health-check-concepts")
_ARMOR = google("Cloud Armor", "armor/docs/security-policy-overview")
_CAPACITIES = (
    "maxRate",
    "maxRatePerInstance",
    "maxRatePerEndpoint",
    "maxUtilization",
    "maxConnections",
    "maxConnectionsPerInstance",
    "maxConnectionsPerEndpoint",
)
_INSIDE = ("INTERNAL", "INTERNAL_SELF_MANAGED", "INTERNAL_MANAGED")


def _is_internal(service: Props) -> bool:
    return text(service, "loadBalancingScheme") in _INSIDE


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="medium",
    why="A backend without a target capacity is filled as far as it goes: the nearest zone drowns "
    "while the next one idles.",
    fix="set the model's rate (gke-networking:backends.max_rate)",
    references=(_BACKENDS,),
    passing={"backends": [{"group": "a", "balancingMode": "RATE", "maxRatePerEndpoint": 100}]},
    failing={"backends": [{"group": "a", "balancingMode": "RATE"}]},
)
def backends_state_their_capacity(service: Props) -> Iterator[str]:
    """Every backend says how much it takes."""
    if text(service, "loadBalancingScheme") == "INTERNAL":
        return  # which balances connections and takes no capacity
    for index, backend in enumerate(entries(service, "backends")):
        group = dict.get(backend, "group")
        is_serverless = isinstance(group, str) and "/regions/" in group
        if not is_serverless and not any(number(backend, key) for key in _CAPACITIES):
            yield f"backends[{index}] has none of {', '.join(_CAPACITIES[:4])} and the like"


class Draining(Settings):
    """How long requests under way may take."""

    seconds: Annotated[
        Annotated[int, Meta(ge=1, le=3600)],
        Meta(description="What `remediate` sets as connection draining, in seconds."),
    ] = 60


def _drained(resource: Resource, given: Draining) -> Iterator[tuple[Path, int]]:
    """Connection draining where there is none."""
    if not number(resource.props, "connectionDrainingTimeoutSec"):
        yield ("connectionDrainingTimeoutSec",), given.seconds


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="medium",
    why="Without it, requests to a pod that goes are cut off in the middle.",
    fix="set the model's draining (gke-networking:backends.draining_seconds), or set the "
    "level to `remediate`",
    references=(google("Connection draining", "load-balancing/docs/enabling-connection-draining"),),
    passing={"connectionDrainingTimeoutSec": 60},
    failing={"connectionDrainingTimeoutSec": 0},
    repair=_drained,
)
def backend_services_drain_connections(service: Props, given: Draining) -> Iterator[str]:  # noqa: ARG001 (the repair goes by it)
    """A backend service lets requests under way be answered."""
    # The provider's default, where it is not set, is 300.
    seconds = number(service, "connectionDrainingTimeoutSec")
    if seconds is not None and seconds < 1:
        yield "connectionDrainingTimeoutSec is 0"


class Patience(Settings):
    """How long a request may take."""

    most: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="The longest timeout, in seconds.")
    ] = 900


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="low",
    why="A request that nobody waits for any more keeps a server busy; one that needs a minute is "
    "cut off by the default of 30 seconds.",
    fix="set the model's timeout (gke-networking:backends.timeout_seconds)",
    references=(google("Timeouts", "load-balancing/docs/https#timeouts_and_retries"),),
    passing={"timeoutSec": 30},
    failing={"timeoutSec": 86400},
)
def backend_services_time_out(service: Props, given: Patience) -> Iterator[str]:
    """A backend service states a timeout, and not one of hours."""
    seconds = number(service, "timeoutSec")
    if seconds is None and not _is_internal(service):
        yield "timeoutSec is not set, so it is 30"
    elif seconds is not None and not 1 <= seconds <= given.most:
        yield f"timeoutSec is {seconds:.0f}, not between 1 and {given.most}"


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="medium",
    why="Without logs of requests nobody can say who was refused, by whom, and since when.",
    fix="set gke-networking:backends.log_sample_rate above 0",
    references=(google("Logging", "load-balancing/docs/https/https-logging-monitoring"),),
    passing={"logConfig": {"enable": True, "sampleRate": 0.1}},
    failing={"logConfig": {"enable": False}},
)
def backend_services_log_requests(service: Props) -> Iterator[str]:
    """A backend service logs requests, or a sample of them."""
    log = block(service, "logConfig")
    if not flag(log, "enable"):
        yield "logConfig.enable is not true"
    elif number(log, "sampleRate") == 0:
        yield "logConfig.sampleRate is 0"


@advisory(
    BACKEND_SERVICES,
    layer="networking",
    severity="high",
    why="Without a policy, floods and known attacks reach the models.",
    fix="set gke-networking:armor",
    references=(_ARMOR,),
    passing={"loadBalancingScheme": "EXTERNAL_MANAGED", "securityPolicy": "models"},
    failing={"loadBalancingScheme": "EXTERNAL_MANAGED"},
)
def backend_services_are_behind_cloud_armor(service: Props) -> Iterator[str]:
    """A backend service that the internet reaches has a policy of Cloud Armor."""
    if not _is_internal(service) and not text(service, "securityPolicy"):
        yield "securityPolicy is not set"


@mandatory(
    ARMOR,
    layer="networking",
    severity="medium",
    why="A policy that allows everything looks like protection and is none.",
    fix="give the policy rules (gke-networking:armor)",
    references=(_ARMOR,),
    passing={"rules": [{"action": "throttle", "priority": 1000}]},
    failing={"rules": [{"action": "allow", "priority": 2147483647}]},
)
def security_policies_refuse_something(policy: Props) -> Iterator[str]:
    """A policy of Cloud Armor denies, throttles or bans somebody."""
    actions = {text(rule, "action") for rule in entries(policy, "rules")}
    if not any(
        one.startswith(("deny", "throttle", "rate_based_ban", "redirect")) for one in actions
    ):
        yield "no rule denies, throttles or bans"


class ProxiedBackends(Settings):
    """Which backends only people of one's own may call."""

    backends: Annotated[
        tuple[str, ...],
        Meta(description="Names of backend services that IAP has to guard; `*` is any text."),
    ] = ()


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="high",
    why="Where Identity-Aware Proxy is asked for and not on, the backend is open to everybody.",
    fix="name the model's callers (gke-serving:models[].exposure.iap), or take it from the "
    "rule's parameter",
    references=(google("Identity-Aware Proxy", "iap/docs/concepts-overview"),),
    passing={"name": "admin", "iap": {"enabled": True, "oauth2ClientId": "id"}},
    failing={"name": "admin", "iap": {"enabled": False, "oauth2ClientId": "id"}},
)
def identity_aware_proxy_is_on_where_asked(service: Props, given: ProxiedBackends) -> Iterator[str]:
    """A backend service that is to be guarded by Identity-Aware Proxy is."""
    proxy = block(service, "iap")
    is_asked = bool(text(proxy, "oauth2ClientId"))
    if given.backends:
        name = text(service, "name")
        is_asked = is_asked or any(fnmatchcase(name, one) for one in given.backends)
    if is_asked and not flag(proxy, "enabled"):
        yield "iap.enabled is not true"


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="high",
    why="A cache answers one caller with what was made for another: predictions are nobody else's "
    "business, and change with each request.",
    fix="set CDN on the bucket of static files only (gke-networking:static_files.cdn)",
    references=(google("Cloud CDN", "cdn/docs/overview"),),
    passing={"enableCdn": False},
    failing={"enableCdn": True},
)
def only_buckets_are_cached(service: Props) -> Iterator[str]:
    """Cloud CDN caches no backend service."""
    if flag(service, "enableCdn"):
        yield "enableCdn is true"


@mandatory(
    HEALTH_CHECKS,
    layer="networking",
    severity="medium",
    why="A server answers on / long before its model is loaded, if it does at all.",
    fix="let the model's preset say its path (gke-serving:models[].server)",
    references=(_CHECKS,),
    passing={"httpHealthCheck": {"requestPath": "/v1/models/resnet", "port": 8501}},
    failing={"httpHealthCheck": {"port": 8501}},
)
def health_checks_ask_for_the_model(check: Props) -> Iterator[str]:
    """A health check asks whether the model is ready, and does not give up too soon."""
    for kind in ("httpHealthCheck", "httpsHealthCheck", "http2HealthCheck"):
        http = check.get(kind)
        if isinstance(http, dict) and text(http, "requestPath") in {"", "/"}:
            yield f"{kind}.requestPath is {text(http, 'requestPath') or 'not set'}"
    every, patience = number(check, "checkIntervalSec"), number(check, "timeoutSec")
    if every is not None and patience is not None and patience > every:
        yield f"timeoutSec {patience:.0f} is longer than checkIntervalSec {every:.0f}"


def _firewall(*ports: str) -> Resource:
    allows = [{"protocol": "tcp", "ports": list(ports)}]
    return Resource(
        FIREWALLS.example,
        {"direction": "INGRESS", "allows": allows, "sourceRanges": ["35.191.0.0/16"]},
    )


def _check(port: int) -> Resource:
    return Resource(HEALTH_CHECKS.example, {"httpHealthCheck": {"port": port}})


@mandatory(
    HEALTH_CHECKS,
    layer="networking",
    severity="high",
    why="A check that the firewall drops finds every backend unhealthy: the load balancer answers "
    "503.",
    fix="let the firewall admit the port (the networking layer takes it from the routes)",
    references=(google("Firewall rules", "load-balancing/docs/health-checks#firewall_rules"),),
    passing=(_firewall("8000-8501"), _check(8501)),
    failing=(_firewall("80"), _check(8501)),
)
def health_checks_pass_the_firewall(check: Props, stack: Stack) -> Iterator[str]:
    """The port of a health check is one that a firewall rule beside it admits."""
    firewalls = [one.props for one in stack.of(FIREWALLS)]
    allowed = [
        allow
        for firewall in firewalls
        if text(firewall, "direction") != "EGRESS" and not flag(firewall, "disabled")
        for allow in entries(firewall, "allows")
    ]
    if not allowed:
        return  # somebody else's
    kinds = (
        "httpHealthCheck",
        "httpsHealthCheck",
        "http2HealthCheck",
        "tcpHealthCheck",
        "grpcHealthCheck",
    )
    for kind in kinds:
        port = number(check, kind, "port")
        if port is not None and not any(_admits(allow, int(port)) for allow in allowed):
            yield f"no firewall rule admits its port {port:.0f}"


def _admits(allow: Props, port: int) -> bool:
    if text(allow, "protocol").lower() not in {"tcp", "all", "6"}:
        return False
    ranges = texts(allow, "ports")
    for one in ranges:
        low, _, high = one.partition("-")
        if low.isdigit() and int(low) <= port <= int(high if high.isdigit() else low):
            return True
    return not ranges
