"""The pack through the engine's protocol: names, levels, unknown values, settings."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer

from policies.crossguard import policies, policy
from policies.pack import Pack
from policies.pods import deployment
from policies.registry import RULES
from policies.rule import Level, Rule
from policies.rules.labels import PlatformLabels
from policies.server import VERSION, Analyzer

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ROOT = Path(__file__).parents[2]
POOL = "gcp:container/nodePool:NodePool"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
LABELS = {"system": "ml", "environment": "dev", "layer": "cluster", "managed-by": "pulumi"}
GOOD_POOL = {
    "name": "general",
    "autoscaling": {"minNodeCount": 1, "maxNodeCount": 5},
    "management": {"autoRepair": True, "autoUpgrade": True},
    "nodeConfig": {
        "serviceAccount": "general@p.iam.gserviceaccount.com",
        "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
        "bootDiskKmsKey": "projects/p/locations/l/keyRings/r/cryptoKeys/k",
        "resourceLabels": {
            "system": "ml",
            "environment": "dev",
            "layer": "cluster",
            "managed-by": "pulumi",
        },
    },
}


def urn(type_: str, name: str = "main") -> str:
    return f"urn:pulumi:dev::gke-cluster::{type_}::{name}"


def struct(props: Mapping[str, Any]) -> struct_pb2.Struct:
    result = struct_pb2.Struct()
    result.update(dict(props))
    return result


class Engine:
    """The calls that the engine makes, in its words."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub

    def configure_stack(
        self, config: Mapping[str, str] | None = None, *, preview: bool = True
    ) -> None:
        self.stub.ConfigureStack(
            analyzer_pb2.AnalyzerStackConfigureRequest(
                stack="dev", project="gke-cluster", dry_run=preview, config=dict(config or {})
            )
        )

    def info(self) -> dict[str, Any]:
        return {p.name: p for p in self.stub.GetAnalyzerInfo(empty_pb2.Empty()).policies}

    def configure(self, levels: Mapping[str, Any]) -> None:
        request = analyzer_pb2.ConfigureAnalyzerRequest()
        for rule, level in levels.items():
            request.policyConfig[rule].enforcementLevel = level
        self.stub.Configure(request)

    def analyze(self, type_: str, props: Mapping[str, Any], name: str = "main") -> Any:
        return self.stub.Analyze(
            analyzer_pb2.AnalyzeRequest(
                type=type_, name=name, urn=urn(type_, name), properties=struct(props)
            )
        )

    def analyze_stack(self, *resources: tuple[str, Mapping[str, Any], str]) -> Any:
        return self.stub.AnalyzeStack(
            analyzer_pb2.AnalyzeStackRequest(
                resources=[
                    analyzer_pb2.AnalyzerResource(
                        type=type_, name=name, urn=urn(type_, name), properties=struct(props)
                    )
                    for type_, props, name in resources
                ]
            )
        )


