"""Models that are called by gRPC or HTTP/2: probes, ports, backend services, and refusals."""

import json
from typing import Any

import msgspec
import pytest

from declared import Declared, run_environment, stack_config
from gkeplatform.environment import Environment
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra import stack_file
from infra.networking.firewall import ports
from infra.serving.config import ServingConfig
from infra.serving.contract import served
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.models import Workload, pod
from infra.serving.tenancy.network_policies import network_policies
from tests.sandbox.gcp.emulated_cloud import Cloud

NAMING = Naming(
    Environment(system="acme-ml", name="dev", project="acme-ml-dev", region="europe-west4")
)
NAMES = GroupNames(naming=NAMING, cluster="c1")
AMOUNTS = {"cpu": "1", "memory": "4Gi"}
GRPC_ONLY: dict[str, Any] = {
    "server": "custom",
    "image": "a/b:1",
    "custom": {"grpc_port": 9000, "grpc_services": ["acme.Ranker"]},
    "files": {"via": "gcs-fuse"},
}
BOTH: dict[str, Any] = {
    **GRPC_ONLY,
    "custom": {"rest_port": 8080, "grpc_port": 9000, "path": "/v1/models/words", "ready": "/up"},
}
H2C = "kubernetes.io/h2c"


def entry(exposure: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "words",
        "server": "tensorflow-serving",
        "source": "gs://acme-ml-dev-models/words",
        "replicas": {"min": 1, "max": 1},
        "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
        "exposure": exposure,
        **more,
    }


def config(exposure: dict[str, Any], **more: Any) -> ServingConfig:
    return msgspec.convert({"models": [entry(exposure, **more)], "ingress": {}}, ServingConfig)


def workload(exposure: dict[str, Any], **more: Any) -> Workload:
    return config(exposure, **more).entries[0]


def shared(*paths: str, **more: Any) -> dict[str, Any]:
    return {"kind": "http-load-balancer", "protocol": "grpc", "paths": list(paths), **more}


def test_a_server_of_grpc_alone_is_probed_by_grpc() -> None:
    made = workload({"kind": "cluster-ip"}, **GRPC_ONLY)
    (container,) = pod.template(made, labels={}, account="a")["spec"]["containers"]
    assert container["startupProbe"]["grpc"] == {"port": 9000}
    assert container["readinessProbe"]["grpc"] == {"port": 9000}
    assert container["livenessProbe"]["tcpSocket"] == {"port": "grpc"}
    assert [port["name"] for port in container["ports"]] == ["grpc"]
    assert [port["name"] for port in made.exposure.service(made)["ports"]] == ["grpc"]
    assert made.exposure.url(made, None, config({"kind": "cluster-ip"}).routes) == (
        "grpc://words.models.svc:9000"
    )


