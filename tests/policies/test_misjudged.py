"""Cases that the pack once misjudged, each for its kind."""

from typing import Any

import pytest

from policies import settings
from policies.check import judge
from policies.cluster_version import ClusterVersion
from policies.pack import Pack
from policies.pods import deployment, pod
from policies.registry import RULES
from policies.subjects import Resource
from policies.values import Secret
from policies.vulnerable_images import AS_OF, VULNERABILITIES, Vulnerability, of_image

BY_ID = {rule.id: rule for rule in RULES}
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def is_found(rule: str, *resources: Resource) -> bool:
    pack = Pack([BY_ID[rule]])
    findings = [f for one in resources for f in pack.judge(one)] + pack.judge_stack(resources)
    return bool(findings)


@pytest.mark.parametrize(
    ("request_path", "is_wrong"),
    [("/v1/models/resnet", False), ("/", False), ("", True), (None, True)],
)
def test_a_health_check_says_what_it_asks_for(request_path: Any, is_wrong: bool) -> None:
    stated = {} if request_path is None else {"requestPath": request_path}
    check = Resource(
        "gcp:compute/healthCheck:HealthCheck", {"httpHealthCheck": {"port": 11434, **stated}}
    )
    assert is_found("health-checks-ask-for-the-model", check) is is_wrong


@pytest.mark.parametrize(
    ("spec", "blocks"),
    [
        ({"minAvailable": "100%"}, True),
        ({"maxUnavailable": 0}, True),
        ({"maxUnavailable": "0%"}, True),
        ({"minAvailable": "50%"}, False),
        ({"maxUnavailable": 1}, False),
    ],
)
def test_a_budget_is_judged_without_its_workload(spec: Any, blocks: bool) -> None:
    props = {"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, **spec}}
    assert is_found("disruption-budget-allows-a-drain", Resource(BUDGET, props)) is blocks


def anti_affinity(key: str, app: str) -> Any:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    }


@pytest.mark.parametrize(
    ("spec", "is_wrong"),
    [
        (anti_affinity("kubernetes.io/hostname", "resnet"), False),
        (anti_affinity("kubernetes.io/hostname", "bert"), True),
        (anti_affinity("kubernetes.io/arch", "resnet"), True),
        (
            {
                "topologySpreadConstraints": [
                    {
                        "topologyKey": "kubernetes.io/arch",
                        "labelSelector": {"matchLabels": {"app": "resnet"}},
                    }
                ]
            },
            True,
        ),
    ],
)
def test_spreading_is_over_failure_domains_and_of_the_own_pods(spec: Any, is_wrong: bool) -> None:
    props = deployment(replicas=3)
    props["spec"]["template"]["spec"] |= spec
    assert is_found("replicas-are-spread", Resource(DEPLOYMENT, props, "resnet")) is is_wrong


@pytest.mark.parametrize("holder", ["projects", "folder", "organizations"])
@pytest.mark.parametrize("kind", ["IAMMember", "IAMBinding"])
def test_grants_on_folders_and_organizations_count(holder: str, kind: str) -> None:
    type_ = f"gcp:{holder}/{kind[0].lower()}{kind[1:]}:{kind}"
    props = {"role": "roles/iam.serviceAccountUser", "members": ["user:a@b.example"]}
    rule = "service-account-roles-are-not-granted-on-the-project"
    assert is_found(rule, Resource(type_, props))


@pytest.mark.parametrize(
    ("name", "version", "is_refused"),
    [
        ("net.ipv4.tcp_notsent_lowat", "1.37", False),
        ("net.ipv4.tcp_notsent_lowat", "1.36", True),
        ("net.ipv4.tcp_rmem", "1.31", True),
        ("net.ipv4.tcp_rmem", "1.32", False),
        ("kernel.msgmax", "1.99", True),
    ],
)
def test_safe_sysctls_follow_the_version(name: str, version: str, is_refused: bool) -> None:
    rule = BY_ID["sysctls-are-safe"]
    pack = Pack([rule], parameters={rule.id: ClusterVersion(kubernetes=version)})
    props = pod(securityContext={"sysctls": [{"name": name, "value": "1"}]})
    assert bool(pack.judge(Resource("kubernetes:core/v1:Pod", props))) is is_refused


