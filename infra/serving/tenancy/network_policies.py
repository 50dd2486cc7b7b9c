"""The network policies of a namespace of models."""

from collections.abc import Sequence

from facts.front_ends import FRONT_END_RANGES
from gkeplatform.leader_worker_sets import NAME_LABEL
from infra.serving.callers.pods import GATEWAY, GUARDED, LIMITS, LIMITS_PORT
from infra.serving.exposures.inference import picker
from infra.serving.manifest import Manifest
from infra.serving.models.pod import OPEN, OPEN_GRPC, OPEN_REST
from infra.serving.network_policy import dns, metadata_servers, namespace_selector, tcp
from infra.serving.postgres.network import egress_to
from infra.serving.tenancy.teams import Team
from infra.serving.tenancy.tenants import Group, Tenant

SCRAPERS = ("gmp-system", "gke-gmp-system", "kube-system", "ingress-nginx")
"""The cluster's own namespaces that call models: Prometheus collectors, ingress controllers."""
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
MODEL_SERVERS = {"app.kubernetes.io/component": "model-server"}
IMPORTS = {"app.kubernetes.io/component": "model-import"}
IMPORTS_POLICY = "imports"
"""Name of the policy on the pods of imports, where the namespace's own does not select them."""
PICKERS = {"app.kubernetes.io/component": picker.COMPONENT}
GATEWAYS = {"app.kubernetes.io/component": GATEWAY}
GUARDED_POLICY, GATEWAYS_POLICY = "guarded", "callers"
"""Names of the policies on models with a gateway, and on the gateways."""
COLLECTORS = ("gmp-system", "gke-gmp-system")
"""Namespaces of Managed Service for Prometheus, which read the metrics of model servers."""
GROUP_POLICY = "hosts"
"""How the name of the policy on a model on several hosts ends."""
OPEN_POLICY = "open"
"""Name of the policy on pods that callers outside the cluster reach directly."""
OPEN_GRPC_POLICY = "open-grpc"
"""The same for pods whose gRPC port they reach."""


def network_policies(tenant: Tenant) -> dict[str, Manifest]:
    """The specs of a namespace's policies, by name.

    A policy that selects no pods is left out: the policy pack refuses it, since it would only seem
    to protect something. A team's selects all pods, also those to come.
    """
    found = {}
    egress = [egress_to(namespace) for namespace in tenant.postgres_namespaces]
    # Policies add up: one on all models would open what those of some of them close.
    labels = [*GUARDED] if tenant.limits_namespace is not None else []
    labels += [NAME_LABEL] if tenant.groups else []
    alone = isolation(tenant.team, egress, but=labels)
    if tenant.team or (tenant.has_models and tenant.has_plain_models):
        found["team" if tenant.team else "models"] = alone
    for one in tenant.groups:
        found[f"{one.name}-{GROUP_POLICY}"] = group(
            one, guarded(egress) if one.is_guarded else alone
        )
    if tenant.has_guarded_models:
        found[GUARDED_POLICY] = guarded(egress, but=[NAME_LABEL] if tenant.groups else [])
    if tenant.limits_namespace is not None:
        found[GATEWAYS_POLICY] = gateways(
            tenant.team, tenant.limits_namespace, asks_pickers=tenant.has_asked_pickers
        )
    if tenant.has_imports and not tenant.team:
        found[IMPORTS_POLICY] = imports()
    if tenant.has_open_models:
        found[OPEN_POLICY] = open_ports(OPEN_REST, "rest")
    if tenant.has_open_grpc_models:
        found[OPEN_GRPC_POLICY] = open_ports(OPEN_GRPC, "grpc")
    return found


