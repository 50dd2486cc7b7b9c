"""The order of a deployment's layers, and what one layer's result changes for the next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli import deployment, replaced_clusters
from cli.engine import Result
from cli.errors import CliError
from cli.rollouts import certificates
from gkeplatform.engine_variables import FORGET
from gkeplatform.errors import LET_GO_FIRST
from gkeplatform.layers import CLUSTER, LAYERS, NETWORKING, SERVING, Layer

KINDS = ("create", "update", "delete", "replace", "same")
ORDER = ["cluster", "serving", "networking", "environment"]


class Runs:
    """An engine that records each run of a layer; `answers` are its results, in order."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.seen: list[tuple[str, str | None]] = []
        self.answers: dict[str, Iterator[Any]] = {}
        self.holds = False

    def __call__(self, environment: Mapping[str, str], _say: Any) -> Any:
        runs = self

        class Engine:
            def release(self, *_: Any) -> None:
                pass

            def holds_replaced_cluster(self, *_: Any) -> bool:
                return runs.holds

            def state(self, *_: Any) -> None:
                return None

            def up(self, layer: Layer, *_: Any, **__: Any) -> Result:
                runs.seen.append((layer.name, environment.get(FORGET)))
                answer: Any = next(runs.answers.get(layer.name, iter(())), {})
                if isinstance(answer, Exception):
                    raise answer
                changes = dict.fromkeys(KINDS, 0) | answer.get("changes", {})
                outputs = answer.get("outputs", {})
                return Result(layer.name, 1.0, changes, outputs, answer.get("replaced", ()))

        return Engine()

    def up(self, *layers: Layer) -> dict[str, Any]:
        variables = {"PULUMI_HOME": str(self.cache)}
        return deployment.up(
            "dev", variables, interactive=False, preview=False, layers=layers or LAYERS
        )

    @property
    def layers(self) -> list[str]:
        return [name for name, _ in self.seen]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    made = Runs(tmp_path)
    monkeypatch.setattr(deployment, "Engine", made)
    return made


@pytest.mark.parametrize("replaced", [(), (deployment.CLUSTER_TYPE,)])
def test_only_after_a_replacement_of_the_cluster_its_objects_are_forgotten(
    replaced: tuple[str, ...], runs: Runs
) -> None:
    runs.answers[CLUSTER.name] = iter([{"replaced": replaced}])
    runs.up()
    assert runs.seen[0] == ("cluster", None)
    assert {forget for _, forget in runs.seen[1:]} == {"true" if replaced else None}


@pytest.mark.parametrize("layers", [(), (SERVING,)])
def test_a_run_that_ended_before_the_objects_were_forgotten_is_completed(
    layers: tuple[Layer, ...], runs: Runs
) -> None:
    runs.holds = True
    runs.answers[SERVING.name] = iter([CliError(f"unreachable; set {FORGET}", "")])
    runs.up(*layers)
    assert [forget for name, forget in runs.seen if name == "serving"] == [None, "true"]


def test_a_present_cluster_that_cannot_be_reached_keeps_its_objects(runs: Runs) -> None:
    runs.answers[SERVING.name] = iter([CliError(f"unreachable; set {FORGET}", "")])
    with pytest.raises(CliError, match="unreachable"):
        runs.up()
    assert {forget for _, forget in runs.seen} == {None}


def test_what_serving_kept_for_the_load_balancer_is_removed_in_the_same_deployment(
    runs: Runs,
) -> None:
    first = {"outputs": {"kept": ["fraud"]}, "changes": {"create": 1, "update": 2, "same": 48}}
    second = {"outputs": {"kept": []}, "changes": {"update": 2, "delete": 1, "same": 48}}
    runs.answers[SERVING.name] = iter([first, second])
    document = runs.up()
    assert runs.layers == ["cluster", "serving", "networking", "serving", "environment"]
    assert [one["layer"] for one in document["layers"]] == ORDER
    done = {"create": 1, "update": 4, "delete": 1, "replace": 0, "same": 48}
    assert document["layers"][1]["changes"] == done


@pytest.mark.parametrize("is_issued", [True, False])
def test_a_certificate_that_takes_over_is_waited_for_once_all_else_is_deployed(
    is_issued: bool, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[tuple[list[str], list[str]]] = []

    def wait(ids: list[str], *_: Any) -> bool:
        waited.append((ids, runs.layers))
        return is_issued

    monkeypatch.setattr(certificates, "wait", wait)
    new = "projects/p/global/sslCertificates/new"
    first = {"outputs": {"issuing": [new]}, "changes": {"create": 1, "update": 1}}
    runs.answers[NETWORKING.name] = iter([first, {"changes": {"update": 1, "delete": 1}}])
    document = runs.up()
    assert waited == [([new], ORDER)]
    assert runs.layers == [*ORDER, *(["networking"] if is_issued else [])]
    done = {"create": 1, "update": 1 + is_issued, "delete": int(is_issued)}
    assert document["layers"][2]["changes"] == {**done, "replace": 0, "same": 0}


@pytest.mark.parametrize("alone", [SERVING, NETWORKING])
def test_a_layer_that_is_deployed_alone_is_deployed_once(alone: Layer, runs: Runs) -> None:
    runs.answers[SERVING.name] = iter([{"outputs": {"kept": ["fraud"]}}])
    runs.up(alone)
    assert runs.layers == [alone.name]


def test_groups_leave_the_load_balancer_before_the_cluster_layer(runs: Runs) -> None:
    runs.answers[CLUSTER.name] = iter([CliError(f"networking {LET_GO_FIRST}", "")])
    document = runs.up()
    assert runs.layers[:4] == ["cluster", "networking", "cluster", "serving"]
    assert [one["layer"] for one in document["layers"]] == ORDER


def kubeconfig(authority: str) -> str:
    return f"clusters: [{{cluster: {{certificate-authority-data: {authority}}}}}]"


def test_a_state_tells_which_clusters_its_objects_are_in() -> None:
    def state(*authorities: str) -> dict[str, Any]:
        texts = [{"plaintext": json.dumps(kubeconfig(one))} for one in authorities]
        kind = "pulumi:providers:kubernetes"
        found = [{"type": kind, "inputs": {"kubeconfig": text}} for text in texts]
        return {"deployment": {"resources": [{"type": "pulumi:providers:gcp"}, *found]}}

    present = kubeconfig("bmV3")
    assert not replaced_clusters.is_left(state("bmV3"), present)
    assert replaced_clusters.is_left(state("b2xk"), present)
    assert replaced_clusters.is_left(state("b2xk", "bmV3"), present)
    assert not replaced_clusters.is_left(state(), present)
    assert not replaced_clusters.is_left({"deployment": {}}, present)
    # Without an authority nothing is known.
    assert not replaced_clusters.is_left(state("b2xk"), "server: https://198.51.100.4")


def test_a_check_before_the_first_update_ends_the_run_untouched(runs: Runs) -> None:
    def refuse() -> None:
        raise CliError("the quotas do not suffice")

    variables = {"PULUMI_HOME": str(runs.cache)}
    with pytest.raises(CliError, match="quotas"):
        deployment.up("dev", variables, interactive=False, preview=True, before=refuse)
    assert runs.layers == []
