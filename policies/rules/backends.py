"""Rules about backend services and health checks: capacity, timeouts, logs, security policies."""

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
ARMOR = gcp(
    "compute/securityPolicy:SecurityPolicy", "compute/regionSecurityPolicy:RegionSecurityPolicy"
)
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
_INTERNAL_SCHEMES = ("INTERNAL", "INTERNAL_SELF_MANAGED", "INTERNAL_MANAGED")


def _is_internal(service: Props) -> bool:
    return text(service, "loadBalancingScheme") in _INTERNAL_SCHEMES


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="medium",
    why="Without a target capacity the load balancer overloads the nearest zone while others idle.",
    fix="set the model's rate (gke-networking:backends.max_rate)",
    references=(_BACKENDS,),
    passing={"backends": [{"group": "a", "balancingMode": "RATE", "maxRatePerEndpoint": 100}]},
    failing={"backends": [{"group": "a", "balancingMode": "RATE"}]},
)
def backends_state_their_capacity(service: Props) -> Iterator[str]:
    """Every backend has a target capacity."""
    if text(service, "loadBalancingScheme") == "INTERNAL":
        return  # passthrough load balancer: it has no capacity settings
    for index, backend in enumerate(entries(service, "backends")):
        group = dict.get(backend, "group")
        is_serverless = isinstance(group, str) and "/regions/" in group
        if not is_serverless and not any(number(backend, key) for key in _CAPACITIES):
            yield f"backends[{index}] has no target capacity ({', '.join(_CAPACITIES[:4])}, …)"


class Draining(Settings):
    """Connection draining."""

    seconds: Annotated[
        Annotated[int, Meta(ge=1, le=3600)],
        Meta(description="Connection draining that `remediate` sets, in seconds."),
    ] = 60


def _drained(resource: Resource, given: Draining) -> Iterator[tuple[Path, int]]:
    """Set connection draining if it is off."""
    if not number(resource.props, "connectionDrainingTimeoutSec"):
        yield ("connectionDrainingTimeoutSec",), given.seconds


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="medium",
    why="Without connection draining, requests in flight to a terminating pod are cut off.",
    fix="set gke-networking:backends.draining_seconds, or set the rule's level to `remediate`",
    references=(google("Connection draining", "load-balancing/docs/enabling-connection-draining"),),
    passing={"connectionDrainingTimeoutSec": 60},
    failing={"connectionDrainingTimeoutSec": 0},
    repair=_drained,
)
def backend_services_drain_connections(service: Props, given: Draining) -> Iterator[str]:  # noqa: ARG001 (used by the repair)
    """A backend service has connection draining."""
    # The provider's default is 300.
    seconds = number(service, "connectionDrainingTimeoutSec")
    if seconds is not None and seconds < 1:
        yield "connectionDrainingTimeoutSec is 0"


class TimeoutLimit(Settings):
    """Limit of the timeout."""

    most: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="The longest timeout, in seconds.")
    ] = 900


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="low",
    why="A very long timeout keeps servers busy with requests whose clients are gone; the default "
    "of 30 s cuts off slow predictions.",
    fix="set gke-networking:backends.timeout_seconds",
    references=(google("Timeouts", "load-balancing/docs/https#timeouts_and_retries"),),
    passing={"timeoutSec": 30},
    failing={"timeoutSec": 86400},
)
def backend_services_time_out(service: Props, given: TimeoutLimit) -> Iterator[str]:
    """A backend service sets a timeout within the limit."""
    seconds = number(service, "timeoutSec")
    if seconds is None and not _is_internal(service):
        yield "timeoutSec is not set (default: 30)"
    elif seconds is not None and not 1 <= seconds <= given.most:
        yield f"timeoutSec is {seconds:.0f}, not between 1 and {given.most}"


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="medium",
    why="Without request logs, rejected and failed requests cannot be investigated.",
    fix="set gke-networking:backends.log_sample_rate above 0",
    references=(google("Logging", "load-balancing/docs/https/https-logging-monitoring"),),
    passing={"logConfig": {"enable": True, "sampleRate": 0.1}},
    failing={"logConfig": {"enable": False}},
)
def backend_services_log_requests(service: Props) -> Iterator[str]:
    """A backend service logs all or a sample of its requests."""
    log = block(service, "logConfig")
    if not flag(log, "enable"):
        yield "logConfig.enable is not true"
    elif number(log, "sampleRate") == 0:
        yield "logConfig.sampleRate is 0"


@advisory(
    BACKEND_SERVICES,
    layer="networking",
    severity="high",
    why="Without a security policy, floods and known attacks reach the models. Models that take "
    "free text have a policy whose WAF rules do not inspect request bodies: prompts and code match "
    "the signatures of SQL injection and XSS, and the server treats them as data.",
    fix="set gke-networking:armor",
    references=(_ARMOR,),
    passing={"loadBalancingScheme": "EXTERNAL_MANAGED", "securityPolicy": "models"},
    failing={"loadBalancingScheme": "EXTERNAL_MANAGED"},
)
def backend_services_are_behind_cloud_armor(service: Props) -> Iterator[str]:
    """An external backend service has a Cloud Armor security policy."""
    if not _is_internal(service) and not text(service, "securityPolicy"):
        yield "securityPolicy is not set"