def test_a_load_balancer_of_its_own_may_lead_to_grpc() -> None:
    made = workload({"kind": "load-balancer", "protocol": "grpc"})
    (port,) = made.exposure.service(made)["ports"]
    assert port == {
        "name": "grpc",
        "port": 8500,
        "targetPort": "grpc",
        "protocol": "TCP",
        "appProtocol": H2C,
    }
    found = config({"kind": "load-balancer", "protocol": "grpc"})
    assert made.exposure.url(made, "192.0.2.1", found.routes) == "grpc://192.0.2.1:8500"
    (tenant,) = found.tenants
    policies = network_policies(tenant)
    assert policies["open-grpc"]["ingress"] == [{"ports": [{"port": "grpc", "protocol": "TCP"}]}]
    assert "open" not in policies
    labels = pod.template(made, labels={}, account="a")["metadata"]["labels"]
    assert policies["open-grpc"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_shared_load_balancer_leads_to_the_grpc_port_and_asks_the_rest_port() -> None:
    made = workload(shared("/tensorflow.serving.PredictionService"))
    groups = made.exposure.endpoint_groups(made, NAMES)
    assert list(groups) == [8500]
    ports_by_name = {one["name"]: one for one in made.exposure.service(made)["ports"]}
    assert ports_by_name["grpc"]["appProtocol"] == H2C
    assert "appProtocol" not in ports_by_name["rest"]
    route = made.exposure.route(made, zones=("a",), names=NAMES)
    assert route
    assert (route.probe_port, route.probe_path) == (8501, "/v1/models/words")
    assert made.exposure.patterns(made) == (
        "/tensorflow.serving.PredictionService",
        "/tensorflow.serving.PredictionService/*",
    )
    cluster: Any = type("Cluster", (), {"zones": ("a",)})()
    models = served(config(shared("/tensorflow.serving.PredictionService")), {}, cluster=cluster,
                    names=NAMES)  # fmt: skip
    assert ports(tuple(models)) == ["8500", "8501"]


def test_http2_concerns_the_rest_port() -> None:
    made = workload(
        {"kind": "http-load-balancer", "protocol": "http2", "paths": ["/v1/models/words"]},
        **BOTH,
    )
    ports_by_name = {one["name"]: one for one in made.exposure.service(made)["ports"]}
    assert ports_by_name["rest"]["appProtocol"] == H2C
    assert "appProtocol" not in ports_by_name["grpc"]


@pytest.mark.parametrize(
    ("exposure", "more", "said"),
    [
        ({"kind": "load-balancer"}, GRPC_ONLY, 'exposure.protocol: http, and "words" speaks gRPC'),
        (
            {"kind": "load-balancer", "protocol": "grpc"},
            {"server": "custom", "image": "a/b:1", "files": {"via": "gcs-fuse"},
             "custom": {"rest_port": 9000, "path": "/m", "ready": "/r"}},
            "exposure.protocol: grpc, and custom has no gRPC port",
        ),
        (
            {"kind": "http-load-balancer", "protocol": "http2", "paths": ["/v1/models/words"]},
            {},
            "exposure.protocol: http2, and the REST API of tensorflow-serving speaks HTTP/1.1",
        ),
        ({"kind": "gateway", "path": "/words"}, GRPC_ONLY, "exposure.kind: gateway takes HTTP"),
        ({"kind": "ingress", "path": "/words"}, GRPC_ONLY, "exposure.kind: ingress takes HTTP"),
        (shared("/v1/models/words"), {}, "has no gRPC service /v1/models/words"),
        (shared("/acme.Rankr"), GRPC_ONLY, 'did you mean "/acme.Ranker"?'),
        (
            shared("/a", rewrites={"/a": "/tensorflow.serving.PredictionService"}),
            {},
            "rewrites with protocol: grpc",
        ),
        (
            shared("/acme.Ranker", backend="instance-groups", node_port=30001),
            {},
            "protocol: grpc with backend instance-groups",
        ),
        (
            {"kind": "cluster-ip"},
            {**GRPC_ONLY, "custom": {"grpc_port": 9000, "path": "/m"}},
            "path is a URL of an HTTP API",
        ),
        ({"kind": "cluster-ip"}, {**GRPC_ONLY, "custom": {}}, "rest_port is missing"),
        (
            {"kind": "cluster-ip"},
            {**GRPC_ONLY, "custom": {"rest_port": 9000, "path": "/m"}},
            "ready is missing",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    exposure: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        config(exposure, **more)
    assert said in str(raised.value)


def edited(environment: str) -> dict[str, Any]:
    """The keys of a stack in which the first model behind the load balancer speaks gRPC."""
    values = {k: v for k, v in stack_config(environment).items() if k.startswith("gke-")}
    models = json.loads(values["gke-serving:models"])
    one = next(one for one in models if one["exposure"]["kind"] == "http-load-balancer")
    one["exposure"] = shared("/tensorflow.serving.PredictionService")
    models.append({**entry(shared("/acme.Ranker"), **GRPC_ONLY), "name": "ranker"})
    models[-1]["source"] = one["source"]
    return {**values, "gke-serving:models": json.dumps(models)}


def test_grpc_without_https_is_refused() -> None:
    values = {k: v for k, v in edited("dev").items() if k.startswith("gke-serving:")}
    with pytest.raises(PlatformError, match=r"exposure\.protocol: grpc needs HTTPS"):
        stack_file.read(values, file="f.yaml")


@pytest.fixture(scope="module")
def stage() -> dict[str, Declared]:
    return run_environment("stage", {"gke-serving:models": edited("stage")["gke-serving:models"]})


def test_the_backend_service_speaks_h2c(stage: dict[str, Declared]) -> None:
    services = stage["networking"].of("gcp:compute/backendService:BackendService")
    spoken = {name: one["protocol"] for name, one in services.items()}
    assert "H2C" in spoken.values()
    assert "HTTP" in spoken.values()


def test_the_health_check_of_grpc_alone_is_grpc_s(stage: dict[str, Declared]) -> None:
    networking = stage["networking"]
    check = networking.of("gcp:compute/healthCheck:HealthCheck")["ranker"]
    assert check["grpcHealthCheck"] == {"portSpecification": "USE_FIXED_PORT", "port": 9000}
    assert "httpHealthCheck" not in check
    (firewall,) = networking.of("gcp:compute/firewall:Firewall").values()
    assert {"8500", "8501", "9000"} <= set(firewall["allows"][0]["ports"])


@pytest.mark.parametrize(
    ("scheme", "protocol", "status"),
    [
        ("EXTERNAL_MANAGED", "H2C", 200),
        ("EXTERNAL", "H2C", 400),
        ("EXTERNAL_MANAGED", "GRPC", 400),
        ("INTERNAL_SELF_MANAGED", "GRPC", 200),
    ],
)
def test_the_emulated_api_takes_a_protocol_of_the_scheme(
    scheme: str, protocol: str, status: int
) -> None:
    cloud = Cloud()
    body = {"name": "one", "loadBalancingScheme": scheme, "protocol": protocol}
    cloud.compute("POST", "global/backendServices", body, status=status)
    cloud.close()
