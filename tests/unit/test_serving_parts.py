"""The objects that one entry of the catalog becomes."""

import json
from typing import Any

import msgspec
import pytest

from declared import Declared
from gkeplatform.environment import Environment
from gkeplatform.naming import Naming
from infra.serving.exposures import endpoint_groups, node_ports
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.exposures.routes import address as load_balancer_address
from infra.serving.manifest import Manifest
from infra.serving.models import Model, Workload, expanded, pod
from infra.serving.models.deployment import deployment
from infra.serving.models.disruption import disruption_budget
from infra.serving.models.presets import PRESETS
from infra.serving.models.rollout import RollingUpdate
from infra.serving.quantity import amount
from infra.serving.scaling.autoscaler import autoscaler
from infra.serving.scaling.settings import Autoscaling, Replicas
from tests.environment_runs import environment_run

NAMING = Naming(
    Environment(system="acme-ml", name="dev", project="acme-ml-dev", region="europe-west4")
)
NAMES = GroupNames(naming=NAMING, cluster="c1")


def model(**changes: Any) -> Workload:
    entry: dict[str, Any] = {
        "name": "resnet",
        "server": "tensorflow-serving",
        "source": "gs://acme-ml-dev-models/resnet",
        "replicas": {"min": 1, "max": 10},
        "autoscaling": {"cpu_utilization": 50},
        "resources": {
            "requests": {"cpu": "500m", "memory": "1Gi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
        "exposure": {"kind": "cluster-ip"},
    }
    entered = msgspec.convert(entry | changes, Model)
    return expanded(entered, key="models[0]", namespace="models")


FIXED = {"replicas": {"min": 3, "max": 3}, "autoscaling": None}
ROUTED = {"kind": "http-load-balancer", "paths": ["/v1/models/resnet"]}


def deployed(served: Workload) -> Manifest:
    return deployment(served, rolling_update=RollingUpdate(1, 0), labels={}, account="a")


def service(served: Workload) -> Manifest:
    return served.exposure.service(served)


def annotations(served: Workload) -> dict[str, str]:
    return endpoint_groups.annotations(served.exposure.endpoint_groups(served, NAMES))


def container(served: Workload) -> dict[str, Any]:
    template = pod.template(served, labels={"team": "ml"}, account="model-server")
    (found,) = template["spec"]["containers"]
    return dict(found)


def test_an_autoscaler_rules_the_replicas_alone() -> None:
    assert "replicas" not in deployed(model())
    ruled = autoscaler(
        Autoscaling(cpu_utilization=50),
        Replicas(min=1, max=10),
        name="resnet",
    )
    assert (ruled["minReplicas"], ruled["maxReplicas"]) == (1, 10)
    assert ruled["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    assert ruled["scaleTargetRef"]["name"] == "resnet"


def test_a_fixed_number_of_replicas_is_stated() -> None:
    assert deployed(model(**FIXED))["replicas"] == 3


def test_tensorflow_serving_is_told_its_model_and_ports() -> None:
    server = container(model())
    assert server["image"] == PRESETS["tensorflow-serving"].image
    assert server["args"] == [
        "--model_name=resnet",
        "--model_base_path=gs://acme-ml-dev-models/resnet",
        "--rest_api_port=8501",
        "--port=8500",
    ]
    assert [port["containerPort"] for port in server["ports"]] == [8501, 8500]


def test_an_image_of_one_s_own_takes_the_preset_s_place() -> None:
    image = "europe-docker.pkg.dev/acme/serving:1.2"
    assert container(model(image=image))["image"] == image


def test_probes_ask_the_model_and_liveness_only_the_process() -> None:
    server = container(model(startup_seconds=95))
    status = {"path": "/v1/models/resnet", "port": "rest"}
    assert server["startupProbe"]["httpGet"] == status
    assert server["readinessProbe"]["httpGet"] == status
    assert server["livenessProbe"]["tcpSocket"] == {"port": "grpc"}
    allowed = server["startupProbe"]["failureThreshold"] * server["startupProbe"]["periodSeconds"]
    assert allowed == 100


def test_a_pod_serves_on_while_load_balancers_let_go_of_it() -> None:
    template = pod.template(model(drain_seconds=20), labels={}, account="a")
    hook = template["spec"]["containers"][0]["lifecycle"]["preStop"]
    assert hook == {"sleep": {"seconds": 20}}
    assert template["spec"]["terminationGracePeriodSeconds"] > 20


def test_a_pod_is_restricted() -> None:
    spec = pod.template(model(), labels={}, account="a")["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    inner = spec["containers"][0]["securityContext"]
    assert inner["capabilities"] == {"drop": ["ALL"]}
    assert inner["allowPrivilegeEscalation"] is False


def test_pods_are_spread_over_zones_then_over_nodes() -> None:
    zones, nodes = pod.spread_constraints(model())
    assert zones["topologyKey"] == "topology.kubernetes.io/zone"
    assert zones["whenUnsatisfiable"] == "DoNotSchedule"
    assert nodes["topologyKey"] == "kubernetes.io/hostname"
    assert nodes["whenUnsatisfiable"] == "ScheduleAnyway"


def test_the_selector_does_not_change_with_an_owner() -> None:
    template = pod.template(
        model(), labels={"owner": "a", "app.kubernetes.io/name": "x"}, account=""
    )
    assert template["metadata"]["labels"]["owner"] == "a"
    assert template["metadata"]["labels"].items() >= model().selector.items()
    assert "owner" not in model().selector


def test_a_model_may_be_kept_to_a_pool() -> None:
    spec = pod.template(model(node_pool="gpu"), labels={}, account="a")["spec"]
    assert spec["nodeSelector"] == {"cloud.google.com/gke-nodepool": "gpu"}


def test_a_budget_lets_one_go_unless_told_otherwise() -> None:
    assert disruption_budget(model())["maxUnavailable"] == 1
    kept = disruption_budget(model(**FIXED, disruption={"min_available": 2}))
    assert kept["minAvailable"] == 2
    assert "maxUnavailable" not in kept


def ports(served: Workload) -> list[tuple[int, str | int]]:
    return [(port["port"], port["targetPort"]) for port in service(served)["ports"]]


def test_inside_the_cluster_both_protocols_are_served() -> None:
    assert service(model())["type"] == "ClusterIP"
    assert ports(model()) == [(8501, "rest"), (8500, "grpc")]
    assert annotations(model()) == {}


def test_a_load_balancer_of_its_own_leads_from_80_to_the_rest_port() -> None:
    served = model(exposure={"kind": "load-balancer", "source_ranges": ["198.51.100.0/24"]})
    assert ports(served) == [(80, "rest")]
    assert service(served)["type"] == "LoadBalancer"
    assert service(served)["loadBalancerSourceRanges"] == ["198.51.100.0/24"]


def test_the_shared_load_balancer_gets_endpoint_groups_of_a_known_name() -> None:
    served = model(exposure=ROUTED)
    assert service(served)["type"] == "ClusterIP"
    asked = json.loads(annotations(served)[endpoint_groups.NEG])
    assert asked == {"exposed_ports": {"8501": {"name": NAMES.of(served, 8501)}}}


def test_over_instance_groups_the_node_port_stays_the_same() -> None:
    served = model(exposure=ROUTED | {"backend": "instance-groups", "node_port": 30001})
    made = node_ports.service(served, 30001)
    (port,) = made["ports"]
    assert made["type"] == "NodePort"
    assert port["nodePort"] == 30001
    assert service(served)["type"] == "ClusterIP"
    assert annotations(served) == {}


@pytest.mark.parametrize(
    ("smaller", "larger"), [("500m", "1"), ("1000m", "1.5"), ("1Gi", "2G"), ("900Mi", "1Gi")]
)
def test_quantities_compare_as_amounts(smaller: str, larger: str) -> None:
    assert amount(smaller) < amount(larger)


@pytest.mark.parametrize("bad", ["", "m", "1Q", "one", "1 Gi"])
def test_what_is_no_quantity_is_no_amount(bad: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(bad)


def test_an_address_is_empty_until_there_is_one() -> None:
    assert load_balancer_address(None) == ""
    assert load_balancer_address([]) == ""
    assert load_balancer_address([{"ip": "192.0.2.1"}]) == "192.0.2.1"


@pytest.fixture(scope="module")
def declared() -> Declared:
    return environment_run("dev")["serving"]


@pytest.mark.parametrize("name", ["resnet", "mobilenet", "embeddings"])
def test_an_entry_yields_all_objects_of_a_model(name: str, declared: Declared) -> None:
    for kind in ("apps/v1:Deployment", "core/v1:Service", "policy/v1:PodDisruptionBudget"):
        found = declared.inputs[f"kubernetes:{kind}", name]
        assert found["metadata"]["namespace"] == "models"
        assert found["metadata"]["labels"]["owner"] == "ml-platform"


def test_the_kubernetes_account_acts_as_the_google_one(declared: Declared) -> None:
    account = declared.inputs["kubernetes:core/v1:ServiceAccount", "models"]
    binding = declared.inputs["gcp:serviceaccount/iAMMember:IAMMember", "workload-identity"]
    email = account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
    assert email in binding["serviceAccountId"]
    assert binding["member"] == "serviceAccount:acme-ml-dev.svc.id.goog[models/model-server]"


def test_the_bucket_is_read_by_the_models_alone(declared: Declared) -> None:
    bucket = declared.inputs["gcp:storage/bucket:Bucket", "models"]
    grant = declared.inputs["gcp:storage/bucketIAMMember:BucketIAMMember", "models"]
    assert bucket["publicAccessPrevention"] == "enforced"
    assert bucket["uniformBucketLevelAccess"] is True
    assert grant["role"] == "roles/storage.objectViewer"


def test_urls_say_where_each_exposure_answers(declared: Declared) -> None:
    urls = {each["name"]: each["url"] for each in declared.outputs["models"]}
    assert urls["mobilenet"] == "http://203.0.113.7/v1/models/mobilenet"
    assert urls["embeddings"] == "http://embeddings.models.svc:8501/v1/models/embeddings"
    assert urls["resnet"] is None
