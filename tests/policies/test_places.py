"""A finding in a file has the line of the property that it is about, in every report."""

import json
from pathlib import Path

import pytest
import yaml

from policies.check import judge
from policies.pack import Finding, Pack
from policies.registry import RULES
from policies.reports import FORMATS
from policies.rule import Rule
from policies.sources import read_all

MANIFEST = """\
# The pods of two models.
apiVersion: v1
kind: Pod
metadata:
  name: first
spec:
  hostNetwork: true  # 7
  containers:
    - name: server
      image: registry.example/server:1.0
    - name: sidecar  # 11
      image: registry.example/sidecar
      env:
        - name: MODE
          value: fast
        - name: DB_PASSWORD
          value: hunter2  # 17
      securityContext:
        privileged: true  # 19
    - name: other
      image: registry.example/other:1.0
      securityContext: {capabilities: {drop: [ALL],
        add: [NET_ADMIN,
          SYS_ADMIN]}}  # 24
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: second}
    spec:
      containers:
        - name: server
          image: &image registry.example/server:latest  # 35
          securityContext: &context
            privileged: true  # 37
        - name: again
          image: *image
          securityContext: *context
        - name: merged
          image: registry.example/server:1.0
          securityContext:
            <<: *context
            runAsUser: 0  # 45
"""


def found(folder: Path, text: str, rule: str, name: str = "given.yaml") -> list[Finding]:
    (folder / name).write_text(text)
    resources, unreadable = read_all([folder / name])
    assert not unreadable
    pack = Pack([one for one in RULES if one.id == rule])
    return [judged.finding for judged in judge(resources, pack).findings]


def lines(folder: Path, text: str, rule: str, name: str = "given.yaml") -> list[int]:
    return [place.line for one in found(folder, text, rule, name) for place in one.places]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("pods-keep-out-of-host-namespaces", [7]),
        ("secrets-stay-out-of-pod-specs", [17]),
        ("containers-add-only-default-capabilities", [23, 24]),
        # The second container's context is an alias: the line is where it is written.
        ("containers-are-not-privileged", [19, 37, 37, 37]),
        ("containers-do-not-run-as-root", [45]),
        ("images-name-a-version", [12, 35, 39]),
    ],
)
def test_the_line_is_that_of_the_wrong_value(
    tmp_path: Path, rule: str, expected: list[int]
) -> None:
    assert lines(tmp_path, MANIFEST, rule) == expected


def test_what_is_absent_has_the_line_of_the_nearest_parent(tmp_path: Path) -> None:
    (first, second) = found(tmp_path, MANIFEST, "containers-have-a-seccomp-profile")
    assert [place.line for place in first.places] == [9, 18, 22]
    assert [place.line for place in second.places] == [36, 40, 43]


def test_each_message_of_a_finding_has_its_own_line(tmp_path: Path) -> None:
    (finding, _) = found(tmp_path, MANIFEST, "containers-cannot-gain-privileges")
    assert len(finding.messages) == len(finding.places) == 3
    assert [str(place) for place in finding.places][1:] == [
        "spec.containers[1].securityContext.allowPrivilegeEscalation",
        "spec.containers[2].securityContext.allowPrivilegeEscalation",
    ]


@pytest.mark.parametrize("indent", [None, 1])
def test_json_has_lines_too(tmp_path: Path, indent: int | None) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "annotations": {"quoted": 'a "{" b\\', "é": "\u2028"}},
        "spec": {
            "containers": [{"name": "x"}, {"name": "y", "securityContext": {"privileged": True}}]
        },
    }
    text = json.dumps(pod, indent=indent) + "\n" + json.dumps(pod, indent=indent)
    rule = "containers-are-not-privileged"
    expected = [n for n, line in enumerate(text.splitlines(), 1) if "privileged" in line]
    assert lines(tmp_path, text, rule, "given.json") == expected
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod, pod]}, indent=indent)
    expected = [n for n, line in enumerate(listed.split("\n"), 1) if "privileged" in line]
    assert lines(tmp_path, listed, rule, "list.json") == (expected if indent else [1, 1])


def test_a_stack_export_has_the_lines_of_its_inputs(tmp_path: Path) -> None:
    bucket = "gcp:storage/bucket:Bucket"
    state = {
        "urn": f"urn:pulumi:dev::p::{bucket}::files",
        "type": bucket,
        "inputs": {"uniformBucketLevelAccess": False},
    }
    text = json.dumps({"version": 3, "deployment": {"resources": [state, state]}}, indent=2)
    expected = [n for n, line in enumerate(text.split("\n"), 1) if "uniform" in line]
    assert lines(tmp_path, text, "bucket-access-is-uniform", "state.json") == expected


