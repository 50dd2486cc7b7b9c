"""Cases of rules about boundaries of pods, hosts and the API, each for its kind."""

from typing import Any

import pytest

from policies.pack import Pack, Verdict
from policies.pods import deployment, pod
from policies.registry import RULES
from policies.subjects import Origin, Resource
from policies.values import Unknown, with_paths

BY_ID = {rule.id: rule for rule in RULES}
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
POD = "kubernetes:core/v1:Pod"
ROLE = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
WEBHOOK = "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration"
SPREAD = "spread-constraints-count-their-own-pods"


def verdicts(rule: str, *resources: Resource) -> set[Verdict]:
    pack = Pack([BY_ID[rule]])
    findings = [f for one in resources for f in pack.judge(one)] + pack.judge_stack(resources)
    return {one.verdict for one in findings}


def is_found(rule: str, *resources: Resource) -> bool:
    return verdicts(rule, *resources) == {Verdict.VIOLATION}


def manifest(type_: str, spec: Any, origin: Origin = "manifest", **metadata: Any) -> Resource:
    props = {"metadata": {"name": "a", "namespace": "models", **metadata}, "spec": spec}
    return Resource(type_, props, origin=origin)


@pytest.mark.parametrize(
    ("spec", "admits_everyone"),
    [
        ({"ingress": [{}]}, True),
        ({"ingress": [{"from": []}]}, True),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, True),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "::/0"}}]}]}, True),
        ({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, True),
        ({"ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}, {}]}, True),
        ({"ingress": [{"ports": [{"protocol": "TCP"}]}]}, True),
        ({"ingress": [{"ports": [{"port": 1, "endPort": 65535}]}]}, True),
        ({"ingress": [{}], "podSelector": {"matchExpressions": []}}, True),
        ({"egress": [{}], "policyTypes": ["Egress"]}, True),
        ({"egress": [{}]}, True),
        ({"ingress": []}, False),
        ({"ingress": None}, False),
        ({"ingress": [{"ports": [{"port": 8080}]}]}, False),
        ({"ingress": [{"ports": [{"port": "http"}]}]}, False),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, False),
        ({"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}]}, False),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}, False),
        ({"ingress": [{}], "podSelector": {"matchLabels": {"app": "web"}}}, False),
        ({"ingress": [{}], "policyTypes": ["Egress"]}, False),
        ({"egress": [{"to": [{"namespaceSelector": {}}]}], "policyTypes": ["Egress"]}, False),
    ],
)
def test_a_policy_for_all_pods_that_admits_everyone(spec: Any, admits_everyone: bool) -> None:
    policy = manifest(POLICY, {"podSelector": {}, **spec})
    assert is_found("network-policies-name-their-peers", policy) is admits_everyone


@pytest.mark.parametrize(
    ("context", "is_root"),
    [
        ({"runAsGroup": 0}, True),
        ({"runAsGroup": 0.0}, True),
        ({"fsGroup": 0}, True),
        ({"supplementalGroups": [1000, 0]}, True),
        ({"supplementalGroups": []}, False),
        ({"runAsGroup": 1000, "fsGroup": None}, False),
        ({}, False),
    ],
)
def test_group_0_is_found_wherever_it_is_stated(context: Any, is_root: bool) -> None:
    rule = "containers-are-not-in-the-root-group"
    assert is_found(rule, Resource(POD, pod(securityContext=context))) is is_root


def test_a_group_that_is_not_known_is_not_taken_for_another() -> None:
    props = with_paths(pod(securityContext={"fsGroup": Unknown()}))
    found = verdicts("containers-are-not-in-the-root-group", Resource(POD, props))
    assert found == {Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("kind", "toleration", "is_for_all"),
    [
        ("Deployment", {"operator": "Exists"}, True),
        ("Deployment", {"operator": "Exists", "key": ""}, True),
        ("Deployment", {"operator": "Exists", "effect": "NoSchedule"}, True),
        ("Deployment", {"operator": "Exists", "key": "gpu"}, False),
        ("Deployment", {"operator": "Equal", "key": "gpu", "value": "yes"}, False),
        ("DaemonSet", {"operator": "Exists"}, False),
    ],
)
def test_who_tolerates_every_taint(kind: str, toleration: Any, is_for_all: bool) -> None:
    props = deployment()
    props["spec"]["template"]["spec"]["tolerations"] = [toleration]
    subject = Resource(f"kubernetes:apps/v1:{kind}", props)
    assert is_found("tolerations-name-their-taint", subject) is is_for_all


def test_a_daemon_set_s_pod_belongs_on_every_node() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent"}
    props = pod(metadata={"ownerReferences": [owner]}, tolerations=[{"operator": "Exists"}])
    assert not is_found("tolerations-name-their-taint", Resource(POD, props))


@pytest.mark.parametrize(
    ("metadata", "is_by_hand"),
    [({}, True), ({"uid": "0a1b"}, False), ({"ownerReferences": [{"kind": "ReplicaSet"}]}, False)],
)
def test_a_pod_from_a_cluster_has_been_scheduled(metadata: Any, is_by_hand: bool) -> None:
    subject = Resource(POD, pod(metadata=metadata, nodeName="node-1"))
    assert is_found("pods-leave-their-node-to-the-scheduler", subject) is is_by_hand


@pytest.mark.parametrize(
    ("stated", "is_valid"),
    [
        ({}, True),
        ({"minDomains": 2, "whenUnsatisfiable": "DoNotSchedule"}, True),
        ({"minDomains": 2}, False),
        ({"minDomains": 0, "whenUnsatisfiable": "DoNotSchedule"}, False),
        ({"maxSkew": 0}, False),
        ({"maxSkew": None}, False),
        ({"topologyKey": ""}, False),
        ({"whenUnsatisfiable": "Never"}, False),
        ({"whenUnsatisfiable": None}, False),
    ],
)
def test_what_the_api_server_accepts_of_a_constraint(stated: Any, is_valid: bool) -> None:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    subject = Resource(POD, pod(topologySpreadConstraints=[{**constraint, **stated}]))
    assert is_found("spread-constraints-are-valid", subject) is not is_valid


@pytest.mark.parametrize("kind", ["core/v1:Pod", "core/v1:ReplicationController", "batch/v1:Job"])
@pytest.mark.parametrize(
    ("selector", "is_own"),
    [
        (None, False),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchLabels": {"app": "resnet"}}, True),
        ({}, True),
    ],
)
def test_a_constraint_counts_its_own_pods_in_every_kind(
    kind: str, selector: Any, is_own: bool
) -> None:
    constraint = {"topologyKey": "zone", "labelSelector": selector}
    props = pod(metadata={"labels": {"app": "resnet"}}, topologySpreadConstraints=[constraint])
    whole = props if kind.endswith("Pod") else {"spec": {"template": props}}
    assert is_found(SPREAD, Resource(f"kubernetes:{kind}", whole)) is not is_own


def test_a_constraint_may_count_by_labels_that_a_controller_adds() -> None:
    selector = {"matchLabels": {"batch.kubernetes.io/job-name": "import"}}
    constraint = {"topologyKey": "zone", "labelSelector": selector}
    props = {"spec": {"template": pod(topologySpreadConstraints=[constraint])}}
    assert not is_found(SPREAD, Resource("kubernetes:batch/v1:Job", props))


@pytest.mark.parametrize(
    ("host", "class_name", "origin", "is_wild"),
    [
        ("*.acme.example", "nginx", "manifest", True),
        ("*.acme.example", "gce", "program", True),
        ("*", "nginx", "manifest", True),
        ("", "nginx", "manifest", True),
        ("", "gce", "manifest", False),
        ("", None, "manifest", False),
        ("", "nginx", "program", False),
        ("models.acme.example", "nginx", "manifest", False),
    ],
)
def test_hosts_of_an_ingress(host: str, class_name: Any, origin: Origin, is_wild: bool) -> None:
    spec = {"ingressClassName": class_name, "rules": [{"host": host}]}
    ingress = manifest(INGRESS, spec, origin)
    assert is_found("ingresses-name-their-hosts", ingress) is is_wild


@pytest.mark.parametrize(
    ("spec", "is_wild"),
    [
        ({"hostnames": ["*.acme.example"]}, True),
        ({"hostnames": ["acme.example"], "parentRefs": [{"namespace": "edge"}]}, False),
        ({"parentRefs": [{"name": "web", "namespace": "edge"}]}, True),
        ({"parentRefs": [{"name": "web", "namespace": "edge", "sectionName": "a"}]}, False),
        ({"parentRefs": [{"name": "web", "namespace": "models"}]}, False),
        ({"parentRefs": [{"name": "web"}]}, False),
        ({"parentRefs": [{"kind": "Service", "name": "web", "namespace": "edge"}]}, False),
    ],
)
def test_hosts_of_a_route(spec: Any, is_wild: bool) -> None:
    assert is_found("routes-name-their-hosts", manifest(ROUTE, spec)) is is_wild


@pytest.mark.parametrize(
    ("webhook", "rule", "is_dangerous"),
    [
        ({}, {}, True),
        ({}, {"apiGroups": ["*"], "resources": ["*"], "operations": ["*"]}, True),
        ({}, {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}, True),
        ({"namespaceSelector": {}}, {}, True),
        ({"failurePolicy": "Ignore"}, {}, False),
        ({"objectSelector": {"matchLabels": {"a": "b"}}}, {}, False),
        ({"namespaceSelector": {"matchExpressions": [{"key": "a"}]}}, {}, False),
        ({"matchConditions": [{"name": "a", "expression": "false"}]}, {}, False),
        ({}, {"operations": ["DELETE"]}, False),
        ({}, {"apiGroups": ["keda.sh"], "resources": ["*"]}, False),
        ({}, {"scope": "Cluster", "resources": ["*"]}, False),
    ],
)
def test_webhooks_that_stop_the_system(webhook: Any, rule: Any, is_dangerous: bool) -> None:
    judged = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"], **rule}
    props = {"webhooks": [{"name": "a.acme.example", "rules": [judged], **webhook}]}
    subject = Resource(WEBHOOK, props)
    assert is_found("webhooks-spare-system-namespaces", subject) is is_dangerous


@pytest.mark.parametrize(
    ("rule", "granted", "is_wrong"),
    [
        ("roles-leave-nodes-and-admission-alone", ("", "namespaces", "patch"), True),
        ("roles-leave-nodes-and-admission-alone", ("", "namespaces", "get"), False),
        (
            "roles-leave-the-api-alone",
            ("apiextensions.k8s.io", "customresourcedefinitions", "create"),
            True,
        ),
        ("roles-leave-the-api-alone", ("apiregistration.k8s.io", "apiservices", "patch"), True),
        ("roles-leave-the-api-alone", ("apiregistration.k8s.io", "apiservices", "get"), False),
    ],
)
def test_what_a_role_may_change_of_the_cluster(rule: str, granted: Any, is_wrong: bool) -> None:
    group, resource, verb = granted
    given = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
    named = {**given, "resourceNames": ["models"]}
    assert is_found(rule, Resource(ROLE, {"rules": [given]})) is is_wrong
    assert not is_found(rule, Resource(ROLE, {"rules": [named]}))


def test_an_account_whose_token_somebody_needs() -> None:
    rule = "service-accounts-mount-no-token-without-need"
    account = manifest("kubernetes:core/v1:ServiceAccount", {}, name="agent")
    subject = {"kind": "ServiceAccount", "name": "agent", "namespace": "models"}
    binding = Resource(
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
        {"metadata": {"name": "a"}, "roleRef": {"name": "b"}, "subjects": [subject]},
    )
    user = manifest(POD, pod(serviceAccountName="agent")["spec"])
    assert is_found(rule, account)
    assert not is_found(rule, account, binding)
    assert not is_found(rule, account, user)


@pytest.mark.parametrize(
    ("ports", "selects", "kind", "needs_readiness"),
    [
        ([], {"app": "other"}, "core/v1:Pod", False),
        ([], None, "core/v1:Pod", False),
        ([], {"app": "resnet"}, "core/v1:Pod", True),
        ([{"containerPort": 8501}], None, "core/v1:Pod", True),
        ([], None, "apps/v1:Deployment", True),
    ],
)
def test_a_bare_pod_that_gets_no_requests_needs_no_readiness(
    ports: Any, selects: Any, kind: str, needs_readiness: bool
) -> None:
    container = {"ports": ports, "livenessProbe": {"tcpSocket": {"port": 8080}}}
    template = pod(metadata={"labels": {"app": "resnet"}}, container=container)
    props = template if kind.endswith("Pod") else {"spec": {"template": template}}
    service = Resource("kubernetes:core/v1:Service", {"spec": {"selector": selects}})
    subject = Resource(f"kubernetes:{kind}", props)
    assert is_found("containers-have-probes", subject, service) is needs_readiness