@pytest.mark.parametrize(
    ("rule_id", "context"),
    [
        ("proc-stays-masked", {"procMount": "Unmasked"}),
        ("containers-run-as-non-root", {"runAsNonRoot": False}),
        ("containers-do-not-run-as-root", {"runAsUser": 0}),
    ],
)
@pytest.mark.parametrize(
    ("host_users", "version", "is_refused"),
    [(False, "1.34", True), (False, "1.35", False), (True, "1.35", True), (None, "1.36", True)],
)
def test_the_standard_is_relaxed_in_user_namespaces_since_1_35(
    rule_id: str, context: Any, host_users: bool | None, version: str, is_refused: bool
) -> None:
    pack = Pack([BY_ID[rule_id]], parameters={rule_id: ClusterVersion(kubernetes=version)})
    props = pod(container={"securityContext": context}, hostUsers=host_users)
    assert bool(pack.judge(Resource("kubernetes:core/v1:Pod", props))) is is_refused


@pytest.mark.parametrize(("version", "is_refused"), [("1.30", True), ("1.31", False)])
def test_selinux_types_follow_the_version(version: str, is_refused: bool) -> None:
    rule = BY_ID["selinux-options-stay-confined"]
    pack = Pack([rule], parameters={rule.id: ClusterVersion(kubernetes=version)})
    props = pod(securityContext={"seLinuxOptions": {"type": "container_engine_t"}})
    assert bool(pack.judge(Resource("kubernetes:core/v1:Pod", props))) is is_refused


@pytest.mark.parametrize(("version", "is_refused"), [("1.33", False), ("1.34", True)])
@pytest.mark.parametrize(
    "container",
    [
        {"livenessProbe": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}},
        {"lifecycle": {"preStop": {"httpGet": {"host": "10.0.0.1", "port": 80}}}},
    ],
)
def test_hosts_of_probes_are_refused_since_1_34(
    container: Any, version: str, is_refused: bool
) -> None:
    rule = BY_ID["probes-and-hooks-ask-the-pod-itself"]
    pack = Pack([rule], parameters={rule.id: ClusterVersion(kubernetes=version)})
    props = pod(container=container)
    assert bool(pack.judge(Resource("kubernetes:core/v1:Pod", props))) is is_refused


def test_a_cluster_s_version_is_set_once() -> None:
    config = {"gke-policies:parameters": '{"api-versions-are-served": {"kubernetes": "1.37"}}'}
    found = settings.for_stack("dev", config, rules=BY_ID)
    assert found.parameters["sysctls-are-safe"] == ClusterVersion(kubernetes="1.37")


def test_the_version_is_that_of_the_cluster_beside_the_objects() -> None:
    rule = BY_ID["sysctls-are-safe"]
    sysctls = [{"name": "net.ipv4.tcp_notsent_lowat", "value": "1"}]
    one = Resource("kubernetes:core/v1:Pod", pod(securityContext={"sysctls": sysctls}))
    for version, is_refused in ("1.36.2-gke.100", True), ("1.37.1-gke.100", False):
        cluster = Resource("gcp:container/cluster:Cluster", {"currentMasterVersion": version})
        assert bool(judge([cluster, one], Pack([rule])).findings) is is_refused


SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"


def named(type_: str, name: str, **rest: Any) -> Resource:
    return Resource(type_, {"metadata": {"name": name, "namespace": "models"}, **rest}, name)


def scaler(type_: str, name: str, target: str) -> Resource:
    return named(type_, name, spec={"scaleTargetRef": {"kind": "Deployment", "name": target}})


@pytest.mark.parametrize(
    ("scalers", "is_wrong"),
    [
        ((scaler(HPA, "a", "x"), scaler(HPA, "b", "x")), True),
        ((scaler(SCALED, "a", "x"), scaler(SCALED, "b", "x")), True),
        ((scaler(SCALED, "a", "x"), scaler(HPA, "b", "y")), False),
    ],
)
def test_a_workload_has_one_autoscaler(scalers: tuple[Resource, ...], is_wrong: bool) -> None:
    assert is_found("workloads-have-one-autoscaler", *scalers) is is_wrong


def ingress(name: str, path: str, class_name: str = "nginx", **annotations: str) -> Resource:
    backend = {"service": {"name": "a", "port": {"number": 80}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend}]
    one = named(
        INGRESS,
        name,
        spec={
            "ingressClassName": class_name,
            "rules": [{"host": "a.example", "http": {"paths": paths}}],
        },
    )
    one.props["metadata"]["annotations"] = annotations
    return one


