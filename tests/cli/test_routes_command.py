"""`platformctl routes` on the repository's environments, and on a file whose tests fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer

from cli import environments
from cli.commands.routes import routes
from cli.errors import CliError

ROOT = environments.ROOT


def test_a_url_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    routes("prod", ["/recommend:predict", "http://models.prod.acme.example/"])
    found = capsys.readouterr().out
    assert "backend    acme-ml-prod-recommender, 100 % of the requests" in found
    assert "path       /v1/models/recommender:predict" in found
    assert "is redirected to https://models.prod.acme.example/" in found


def test_a_host_of_the_gateway_is_looked_up_there(capsys: pytest.CaptureFixture[str]) -> None:
    routes("prod", ["https://sentiment.prod.acme.example/model/v1"], json=True)
    (found,) = json.loads(capsys.readouterr().out)["urls"]
    assert (found["front_end"], found["model"], found["path"]) == ("gateway", "sentiment", "/v1")


def test_a_url_without_an_answer_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as raised:
        routes("prod", ["https://other.example/"])
    assert raised.value.exit_code == 1
    assert "gets no answer (no certificate covers other.example" in capsys.readouterr().out


@pytest.mark.parametrize("environment", environments.names())
def test_our_environments_pass(environment: str, capsys: pytest.CaptureFixture[str]) -> None:
    routes(environment, json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["problems"] == []
    assert all(test["passed"] for test in document["tests"])
    assert {rule["front_end"] for rule in document["rules"]} > {"http-load-balancer"}


def test_a_failing_test_is_listed_and_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    file = tmp_path / "stacks" / "Pulumi.prod.yaml"
    rewrites = "        rewrites: {/recommend: /v1/models/recommender}\n"
    tests = (
        "        tests:\n"
        "          - {url: /recommend/x, expect: {model: recommender, path: /other}}\n"
        "          - {url: /recommendations, expect: {static_files: true}}\n"
    )
    before, found, after = file.read_text().partition(rewrites)
    assert found
    file.write_text(before + rewrites + tests + after)
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    with pytest.raises(typer.Exit) as raised:
        routes("prod")
    assert raised.value.exit_code == 1
    shown = capsys.readouterr().out
    assert "FAILED     gke-serving:models[1].exposure.tests[0]: /recommend/x: it reaches" in shown
    assert "passed     gke-serving:models[1].exposure.tests[1]" in shown


def test_an_encrypted_private_key_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    file = tmp_path / "stacks" / "Pulumi.dev.yaml"
    own = (
        "kind: self-managed\n      certificate: PEM\n      domains: [models.dev.acme.example, "
        "translate.dev.acme.example]\n  gke-networking:private_keys: {secure: v1:abc}\n"
    )
    before, _, after = file.read_text().partition("kind: google-managed\n")
    file.write_text(before + own + after.partition("\n")[2])
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    routes("dev", ["https://models.dev.acme.example/v1/models/resnet"])
    assert "backend    acme-ml-dev-resnet" in capsys.readouterr().out


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(CliError, match="neither a URL nor a path"):
        routes("dev", ["models.dev.acme.example"])
    with pytest.raises(CliError, match="has no front end `gateway`"):
        routes("dev", ["/"], front_end="gateway")
    with pytest.raises(CliError, match="there is no environment"):
        routes("nowhere")
