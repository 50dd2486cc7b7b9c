"""Which layers an update runs, with engines that only pretend."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli import process
from cli.engine import Result, Say
from cli.events import CHANGES, Run
from cli.updates import side_by_side
from cli.updates.foresight import Foresight
from cli.updates.records import Record, Records
from cli.updates.speculation import begun_ahead
from cli.updates.stack_state import of_document
from gkeplatform.layers import CLUSTER, LAYERS, NETWORKING, SERVING, Layer

NAMES = [layer.name for layer in LAYERS]
NOTHING = dict.fromkeys(CHANGES, 0)


class Backend:
    """Stacks whose programs read the outputs of the layers that they need.

    An update of a layer publishes its `declared`, and another text where an upstream layer's
    outputs are others than before.
    """

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.declared = dict.fromkeys(NAMES, "a")
        self.published: dict[str, dict[str, Any]] = {}
        self.applied: dict[str, object] = {}
        self.asked = dict.fromkeys(NAMES, "")
        """What the account answers to each layer's program."""
        self.pending: list[str] = []
        self.previewed: list[str] = []
        self.updated: list[str] = []
        self.foreseen: list[str] = []
        """Updated without a preview of their own."""
        self.refused: list[str] = []
        self.edited_meanwhile = ""
        self.changes: dict[str, str] = {}
        """The kind of change that an update of a layer makes, `update` by default."""
        self.republishes: set[str] = set()

    def wanted(self, layer: Layer) -> object:
        needed = [self.published.get(name) for name in layer.needs]
        return [self.declared[layer.name], self.asked[layer.name], needed]

    def foresee(self, layer: Layer) -> Result | None:
        self.previewed.append(layer.name)
        if self.applied.get(layer.name) != self.wanted(layer):
            return None
        return Result(layer.name, 1.0, NOTHING | {"same": 3}, self.published[layer.name])

    def state(self, layer: Layer) -> object:
        if layer.name not in self.published:
            return None
        stack = {"type": "pulumi:pulumi:Stack", "outputs": self.published[layer.name]}
        held = {"type": "t", "inputs": self.applied[layer.name]}
        pending = [{"type": "updating"}] if layer.name in self.pending else []
        return {"deployment": {"resources": [stack, held], "pending_operations": pending}}

    def update(self, layer: Layer) -> Result:
        self.updated.append(layer.name)
        wanted = self.wanted(layer)
        is_same = self.applied.get(layer.name) == wanted
        self.applied[layer.name] = wanted
        if layer.name in self.republishes or layer.name not in self.published:
            self.published[layer.name] = {"contract": self.declared[layer.name]}
        self.pending = [name for name in self.pending if name != layer.name]
        kind = "same" if is_same else self.changes.get(layer.name, "update")
        return Result(layer.name, 1.0, NOTHING | {kind: 1}, self.published[layer.name])

    def up(self, *, looks_ahead: bool = True, previews_first: bool = False) -> list[str]:
        """Deploy as `cli.deployment` does: the layers that were updated."""
        self.updated, self.previewed, self.foreseen = [], [], []
        backend = self

        class Engine:
            def __init__(self, _say: Say) -> None:
                pass

            def state(self, layer: Layer, _stack: str) -> object:
                return backend.state(layer)

            def foresee(self, layer: Layer, _stack: str) -> Result | None:
                return backend.foresee(layer)

            def passes(self, layer: Layer, _stack: str) -> bool:
                backend.previewed.append(layer.name)
                return layer.name not in backend.refused

        foresight = Foresight(
            "dev",
            LAYERS,
            looks_ahead=looks_ahead,
            previews_first=previews_first,
            engine=Engine,
            inputs=self.inputs,
            records=Records("dev", {"PULUMI_HOME": str(self.cache)}),
        )
        with foresight:
            for layer in LAYERS:
                if foresight.unchanged(layer) is None:
                    foresight.wait(layer)
                    if foresight.is_previewed(layer):
                        self.foreseen.append(layer.name)
                    foresight.updated(layer, self.update(layer))
                if layer.name == self.edited_meanwhile:
                    self.declared[layer.name] = "edited"
        return self.updated

    def inputs(self) -> dict[str, str]:
        return dict(self.declared)


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    """Four layers, deployed twice: the second time they have all read each other's outputs."""
    made = Backend(tmp_path)
    assert made.up() == NAMES
    made.up()
    return made