@pytest.fixture
def engine() -> Iterator[Engine]:
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer.of(Pack(RULES)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Engine(analyzer_pb2_grpc.AnalyzerStub(channel))
    server.stop(None).wait()


def test_the_engine_learns_every_rule(engine: Engine) -> None:
    engine.configure_stack()
    info = engine.info()
    assert set(info) == {rule.id for rule in RULES}
    bounded = info["node-pool-autoscaling-is-bounded"]
    assert bounded.enforcementLevel == analyzer_pb2.MANDATORY
    assert bounded.policy_type == analyzer_pb2.POLICY_TYPE_RESOURCE
    assert bounded.description == "A node pool's autoscaling has a maximum."
    over_stack = info["autoscaled-workload-states-no-replicas"]
    assert over_stack.policy_type == analyzer_pb2.POLICY_TYPE_STACK


def test_a_good_resource_has_no_diagnostics(engine: Engine) -> None:
    engine.configure_stack()
    assert list(engine.analyze(POOL, GOOD_POOL).diagnostics) == []


def test_a_violation_comes_once_under_its_rule_and_level(engine: Engine) -> None:
    engine.configure_stack()
    props = GOOD_POOL | {"autoscaling": {"minNodeCount": 1}}
    (said,) = engine.analyze(POOL, props).diagnostics
    assert said.policyName == "node-pool-autoscaling-is-bounded"
    assert said.enforcementLevel == analyzer_pb2.MANDATORY
    assert said.severity == analyzer_pb2.POLICY_SEVERITY_MEDIUM
    assert "autoscaling.maxNodeCount is not set" in said.message
    assert "gke-cluster:node_pools[].max_nodes" in said.message


def test_two_messages_of_one_rule_are_one_violation(engine: Engine) -> None:
    engine.configure_stack({"gke-policies:levels": '{"images-name-a-version": "advisory"}'})
    containers = [{"name": n, "image": "x:latest"} for n in ("a", "b")]
    response = engine.analyze("kubernetes:core/v1:Pod", {"spec": {"containers": containers}})
    said = [d for d in response.diagnostics if d.policyName == "images-name-a-version"]
    assert len(said) == 1
    assert 'container "a"' in said[0].message
    assert 'container "b"' in said[0].message
    assert said[0].enforcementLevel == analyzer_pb2.ADVISORY


def test_a_level_of_the_stack_file_is_told_and_kept(engine: Engine) -> None:
    engine.configure_stack({"gke-policies:levels": '{"node-pool-repairs-itself": "disabled"}'})
    assert engine.info()["node-pool-repairs-itself"].enforcementLevel == analyzer_pb2.DISABLED
    props = GOOD_POOL | {"management": {"autoUpgrade": True}}
    assert list(engine.analyze(POOL, props).diagnostics) == []


def test_a_policy_configuration_file_outranks_the_stack_file(engine: Engine) -> None:
    engine.configure_stack({"gke-policies:levels": '{"node-pool-repairs-itself": "disabled"}'})
    levels = {name: policy.enforcementLevel for name, policy in engine.info().items()}
    engine.configure(levels | {"node-pool-repairs-itself": analyzer_pb2.ADVISORY})
    (said,) = engine.analyze(POOL, GOOD_POOL | {"management": {"autoUpgrade": True}}).diagnostics
    assert said.enforcementLevel == analyzer_pb2.ADVISORY


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"gke-policies:levels": '{"node-pool-repair-itself": "advisory"}'},
            r"stacks/Pulumi\.dev\.yaml: gke-policies:levels\.node-pool-repair-itself: no such "
            r'rule; did you mean "node-pool-repairs-itself"\?',
        ),
        (
            {"gke-policies:levels": '{"images-name-a-version": "warn"}'},
            r"stacks/Pulumi\.dev\.yaml: gke-policies:levels\.images-name-a-version: \"warn\" is "
            r"not a level; .*advisory, disabled, mandatory",
        ),
        (
            {"gke-policies:levels": '{"images-name-a-version": false}'},
            r"levels\.images-name-a-version: false is not a level",
        ),
        ({"gke-policies:levels": "[]"}, r"gke-policies:levels: expected a mapping"),
        ({"gke-policies:level": "{}"}, r'unknown key "level"; did you mean "levels"\?'),
        (
            {"gke-policies:parameters": '{"machines-are-of-allowed-types": {"machine_type": []}}'},
            r"gke-policies:parameters\.machines-are-of-allowed-types: unknown key "
            r'"machine_type"; did you mean "machine_types"\?',
        ),
    ],
)
def test_a_broken_setting_stops_the_pack(
    engine: Engine, config: dict[str, str], message: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        engine.configure_stack(config)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert re.search(message, refused.value.details() or "")


def test_an_unknown_value_is_noted_at_preview(engine: Engine) -> None:
    engine.configure_stack(preview=True)
    props = GOOD_POOL | {"nodeConfig": GOOD_POOL["nodeConfig"] | {"serviceAccount": UNKNOWN}}  # type: ignore[operator]
    response = engine.analyze(POOL, props, name="general")
    (said,) = response.diagnostics
    assert said.policyName == "nodes-never-run-as-the-default-account"
    assert said.enforcementLevel == analyzer_pb2.ADVISORY
    assert "general.nodeConfig.serviceAccount is known only during the update" in said.message
    # So that the engine's own summary does not count the rule as passed either.
    assert [one.policy_name for one in response.not_applicable] == [said.policyName]


def test_an_unknown_value_at_the_update_is_a_violation(engine: Engine) -> None:
    engine.configure_stack(preview=False)
    (said,) = engine.analyze(POOL, GOOD_POOL | {"management": UNKNOWN}).diagnostics[:1]
    assert said.enforcementLevel == analyzer_pb2.MANDATORY


def test_what_is_known_is_judged_beside_what_is_not(engine: Engine) -> None:
    engine.configure_stack(preview=True)
    containers = [
        {"name": "a", "securityContext": {"privileged": True}},
        {"name": "b", "securityContext": UNKNOWN},
    ]
    response = engine.analyze("kubernetes:core/v1:Pod", {"spec": {"containers": containers}})
    levels = {
        d.enforcementLevel
        for d in response.diagnostics
        if d.policyName == "containers-are-not-privileged"
    }
    assert levels == {analyzer_pb2.MANDATORY, analyzer_pb2.ADVISORY}


def test_a_rule_that_cannot_cope_is_a_violation_that_names_it(engine: Engine) -> None:
    engine.configure_stack()
    (said,) = engine.analyze(POOL, GOOD_POOL | {"management": "yes"}).diagnostics[:1]
    assert said.policyName == "node-pool-repairs-itself"
    assert said.enforcementLevel == analyzer_pb2.MANDATORY
    assert "rule node-pool-repairs-itself cannot evaluate main" in said.message
    assert "management should be a mapping, not 'yes'" in said.message
    assert "Traceback" not in said.message


def test_a_secret_is_judged_and_never_shown(engine: Engine) -> None:
    engine.configure_stack()
    image = {SIGNATURE: SECRET, "value": "registry.example/hidden:latest"}
    response = engine.analyze(
        "kubernetes:core/v1:Pod", {"spec": {"containers": [{"name": "a", "image": image}]}}
    )
    said = {d.policyName: d.message for d in response.diagnostics}
    assert "images-name-a-version" in said
    assert "hidden" not in "".join(said.values())


def test_a_stack_is_judged_by_what_was_declared(engine: Engine) -> None:
    """The API server fills in replicas; the program did not, and that is what counts."""
    declared = deployment(container={"resources": {"requests": {"cpu": "1"}}})
    hpa = {
        "metadata": {"name": "resnet", "namespace": "models"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "resnet"},
            "minReplicas": 1,
            "maxReplicas": 10,
        },
    }
    live = {**declared, "spec": {**declared["spec"], "replicas": 3}}
    engine.configure_stack()
    stack = (DEPLOYMENT, live, "resnet"), (HPA, hpa, "resnet")
    rule = "autoscaled-workload-states-no-replicas"
    (said,) = [d for d in engine.analyze_stack(*stack).diagnostics if d.policyName == rule]
    assert said.urn.endswith("HorizontalPodAutoscaler::resnet")
    engine.analyze(DEPLOYMENT, declared, "resnet")
    assert rule not in {d.policyName for d in engine.analyze_stack(*stack).diagnostics}


