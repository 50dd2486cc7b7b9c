"""What a stack file names in Google Cloud and other teams make is looked up first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from unittest import mock

import pytest
from pulumi.runtime import mocks

from declared import Declared, program, run_layer, run_layers, stack_config
from declared.cloud import CloudMocks, EngineError
from gkeplatform.layers import CLUSTER, ENVIRONMENT, NETWORKING, SERVING
from gkeplatform.lookups import is_denial
from gkeplatform.stack import Refused

STAGE = stack_config("stage")
MODELS, GATEWAY, INFERENCE = (
    f"gke-serving:{key}" for key in ("models", "gateway", "inference_gateway")
)
NOTIFICATIONS = "gke-platform:notifications"
ABSENT = "googleapi: Error 404: The resource was not found, notFound"
FORBIDDEN = (
    "reading it: googleapi: Error 403: Required 'compute.regionSecurityPolicies.get' permission\n"
    "Details:\n[{}]\n, forbidden"
)
DISABLED = "googleapi: Error 403: the API has not been used before or it is disabled, forbidden"
Answers = Mapping[str, str | dict[str, Any]]
"""By the name that is looked up, or the data source: an error, or more of the answer."""


class Cloud(CloudMocks):
    """Google Cloud with these answers, which counts what is looked up."""

    answers: ClassVar[Answers] = {}
    asked: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        source, given = args.token.rpartition(":")[2], dict(args.args)
        if args.token.startswith("gcp:"):
            self.asked.append((source, given))
        key = f"{source} {given.get('name') or given.get('region') or ''}".strip()
        answer = self.answers.get(key)
        if isinstance(answer, str):
            raise EngineError(answer)
        found, failures = super().call(args)
        return {**found, **(answer or {})}, failures


def edited(**edits: Any) -> dict[str, str]:
    return STAGE | {key.replace("__", ":"): json.dumps(value) for key, value in edits.items()}


def models(**policies: str) -> dict[str, Any]:
    """The catalog of stage, with Cloud Armor policies of these models."""
    entries = json.loads(STAGE[MODELS])
    for one in entries:
        if one["name"] in policies:
            one["exposure"]["security_policy"] = policies[one["name"]]
    return {MODELS: entries}


def on_gateway(kind: str) -> str:
    """The first model of stage with a kind of exposure."""
    entries = json.loads(STAGE[MODELS])
    return str(next(one["name"] for one in entries if one["exposure"]["kind"] == kind))


LLM, PLAIN = on_gateway("inference-gateway"), on_gateway("gateway")
NAMED: dict[str, Any] = {
    INFERENCE: {"certificates": ["llm", "more"], "security_policy": "regional"},
    GATEWAY: {"certificate_map": "theirs", "security_policy": "everywhere"},
    **models(**{LLM: "strict", PLAIN: "own"}),
}


@pytest.fixture(scope="module")
def upstream() -> dict[str, dict[str, Any]]:
    """What the cluster layer of stage publishes."""
    return {"organization/gke-cluster/stage": run_layer(CLUSTER, "stage", {}, STAGE).outputs}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> type[Cloud]:
    monkeypatch.setattr(program, "CloudMocks", Cloud)
    monkeypatch.setattr(Cloud, "answers", {})
    monkeypatch.setattr(Cloud, "asked", [])
    return Cloud


def serve(
    upstream: Mapping[str, dict[str, Any]],
    edits: Mapping[str, Any],
    *,
    into: Declared | None = None,
    preview: bool = False,
) -> Declared:
    config = edited(**{key.replace(":", "__"): value for key, value in edits.items()})
    return run_layer(SERVING, "stage", dict(upstream), config, into, preview=preview)


def refusal(upstream: Mapping[str, dict[str, Any]], edits: Mapping[str, Any]) -> str:
    """The message of a deployment of serving that is refused before it registers anything."""
    into = Declared()
    with pytest.raises(Refused) as refused:
        serve(upstream, edits, into=into)
    assert all(kind.startswith("pulumi:providers:") for kind, _ in into.inputs)
    return refused.value.message


@pytest.mark.parametrize("preview", [False, True])
def test_what_exists_is_looked_up_once_and_passes(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud], preview: bool
) -> None:
    twice = {**NAMED, **models(**{LLM: "regional", PLAIN: "everywhere"})}
    serve(upstream, twice, preview=preview)
    asked = [(source, given.get("name")) for source, given in cloud.asked]
    looked_up = [one for one in asked if one[0] != "getProject"]
    assert sorted(looked_up, key=str) == [
        ("getCertificateMap", "theirs"),
        ("getCertificates", None),
        ("getRegionSecurityPolicy", "regional"),
        ("getSecurityPolicy", "everywhere"),
    ]


def test_without_names_nothing_is_looked_up(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud]
) -> None:
    serve(upstream, {})
    assert {source for source, _ in cloud.asked} <= {"getProject"}


def test_all_that_is_missing_is_named_at_once(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud]
) -> None:
    folder = "projects/acme-ml-stage/locations/europe-west4/certificates"
    cloud.answers = {
        "getCertificates europe-west4": {"certificates": [{"name": f"{folder}/llms"}]},
        "getCertificates": {"certificates": [{"name": "projects/p/locations/global/c/more"}]},
        **{f"getRegionSecurityPolicy {name}": ABSENT for name in ("regional", "strict")},
        **{f"getSecurityPolicy {name}": ABSENT for name in ("strict", "own", "everywhere")},
        "getCertificateMap theirs": ABSENT,
    }
    said = refusal(upstream, NAMED)
    project = "of project acme-ml-stage"
    for expected in (
        "gke-serving:inference_gateway.certificates[0]: Certificate Manager has no certificate "
        f"llm in europe-west4 {project}, where a regional load balancer needs it; did you mean "
        '"llms"?',
        "gke-serving:inference_gateway.certificates[1]: ",
        "one of that name is global",
        "gke-serving:inference_gateway.security_policy: there is no Cloud Armor policy regional in "
        f"europe-west4 {project}; the global one of that name does not apply",
        f"gke-serving:gateway.certificate_map: there is no certificate map theirs {project}",
        "gke-serving:gateway.security_policy: there is no global Cloud Armor policy everywhere",
        ".exposure.security_policy: there is no Cloud Armor policy strict in europe-west4 "
        f"{project}; correct",
        f".exposure.security_policy: there is no global Cloud Armor policy own {project}",
        "hint: gcloud certificate-manager certificates list --project=acme-ml-stage "
        "--location=europe-west4",
        "hint: gcloud compute security-policies list --project=acme-ml-stage",
    ):
        assert expected in said
    assert said.count("hint: gcloud compute") == 1
    problems = [line for line in said.splitlines() if not line.startswith("hint: ")]
    assert all(line.startswith("stacks/Pulumi.stage.yaml:") for line in problems)


def test_a_policy_for_something_else_is_refused(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud]
) -> None:
    cloud.answers = {"getSecurityPolicy edge": {"type": "CLOUD_ARMOR_EDGE"}}
    said = refusal(upstream, {GATEWAY: {"security_policy": "edge"}})
    assert "edge is of type CLOUD_ARMOR_EDGE, and backend services take CLOUD_ARMOR" in said


def test_what_may_not_be_read_is_a_warning(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud]
) -> None:
    cloud.answers = {"getRegionSecurityPolicy regional": FORBIDDEN}
    warn = mock.Mock()
    with mock.patch("pulumi.log.warn", warn):
        serve(upstream, {INFERENCE: {"security_policy": "regional"}})
    (said,) = [str(call.args[0]) for call in warn.call_args_list if "regional" in call.args[0]]
    assert ".security_policy: Cloud Armor policy regional in region europe-west4 cannot be " in said
    assert "Error 403: Required 'compute.regionSecurityPolicies.get' permission" in said
    assert "grant the deploying account compute.regionSecurityPolicies.get" in said
    assert "Details" not in said


def test_what_cannot_be_read_for_another_reason_is_refused(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud]
) -> None:
    cloud.answers = {"getCertificateMap theirs": DISABLED}
    said = refusal(upstream, {GATEWAY: {"certificate_map": "theirs"}})
    assert "gke-serving:gateway.certificate_map: certificate map theirs cannot be read: " in said


def test_what_the_networking_layer_makes_later_is_not_looked_up(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud]
) -> None:
    name = "acme-ml-stage-models"
    cloud.answers = {f"get{kind} {name}": ABSENT for kind in ("CertificateMap", "SecurityPolicy")}
    serve(upstream, {GATEWAY: {"certificate_map": name, "security_policy": name}})
    without = {"gke-networking:armor": None, "gke-networking:iap": None}
    said = refusal(upstream, {GATEWAY: {"security_policy": name}, **without})
    assert f"there is no global Cloud Armor policy {name}" in said


def test_a_name_that_nothing_uses_is_not_looked_up(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud]
) -> None:
    cloud.answers = {
        "getRegionSecurityPolicy regional": ABSENT,
        "getCertificates europe-west4": ABSENT,
    }
    others = [one for one in json.loads(STAGE[MODELS]) if one["name"] != LLM]
    edits = {INFERENCE: {"certificates": ["llm"], "security_policy": "regional"}, MODELS: others}
    serve(upstream, edits)


def test_a_subscription_of_nobody_is_refused(
    upstream: dict[str, dict[str, Any]], cloud: type[Cloud]
) -> None:
    cloud.answers = {"getSubscription jobs": ABSENT}
    entries = json.loads(STAGE[MODELS])
    entries[0]["autoscaling"] = {
        "metrics": [{"kind": "pubsub-backlog", "subscription": "jobs", "average": 5}]
    }
    said = refusal(upstream, {MODELS: entries})
    assert "autoscaling.metrics[0].subscription: there is no Pub/Sub subscription jobs of" in said
    assert "hint: gcloud pubsub subscriptions list --project=acme-ml-stage" in said


def test_a_topic_of_nobody_is_refused(cloud: type[Cloud]) -> None:
    cloud.answers = {"getTopic pages": ABSENT}
    before = run_layers("stage", STAGE)
    upstream = {
        f"organization/{layer.project}/stage": before[layer.name].outputs
        for layer in (CLUSTER, SERVING, NETWORKING)
    }
    channels = [
        {"kind": "email", "name": "x", "address": "ml@acme.example"},
        {"kind": "pubsub", "name": "y", "topic": "projects/ops/topics/pages"},
    ]
    config = STAGE | {NOTIFICATIONS: json.dumps(channels)}
    with pytest.raises(Refused) as refused:
        run_layer(ENVIRONMENT, "stage", upstream, config)
    said = refused.value.message
    assert (
        "gke-platform:notifications[1].topic: there is no Pub/Sub topic pages of project ops"
        in said
    )
    assert "hint: gcloud pubsub topics list --project=ops" in said


@pytest.mark.parametrize(
    ("message", "is_denied"), [(FORBIDDEN, True), (DISABLED, False), (ABSENT, False)]
)
def test_only_a_lack_of_permission_is_a_denial(message: str, is_denied: bool) -> None:
    assert is_denial(message) is is_denied
