"""`--layer`, `--from` and `--list`: which layers a command runs, in which order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import deployment, layers
from cli.errors import CliError, Exit
from gkeplatform.layers import LAYERS, Layer, in_order

ROOT = Path(__file__).resolve().parents[2]


def names(chosen: tuple[Layer, ...]) -> list[str]:
    return [layer.name for layer in chosen]


def test_without_options_all_layers_run_in_order() -> None:
    assert layers.selected() == in_order()
    assert layers.selected([], None) == in_order()


def test_named_layers_run_in_deployment_order_whatever_the_order_of_the_options() -> None:
    assert names(layers.selected(["networking", "cluster"])) == ["cluster", "networking"]


def test_a_layer_named_twice_runs_once() -> None:
    assert names(layers.selected(["serving", "serving"])) == ["serving"]


@pytest.mark.parametrize("position", range(len(LAYERS)))
def test_from_runs_a_layer_and_those_after_it(position: int) -> None:
    order = in_order()
    assert layers.selected(start=order[position].name) == order[position:]


@pytest.mark.parametrize(("only", "start"), [(["servin"], None), (None, "servin")])
def test_an_unknown_layer_gets_the_nearest_one(only: list[str] | None, start: str | None) -> None:
    with pytest.raises(CliError, match="there is no layer `servin`") as raised:
        layers.selected(only, start)
    assert "did you mean `serving`?" in raised.value.hint
    assert raised.value.code is Exit.USAGE


def test_layer_and_from_exclude_each_other() -> None:
    with pytest.raises(CliError, match="exclude each other"):
        layers.selected(["serving"], "serving")


def test_the_table_has_a_line_a_layer_with_what_it_needs() -> None:
    lines = layers.table().splitlines()
    assert [line.split()[0] for line in lines] == names(in_order())
    assert lines[0].endswith("needs nothing")
    for layer, line in zip(in_order(), lines, strict=True):
        assert all(need in line for need in layer.needs)


def test_only_the_chosen_layers_are_deployed(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(f'#!/bin/sh\necho "$(basename "$PWD") $1" >>{calls}\n')
    (tmp_path / "state").mkdir()
    pulumi.chmod(0o755)
    variables = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
    }
    document = deployment.up(
        "dev", variables, interactive=False, preview=False, layers=layers.selected(["serving"])
    )
    assert calls.read_text() == "serving up\n"
    assert [layer["layer"] for layer in document["layers"]] == ["serving"]
    text = deployment.summary(document)
    assert text.startswith("dev is deployed, only serving\n")
    assert "load balancer" not in text


def _run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["up", "preview", "rehearse"])
def test_list_prints_the_layers_and_deploys_nothing(verb: str) -> None:
    done = _run(verb, "--list")
    assert done.returncode == 0
    assert done.stdout == layers.table() + "\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("platformctl up --layer ", names(in_order())),
        ("platformctl rehearse dev --from se", ["serving"]),
        ("platformctl drift st", ["stage"]),
        ("platformctl up dev se", ["serving"]),
        ("platformctl down dev cluster ne", ["networking"]),
        ("platformctl policy check --env pr", ["prod"]),
    ],
)
def test_values_are_completed(words: str, found: list[str]) -> None:
    count = len(words.split(" ")) - 1
    done = _run(_PLATFORMCTL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(count))
    assert done.stdout.split() == found, done.stderr
