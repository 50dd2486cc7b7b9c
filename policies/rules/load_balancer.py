"""Rules about load balancer backends: health checks and firewall sources."""

import ipaddress
from collections.abc import Iterator

from facts import front_ends
from policies.rule import cis, google, mandatory
from policies.subjects import gcp
from policies.values import MalformedInputError, Props, entries, flag, text, texts

BACKEND_SERVICES = gcp(
    "compute/backendService:BackendService",
    "compute/regionBackendService:RegionBackendService",
)
FIREWALLS = gcp("compute/firewall:Firewall")

_TCP_FORWARDING = "35.235.240.0/20"
"""Identity-Aware Proxy's TCP forwarding, for SSH through it."""
GOOGLE_RANGES = tuple(
    ipaddress.ip_network(cidr) for cidr in (*front_ends.GOOGLE_RANGES, _TCP_FORWARDING)
)
"""Source ranges of Google's health checks and load balancers."""


@mandatory(
    BACKEND_SERVICES,
    layer="networking",
    severity="high",
    why="Without a health check the load balancer sends requests to pods that are gone.",
    fix="add a health check (the networking layer creates one per model)",
    references=(google("Health checks", "load-balancing/docs/health-check-concepts"),),
    passing={"healthChecks": "projects/acme-ml-dev/global/healthChecks/resnet"},
    failing={"protocol": "HTTP"},
)
def backend_service_has_a_health_check(service: Props) -> Iterator[str]:
    """A backend service has a health check."""
    # A list with one entry in the API, a string in the provider's SDK.
    if "healthChecks" not in service or service.get("healthChecks") in (None, "", []):
        yield "healthChecks is not set"


@mandatory(
    FIREWALLS,
    layer="networking",
    severity="high",
    why="A rule open to the internet lets anyone reach the nodes directly, bypassing the load "
    "balancer and its checks.",
    fix="use Google's health check ranges or private ranges as sources",
    references=(
        cis("5.6.6"),
        google(
            "Firewall rules for health checks", "load-balancing/docs/health-checks#firewall_rules"
        ),
    ),
    passing={
        "direction": "INGRESS",
        "allows": [{"protocol": "tcp", "ports": ["8501"]}],
        "sourceRanges": ["35.191.0.0/16", "130.211.0.0/22"],
    },
    failing={"allows": [{"protocol": "tcp"}], "sourceRanges": ["35.191.0.0/16", "0.0.0.0/0"]},
)
def firewall_admits_only_google_and_private_sources(firewall: Props) -> Iterator[str]:
    """A firewall rule allows ingress from Google's and private ranges only."""
    is_egress = text(firewall, "direction").upper() == "EGRESS"
    if is_egress or flag(firewall, "disabled") or not entries(firewall, "allows"):
        return
    ranges = texts(firewall, "sourceRanges")
    for cidr in ranges:
        if not _is_trusted(cidr):
            yield f"sourceRanges allows {cidr}, which is neither a Google nor a private range"
    if not ranges and not texts(firewall, "sourceTags") + texts(firewall, "sourceServiceAccounts"):
        yield "no source is set, so the rule allows the whole internet"


def _is_trusted(cidr: str) -> bool:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        raise MalformedInputError(f"sourceRanges should be address ranges, not {cidr!r}") from None
    if network.is_private and network.prefixlen > 0:
        return True
    return any(
        network.version == trusted.version and network.subnet_of(trusted)  # type: ignore[arg-type]  # of one version
        for trusted in GOOGLE_RANGES
    )