@pytest.mark.parametrize(
    ("second", "is_wrong"),
    [
        (ingress("b", "/x"), True),
        (ingress("b", "/y"), False),
        (ingress("b", "/x", "gce"), False),
        (ingress("b", "/x", **{"nginx.ingress.kubernetes.io/canary": "true"}), False),
    ],
)
def test_a_host_and_path_is_routed_once(second: Resource, is_wrong: bool) -> None:
    assert is_found("hosts-and-paths-are-routed-once", ingress("a", "/x"), second) is is_wrong


@pytest.mark.parametrize(
    ("image", "is_vulnerable"),
    [
        ("vllm/vllm-openai:v0.8.4", True),
        ("docker.io/vllm/vllm-openai:v0.8.4@sha256:" + "0" * 64, True),
        ("vllm/vllm-openai:v0.11.0", True),
        ("vllm/vllm-openai:v0.33.0", False),
        ("vllm/vllm-openai:v0.32.0rc1", True),
        ("vllm/vllm-openai:v0.32", False),
        ("vllm/vllm-openai:v0.8.5.post1", True),
        ("europe-docker.pkg.dev/acme/mirror/vllm-openai:v0.8.4", True),
        ("lmcache/vllm-openai:v0.3.9", False),  # another project's versions
        ("docker.io/lmcache/vllm-openai:v0.3.9", False),
        ("europe-docker.pkg.dev/acme/recommender/serving:1.0", False),
        ("lmsysorg/sglang:v0.5.9-cu129", True),
        ("ghcr.io/huggingface/text-generation-inference:3.3.6-rocm", True),
        ("rayproject/ray:2.51.1-py312-gpu", True),
        ("rayproject/ray:2.52.0", False),
        ("ollama/ollama:0.34.1", False),
        ("ollama/ollama:0.34.2", True),
        ("vllm/vllm-openai:latest", False),
        ("mirror.example/vllm/vllm-openai:v0.10.1", True),
        ("nvcr.io/nvidia/tritonserver:25.06-py3", True),
        ("nvcr.io/nvidia/tritonserver:26.07-py3", False),
        ("localhost:5000/ollama/ollama", False),
        ("ollama/ollama:0.1.33", True),
        ("tensorflow/serving:2.19.0", False),
    ],
)
def test_images_of_model_servers_are_checked_by_version(image: str, is_vulnerable: bool) -> None:
    resource = Resource("kubernetes:core/v1:Pod", pod(container={"image": image}))
    assert is_found("model-servers-have-no-known-vulnerabilities", resource) is is_vulnerable


def test_a_version_before_a_vulnerability_does_not_have_it() -> None:
    ids = {one.id for one in of_image("vllm/vllm-openai:v0.6.4")}
    assert "CVE-2025-48956" in ids
    assert "CVE-2025-32444" not in ids  # since 0.6.5


@pytest.mark.parametrize("one", VULNERABILITIES, ids=lambda one: one.id)
def test_a_vulnerability_is_complete(one: Vulnerability) -> None:
    assert one.since < one.fixed_in
    assert one.published <= AS_OF
    for name in one.images:
        assert one in of_image(f"{name}:{'.'.join(map(str, one.since or (0, 0, 1)))}")
        assert one not in of_image(f"{name}:{'.'.join(map(str, one.fixed_in))}")


@pytest.mark.parametrize(
    ("request_", "limit", "is_wrong"),
    [("1Gi", "4Gi", False), ("1Gi", "5Gi", True), ("1e9", "1G", False), (1024, "1Mi", True)],
)
def test_a_memory_limit_is_near_its_request(request_: Any, limit: Any, is_wrong: bool) -> None:
    resources = {"requests": {"memory": request_}, "limits": {"memory": limit}}
    resource = Resource("kubernetes:core/v1:Pod", pod(container={"resources": resources}))
    assert is_found("memory-limits-are-near-requests", resource) is is_wrong


def test_a_secret_quantity_is_not_shown() -> None:
    rule = "memory-limits-are-near-requests"
    for limit in "777Gi", "much":
        resources = {"requests": {"memory": "1Gi"}, "limits": {"memory": Secret(limit)}}
        props = pod(container={"resources": resources})
        (found,) = Pack([BY_ID[rule]]).judge(Resource("kubernetes:core/v1:Pod", props))
        assert "[secret]" in found.messages[0]
        assert limit not in found.messages[0]


