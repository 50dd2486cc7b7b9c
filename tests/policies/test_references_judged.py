"""References between objects that were once misjudged: by operators, custom kinds, own roles."""

from typing import Any

import pytest

from policies.pack import Pack
from policies.pods import deployment, pod
from policies.registry import RULES
from policies.subjects import Resource

BY_ID = {rule.id: rule for rule in RULES}
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
ROLLOUT = "kubernetes:argoproj.io/v1alpha1:Rollout"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
SERVICE = "kubernetes:core/v1:Service"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"


def is_found(rule: str, *resources: Resource) -> bool:
    pack = Pack([BY_ID[rule]])
    findings = [f for one in resources for f in pack.judge(one)] + pack.judge_stack(resources)
    assert all(one.verdict.value == "violation" for one in findings)
    return bool(findings)


def made(type_: str, name: str = "a", namespace: str = "m", **rest: Any) -> Resource:
    annotations = rest.pop("annotations", {})
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return Resource(type_, {"metadata": metadata, **rest}, name)


def scaler(name: str = "a", kind: str = "Rollout") -> Resource:
    return made(HPA, name, spec={"scaleTargetRef": {"kind": kind, "name": "a"}})


@pytest.mark.parametrize(
    ("target", "is_missing"),
    [
        (made(ROLLOUT, spec={}), False),
        (made(ROLLOUT, name="b", spec={}), True),
        (made(ROLLOUT, namespace="n", spec={}), True),
        (made("kubernetes:apps/v1:Deployment", spec={}), True),
    ],
)
def test_custom_kinds_are_scaled(target: Resource, is_missing: bool) -> None:
    assert is_found("autoscaler-target-exists", target, scaler()) is is_missing


def test_a_budget_counts_the_replicas_of_a_rollout() -> None:
    rollout = made(ROLLOUT, **{"spec": deployment(replicas=1)["spec"]})
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "resnet"}}}
    budget = made(BUDGET, spec=spec)
    assert is_found("disruption-budget-allows-a-drain", rollout, budget)


def test_a_budget_counts_a_workload_without_a_template() -> None:
    labels = {"matchLabels": {"app": "a"}}
    workload = made("kubernetes:apps/v1:Deployment", spec={"replicas": 1, "selector": labels})
    budget = made(BUDGET, spec={"minAvailable": 1, "selector": labels})
    assert is_found("disruption-budget-allows-a-drain", workload, budget)


@pytest.mark.parametrize("is_adopted", [True, False])
def test_a_scaled_object_may_take_over_an_autoscaler(is_adopted: bool) -> None:
    key = "scaledobject.keda.sh/transfer-hpa-ownership"
    spec = {
        "scaleTargetRef": {"kind": "Rollout", "name": "a"},
        "advanced": {"horizontalPodAutoscalerConfig": {"name": "a"}},
    }
    scaled = made(
        "kubernetes:keda.sh/v1alpha1:ScaledObject",
        annotations={key: "true"} if is_adopted else {},
        spec=spec,
    )
    for pair in (scaler(), scaled), (scaled, scaler()):
        assert is_found("workloads-have-one-autoscaler", *pair) is not is_adopted


def service(selector: dict[str, str], namespace: str = "m", **port: Any) -> Resource:
    return made(SERVICE, namespace=namespace, spec={"selector": selector, "ports": [port]})


@pytest.mark.parametrize(
    ("resources", "is_wrong"),
    [
        ([service({"cluster-name": "db"})], True),
        (
            [service({"cluster-name": "db"}), made("kubernetes:acid.zalan.do/v1:postgresql", "db")],
            0,
        ),
        ([service({"cluster-name": "x"}), made("kubernetes:acid.zalan.do/v1:postgresql", "db")], 1),
        ([service({"k8s-app": "kube-dns"}, "kube-system")], False),
    ],
)
def test_an_operator_makes_the_pods_of_its_objects(resources: Any, is_wrong: bool) -> None:
    assert is_found("services-select-pods", *resources) is bool(is_wrong)


