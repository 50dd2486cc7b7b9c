"""`policy check --preview` and `drift` against the real engine. Both change nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

UNKNOWN_AT_PREVIEW = """
import pulumi_gcp
import pulumi_random

pulumi_gcp.storage.Bucket(
    "odd",
    location="EU",
    public_access_prevention="enforced",
    uniform_bucket_level_access=pulumi_random.RandomPet("pet").id.apply(bool),
)
"""


@contextmanager
def changed(file: Path, change: Callable[[str], str]) -> Iterator[None]:
    """The file with a change, restored at the end."""
    before = file.read_text()
    assert change(before) != before
    try:
        file.write_text(change(before))
        yield
    finally:
        file.write_text(before)


def leveled(text: str, **levels: str) -> str:
    """A stack file with other levels of some rules, written with underscores."""
    head = "  gke-policies:levels:\n"
    assert head in text
    for name, level in levels.items():
        rule = name.replace("_", "-")
        text = re.sub(rf"^    {rule}: .*\n", "", text, flags=re.MULTILINE)
        text = text.replace(head, f"{head}    {rule}: {level}\n")
    return text


def judged(dev: Workspace, layer: str, *arguments: str) -> tuple[int, str, str]:
    command = ["platformctl", "policy", "check", "--preview", "--layer", layer, *arguments]
    done = dev.run(*dev.command(*command[1:]), check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def test_each_previewed_resource_is_judged_once(dev: Workspace, tmp_path: Path) -> None:
    report = tmp_path / "report.sarif"
    also = ("--report", f"sarif={report}")
    code, out, err = judged(dev, "cluster", "--env", "dev", "--json", *also)
    assert code == 0, err
    document = json.loads(out)
    state = dev.state("cluster")["resources"]
    # The stack itself is judged, too; default providers are the engine's own.
    assert document["resources"] == len({one["urn"] for one in state})
    told = [(one["rule"], one["resource"]["urn"]) for one in document["findings"]]
    assert len(told) == len(set(told))
    (run,) = json.loads(report.read_text())["runs"]
    assert run["automationDetails"]["id"] == "gke-policies/dev/cluster/"
    assert len(run["results"]) == len(told)


def test_a_violation_in_a_preview_exits_with_5_and_changes_nothing(dev: Workspace) -> None:
    before = dev.state("serving")
    levels = {"images_are_pinned_by_digest": "mandatory", "namespaces_have_a_quota": "advisory"}
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    with changed(stack, lambda text: leveled(text, **levels)):
        code, out, err = judged(dev, "serving", "--env", "dev", "-o", "github")
    assert code == 5, err
    errors = [line for line in out.splitlines() if line.startswith("::error ")]
    assert errors
    assert all("images-are-pinned-by-digest" in line for line in errors)
    # The rules over the whole stack reported as well.
    assert "title=namespaces-have-a-quota" in out
    assert dev.state("serving")["resources"] == before["resources"]


def test_an_unknown_value_does_not_pass(dev: Workspace) -> None:
    program = dev.root / "infra" / "cluster" / "__main__.py"
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    with (
        changed(stack, lambda text: leveled(text, bucket_access_is_uniform="mandatory")),
        changed(program, lambda text: text + UNKNOWN_AT_PREVIEW),
    ):
        code, out, err = judged(dev, "cluster", "--env", "dev")
        later, deferred, _ = judged(dev, "cluster", "--env", "dev", "--defer-unknown", "--json")
    assert code == 5, out + err
    _, _, waiting = out.partition("not evaluated yet")
    assert "dev/cluster: bucket-access-is-uniform (mandatory); stops until then" in waiting
    assert "Bucket odd.uniformBucketLevelAccess" in waiting
    findings: list[dict[str, Any]] = json.loads(deferred)["findings"]
    (one,) = [one for one in findings if one["rule"] == "bucket-access-is-uniform"]
    assert (one["verdict"], one["stops"]) == ("unknown", False)
    assert later == (5 if any(one["stops"] for one in findings) else 0)


def test_a_failed_preview_exits_with_2(dev: Workspace) -> None:
    answers = [judged(dev, "cluster", "--env", "prod")]
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    with changed(stack, lambda text: text.replace("max_nodes: ", "max_nodes: many #", 1)):
        answers.append(judged(dev, "cluster", "--env", "dev"))
    expected = ("there is no stack `prod` in the backend", "max_nodes: expected an integer")
    for (code, out, err), said in zip(answers, expected, strict=True):
        assert (code, out) == (2, "")
        assert said in err
        assert "hint: " in err


def patched(kind: str, name: str, patch: Any, *, by: str, form: str = "merge") -> list[str]:
    """The arguments of kubectl for a change by a client."""
    words = ["-n", "models", "patch", kind, name, f"--type={form}", f"--field-manager={by}"]
    return [*words, "-p", json.dumps(patch)]


PORT = [{"op": "replace", "path": "/spec/ports/0/port", "value": 8599}]
BY_HAND = (
    ("scale", "-n", "models", "deployment", "mobilenet", "--replicas=4"),
    ("label", "-n", "models", "deployment", "mobilenet", "seen=no"),
    ("delete", "-n", "models", "networkpolicy", "open"),
    patched("hpa", "resnet", {"spec": {"maxReplicas": 11}}, by="argo"),
    patched("pdb", "resnet", {"spec": {"maxUnavailable": 2}}, by="kubectl-edit"),
    patched("service", "resnet", PORT, by="argo", form="json"),
    patched("service", "embeddings", PORT, by="kubectl-edit", form="json"),
    patched("service", "fraud", {"metadata": {"labels": {"owner": None}}}, by="argo"),
    patched("serviceaccount", "model-server", {"automountServiceAccountToken": True}, by="argo"),
)


def test_drift_is_found_in_the_account_and_in_the_cluster_and_repaired(dev: Workspace) -> None:
    def drift() -> tuple[int, list[tuple[str, Any]], list[Any]]:
        done = dev.run(*dev.command("drift", "dev", "--layer", "serving", "--json"), check=False)
        assert done.returncode in (0, 7), done.stderr
        [document] = json.loads(done.stdout)["environments"]
        serving = document["layers"]["serving"]
        assert serving["notDeployed"] == serving["errors"] == []
        values = [value for one in serving["drift"] for value in one["values"]]
        told = [(value["path"], value.get("found")) for value in values]
        told += [(one["id"], "deleted") for one in serving["drift"] if one["deleted"]]
        return done.returncode, told, [value for value in values if not value["repaired"]]

    bucket = "b/acme-ml-dev-models"
    try:
        dev.google("storage", bucket, "PATCH", json={"labels": {"owner": "somebody"}})
        for command in BY_HAND:
            dev.kubectl(*command)
        code, told, kept = drift()
        expected = [
            ("labels.owner", "somebody"),
            ("spec.replicas", 4),
            ("metadata.labels.seen", "no"),
            ("models/open", "deleted"),
            ("spec.maxReplicas", 11),
            ("spec.maxUnavailable", 2),
            ("spec.ports[0].port", 8599),
            ("spec.ports[0].port", 8599),
            ("metadata.labels.owner", None),
            ("automountServiceAccountToken", True),
        ]
        assert (code, Counter(map(str, told)), kept) == (7, Counter(map(str, expected)), [])
    finally:
        dev.platformctl("rehearse", "dev", "serving", "--refresh")
    assert drift() == (0, [], [])