def binding(kind: str, role: str) -> Resource:
    type_ = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
    return named(type_, "a", roleRef={"kind": kind, "name": role})


@pytest.mark.parametrize(
    ("one", "is_wrong"),
    [
        (binding("ClusterRole", "view"), False),
        (binding("ClusterRole", "system:auth-delegator"), False),
        (binding("ClusterRole", "missing"), True),
        (binding("Role", "missing"), True),
    ],
)
def test_a_binding_names_a_role_that_exists(one: Resource, is_wrong: bool) -> None:
    assert is_found("bindings-refer-to-declared-roles", one) is is_wrong


POLICY = '{"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}'


@pytest.mark.parametrize(
    ("type_", "props"),
    [
        ("cloudrun/iamPolicy:IamPolicy", {"policyData": POLICY}),
        ("storage/bucketACL:BucketACL", {"predefinedAcl": "publicRead"}),
        ("storage/bucketACL:BucketACL", {"roleEntities": ["READER:allUsers"]}),
        ("storage/objectACL:ObjectACL", {"predefinedAcl": "authenticatedRead"}),
        ("bigquery/datasetAccess:DatasetAccess", {"specialGroup": "allAuthenticatedUsers"}),
    ],
)
def test_every_kind_of_grant_counts(type_: str, props: Any) -> None:
    assert is_found("grants-reach-no-public-principals", Resource(f"gcp:{type_}", props))


def test_ssh_through_the_identity_aware_proxy_is_admitted() -> None:
    allows = [{"protocol": "tcp", "ports": ["22"]}]
    props = {"direction": "INGRESS", "allows": allows, "sourceRanges": ["35.235.240.0/20"]}
    firewall = Resource("gcp:compute/firewall:Firewall", props)
    assert not is_found("firewall-admits-only-google-and-private-sources", firewall)


def groups(restart: str = "RecreateGroupOnPodRestart", **container: Any) -> Resource:
    template = deployment()["spec"]["template"]
    [server] = template["spec"]["containers"]
    port = [{"name": "rest", "containerPort": 8000}]
    probe = {"httpGet": {"path": "/health", "port": "rest"}}
    leader = server | {"ports": port, "readinessProbe": probe, "livenessProbe": probe}
    bare = {key: one for key, one in server.items() if key != "ports" and "Probe" not in key}
    return Resource(
        "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet",
        {
            "metadata": {"name": "chat", "namespace": "models"},
            "spec": {
                "leaderWorkerTemplate": {
                    "restartPolicy": restart,
                    "leaderTemplate": {**template, "spec": {"containers": [leader]}},
                    "workerTemplate": {**template, "spec": {"containers": [bare | container]}},
                }
            },
        },
    )


def test_a_worker_that_only_its_leader_calls_needs_no_probes() -> None:
    rule = "containers-have-probes"
    assert not is_found(rule, groups())
    assert is_found(rule, groups(ports=[{"name": "rest", "containerPort": 8000}]))
    assert is_found(rule, groups(restart="None"))


def budget(**labels: str) -> Resource:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    return Resource(BUDGET, {"metadata": {"name": "chat", "namespace": "models"}, "spec": spec})


def labelled(**spec: Any) -> Resource:
    """Two groups whose leaders and workers have a label in common, and one of their own."""
    found = groups()
    parts = found.props["spec"]["leaderWorkerTemplate"]
    for role in ("leader", "worker"):
        template = parts[f"{role}Template"]
        template["metadata"] = {"labels": {"set": "chat", "role": role}}
        template["spec"] |= spec
    found.props["spec"]["replicas"] = 2
    return found


@pytest.mark.parametrize(
    ("labels", "is_wrong"),
    [({"set": "chat"}, False), ({"role": "leader"}, True), ({"set": "other"}, True)],
)
def test_a_budget_of_groups_covers_their_workers(labels: Any, is_wrong: bool) -> None:
    rule = "replicas-have-a-disruption-budget"
    assert is_found(rule, labelled(), budget(**labels)) is is_wrong


@pytest.mark.parametrize(
    ("keys", "is_wrong"), [([], False), (["leaderworkerset.sigs.k8s.io/group-key"], True)]
)
def test_to_part_the_pods_of_a_group_spreads_no_groups(keys: Any, is_wrong: bool) -> None:
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"set": "chat"}},
        "matchLabelKeys": keys,
    }
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    assert is_found("replicas-are-spread", labelled(affinity=apart)) is is_wrong