def test_a_policy_configuration_file_sets_parameters(engine: Engine) -> None:
    engine.configure_stack()
    wanted = engine.info()["images-come-from-allowed-registries"]
    assert list(wanted.configSchema.properties) == ["allowed"]
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    request.policyConfig[wanted.name].enforcementLevel = analyzer_pb2.MANDATORY
    request.policyConfig[wanted.name].properties.update({"allowed": ["registry.example/"]})
    engine.stub.Configure(request)
    # By the rule's own parameters, the first is allowed and the second is not.
    for image, is_allowed in ("gcr.io/a:1", False), ("registry.example/a:1", True):
        pod = {"spec": {"containers": [{"name": "a", "image": image}]}}
        said = [d.policyName for d in engine.analyze("kubernetes:core/v1:Pod", pod).diagnostics]
        assert (wanted.name not in said) is is_allowed


def test_a_parameter_that_does_not_fit_is_refused(engine: Engine) -> None:
    engine.configure_stack()
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    one = request.policyConfig["images-come-from-allowed-registries"]
    one.enforcementLevel = analyzer_pb2.MANDATORY
    one.properties.update({"registry": ["registry.example"]})
    with pytest.raises(grpc.RpcError) as refused:
        engine.stub.Configure(request)
    assert "images-come-from-allowed-registries" in (refused.value.details() or "")


