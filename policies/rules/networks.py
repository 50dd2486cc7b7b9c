"""Rules about VPC networks, subnetworks, Cloud NAT and firewall rules."""

from collections.abc import Iterator

from policies.rule import advisory, cis, google, mandatory
from policies.subjects import gcp
from policies.values import Props, block, entries, flag, text

NETWORKS = gcp("compute/network:Network")
SUBNETWORKS = gcp("compute/subnetwork:Subnetwork")
NATS = gcp("compute/routerNat:RouterNat")
_NO_HOSTS = ("REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY", "INTERNAL_HTTPS_LOAD_BALANCER")


@mandatory(
    NETWORKS,
    layer="cluster",
    severity="medium",
    why="An auto mode network has a subnet in every region; its ranges collide with other networks "
    "when they are peered.",
    fix="set auto_create_subnetworks to false (the cluster layer does)",
    references=(google("VPC networks", "vpc/docs/vpc#auto-mode-considerations"),),
    passing={"autoCreateSubnetworks": False},
    failing={"name": "main"},
)
def networks_have_no_automatic_subnets(network: Props) -> Iterator[str]:
    """A network is in custom subnet mode."""
    if flag(network, "autoCreateSubnetworks", default=True):
        yield "autoCreateSubnetworks is not false"


@mandatory(
    SUBNETWORKS,
    layer="cluster",
    severity="medium",
    why="Without Private Google Access, private nodes reach Google APIs (images, logs, buckets) "
    "through NAT only.",
    fix="set private_ip_google_access (the cluster layer does)",
    references=(google("Private Google Access", "vpc/docs/private-google-access"),),
    passing={"privateIpGoogleAccess": True},
    failing={"privateIpGoogleAccess": False},
)
def subnets_reach_google_privately(subnet: Props) -> Iterator[str]:
    """A subnet has Private Google Access."""
    if text(subnet, "purpose") not in _NO_HOSTS and not flag(subnet, "privateIpGoogleAccess"):
        yield "privateIpGoogleAccess is not true"


@advisory(
    SUBNETWORKS,
    layer="cluster",
    severity="low",
    why="Flow logs show which hosts communicated, for incident analysis.",
    fix="set gke-cluster:network.flow_logs",
    references=(cis("5.6.1"), google("VPC Flow Logs", "vpc/docs/using-flow-logs")),
    passing={"logConfig": {"flowSampling": 0.1}},
    failing={"ipCidrRange": "10.10.0.0/20"},
)
def subnets_log_their_flows(subnet: Props) -> Iterator[str]:
    """A subnet has flow logs."""
    if text(subnet, "purpose") not in _NO_HOSTS and not block(subnet, "logConfig"):
        yield "logConfig is not set"


@mandatory(
    NATS,
    layer="cluster",
    severity="low",
    why="If a NAT gateway runs out of ports, connections fail and only its log shows why.",
    fix="set log_config.enable (the cluster layer does)",
    references=(google("Cloud NAT logging", "nat/docs/monitoring"),),
    passing={"logConfig": {"enable": True, "filter": "ERRORS_ONLY"}},
    failing={"name": "main"},
)
def nat_gateways_log_their_errors(nat: Props) -> Iterator[str]:
    """A NAT gateway logs errors."""
    if not flag(nat, "logConfig", "enable"):
        yield "logConfig.enable is not true"


@mandatory(
    gcp("compute/firewall:Firewall"),
    layer="networking",
    severity="medium",
    why="A rule for all protocols or ports allows unintended traffic.",
    fix="set protocol and ports in allows",
    references=(google("Firewall rules", "firewall/docs/using-firewalls"),),
    passing={"direction": "INGRESS", "allows": [{"protocol": "tcp", "ports": ["8501"]}]},
    failing={"direction": "INGRESS", "allows": [{"protocol": "all"}]},
)
def firewall_names_its_ports(firewall: Props) -> Iterator[str]:
    """An ingress firewall rule names protocols and, for TCP, UDP and SCTP, ports."""
    if text(firewall, "direction") == "EGRESS" or flag(firewall, "disabled"):
        return
    for allow in entries(firewall, "allows"):
        protocol = text(allow, "protocol").lower()
        if protocol == "all":
            yield "it allows all protocols"
        elif protocol in {"tcp", "udp", "sctp"} and not allow.get("ports"):
            yield f"it allows all {protocol} ports"
