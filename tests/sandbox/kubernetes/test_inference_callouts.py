"""Endpoint pickers beside their pods: when they are ready, and what is collected of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.kubernetes.controllers import inference_callouts, probes
from sandbox.kubernetes.controllers.inference_callouts import InferenceCallouts
from sandbox.kubernetes.folder import Folder
from sandbox.kubernetes.specs import ClusterKey
from tests.sandbox.kubernetes import inference_gateway as objects

POD, SERVICE = "chat-epp-1", "chat-epp"


@dataclass
class Programs:
    """Stands for the process of the picker, and its answers to probes."""

    port: int = 5001
    health_port: int = 5002
    metrics_port: int = 5003
    listens: bool = True
    is_serving: bool = True
    statuses: list[Any] = field(default_factory=list)

    async def retire(self, *_: Any, **__: Any) -> list[str]:
        return []

    async def keep(self, *_: Any) -> Programs:
        return self

    async def request(self, method: str, path: str, body: Any, **_: Any) -> None:
        assert (method, path.rpartition("/")[2]) == ("PATCH", "status")
        self.statuses.append(body["status"]["conditions"])


class Picker:
    """The picker's pod and Service, and the controller that runs its program."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **probe: Any) -> None:
        made = objects.picker("chat")
        [deployment] = [body for collection, body in made if collection == objects.APPS]
        [service] = [body for collection, body in made if collection.endswith("/services")]
        service["metadata"]["namespace"] = objects.NAMESPACE
        template = deployment["spec"]["template"]
        template["spec"]["containers"][0]["readinessProbe"] |= probe
        metadata = {"name": POD, "namespace": objects.NAMESPACE, "uid": "one"}
        self.pod: Any = {
            "metadata": metadata | {"labels": template["metadata"]["labels"]},
            "spec": template["spec"],
            "status": {"phase": "Running", "podIP": "10.96.0.9"},
        }
        self.programs = programs = Programs()

        async def listens(_: int) -> bool:
            return programs.listens

        async def is_serving(_: int, __: str) -> bool:
            return programs.is_serving

        monkeypatch.setattr(probes, "listens", listens)
        monkeypatch.setattr(probes, "is_serving", is_serving)
        monkeypatch.setattr(inference_callouts, "PodPrograms", lambda *_, **__: _Kept(programs))
        server: Any = programs
        self.callouts = InferenceCallouts(
            server,
            folder=Folder(folder, ClusterKey("acme", "europe-west4", "one")),
            dial_plan=folder / "dial-plan.json",
            pods=lambda: [self.pod],
            services=lambda: [service],
            changed=lambda: None,
        )

    def look(self, *, is_serving: bool = True) -> bool:
        """Whether the picker is asked after a further look at it."""
        self.programs.is_serving = is_serving
        asyncio.run(self.callouts._reconcile())
        return self.callouts.ready(objects.NAMESPACE, SERVICE, 9002) is not None


class _Kept:
    """The programs of the controller: the one."""

    def __init__(self, programs: Programs) -> None:
        self.retire, self.keep = programs.retire, programs.keep
        self.wake = lambda: None


@pytest.fixture
def picker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Picker:
    return Picker(tmp_path, monkeypatch)


def test_a_picker_that_is_not_ready_is_measured_as_well(picker: Picker) -> None:
    """Managed collection looks for pods that run; one that waits for its lease does."""
    assert not picker.look(is_serving=False)
    [listener] = picker.callouts.metrics()
    assert (listener.pod, listener.port, listener.listens) == (POD, 9090, 5003)
    assert picker.look()
    assert picker.callouts.metrics() == [listener]


def test_a_probe_that_fails_now_and_then_leaves_a_picker_ready(picker: Picker) -> None:
    assert not picker.look(is_serving=False)
    assert picker.look()
    for _ in range(3):
        assert picker.look(is_serving=False)
        assert picker.look(is_serving=False)
        assert picker.look()
    assert [picker.look(is_serving=False) for _ in range(3)] == [True, True, False]


def test_the_failure_threshold_is_the_probe_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picker = Picker(tmp_path, monkeypatch, failureThreshold=1)
    assert picker.look()
    assert not picker.look(is_serving=False)


def test_a_picker_that_was_restarted_is_not_ready_before_it_says_so(picker: Picker) -> None:
    assert picker.look()
    picker.programs.listens = False
    assert not picker.look()
    picker.programs.listens, picker.programs.port = True, 5005
    assert not picker.look(is_serving=False)
    assert picker.look()