def test_without_a_change_all_are_previewed_and_none_is_updated(backend: Backend) -> None:
    assert backend.up() == []
    assert sorted(backend.previewed) == sorted(NAMES)


def test_a_changed_layer_is_updated_and_those_that_it_affects_not_are_not_run(
    backend: Backend,
) -> None:
    backend.declared["serving"] = "b"
    assert backend.up() == ["serving"]
    # Networking asks for groups that may have changed; the others have nothing to ask.
    assert backend.previewed == ["networking"]
    assert backend.up() == []


def test_the_first_layer_to_be_updated_is_previewed_meanwhile(backend: Backend) -> None:
    backend.declared["serving"] = "b"
    assert backend.up(previews_first=True) == ["serving"]
    assert (sorted(backend.previewed), backend.foreseen) == (["networking", "serving"], ["serving"])

    backend.declared["serving"] = "c"
    backend.refused = ["serving"]
    assert backend.up(previews_first=True) == ["serving"]
    assert backend.foreseen == []


def test_a_layer_behind_another_that_is_updated_has_its_own_preview(backend: Backend) -> None:
    backend.declared |= {"cluster": "b", "serving": "b"}
    backend.up(previews_first=True)
    assert backend.foreseen == ["cluster"]


def test_a_change_upstream_reaches_all_that_read_it_in_the_same_run(backend: Backend) -> None:
    backend.declared["cluster"] = "b"
    backend.republishes.add("cluster")
    assert backend.up() == NAMES
    assert backend.up() == []


@pytest.mark.parametrize("kind", ["create", "delete", "replace"])
def test_what_was_asked_before_a_resource_came_or_went_is_asked_again(
    kind: str, backend: Backend
) -> None:
    backend.declared["serving"] = "b"
    backend.changes["serving"] = kind
    assert backend.up() == ["serving", "networking"]


def test_a_change_that_only_the_account_knows_of_is_seen(backend: Backend) -> None:
    backend.asked["networking"] = "issued"
    assert backend.up() == ["networking"]


def test_a_layer_that_was_updated_elsewhere_is_updated(backend: Backend) -> None:
    backend.applied["environment"] = "by another version of the program"
    assert backend.up() == ["environment"]


def test_a_stack_with_interrupted_operations_is_updated(backend: Backend) -> None:
    backend.pending = ["serving"]
    assert backend.up() == ["serving"]


def test_a_stack_that_was_removed_is_updated(backend: Backend) -> None:
    del backend.published["networking"]
    assert backend.up()[0] == "networking"


def test_without_looking_ahead_each_layer_is_updated(backend: Backend) -> None:
    assert backend.up(looks_ahead=False) == NAMES
    assert backend.previewed == []


def test_a_file_that_is_edited_during_a_run_counts_as_changed_in_the_next(
    backend: Backend,
) -> None:
    backend.declared["cluster"] = "b"
    backend.edited_meanwhile = "cluster"
    assert backend.up() == ["cluster"]
    backend.edited_meanwhile = ""
    assert "cluster" in backend.up()


def test_a_record_that_cannot_be_read_is_none(backend: Backend) -> None:
    for file in backend.cache.rglob("*.json"):
        file.write_text(file.read_text().replace('"version": 1', '"version": 0'))
    assert backend.up() == NAMES
    for file in backend.cache.rglob("*.json"):
        file.write_text("[")
    assert backend.up() == NAMES


def test_where_no_record_can_be_kept_each_layer_is_updated(tmp_path: Path) -> None:
    (tmp_path / "platform-runs").write_text("not a folder")
    backend = Backend(tmp_path)
    assert backend.up() == NAMES
    assert backend.up() == NAMES


def test_records_of_two_backends_are_kept_apart(tmp_path: Path) -> None:
    def records(backend: str) -> Records:
        return Records("dev", {"PULUMI_HOME": str(tmp_path), "PULUMI_BACKEND_URL": backend})

    records("gs://one").write(CLUSTER, Record("i", "r", {}))
    assert records("gs://one").read(CLUSTER) == Record("i", "r", {})
    assert records("gs://other").read(CLUSTER) is None
    assert records("gs://one").read(SERVING) is None


