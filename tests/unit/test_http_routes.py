"""Exposure by an Ingress and by the Gateway: what each is spelled as, and what is refused."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import yaml

from declared import STACKS, Declared, run_environment, stack_config
from gkeplatform.config import load
from gkeplatform.errors import PlatformError
from infra import stack_file
from infra.serving.config import ServingConfig
from infra.serving.exposures import (
    GatewayArgs,
    IngressArgs,
    NginxArgs,
    RouteSettings,
    gateway,
    gateway_manifests,
    ingress,
)
from infra.serving.exposures.gateway import Gateway
from infra.serving.exposures.inference.settings import InferenceGatewayArgs
from infra.serving.exposures.ingress import Ingress
from infra.serving.exposures.routes import address
from infra.serving.models import Model, Workload, expanded

FILE = "stacks/Pulumi.dev.yaml"
DEV: dict[str, Any] = yaml.safe_load((STACKS / "Pulumi.dev.yaml").read_text())["config"]


def model(kind: str, **more: Any) -> Workload:
    entry: dict[str, Any] = {
        "name": "resnet",
        "server": "tensorflow-serving",
        "source": "gs://acme-ml-dev-models/resnet",
        "replicas": {"min": 2, "max": 2},
        "resources": {
            "requests": {"cpu": "1", "memory": "1Gi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
        "exposure": {"kind": kind, "path": "/model", **more},
    }
    return expanded(msgspec.convert(entry, Model), key="models[0]", namespace="models")


def rewritten(made: Any, notes: dict[str, str], path: str) -> str | None:
    """What NGINX hands on: the path is matched from its start, its groups fill the target."""
    (rule,) = made["rules"]
    (one,) = rule["http"]["paths"]
    found = re.match(one["path"], path)
    if found is None:
        return None
    target = notes["nginx.ingress.kubernetes.io/rewrite-target"]
    return re.sub(r"\$(\d)", lambda group: found[int(group[1])] or "", target)


@pytest.mark.parametrize(
    ("asked", "handed_on"),
    [
        ("/model/v1/models/resnet:predict", "/v1/models/resnet:predict"),
        ("/model/v1/models/resnet/versions/2/metadata", "/v1/models/resnet/versions/2/metadata"),
        ("/model/", "/"),
        ("/model", "/"),
        ("/models/v1/models/resnet", None),
        ("/v1/models/resnet", None),
    ],
)
def test_an_ingress_takes_its_path_off_and_keeps_the_rest(
    asked: str, handed_on: str | None
) -> None:
    args = IngressArgs()
    served = model("ingress")
    assert isinstance(served.exposure, Ingress)
    made = served.exposure.spec(served, args)
    assert rewritten(made, ingress.annotations(args), asked) == handed_on


def test_an_ingress_names_its_class_hosts_and_certificate() -> None:
    served = model("ingress", hosts=["a.example", "b.example"])
    assert isinstance(served.exposure, Ingress)
    made = served.exposure.spec(served, IngressArgs(tls_secret="models-tls"))
    assert made["ingressClassName"] == "nginx"
    assert [rule["host"] for rule in made["rules"]] == ["a.example", "b.example"]
    assert made["tls"] == [{"hosts": ["a.example", "b.example"], "secretName": "models-tls"}]


def test_a_dot_in_a_path_stands_for_itself() -> None:
    pattern = ingress.pattern("/v1.0")
    assert re.match(pattern, "/v1.0/x")
    assert not re.match(pattern, "/v1x0/x")


def test_an_update_waits_for_our_own_controller_alone() -> None:
    assert "pulumi.com/skipAwait" not in ingress.annotations(IngressArgs(controller=NginxArgs()))
    assert ingress.annotations(IngressArgs())["pulumi.com/skipAwait"] == "true"


def test_one_word_takes_a_model_from_the_ingress_to_the_gateway() -> None:
    served = model("gateway", hosts=["a.example"])
    assert isinstance(served.exposure, Gateway)
    args = GatewayArgs(certificate_map="models")
    made = served.exposure.spec(served, args, namespace="models")
    assert made["hostnames"] == ["a.example"]
    assert made["parentRefs"][0]["sectionName"] == "https"
    (rule,) = made["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/model"}}]
    assert rule["backendRefs"] == [{"name": "resnet", "port": 8501}]
    check = gateway.health_check(served)
    assert check["default"]["config"]["httpHealthCheck"]["requestPath"] == "/v1/models/resnet"
    policy = gateway.backend_policy(served, GatewayArgs(log_sample_rate=0.25))
    assert policy["default"]["logging"] == {"enabled": True, "sampleRate": 250_000}
    assert policy["default"]["connectionDraining"] == {"drainingTimeoutSec": served.drain_seconds}
    assert served.exposure.service(served)["type"] == "ClusterIP"


def test_a_gateway_with_certificates_sends_http_to_https() -> None:
    plain = gateway_manifests.gateway(GatewayArgs(), address="a", namespace_labels={})
    assert [one["protocol"] for one in plain["listeners"]] == ["HTTP"]
    args = GatewayArgs(certificate_map="models")
    made = gateway_manifests.gateway(args, address="a", namespace_labels={})
    assert [(one["protocol"], one["port"]) for one in made["listeners"]] == [
        ("HTTP", 80),
        ("HTTPS", 443),
    ]
    (rule,) = gateway_manifests.redirect("models")["rules"]
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 301}


@pytest.mark.parametrize("kind", ["ingress", "gateway"])
def test_the_endpoint_is_not_assigned_until_there_is_an_address(kind: str) -> None:
    served = model(kind)
    plain = RouteSettings(
        ingress=IngressArgs(),
        gateway=GatewayArgs(),
        inference=InferenceGatewayArgs(),
        gateway_namespace="models",
    )
    assert served.exposure.url(served, "", plain) == "not assigned yet"
    assert served.exposure.url(served, None, plain) == "not assigned yet"
    found = served.exposure.url(served, "192.0.2.1", plain)
    assert found == "http://192.0.2.1/model/v1/models/resnet"
    named = model(kind, hosts=["a.example"])
    encrypted = RouteSettings(
        ingress=IngressArgs(tls_secret="models-tls"),
        gateway=GatewayArgs(certificate_map="models"),
        inference=InferenceGatewayArgs(),
        gateway_namespace="models",
    )
    found = named.exposure.url(named, "192.0.2.1", encrypted)
    assert found == "https://a.example/model/v1/models/resnet"


def test_an_address_may_be_a_host_name() -> None:
    assert address(None) == ""
    assert address([]) == ""
    assert address([{"hostname": "lb.example"}]) == "lb.example"
    assert address([{"ip": "192.0.2.1"}]) == "192.0.2.1"


def encoded(document: dict[str, Any]) -> dict[str, str]:
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in document.items()}


def routed(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one
        for one in document["gke-serving:models"]
        if one["exposure"]["kind"] in ("ingress", "gateway")
    )
    return found


def _twice(document: dict[str, Any]) -> None:
    document["gke-serving:models"].append({**routed(document), "name": "again"})


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d.pop("gke-serving:ingress"), "an Ingress needs a controller; set gke-serving"),
        (_twice, '.exposure.path: /model is "sentiment"\'s, too; give each model a path'),
        (
            lambda d: routed(d)["exposure"].update(path="model"),
            '.exposure.path: "model" is not a path; did you mean "/model"?',
        ),
        (
            lambda d: routed(d)["exposure"].update(kind="gatway"),
            '"gatway" is not allowed; did you mean "gateway"?',
        ),
        (
            lambda d: routed(d)["exposure"].update(hosts=["a.example", "a.example"]),
            "hosts lists a.example twice",
        ),
    ],
)
def test_bad_input_is_refused(edit: Callable[[dict[str, Any]], Any], said: str) -> None:
    document = copy.deepcopy(DEV)
    edit(document)
    with pytest.raises(PlatformError) as raised:
        load(ServingConfig, namespace="gke-serving", values=encoded(document), file=FILE)
    assert said in str(raised.value)


def test_a_gateway_without_its_api_is_refused_before_anything_is_touched() -> None:
    document = copy.deepcopy(DEV)
    routed(document)["exposure"]["kind"] = "gateway"
    stack_file.read(encoded(document), file=FILE)
    document["gke-cluster:cluster"]["gateway_api"] = False
    with pytest.raises(PlatformError, match=r"gke-cluster:cluster\.gateway_api turns off"):
        stack_file.read(encoded(document), file=FILE)


def kinds(found: dict[str, Declared]) -> set[str]:
    return {kind for kind, _ in found["serving"].inputs}


def test_no_controller_is_made_that_no_model_asks_for() -> None:
    others = [one for one in DEV["gke-serving:models"] if one["name"] != "sentiment"]
    made = kinds(run_environment("dev", {"gke-serving:models": json.dumps(others)}))
    assert not any("Ingress" in kind or "Gateway" in kind for kind in made)


def with_members(environment: str) -> str:
    """The models of an environment; those on the Gateway admit a group only."""
    models = json.loads(stack_config(environment)["gke-serving:models"])
    for one in models:
        if one["exposure"]["kind"] == "gateway":
            one["exposure"]["iap"] = {"members": ["group:nlp@acme.example"]}
    return json.dumps(models)


def test_members_at_the_gateway_are_not_admitted_at_the_load_balancer() -> None:
    values = stack_config("prod") | {"gke-serving:models": with_members("prod")}
    stack_file.read(values, file=FILE)
    models = json.loads(values["gke-serving:models"])
    # Behind Identity-Aware Proxy at the load balancer, on every host.
    segmenter = next(one for one in models if one["name"] == "segmenter")["exposure"]
    assert segmenter["iap"]
    routed({"gke-serving:models": models})["exposure"]["path"] = "/v2"
    with pytest.raises(PlatformError, match=r'iap: .* to "segmenter" on /v2/models/segmenter at'):
        stack_file.read(values | {"gke-serving:models": json.dumps(models)}, file=FILE)
    del segmenter["iap"]
    stack_file.read(values | {"gke-serving:models": json.dumps(models)}, file=FILE)


def test_the_gateway_s_address_is_one_that_stays() -> None:
    found = run_environment("stage", {"gke-serving:models": with_members("stage")})
    made = kinds(found)
    (grant,) = (
        found["serving"].of("gcp:iap/webTypeComputeIamMember:WebTypeComputeIamMember").values()
    )
    assert grant["member"] == "group:nlp@acme.example"
    assert grant["role"] == "roles/iap.httpsResourceAccessor"
    assert 'request.host == "sentiment.stage.acme.example"' in grant["condition"]["expression"]
    assert 'request.path.startsWith("/model/")' in grant["condition"]["expression"]
    assert "kubernetes:gateway.networking.k8s.io/v1:Gateway" in made
    assert "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute" in made
    assert "kubernetes:networking.gke.io/v1:HealthCheckPolicy" in made
    assert "kubernetes:networking.gke.io/v1:GCPBackendPolicy" in made
    assert "kubernetes:networking.k8s.io/v1:Ingress" not in made
