"""What other projects' tests call right or wrong, and the pack once judged otherwise."""

from typing import Any

import pytest

from policies.check import judge
from policies.pack import Pack
from policies.pods import deployment, pod
from policies.registry import RULES
from policies.secret_names import is_secret
from policies.subjects import Resource

BY_ID = {rule.id: rule for rule in RULES}
Json = dict[str, Any]


def found(rule: str, *resources: Resource) -> list[str]:
    findings = judge(resources, Pack([BY_ID[rule]])).findings
    return [message for one in findings for message in one.finding.messages]


def made(type_: str, **props: Any) -> Resource:
    named = {"metadata": {"name": "resnet", "namespace": "models"}} | props
    return Resource(f"kubernetes:{type_}", named, "resnet")


def ingress(version: str = "v1", **backend: Any) -> Resource:
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return made(
        f"networking.k8s.io/{version}:Ingress",
        apiVersion=f"networking.k8s.io/{version}",
        spec={"rules": [{"host": "models.example", "http": {"paths": paths}}]},
    )


SERVICE = made("core/v1:Service", spec={"ports": [{"port": 80}]})


@pytest.mark.parametrize(
    ("backend", "is_refused"),
    [
        ({"serviceName": "resnet", "servicePort": 80}, True),
        ({}, True),
        ({"service": {"name": "resnet", "port": {"number": 80}}}, False),
        ({"resource": {"apiGroup": "storage.example", "kind": "Bucket", "name": "b"}}, False),
    ],
)
def test_a_backend_of_an_ingress_names_a_service_in_the_fields_of_v1(
    backend: Json, is_refused: bool
) -> None:
    messages = found("ingresses-lead-to-services", SERVICE, ingress(**backend))
    assert bool(messages) is is_refused, messages


def test_a_backend_of_an_older_ingress_names_a_service_in_the_older_fields() -> None:
    older = ingress("v1beta1", serviceName="resnet", servicePort=80)
    assert not found("ingresses-lead-to-services", SERVICE, older)


@pytest.mark.parametrize(
    ("ports", "is_refused"),
    [
        ([{"name": "rest", "containerPort": 80}, {"name": "rest", "containerPort": 81}], True),
        ([{"name": "rest", "containerPort": 80}, {"name": "grpc", "containerPort": 81}], False),
        ([{"containerPort": 80}, {"containerPort": 81}], False),
    ],
)
def test_a_container_names_each_port_once(ports: list[Json], is_refused: bool) -> None:
    one = Resource("kubernetes:core/v1:Pod", pod(container={"ports": ports}))
    assert bool(found("container-ports-are-valid", one)) is is_refused


def test_containers_of_a_pod_may_name_their_ports_alike() -> None:
    spec = pod(container={"ports": [{"name": "metrics", "containerPort": 80}]})
    other = {"name": "b", "image": "b:1", "ports": [{"name": "metrics", "containerPort": 81}]}
    spec["spec"]["containers"].append(other)
    assert not found("container-ports-are-valid", Resource("kubernetes:core/v1:Pod", spec))


STRAY = {"app": "resnet"}
RIGHT = {"matchLabels": {"app": "resnet"}}
POLICY = "networking.k8s.io/v1:NetworkPolicy"


@pytest.mark.parametrize("selector", [STRAY, RIGHT | STRAY, RIGHT, {}, None])
@pytest.mark.parametrize("place", ["podSelector", "from", "to", "budget", "workload", "job"])
def test_labels_stand_under_match_labels(place: str, selector: Json | None) -> None:
    peer = {"namespaceSelector": selector}
    one = {
        "podSelector": made(POLICY, spec={"podSelector": selector}),
        "from": made(POLICY, spec={"podSelector": {}, "ingress": [{"from": [peer]}]}),
        "to": made(POLICY, spec={"podSelector": {}, "egress": [{"to": [peer]}]}),
        "budget": made("policy/v1:PodDisruptionBudget", spec={"selector": selector}),
        "workload": made("apps/v1:Deployment", **deployment(selector=selector)),
        "job": made("batch/v1:Job", spec={"selector": selector}),
    }[place]
    messages = found("label-selectors-have-known-fields", one)
    assert bool(messages) is bool(selector and "app" in selector), messages


@pytest.mark.parametrize(
    ("types", "is_open"),
    [
        (None, False),
        ([], False),
        (["Ingress"], False),
        (["Egress", "Ingress"], False),
        (["Egress"], True),
    ],
)
def test_a_policy_for_egress_alone_leaves_a_pod_open(types: Any, is_open: bool) -> None:
    policy = made(POLICY, spec={"podSelector": RIGHT, "policyTypes": types, "egress": []})
    server = made("apps/v1:Deployment", **deployment())
    assert bool(found("pods-are-behind-a-network-policy", server, policy)) is is_open


def test_a_listener_that_passes_tls_through_needs_no_certificate() -> None:
    certified = {"mode": "Terminate", "certificateRefs": [{"name": "models"}]}

    def gateway(mode: str) -> Resource:
        listeners = [
            {"name": "https", "protocol": "HTTPS", "port": 443, "tls": certified},
            {"name": "tls", "protocol": "TLS", "port": 8443, "tls": {"mode": mode}},
        ]
        return made("gateway.networking.k8s.io/v1:Gateway", spec={"listeners": listeners})

    assert not found("gateways-terminate-tls", gateway("Passthrough"))
    assert found("gateways-terminate-tls", gateway("Terminate"))


@pytest.mark.parametrize("dashes", ["---", "-----"])
def test_a_private_key_is_found_with_fewer_dashes(dashes: str) -> None:
    value = f"{dashes}BEGIN OPENSSH PRIVATE KEY{dashes}\nabc\n"
    env = [{"name": "GREETING", "value": value}]
    one = Resource("kubernetes:core/v1:Pod", pod(container={"env": env}))
    assert found("secrets-stay-out-of-pod-specs", one)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AZURE_BATCH_KEY", True),
        ("AZURE_COSMOS_KEY", True),
        ("OCI_CLI_KEY_CONTENT", True),
        ("TLS_KEY_PEM", True),
        ("OPENAI_KEY", True),
        ("azureSubscriptionKey", True),
        ("AZURE_KEY_VAULT_URL", False),
        ("PUBLIC_KEY_PEM", False),
        ("JWT_PUBLIC_KEY_CONTENT", False),
        ("PARTITION_KEY", False),
        ("KEY_CONTENT_TYPE", False),
    ],
)
def test_names_of_cloud_keys_are_names_of_secrets(name: str, expected: bool) -> None:
    assert is_secret(name) is expected