def _stack_event(**changed: Any) -> Iterator[dict[str, Any]]:
    metadata = {
        "op": "same",
        "type": "pulumi:pulumi:Stack",
        "urn": "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev",
        "old": {"outputs": {"address": "a"}},
        "new": {"outputs": {"address": "a"}},
    } | changed
    yield {"resourcePreEvent": {"metadata": metadata}}
    yield {"resOutputsEvent": {"metadata": metadata}}


@pytest.mark.parametrize(
    ("event", "is_unchanged"),
    [
        ({}, True),
        ({"new": {"outputs": {"address": "b"}}}, False),
        ({"new": {"outputs": {"address": "a", "port": 1}}}, False),
        ({"op": "create", "old": None}, False),
        ({"type": "gcp:compute/network:Network", "op": "update"}, False),
        ({"type": "gcp:compute/network:Network", "op": "read"}, False),
    ],
)
def test_a_preview_that_plans_anything_is_a_change(
    event: dict[str, Any], is_unchanged: bool
) -> None:
    run = Run(is_preview=True)
    if "type" in event:
        for one in _stack_event():
            run.take(one)
    for one in _stack_event(**event):
        run.take(one)
    assert run.is_unchanged is is_unchanged


def test_a_preview_that_says_nothing_is_no_proof() -> None:
    assert not Run(is_preview=True).is_unchanged


@pytest.mark.parametrize("document", [None, [], {}, {"deployment": None}, {"deployment": {}}])
def test_no_state_is_no_stack(document: object) -> None:
    assert of_document(document) is None


def test_functions_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=60)
    assert side_by_side.run({"a": both.wait, "b": both.wait}).keys() == {"a", "b"}


def test_an_error_of_one_ends_the_commands_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(process, "interrupt", lambda **_: ended.set())

    def fail() -> None:
        raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        side_by_side.run({"a": fail, "b": lambda: ended.wait(30)})
    assert ended.is_set()


def test_ctrl_c_without_a_command_does_nothing() -> None:
    process.interrupt()


def test_networking_is_previewed_even_where_only_the_environment_layer_changed(
    backend: Backend,
) -> None:
    backend.declared["environment"] = "b"
    backend.asked[NETWORKING.name] = "issued"
    assert backend.up() == ["networking", "environment"]


def test_resources_are_counted_as_the_engine_counts_them() -> None:
    kinds = {
        "urn::pulumi:pulumi:Stack::p-dev": "pulumi:pulumi:Stack",
        "urn::pulumi:providers:gcp::default": "pulumi:providers:gcp",
        "urn::pulumi:providers:gcp::default_10_2_0": "pulumi:providers:gcp",
        "urn::pulumi:providers:gcp::google": "pulumi:providers:gcp",
        "urn::gcp:compute/network:Network::default": "gcp:compute/network:Network",
    }
    resources = [{"urn": urn, "type": kind} for urn, kind in kinds.items()]
    state = of_document({"checkpoint": {"latest": {"resources": resources}}})
    assert state is not None
    assert state.count == 3


def test_what_was_run_ahead_on_a_wrong_guess_is_run_again() -> None:
    """A speculation over a function that says what it was given."""
    calls: list[tuple[str, dict[str, str]]] = []

    def preview(layer: Layer, upstream: Mapping[str, str]) -> str:
        calls.append((layer.name, dict(upstream)))
        return "+".join([layer.name, *upstream.values()])

    with begun_ahead(LAYERS, preview, is_as_deployed=lambda _, one: one == "old") as ahead:
        assert ahead(CLUSTER, {}) == "cluster"
        assert ahead(SERVING, {"cluster": "old"}) == "serving"
        assert ahead(SERVING, {"cluster": "old"}) == "serving+old"
        assert ahead(NETWORKING, {"cluster": "old", "serving": "new"}) == "networking+old+new"
    assert sorted(name for name, given in calls if not given) == sorted(NAMES)
    assert [name for name, given in calls if given] == ["serving", "networking"]