@pytest.mark.parametrize(
    ("target", "is_wrong"),
    [(9666, False), ("8081", False), ("http", False), ("metrics", True), (None, False)],
)
def test_a_service_may_lead_to_a_port_that_is_not_declared(target: Any, is_wrong: bool) -> None:
    props = deployment(container={"ports": [{"name": "http", "containerPort": 8080}]})
    server = Resource("kubernetes:apps/v1:Deployment", props, "resnet")
    leads = service({"app": "resnet"}, "models", port=80, targetPort=target)
    assert is_found("services-lead-to-ports-of-their-pods", server, leads) is is_wrong


@pytest.mark.parametrize(
    ("namespace", "role", "is_missing"),
    [
        ("kube-system", "extension-apiserver-authentication-reader", False),
        ("kube-system", "system::leader-locking-kube-scheduler", False),
        ("m", "extension-apiserver-authentication-reader", True),
        ("kube-system", "reader", True),
    ],
)
def test_an_api_server_has_roles_of_its_own(namespace: str, role: str, is_missing: bool) -> None:
    type_ = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
    binding = made(type_, namespace=namespace, roleRef={"kind": "Role", "name": role})
    assert is_found("bindings-refer-to-declared-roles", binding) is is_missing


def ingress(name: str, class_name: str, *paths: str, **annotations: str) -> Resource:
    rules = [{"host": "a.example", "http": {"paths": list(map(path_to, paths))}}]
    spec = {"ingressClassName": class_name, "rules": rules}
    return made(INGRESS, name, annotations=annotations, spec=spec)


def path_to(path: str) -> dict[str, Any]:
    backend = {"service": {"name": "a", "port": {"number": 80}}}
    return {"path": path, "pathType": "Prefix", "backend": backend}


@pytest.mark.parametrize(
    ("ingresses", "is_wrong"),
    [
        ([ingress("a", "nginx", "/x"), ingress("b", "nginx", "/x/")], True),
        ([ingress("a", "nginx", "/x", "/x")], True),
        ([ingress("a", "nginx", "/x", "/xy")], False),
        ([ingress("a", "gce", "/x"), ingress("b", "gce", "/x")], False),
    ],
)
def test_paths_are_compared_as_the_load_balancer_does(ingresses: Any, is_wrong: bool) -> None:
    assert is_found("hosts-and-paths-are-routed-once", *ingresses) is is_wrong


def test_a_port_of_an_old_ingress_is_read() -> None:
    old = made(INGRESS, spec={"backend": {"serviceName": "a", "servicePort": 81}})
    assert is_found("ingresses-lead-to-ports-of-services", old, service({}, port=80))


@pytest.mark.parametrize(
    ("rule", "is_wrong"),
    [
        ({"backendRefs": [{"name": "a", "port": 81}]}, True),
        ({"backendRefs": [{"name": "a", "port": 81, "kind": "InferencePool"}]}, False),
        ({"filters": [{"requestMirror": {"backendRef": {"name": "a", "port": 81}}}]}, True),
    ],
)
@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "TLSRoute"])
def test_every_route_leads_to_a_port(kind: str, rule: Any, is_wrong: bool) -> None:
    route = made(f"kubernetes:gateway.networking.k8s.io/v1:{kind}", spec={"rules": [rule]})
    found = is_found("routes-lead-to-ports-of-services", route, service({}, port=80))
    assert found is is_wrong
    if not is_wrong:
        assert not is_found("routes-lead-to-services", route)


@pytest.mark.parametrize(
    ("key", "term", "is_wrong"),
    [
        ("topology.kubernetes.io/region", {"labelSelector": {}}, True),
        ("topology.kubernetes.io/zone", {"labelSelector": {}}, False),  # selects all
        ("topology.kubernetes.io/zone", {}, True),  # selects none
        ("topology.kubernetes.io/zone", {"labelSelector": {}, "namespaces": ["n"]}, True),
    ],
)
def test_replicas_are_spread(key: str, term: Any, is_wrong: bool) -> None:
    props = deployment(replicas=3)
    terms = [{"topologyKey": key, **term}]
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    props["spec"]["template"]["spec"]["affinity"] = affinity
    resource = Resource("kubernetes:apps/v1:Deployment", props, "resnet")
    assert is_found("replicas-are-spread", resource) is is_wrong


