"""KEDA on what the stage environment declares, with the rights declared there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from declared import run_environment
from infra.serving.scaling import scaled_object
from infra.serving.scaling.monitoring import Monitoring
from infra.serving.scaling.settings import Autoscaling, PubSubBacklog, Replicas
from sandbox import engine
from sandbox.gcp import iam_store
from sandbox.gcp.app import App, create_app
from sandbox.home import Home
from sandbox.kubernetes import processes
from sandbox.kubernetes.api_server import ApiServerError
from sandbox.kubernetes.control_planes import ClusterKey, ControlPlanes
from sandbox.kubernetes.features import Features
from sandbox.traffic.dial_plan import DialPlan, Listener
from tests.sandbox.kubernetes.conftest_kubernetes import (
    Sandbox,
    eventually,
    node,
    running,
)
from tests.sandbox.traffic.metrics import gauge_server
from tests.sandbox.traffic.metrics.gauge_server import GaugeServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
PROJECT = "acme-ml-stage"
CLUSTER = ClusterKey(PROJECT, "europe-west4", f"{PROJECT}-cluster")
ACCOUNT = f"acme-ml-stage-keda@{PROJECT}.iam.gserviceaccount.com"
POOL = f"{PROJECT}.svc.id.goog"
VIEWER = {"role": "roles/monitoring.viewer", "members": [f"serviceAccount:{ACCOUNT}"]}
GAUGE = "nv_inference_pending_request_count"
MERGE = "application/merge-patch+json"
VISION = "/api/v1/namespaces/vision"
SCALED = "/apis/keda.sh/v1alpha1/namespaces/vision/scaledobjects"
MONITORED = "/apis/monitoring.googleapis.com/v1/namespaces/vision/podmonitorings"
DEPLOYMENTS = "/apis/apps/v1/namespaces/vision/deployments"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "APIService": "/apis/apiregistration.k8s.io/v1/apiservices",
    "ClusterTriggerAuthentication": "/apis/keda.sh/v1alpha1/clustertriggerauthentications",
    "PodMonitoring": "/apis/monitoring.googleapis.com/v1/namespaces/{}/podmonitorings",
    "ScaledObject": "/apis/keda.sh/v1alpha1/namespaces/{}/scaledobjects",
}


def declared() -> dict[tuple[str, str], dict[str, Any]]:
    """What stage declares for KEDA and for the model `segmenter`, by kind and name."""
    found = {}
    for (token, _), body in run_environment("stage")["serving"].inputs.items():
        _, api, kind = token.split(":")
        metadata = body.get("metadata") or {}
        name, namespace = str(metadata.get("name")), metadata.get("namespace")
        is_ours = (
            (kind in ("PodMonitoring", "ScaledObject") and name == "segmenter")
            or (
                kind != "NetworkPolicy"
                and ("keda" in name or namespace == "keda" or "keda.sh" in name)
            )
            or kind in ("APIService", "ClusterTriggerAuthentication")
        )
        if kind in PATHS and is_ours:
            found[kind, name] = {
                "apiVersion": api.removeprefix("core/"),
                "kind": kind,
                **body,
            }
    return found


def apply(sandbox: Sandbox, body: dict[str, Any]) -> None:
    path = PATHS[body["kind"]].format(body["metadata"].get("namespace"))

    def applied() -> bool:
        try:
            sandbox.apply(path, body)
        except ApiServerError as error:
            if error.status in (404, 429):  # the kind is not served yet
                return False
            raise
        return True

    assert eventually(applied), body["kind"]


def server(name: str) -> dict[str, Any]:
    """A Deployment whose pods the PodMonitoring of the model `segmenter` may select."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "model-server"}
    container = {
        "name": "server",
        "image": "registry.example/server:1",
        "ports": [{"name": "metrics", "containerPort": 8002}],
        "resources": {"requests": {"cpu": "10m"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "vision"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def allow(sandbox: Sandbox, *bindings: dict[str, Any]) -> None:
    """Replace the project's IAM policy."""
    owner = {"role": "roles/owner", "members": ["user:user@example.com"]}
    answer = sandbox.http.post(
        f"{sandbox.api}/cloudresourcemanager/v1/projects/{PROJECT}:setIamPolicy",
        json={"policy": {"bindings": [owner, *bindings]}},
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def gauges() -> Iterator[GaugeServer]:
    """In place of the model servers."""
    with gauge_server.serving() as found:
        yield found


@pytest.fixture(scope="module")
def keda(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster of stage's name, in which KEDA and the model `segmenter` run."""
    # A build takes longer than the tests wait.
    engine.keda()
    engine.prometheus()

    def emulator(state: Path, planes: ControlPlanes) -> App:
        app = create_app(state, planes)
        iam_store.make_identity_pool(app.state, POOL)
        return app

    home = Home(tmp_path_factory.mktemp("home"))
    home.prepare()
    with running(
        home.path,
        emulator,
        cluster=CLUSTER,
        nodes=[node(zone) for zone in "ab"],
        features=Features(managed_prometheus=True),
    ) as found:
        prepare(found)
        yield found


def prepare(sandbox: Sandbox) -> None:
    iam = f"{sandbox.api}/iam/v1/projects/{PROJECT}/serviceAccounts"
    name = ACCOUNT.partition("@")[0]
    assert sandbox.http.post(iam, json={"accountId": name}).status_code == 200
    user = {
        "role": "roles/iam.workloadIdentityUser",
        "members": [f"serviceAccount:{POOL}[keda/keda-operator]"],
    }
    answer = sandbox.http.post(
        f"{iam}/{ACCOUNT}:setIamPolicy", json={"policy": {"bindings": [user]}}
    )
    assert answer.status_code == 200, answer.text
    allow(sandbox, VIEWER)
    vision = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vision"}}
    apply(sandbox, vision)
    apply(sandbox, server("segmenter"))
    objects = declared()
    for kind in PATHS:
        for (found, _), body in objects.items():
            if found == kind:
                if kind == "ScaledObject":
                    scaling = body["spec"]["advanced"]["horizontalPodAutoscalerConfig"]
                    scaling["behavior"]["scaleDown"]["stabilizationWindowSeconds"] = 0
                apply(sandbox, body)


def reason(sandbox: Sandbox, name: str = "segmenter") -> str:
    """Why the autoscaler that KEDA made is active, or not."""
    path = f"/apis/autoscaling/v2/namespaces/vision/horizontalpodautoscalers/keda-hpa-{name}"
    try:
        status = sandbox.kube("GET", path).get("status") or {}
    except ApiServerError:
        return ""
    reasons = {one["type"]: one["reason"] for one in status.get("conditions") or []}
    return str(reasons.get("ScalingActive"))


def replicas(sandbox: Sandbox, name: str = "segmenter") -> int:
    return int(sandbox.kube("GET", f"{DEPLOYMENTS}/{name}")["spec"]["replicas"])


def measure(sandbox: Sandbox, gauges: GaugeServer, value: str) -> None:
    """Set the gauge of the model's first pod, which alone is reached: the total is `value`."""
    pods = [p for p in sandbox.items(f"{VISION}/pods") if "segmenter" in p["metadata"]["name"]]
    first = min(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    gauges.text = f"{GAUGE} {value}\n"
    listener = Listener(
        project=PROJECT, cluster=str(CLUSTER), namespace="vision", pod=first["metadata"]["name"],
        node=first["spec"]["nodeName"], zone="", address=first["status"]["podIP"], port=8002,
        listens=gauges.port,
    )  # fmt: skip
    DialPlan([listener]).write(Home(sandbox.home).dial_plan)


def logs(sandbox: Sandbox) -> str:
    files = [sandbox.folder.log(name) for name in ("keda", "keda-adapter")]
    return "".join(file.read_text()[-4000:] for file in files if file.exists())


def test_a_gauge_that_no_pod_reports_scales_nothing(keda: Sandbox) -> None:
    assert eventually(lambda: reason(keda) == "FailedGetExternalMetric"), logs(keda)
    assert replicas(keda) == 1


def test_a_gauge_scales_the_model(keda: Sandbox, gauges: GaugeServer) -> None:
    # The target is 8 by pod, and the maximum 4 pods.
    measure(keda, gauges, "32")
    assert eventually(lambda: replicas(keda) == 4), (reason(keda), logs(keda))
    assert eventually(lambda: reason(keda) == "ValidMetricFound")
    measure(keda, gauges, "0")
    assert eventually(lambda: replicas(keda) == 1)


def test_without_its_pod_monitoring_the_model_no_longer_scales(
    keda: Sandbox, gauges: GaugeServer
) -> None:
    body = keda.kube("GET", f"{MONITORED}/segmenter")
    keda.kube("DELETE", f"{MONITORED}/segmenter")
    measure(keda, gauges, "32")
    # Prometheus takes a series for ended two intervals after its target is gone.
    assert eventually(lambda: reason(keda) == "FailedGetExternalMetric")
    assert replicas(keda) == 1
    apply(keda, {key: body[key] for key in ("apiVersion", "kind", "spec")} | {
        "metadata": {"name": "segmenter", "namespace": "vision"}
    })  # fmt: skip
    assert eventually(lambda: replicas(keda) == 4)
    measure(keda, gauges, "0")
    assert eventually(lambda: replicas(keda) == 1)


def test_an_account_that_may_not_read_metrics_scales_nothing(
    keda: Sandbox, gauges: GaugeServer
) -> None:
    allow(keda)
    try:
        measure(keda, gauges, "32")
        assert eventually(lambda: reason(keda) == "FailedGetExternalMetric")
        assert replicas(keda) == 1
    finally:
        measure(keda, gauges, "0")
        allow(keda, VIEWER)
    assert eventually(lambda: reason(keda) == "ValidMetricFound")


def test_a_backlog_starts_a_model_from_zero_and_its_end_stops_it(keda: Sandbox) -> None:
    spec = scaled_object.scaled_object(
        Autoscaling(
            metrics=(PubSubBacklog(subscription="jobs", average="20", activation="5"),),
            scale_down_after_seconds=0,
            scale_to_zero_after_seconds=1,
        ),
        Replicas(min=0, max=4),
        Monitoring(project=PROJECT, cluster=CLUSTER.name, location=CLUSTER.location, collects=True),
        name="worker",
        namespace="vision",
        gpus=1,
    )
    spec["pollingInterval"] = 2
    metadata = {"name": "worker", "namespace": "vision"}
    apply(keda, server("worker"))
    apply(keda, {"apiVersion": scaled_object.API, "kind": "ScaledObject", "metadata": metadata,
                 "spec": spec})  # fmt: skip

    pubsub = f"{keda.api}/pubsub/v1/projects/{PROJECT}"
    topic = f"projects/{PROJECT}/topics/jobs"
    assert keda.http.put(f"{pubsub}/topics/jobs", json={}).status_code == 200
    subscription = f"{pubsub}/subscriptions/jobs"
    assert keda.http.put(subscription, json={"topic": topic}).status_code == 200

    def publish(messages: int) -> None:
        body = {"messages": [{"data": "aGk="}] * messages}
        answer = keda.http.post(f"{pubsub}/topics/jobs:publish", json=body)
        assert answer.status_code == 200, answer.text

    def work() -> None:
        """Take all messages, as the model's pods do."""
        pulled = keda.http.post(f"{subscription}:pull", json={"maxMessages": 1000}).json()
        known = [one["ackId"] for one in pulled["receivedMessages"]]
        assert keda.http.post(f"{subscription}:acknowledge", json={"ackIds": known}).is_success

    assert eventually(lambda: replicas(keda, "worker") == 0), logs(keda)
    publish(4)  # the activation threshold is 5
    assert not eventually(lambda: replicas(keda, "worker") > 0, 15)
    publish(56)
    assert eventually(lambda: replicas(keda, "worker") == 3), reason(keda, "worker")
    work()
    assert eventually(lambda: replicas(keda, "worker") == 0), logs(keda)


def test_it_lacks_no_right_and_has_none_that_it_does_not_need(keda: Sandbox) -> None:
    assert "forbidden" not in keda.folder.log("keda").read_text()
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "system:serviceaccount:keda:keda-operator",
            "resourceAttributes": {"verb": "get", "resource": "secrets", "namespace": "vision"},
        },
    }
    review = keda.kube("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    assert review["status"]["allowed"] is False


def test_it_ends_with_its_pod(keda: Sandbox) -> None:
    path = "/apis/apps/v1/namespaces/keda/deployments/keda-operator"
    keda.kube("PATCH", path, {"spec": {"replicas": 0}}, content_type=MERGE)

    def running() -> list[psutil.Process]:
        found = processes.below(keda.folder.path)
        return [process for process, name in found.items() if name == "keda"]

    assert eventually(lambda: not running())
