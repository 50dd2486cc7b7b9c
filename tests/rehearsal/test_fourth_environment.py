"""A fourth environment is one new file, and its models may be in a folder.

It has what no other environment has: a language model for callers with keys, who leave and return.
"""

from __future__ import annotations

import json

import pytest
import yaml

from tests.rehearsal import callers
from tests.rehearsal.workspace import PROJECTS, Workspace, changed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fourth")]


def test_a_fourth_environment_is_one_file(other_workspace: Workspace) -> None:
    stacks = other_workspace.root / "stacks"
    text = (stacks / "Pulumi.dev.yaml").read_text()
    text = text.replace("acme-ml-dev", "acme-ml-qa").replace("dev.acme", "qa.acme")
    # The NGINX controller needs waivers, which are given to one environment.
    text = text.replace("  gke-serving:ingress:\n    controller: {replicas: 1}\n", "")
    text = text.replace(
        "        kind: ingress\n        path: /model\n", "        kind: cluster-ip\n"
    )
    document = yaml.safe_load(text)
    config = document["config"]
    config["gke-networking:domains"].append({"name": "llm.qa.acme.example"})
    config["gke-networking:certificates"][0]["domains"].append("llm.qa.acme.example")
    callers.add(config, host="llm.qa.acme.example")
    callers.make_keys(other_workspace, "acme-ml-qa")
    file = stacks / "Pulumi.qa.yaml"
    file.write_text(yaml.safe_dump(document))

    listed = json.loads(other_workspace.platformctl("environments", "--json").stdout)
    assert "qa" in listed
    other_workspace.platformctl("policy", "check", "--env", "qa")
    first = other_workspace.rehearse("qa")
    assert first["environment"] == "qa"
    assert list(changed(first)) == list(PROJECTS)
    models = {model["name"] for model in first["models"]}
    callers.check(other_workspace, first)

    # Callers are taken away and come back: the same log bucket keeps the lines.
    kept = callers.log_bucket(other_workspace, "qa")
    callers_of_qa = config.pop("gke-serving:callers")
    for given in ({}, {"gke-serving:callers": callers_of_qa}):
        config.update(given)
        file.write_text(yaml.safe_dump(document))
        other_workspace.platformctl("rehearse", "qa", "--layer", "serving")
        assert callers.log_bucket(other_workspace, "qa") == kept

    # The same models as files of two teams: nothing changes.
    entries = document["config"].pop("gke-serving:models")
    document["config"]["gke-serving:catalogue"] = "models/qa"
    file.write_text(yaml.safe_dump(document))
    folder = stacks / "models" / "qa"
    (folder / "vision").mkdir(parents=True)
    (folder / "core.yaml").write_text(yaml.safe_dump(entries[:-1]))
    (folder / "vision" / f"{entries[-1]['name']}.yaml").write_text(yaml.safe_dump(entries[-1]))
    second = other_workspace.rehearse("qa")
    assert {model["name"] for model in second["models"]} == models
    assert changed(second) == {layer: {} for layer in PROJECTS}

    # A mistake in the folder stops the first layer, with one line.
    (folder / "vision" / "broken.yaml").write_text("- name: broken\n  sever: triton\n")
    done = other_workspace.platformctl("rehearse", "qa", check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert 'stacks/models/qa/vision/broken.yaml:1: model "broken": unknown key "sever"' in said
    assert "Traceback" not in said

    # A file that holds nothing says so, to the engine's run and to the policy check alike.
    file.write_text("# Soon.\n")
    for command in (("rehearse", "qa"), ("policy", "check", "--env", "qa")):
        done = other_workspace.platformctl(*command, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 2
        assert "stacks/Pulumi.qa.yaml: no configuration; put the environment's keys below" in said
        assert "Traceback" not in said