def test_a_cluster_of_the_api_has_the_lines_of_the_apis_names(tmp_path: Path) -> None:
    cluster = "name: main\nlegacyAbac:\n  enabled: true\nnodePools:\n- name: a\n  config:\n"
    cluster += "    shieldedInstanceConfig:\n      enableSecureBoot: false\n"
    assert lines(tmp_path, cluster, "cluster-refuses-legacy-authorization") == [3]
    assert lines(tmp_path, cluster, "nodes-boot-securely") == [8]


def test_every_report_has_the_line(tmp_path: Path) -> None:
    file = tmp_path / "given.yaml"
    file.write_text(MANIFEST)
    pack = Pack([one for one in RULES if one.id == "containers-are-not-privileged"])
    report = judge(read_all([file])[0], pack)
    shown = json.loads(FORMATS["json"](report))["findings"]
    assert [(one["line"], one["resource"]["line"]) for one in shown] == [(19, 2), (37, 29)]
    assert shown[0]["places"] == [
        {"property": "spec.containers[1].securityContext.privileged", "line": 19}
    ]
    text = FORMATS["text"](report)
    assert 'line 19: container "sidecar" is privileged' in text
    assert "line 37: " in FORMATS["junit"](report)
    results = json.loads(FORMATS["sarif"](report))["runs"][0]["results"]
    regions = [one["locations"][0]["physicalLocation"]["region"] for one in results]
    assert regions == [{"startLine": 19}, {"startLine": 37}]
    related = [one["physicalLocation"]["region"] for one in results[1]["relatedLocations"]]
    assert related == [{"startLine": 37}] * 3
    annotation = FORMATS["github"](report).splitlines()[0]
    assert f"file={file},line=19," in annotation
    assert "line 37: " in annotation


def test_the_engines_resources_have_no_places() -> None:
    for rule in RULES[:20]:
        report = judge(rule.examples("failing"), Pack([rule]))
        assert all(not judged.finding.places for judged in report.findings)


BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: read, namespace: models}
roleRef:  # 4
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: cluster-admin
subjects:
  - kind: Group
    name: ml-platform@acme.example
  - kind: Group  # 11
    name: system:authenticated
  - kind: ServiceAccount  # 13
    name: default
  - kind: Group  # 15
    name: system:masters
"""
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: read, namespace: models}
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
  - apiGroups: [""]
    verbs:
      - "*"  # 10
      - deletecollection  # 11
    resources:
      - pods
"""


@pytest.mark.parametrize(
    ("text", "rule", "expected"),
    [
        (BINDING, "bindings-avoid-cluster-admin", [4]),
        (BINDING, "bindings-name-their-subjects", [11, 15]),
        (BINDING, "bindings-leave-default-accounts-alone", [13]),
        (ROLE, "roles-name-what-they-grant", [10]),
        (ROLE, "roles-delete-one-by-one", [11]),
    ],
)
def test_the_line_is_that_of_the_subject_or_the_verb(
    tmp_path: Path, text: str, rule: str, expected: list[int]
) -> None:
    assert lines(tmp_path, text, rule) == expected


def test_an_api_version_has_its_own_line(tmp_path: Path) -> None:
    budget = "kind: PodDisruptionBudget\nmetadata: {name: a, namespace: models}\n"
    assert lines(tmp_path, f"{budget}apiVersion: policy/v1beta1\n", "api-versions-are-served") == [
        3
    ]
    endpoints = budget.replace("PodDisruptionBudget", "Endpoints") + "apiVersion: v1\n"
    assert lines(tmp_path, endpoints, "api-versions-are-not-deprecated") == [3]


OF_OBJECTS = [
    rule
    for rule in RULES
    if all(one.type.startswith("kubernetes:") for one in rule.examples("failing"))
]


@pytest.mark.parametrize("rule", OF_OBJECTS, ids=lambda rule: rule.id)
def test_a_finding_about_a_manifest_names_a_property(tmp_path: Path, rule: Rule) -> None:
    objects = [
        {"apiVersion": version.removeprefix("core/"), "kind": kind, **one.props}
        for one in rule.examples("failing")
        for _, version, kind in [one.type.split(":")]
    ]
    places = [
        place
        for one in found(tmp_path, yaml.safe_dump_all(objects), rule.id)
        for place in one.places
    ]
    assert places
    assert all(place.path for place in places)