@pytest.mark.parametrize(
    ("container", "spec", "is_served", "is_wrong"),
    [
        ({}, {}, False, False),
        ({}, {}, True, True),
        ({}, {"initContainers": [{"name": "i", "ports": [{"containerPort": 1}]}]}, False, True),
    ],
)
def test_a_bare_pod_serves(container: Any, spec: Any, is_served: bool, is_wrong: bool) -> None:
    props = pod(metadata={"namespace": "m", "labels": {"app": "a"}}, container=container, **spec)
    bare = Resource("kubernetes:core/v1:Pod", props)
    rest = [service({"app": "a"})] if is_served else []
    assert is_found("servers-have-a-controller", bare, *rest) is is_wrong


def test_a_hook_asks_a_port_that_is_named() -> None:
    hook = {"lifecycle": {"preStop": {"httpGet": {"port": "stop"}}}}
    bare = Resource("kubernetes:core/v1:Pod", pod(container=hook))
    assert is_found("probes-ask-ports-of-the-container", bare)


@pytest.mark.parametrize(
    ("account", "is_wrong"), [("reader", False), ("other", True), ("default", True)]
)
def test_a_pod_whose_account_has_a_role_needs_a_token(account: str, is_wrong: bool) -> None:
    subjects = [{"kind": "ServiceAccount", "name": name} for name in ("reader", "default")]
    type_ = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
    props = pod(metadata={"namespace": "m"}, serviceAccountName=account)
    bare = Resource("kubernetes:core/v1:Pod", props, origin="manifest")
    bound = made(type_, subjects=subjects)
    assert is_found("pods-mount-no-token-without-need", bare, bound) is is_wrong


PRIVILEGED = {"name": "c", "image": "x:1", "securityContext": {"privileged": True}}
SPEC = {"containers": [PRIVILEGED]}
TEMPLATE = {"metadata": {}, "spec": SPEC}


@pytest.mark.parametrize(
    ("type_", "spec"),
    [
        ("agents.x-k8s.io/v1alpha1:Sandbox", {"podTemplate": TEMPLATE}),
        ("apps.openshift.io/v1:DeploymentConfig", {"template": TEMPLATE}),
        ("argoproj.io/v1alpha1:Workflow", {"templates": [{"container": PRIVILEGED}]}),
        ("argoproj.io/v1alpha1:Workflow", {"templates": [{"script": PRIVILEGED}]}),
        (
            "argoproj.io/v1alpha1:CronWorkflow",
            {"workflowSpec": {"templates": [{"containerSet": SPEC}]}},
        ),
        ("batch.volcano.sh/v1alpha1:Job", {"tasks": [{"template": TEMPLATE}]}),
        ("keda.sh/v1alpha1:ScaledJob", {"jobTargetRef": {"template": TEMPLATE}}),
        ("kubeflow.org/v1:Notebook", {"template": TEMPLATE}),
        (
            "machinelearning.seldon.io/v1:SeldonDeployment",
            {"predictors": [{"componentSpecs": [TEMPLATE]}]},
        ),
        ("serving.kserve.io/v1alpha1:LLMInferenceService", {"prefill": {"template": SPEC}}),
        ("serving.kserve.io/v1beta1:InferenceService", {"predictor": {"workerSpec": SPEC}}),
    ],
)
def test_the_pods_of_custom_kinds_are_judged(type_: str, spec: Any) -> None:
    assert is_found("containers-are-not-privileged", made(f"kubernetes:{type_}", spec=spec))


def test_a_container_that_completes_a_preset_needs_no_image() -> None:
    spec = {"template": {"containers": [{"name": "main", "resources": {}}]}}
    type_ = "kubernetes:serving.kserve.io/v1alpha1:LLMInferenceService"
    assert not is_found("images-name-a-version", made(type_, spec=spec))


def test_the_settings_of_a_workflow_are_those_of_its_pods() -> None:
    spec = {
        "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
        "templates": [{"container": {"image": "x:1"}}, {"dag": {"tasks": []}}],
    }
    workflow = made("kubernetes:argoproj.io/v1alpha1:Workflow", spec=spec)
    assert is_found("pods-mount-nothing-of-the-host", workflow)
