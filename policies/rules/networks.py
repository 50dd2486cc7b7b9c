"""Rules about the network that nodes and pods are in."""

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
    why="An automatic network has a subnet in every region of the world, whose ranges collide with "
    "those of the next network it is to be joined with.",
    fix="set auto_create_subnetworks to false (the cluster layer does)",
    references=(google("VPC networks", "vpc/docs/vpc#auto-mode-considerations"),),
    passing={"autoCreateSubnetworks": False},
    failing={"name": "main"},
)
def networks_have_no_automatic_subnets(network: Props) -> Iterator[str]:
    """A network has the subnets that were planned for it."""
    if flag(network, "autoCreateSubnetworks", default=True):
        yield "autoCreateSubnetworks is not false"


@mandatory(
    SUBNETWORKS,
    layer="cluster",
    severity="medium",
    why="Without it, nodes without a public address reach neither images nor logs nor buckets but "
    "by NAT.",
    fix="set private_ip_google_access (the cluster layer does)",
    references=(google("Private Google Access", "vpc/docs/private-google-access"),),
    passing={"privateIpGoogleAccess": True},
    failing={"privateIpGoogleAccess": False},
)
def subnets_reach_google_privately(subnet: Props) -> Iterator[str]:
    """Machines of a subnet reach Google's APIs without leaving Google's network."""
    if text(subnet, "purpose") not in _NO_HOSTS and not flag(subnet, "privateIpGoogleAccess"):
        yield "privateIpGoogleAccess is not true"


@advisory(
    SUBNETWORKS,
    layer="cluster",
    severity="low",
    why="After a break-in, flow logs tell who spoke to whom.",
    fix="set gke-cluster:network.flow_logs",
    references=(cis("5.6.1"), google("VPC Flow Logs", "vpc/docs/using-flow-logs")),
    passing={"logConfig": {"flowSampling": 0.1}},
    failing={"ipCidrRange": "10.10.0.0/20"},
)
def subnets_log_their_flows(subnet: Props) -> Iterator[str]:
    """A subnet logs a sample of its connections."""
    if text(subnet, "purpose") not in _NO_HOSTS and not block(subnet, "logConfig"):
        yield "logConfig is not set"


@mandatory(
    NATS,
    layer="cluster",
    severity="low",
    why="When a gateway runs out of ports connections fail, and only its log says so.",
    fix="set log_config.enable (the cluster layer does)",
    references=(google("Cloud NAT logging", "nat/docs/monitoring"),),
    passing={"logConfig": {"enable": True, "filter": "ERRORS_ONLY"}},
    failing={"name": "main"},
)
def nat_gateways_log_their_errors(nat: Props) -> Iterator[str]:
    """A NAT gateway logs at least its errors."""
    if not flag(nat, "logConfig", "enable"):
        yield "logConfig.enable is not true"


@mandatory(
    gcp("compute/firewall:Firewall"),
    layer="networking",
    severity="medium",
    why="A rule for all protocols and ports admits what nobody has thought of.",
    fix="name protocol and ports in allows",
    references=(google("Firewall rules", "firewall/docs/using-firewalls"),),
    passing={"direction": "INGRESS", "allows": [{"protocol": "tcp", "ports": ["8501"]}]},
    failing={"direction": "INGRESS", "allows": [{"protocol": "all"}]},
)
def firewall_names_its_ports(firewall: Props) -> Iterator[str]:
    """A firewall rule that lets in names protocols and, of TCP and UDP, ports."""
    if text(firewall, "direction") == "EGRESS" or flag(firewall, "disabled"):
        return
    for allow in entries(firewall, "allows"):
        protocol = text(allow, "protocol").lower()
        if protocol == "all":
            yield "it admits all protocols"
        elif protocol in {"tcp", "udp", "sctp"} and not allow.get("ports"):
            yield f"it admits all ports of {protocol}"