@mandatory(
    ARMOR,
    layer="networking",
    severity="medium",
    why="A policy that allows everything protects nothing.",
    fix="give the policy rules (gke-networking:armor)",
    references=(_ARMOR,),
    passing={"rules": [{"action": "throttle", "priority": 1000}]},
    failing={"rules": [{"action": "allow", "priority": 2147483647}]},
)
def security_policies_refuse_something(policy: Props) -> Iterator[str]:
    """A Cloud Armor security policy denies, throttles, bans or redirects some requests."""
    actions = {text(rule, "action") for rule in entries(policy, "rules")}
    if not any(
        one.startswith(("deny", "throttle", "rate_based_ban", "redirect")) for one in actions
    ):
        yield "no rule denies, throttles, bans or redirects"


class ProxiedBackends(Settings):
    """Backends that require Identity-Aware Proxy."""

    backends: Annotated[
        tuple[str, ...],
        Meta(description="Names of backend services that require IAP; `*` matches any text."),
    ] = ()


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="high",
    why="With IAP configured but off, anyone can call the backend.",
    fix="set the model's members (gke-serving:models[].exposure.iap), or remove the backend from "
    "the rule's parameter",
    references=(google("Identity-Aware Proxy", "iap/docs/concepts-overview"),),
    passing={"name": "admin", "iap": {"enabled": True, "oauth2ClientId": "id"}},
    failing={"name": "admin", "iap": {"enabled": False, "oauth2ClientId": "id"}},
)
def identity_aware_proxy_is_on_where_asked(service: Props, given: ProxiedBackends) -> Iterator[str]:
    """Identity-Aware Proxy is on for backend services that require it."""
    proxy = block(service, "iap")
    is_required = bool(text(proxy, "oauth2ClientId"))
    if given.backends:
        name = text(service, "name")
        is_required = is_required or any(fnmatchcase(name, one) for one in given.backends)
    if is_required and not flag(proxy, "enabled"):
        yield "iap.enabled is not true"


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="high",
    why="A cache may return one caller's prediction to another.",
    fix="enable Cloud CDN for the static files bucket only (gke-networking:static_files.cdn)",
    references=(google("Cloud CDN", "cdn/docs/overview"),),
    passing={"enableCdn": False},
    failing={"enableCdn": True},
)
def only_buckets_are_cached(service: Props) -> Iterator[str]:
    """Cloud CDN is off for backend services."""
    if flag(service, "enableCdn"):
        yield "enableCdn is true"


@mandatory(
    HEALTH_CHECKS,
    layer="networking",
    severity="medium",
    why="Google's default is /, where many servers answer before the model is loaded, or not at "
    "all.",
    fix="set the path that answers 200 once the model can serve: a preset's own, or "
    "gke-serving:models[].custom.ready; keep timeoutSec at or below checkIntervalSec",
    references=(_CHECKS,),
    passing={"httpHealthCheck": {"requestPath": "/v1/models/resnet", "port": 8501}},
    failing={"httpHealthCheck": {"port": 8501}},
)
def health_checks_ask_for_the_model(check: Props) -> Iterator[str]:
    """A health check states the model's readiness path; its timeout fits its interval.

    A stated / is taken at its word: some servers, such as Ollama, have nothing else.
    """
    for kind in ("httpHealthCheck", "httpsHealthCheck", "http2HealthCheck"):
        http = check.get(kind)
        if isinstance(http, dict) and not text(http, "requestPath"):
            yield f"{kind}.requestPath is not set"
    interval, timeout = number(check, "checkIntervalSec"), number(check, "timeoutSec")
    if interval is not None and timeout is not None and timeout > interval:
        yield f"timeoutSec {timeout:.0f} is longer than checkIntervalSec {interval:.0f}"


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
    why="If the firewall drops the probes, all backends are unhealthy and the load balancer "
    "answers 503.",
    fix="allow the port in the firewall (the networking layer derives it from the routes)",
    references=(google("Firewall rules", "load-balancing/docs/health-checks#firewall_rules"),),
    passing=(_firewall("8000-8501"), _check(8501)),
    failing=(_firewall("80"), _check(8501)),
)
def health_checks_pass_the_firewall(check: Props, stack: Stack) -> Iterator[str]:
    """The port of a health check is allowed by a firewall rule of the stack."""
    firewalls = [one.props for one in stack.of(FIREWALLS)]
    allowed = [
        allow
        for firewall in firewalls
        if text(firewall, "direction") != "EGRESS" and not flag(firewall, "disabled")
        for allow in entries(firewall, "allows")
    ]
    if not allowed:
        return  # the firewall is managed elsewhere
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
            yield f"no firewall rule allows its port {port:.0f}"


def _admits(allow: Props, port: int) -> bool:
    if text(allow, "protocol").lower() not in {"tcp", "all", "6"}:
        return False
    ranges = texts(allow, "ports")
    for one in ranges:
        low, _, high = one.partition("-")
        if low.isdigit() and int(low) <= port <= int(high if high.isdigit() else low):
            return True
    return not ranges
