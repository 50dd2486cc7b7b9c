"""A rule about network policies that admit everyone."""

from collections.abc import Iterator

from policies.rule import advisory, kubernetes_docs
from policies.rules.namespaces import NETWORK_POLICIES
from policies.values import Props, block, entries, number, text, texts

_DOCS = kubernetes_docs("Network policies", "concepts/services-networking/network-policies/")
_EVERYWHERE = ("0.0.0.0/0", "::/0")
_LAST_PORT = 65535
_DIRECTIONS = (
    ("ingress", "from", "Ingress", "accept connections from everywhere"),
    ("egress", "to", "Egress", "may connect to everywhere"),
)


def _policy(**spec: object) -> Props:
    return {
        "metadata": {"name": "team", "namespace": "models"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], **spec},
    }


@advisory(
    NETWORK_POLICIES,
    layer="serving",
    severity="medium",
    why="Policies add up: one that admits everyone to all pods of a namespace makes every other "
    "policy of the namespace useless.",
    fix="name the peers or the ports, or select the pods that everyone may reach in podSelector",
    references=(_DOCS,),
    passing=_policy(ingress=[{"from": [{"podSelector": {}}]}]),
    failing=_policy(ingress=[{}]),
)
def network_policies_name_their_peers(policy: Props) -> Iterator[str]:
    """A NetworkPolicy for all pods of a namespace names peers or ports."""
    selector = block(policy, "spec", "podSelector")
    if block(selector, "matchLabels") or entries(selector, "matchExpressions"):
        return
    types = texts(policy, "spec", "policyTypes")
    for direction, peers, type_, consequence in _DIRECTIONS:
        if types and type_ not in types:
            continue  # the API server keeps the rules, and nothing applies them
        for rule in entries(policy, "spec", direction):
            if _are_all_ports(entries(rule, "ports")) and _is_anyone(
                entries(rule, peers), in_cluster=direction == "ingress"
            ):
                yield f"all pods of the namespace {consequence}"
                break


def _are_all_ports(ports: list[Props]) -> bool:
    """Whether a rule is for all ports: it lists none, or one entry covers them."""
    if not ports:
        return True
    return any(map(_is_every_port, ports))


def _is_every_port(port: Props) -> bool:
    first = port.get("port")  # a number or a name
    if isinstance(first, int | float):
        return first <= 1 and (number(port, "endPort") or 0) >= _LAST_PORT
    return first is None


def _is_anyone(peers: list[Props], *, in_cluster: bool) -> bool:
    """Whether peers are everyone: none is listed, or one is every address.

    `in_cluster`: every pod of the cluster is everyone too.
    """
    return not peers or any(
        _is_every_address(peer) or (in_cluster and _is_every_pod(peer)) for peer in peers
    )


def _is_every_address(peer: Props) -> bool:
    blocked = block(peer, "ipBlock")
    return text(blocked, "cidr") in _EVERYWHERE and not texts(blocked, "except")


def _is_every_pod(peer: Props) -> bool:
    """Whether a peer is every pod of every namespace: an empty selector of namespaces."""
    if peer.get("namespaceSelector") is None:
        return False
    return not any(
        block(peer, kind, "matchLabels") or entries(peer, kind, "matchExpressions")
        for kind in ("namespaceSelector", "podSelector")
    )