def test_a_policy_configuration_file_keeps_the_other_parameters(engine: Engine) -> None:
    rule = "resources-bear-the-platform-labels"
    engine.configure_stack({"gke-policies:parameters": json.dumps({rule: {"required": ["team"]}})})
    # The engine sends the defaults of a schema as if they were set.
    assert '"default"' not in json.dumps(
        [one.config_schema.properties for one in policies(RULES) if one.config_schema is not None]
    )
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    request.policyConfig[rule].enforcementLevel = analyzer_pb2.MANDATORY
    request.policyConfig[rule].properties.update({"values": {"team": "ml"}})
    engine.stub.Configure(request)
    bucket = engine.analyze("gcp:storage/bucket:Bucket", {"labels": LABELS})
    (said,) = [one for one in bucket.diagnostics if one.policyName == rule]
    assert "missing labels: team" in said.message


def test_a_schema_of_the_configuration_has_no_references() -> None:
    schemas = [one.config_schema for one in policies(RULES) if one.config_schema is not None]
    assert len(schemas) > 10
    assert "$ref" not in json.dumps([schema.properties for schema in schemas])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_policy_works_in_the_servicer_of_the_sdk(rule: Rule) -> None:
    """Whoever has the SDK only gets the same verdicts, one at a time."""
    sdk: Any = _PolicyAnalyzerServicer("a", "1", [policy(rule)], EnforcementLevel.MANDATORY)
    verdicts = []
    for which in ("passing", "failing"):
        resources = [
            analyzer_pb2.AnalyzerResource(
                type=one.type,
                name=one.name,
                urn=urn(one.type, one.name),
                properties=struct(one.props),
                options=analyzer_pb2.AnalyzerResourceOptions(protect=one.protect),
            )
            for one in rule.examples(which)
        ]
        if rule.over_stack:
            stack = analyzer_pb2.AnalyzeStackRequest(resources=resources)
            said = list(sdk.AnalyzeStack(stack, None).diagnostics)
        else:
            said = [d for one in resources for d in sdk.Analyze(_asked(one), None).diagnostics]
        verdicts.append({one.policyName for one in said})
    assert verdicts == [set(), {rule.id}]


def _asked(one: Any) -> Any:
    return analyzer_pb2.AnalyzeRequest(
        type=one.type, name=one.name, urn=one.urn, properties=one.properties, options=one.options
    )


def test_the_servicer_of_the_sdk_reports_unknown_values_and_repairs() -> None:
    (rule,) = [rule for rule in RULES if rule.id == "resources-bear-the-platform-labels"]
    parameters = PlatformLabels(values={"system": "ml"})
    one = policy(rule, Level.REMEDIATE, parameters)
    sdk: Any = _PolicyAnalyzerServicer("a", "1", [one], EnforcementLevel.MANDATORY)
    bucket = "gcp:storage/bucket:Bucket"
    secret = {SIGNATURE: SECRET, "value": "b"}
    given = {"labels": {k: v for k, v in LABELS.items() if k != "system"}, "name": secret}
    request = analyzer_pb2.AnalyzeRequest(
        type=bucket, name="b", urn=urn(bucket), properties=struct(given)
    )
    (repair,) = sdk.Remediate(request, None).remediations
    assert dict(repair.properties["labels"])["system"] == "ml"
    assert dict(repair.properties["name"]) == secret
    request.properties.update({"labels": UNKNOWN})
    (said,) = sdk.Analyze(request, None).diagnostics
    assert said.enforcementLevel == analyzer_pb2.ADVISORY
    assert "labels" in said.message


def test_the_version_is_that_of_the_project_file() -> None:
    assert yaml.safe_load((ROOT / "policies/PulumiPolicy.yaml").read_text())["version"] == VERSION


def start(cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_the_pack_starts_as_the_engine_starts_it_and_leaves_quietly() -> None:
    process = start(ROOT / "policies", str(ROOT / "policies"))
    assert process.stdout
    try:
        assert int(process.stdout.readline()) > 0
    finally:
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=120)
    assert (process.returncode, shown, errors) == (0, "", "")


def test_a_broken_rule_is_one_line_and_no_service(tmp_path: Path) -> None:
    program = (
        "from policies.rule import mandatory\nfrom policies.subjects import gcp\n"
        "from policies.server import errors_in_one_line\n"
        "with errors_in_one_line():\n"
        "    @mandatory(gcp('x:X'), why='because.')\n"
        "    def nodes_are_blue(node):\n"
        "        '''Nodes are blue.'''\n"
        "        yield 'blue'\n"
    )
    (tmp_path / "__main__.py").write_text(program)
    process = start(tmp_path, str(tmp_path))
    shown, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert shown == ""
    assert errors.strip() == "error: __main__.nodes_are_blue: the rule lacks fix, references"