def isolation(
    team: Team | None, egress: Sequence[Manifest] = (), *, but: Sequence[str] = ()
) -> Manifest:
    """The spec of the policy on a namespace, which denies all traffic that it does not list.

    A team's covers all its pods. The shared namespace's (no team) covers model servers only, and
    any pod of the cluster may call them. `egress` are further rules. Pods with a label of `but`
    have policies of their own, and are left out: what one policy admits no other can refuse.
    """
    pods: Manifest = {} if team else {"matchLabels": MODEL_SERVERS}
    return {
        "podSelector": {**pods, **_without(but)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": _callers(team)}],
        "egress": _outward(egress),
    }


def _without(labels: Sequence[str]) -> Manifest:
    """The part of a selector by which pods have none of these labels."""
    absent = [{"key": label, "operator": "DoesNotExist"} for label in labels]
    return {"matchExpressions": absent} if absent else {}


def guarded(egress: Sequence[Manifest] = (), *, but: Sequence[str] = ()) -> Manifest:
    """The spec of the policy on model servers with a gateway: it and Prometheus call them.

    Pods with a label of `but` have policies of their own, and are left out.
    """
    return {
        "podSelector": {"matchLabels": GUARDED, **_without(but)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [
                    {"podSelector": {"matchLabels": GATEWAYS}},
                    *(namespace_selector(name) for name in COLLECTORS),
                ]
            }
        ],
        "egress": _outward(egress),
    }


def gateways(team: Team | None, limits_namespace: str, *, asks_pickers: bool = False) -> Manifest:
    """The spec of the policy on gateways: those may call that could call the models."""
    limits = {
        **namespace_selector(limits_namespace),
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": LIMITS}},
    }
    return {
        "podSelector": {"matchLabels": GATEWAYS},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": _callers(team)}],
        "egress": [
            {"to": [{"podSelector": {"matchLabels": GUARDED}}]},
            {"to": [limits], "ports": [tcp(LIMITS_PORT)]},
            *(
                [
                    {
                        "to": [{"podSelector": {"matchLabels": PICKERS}}],
                        "ports": [tcp(picker.EXT_PROC)],
                    }
                ]
                if asks_pickers
                else []
            ),
            dns(),
        ],
    }


def _callers(team: Team | None) -> list[Manifest]:
    callers: list[Manifest] = [{"namespaceSelector": {}}]
    if team:
        namespaces = (*team.callers, *SCRAPERS)
        callers = [{"podSelector": {}}, *(namespace_selector(name) for name in namespaces)]
    return [*callers, *({"ipBlock": {"cidr": cidr}} for cidr in FRONT_END_RANGES)]


def _outward(egress: Sequence[Manifest]) -> list[Manifest]:
    return [
        {"to": [{"podSelector": {}}]},
        dns(),
        *metadata_servers(),
        _internet(),
        *egress,
    ]


def group(model: Group, alone: Manifest) -> Manifest:
    """The spec of the policy on the pods of a model on several hosts.

    Callers reach one port of the leader alone. All other ports are the group's, and who reaches
    them runs code in the server: https://docs.vllm.ai/en/stable/usage/security/. `alone` is the
    policy on models of one host.
    """
    pods = {NAME_LABEL: model.name}
    return {
        **alone,
        "podSelector": {"matchLabels": pods},
        "ingress": [
            {**alone["ingress"][0], "ports": [tcp(model.port)]},
            {"from": [{"podSelector": {"matchLabels": pods}}]},
        ],
    }


def imports() -> Manifest:
    """The spec of the policy on imports: nobody calls them, and they call public addresses."""
    return {
        "podSelector": {"matchLabels": IMPORTS},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [dns(), *metadata_servers(), _internet()],
    }


def _internet() -> Manifest:
    """An egress rule: Google's APIs and other HTTPS; nothing in private networks."""
    block = {"cidr": "0.0.0.0/0", "except": list(PRIVATE)}
    return {"to": [{"ipBlock": block}], "ports": [tcp(443)]}


def open_ports(label: str = OPEN_REST, port: str = "rest") -> Manifest:
    """The spec of the policy on pods with an address or node port of their own: anyone may call.

    `label` is the value of their label `OPEN`, and `port` the name of their open port.
    Callers are restricted by firewalls and `source_ranges`: a node that forwards a request hides
    the caller's address, and Dataplane V2 does not match nodes by address.
    """
    return {
        "podSelector": {"matchLabels": {OPEN: label}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [tcp(port)]}],
    }
