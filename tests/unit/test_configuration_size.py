"""A configuration that is larger than one environment variable is refused before anything runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import environments, judging
from cli.errors import CliError, Exit
from facts import configuration_size
from gkeplatform import stack_values
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS
from infra import stack_file

ROOT = Path(__file__).resolve().parents[2]
FILE = "stacks/Pulumi.qa.yaml"
KEY = "gke-serving:models"


def models(count: int, size: int = 1024) -> list[dict[str, Any]]:
    """Entries of about `size` bytes of compact JSON each."""
    amounts = {"cpu": "500m", "memory": "1Gi"}
    entries = []
    for index in range(count):
        entry = {
            "name": f"model-{index}",
            "server": "tensorflow-serving",
            "source": f"gs://acme-ml-qa-models/model-{index}",
            "replicas": {"min": 1, "max": 1},
            "resources": {"requests": amounts, "limits": amounts},
            "exposure": {"kind": "cluster-ip"},
            "environment": {"NOTE": ""},
        }
        entry["environment"] = {"NOTE": "x" * (size - len(json.dumps(entry)))}
        entries.append(entry)
    return entries


def checkout(root: Path, entries: list[dict[str, Any]], *, is_folder: bool = False) -> Path:
    """A repository with one environment, qa, that is dev with other models."""
    document = yaml.safe_load((ROOT / "stacks" / "Pulumi.dev.yaml").read_text())
    config = document["config"]
    config[KEY] = [] if is_folder else entries
    stacks = root / "stacks"
    if is_folder:
        config["gke-serving:catalogue"] = "models/qa"
        (stacks / "models" / "qa").mkdir(parents=True)
        (stacks / "models" / "qa" / "all.yaml").write_text(json.dumps(entries))
    stacks.mkdir(exist_ok=True)
    text = yaml.safe_dump(document).replace("acme-ml-dev", "acme-ml-qa")
    (root / FILE).write_text(text)
    return root


def test_130_models_of_a_kilobyte_are_refused_with_size_limit_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as raised:
        stack_values.read("qa", root=checkout(tmp_path, models(130)))
    said = str(raised.value)
    assert said.startswith(f"{FILE}: the configuration has 1")
    assert f"at most {configuration_size.LIMIT:,} to a program; {KEY} has 1" in said
    assert "gke-serving:catalogue: models/<environment>" in said


def test_the_same_models_in_a_folder_are_read(tmp_path: Path) -> None:
    root = checkout(tmp_path, models(130), is_folder=True)
    found = stack_file.read(stack_values.read("qa", root=root), file=FILE, root=root)
    assert found.serving is not None
    assert len(found.serving.models) == 130


def test_the_largest_key_is_named(tmp_path: Path) -> None:
    config = {"gcp:project": "p", KEY: [], "platform:labels": {"x": "y" * 140_000}}
    said = configuration_size.problem(config, file=FILE) or ""
    assert re.search(r"platform:labels has 140,0.* of them\nhint: shorten it", said)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is that of Linux")
@pytest.mark.parametrize("excess", [0, 1])
def test_the_limit_is_the_operating_system_s(excess: int) -> None:
    """Quotes, which are escaped twice, and characters of several bytes are counted."""
    config = {KEY: configuration_size.text([{"name": '"é<&'}] * 1000), "gcp:project": ""}
    missing = configuration_size.LIMIT - configuration_size.size(config) + excess
    config["gcp:project"] = "x" * missing
    variables = {**os.environ, configuration_size.VARIABLE: configuration_size.encoded(config)}

    def start() -> None:
        subprocess.run([sys.executable, "-c", ""], env=variables, check=True)

    if excess:
        with pytest.raises(OSError, match="Argument list too long"):
            start()
        assert configuration_size.problem(config, file=FILE)
    else:
        start()
        assert configuration_size.problem(config, file=FILE) is None


def test_characters_that_go_escapes_are_counted_as_it_writes_them() -> None:
    written = configuration_size.encoded({"a:b": "<&>\u2028"})
    assert written == '{"a:b":"\\u003c\\u0026\\u003e\\u2028"}'


def test_the_policy_check_and_a_deployment_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ROOT", checkout(tmp_path, models(130)))
    said = []
    for command in (
        lambda: judging.judged(["qa"], LAYERS, judging.declared_by),
        lambda: environments.deployable("qa"),
    ):
        with pytest.raises(CliError) as raised:
            command()
        assert raised.value.code is Exit.USAGE
        said.append((str(raised.value), raised.value.hint))
    assert said[0] == said[1]
    assert said[0][0].startswith(FILE)


@pytest.mark.parametrize("text", ["# Soon.\n", "config: [\n"])
def test_another_environment_s_broken_file_does_not_stop_a_policy_check(
    tmp_path: Path, text: str
) -> None:
    """The programs are imported without reading every environment's file."""
    for name in ("declared", "gkeplatform", "facts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "stacks").mkdir()
    (tmp_path / FILE).write_text(text)
    code = "import declared, pathlib; assert declared.ROOT == pathlib.Path.cwd(), declared.ROOT"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
