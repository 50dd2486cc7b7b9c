"""Kinds that embed pods, kinds that no rule judges, and kinds that do not exist."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.check import Report, judge
from policies.pack import Pack
from policies.pods import container_paths, deployment, pod
from policies.registry import RULES
from policies.rule import Level
from policies.sources import UnreadableError, read
from policies.subjects import Resource

PRIVILEGED = pod(container={"securityContext": {"privileged": True}})
TEMPLATE = {"template": PRIVILEGED}
BARE = pod(container={"ports": [{"containerPort": 8501}]})


def judged(tmp_path: Path, *documents: Any) -> Report:
    path = tmp_path / "given.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return judge(read(path), Pack(RULES))


def rules(report: Report) -> set[str]:
    return {one.finding.rule.id for one in report.findings}


def made(version: str, kind: str, spec: Any) -> Any:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "a", "namespace": "models"},
        "spec": spec,
    }


CUSTOM = [
    made("serving.kserve.io/v1beta1", "InferenceService", {"predictor": PRIVILEGED["spec"]}),
    made(
        "serving.kserve.io/v1beta1",
        "InferenceService",
        {"predictor": {"model": {"image": "a/b:1", "securityContext": {"privileged": True}}}},
    ),
    made(
        "leaderworkerset.x-k8s.io/v1",
        "LeaderWorkerSet",
        {"leaderWorkerTemplate": {"workerTemplate": PRIVILEGED}},
    ),
    made(
        "jobset.x-k8s.io/v1alpha2",
        "JobSet",
        {"replicatedJobs": [{"name": "a", "template": {"spec": TEMPLATE}}]},
    ),
    made(
        "ray.io/v1",
        "RayService",
        {"rayClusterConfig": {"workerGroupSpecs": [{"groupName": "a", **TEMPLATE}]}},
    ),
    made("ray.io/v1", "RayCluster", {"headGroupSpec": TEMPLATE}),
    made("argoproj.io/v1alpha1", "Rollout", TEMPLATE),
    made("kubeflow.org/v1", "PyTorchJob", {"pytorchReplicaSpecs": {"Worker": TEMPLATE}}),
    made("serving.knative.dev/v1", "Service", TEMPLATE),
]


@pytest.mark.parametrize("document", CUSTOM, ids=lambda one: one["kind"])
def test_pod_templates_of_custom_resources_are_judged(tmp_path: Path, document: Any) -> None:
    report = judged(tmp_path, document)
    assert "containers-are-not-privileged" in rules(report)
    assert report.unjudged == []


def test_a_repair_reaches_the_templates_of_a_custom_resource() -> None:
    props = CUSTOM[4]
    resource = Resource("kubernetes:ray.io/v1:RayService", props)
    (path,) = [path for path, _ in container_paths(resource)]
    assert path == (
        *("spec", "rayClusterConfig", "workerGroupSpecs", 0, "template", "spec"),
        *("containers", 0),
    )
    rule = "containers-cannot-gain-privileges"
    pack = Pack(RULES, {rule: Level.REMEDIATE})
    (repair,) = pack.remediations(resource)
    assert repair.path[:9] == (*path, "securityContext")[:9]


@pytest.mark.parametrize(
    ("version", "kind", "said"),
    [
        ("v1", "Deployment", "v1 has no kind Deployment; Deployment is in apps/v1"),
        ("v1", "pod", "v1 has no kind pod; did you mean Pod?"),
        ("apps/v1", "Pod", "apps/v1 has no kind Pod; Pod is in v1"),
        ("apps/v2", "Deployment", "there is no apiVersion apps/v2"),
        ("app/v1", "Deployment", "there is no API group app; Deployment is in apps/v1"),
        ("app/v1", "Widget", "there is no API group app; the groups without a dot are"),
        ("v1", "PodsList", "v1 has no kind PodsList"),
    ],
)
def test_a_kind_that_its_group_lacks_is_refused(
    tmp_path: Path, version: str, kind: str, said: str
) -> None:
    with pytest.raises(UnreadableError) as refused:
        judged(tmp_path, made(version, kind, TEMPLATE))
    assert said in str(refused.value)


def test_kinds_that_no_rule_judges_are_counted(tmp_path: Path) -> None:
    report = judged(tmp_path, made("example.com/v1", "Widget", {}), made("v1", "Pod", {}))
    assert [one.type for one in report.unjudged] == ["kubernetes:example.com/v1:Widget"]


def test_a_bare_pod_that_serves_is_judged_like_other_servers(tmp_path: Path) -> None:
    server = rules(judged(tmp_path, {"apiVersion": "v1", "kind": "Pod", **BARE}))
    assert {
        "containers-have-probes",
        "pods-are-behind-a-network-policy",
        "serving-containers-pause-before-they-stop",
        "servers-have-a-controller",
    } <= server
    task = pod(container={"ports": [{"containerPort": 1}]}, restartPolicy="Never")
    once = rules(judged(tmp_path, {"apiVersion": "v1", "kind": "Pod", **task}))
    assert not once & {"containers-have-probes", "servers-have-a-controller"}


@pytest.mark.parametrize(
    ("port", "is_wrong"),
    [(8081, False), ("8081", False), ("rest", False), ("http", True)],
)
def test_only_the_name_of_a_probe_s_port_must_exist(port: Any, is_wrong: bool) -> None:
    container = {
        "ports": [{"name": "rest", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/", "port": port}},
    }
    resource = Resource("kubernetes:apps/v1:Deployment", deployment(container=container))
    found = {one.rule.id for one in Pack(RULES).judge(resource)}
    assert ("probes-ask-ports-of-the-container" in found) is is_wrong
