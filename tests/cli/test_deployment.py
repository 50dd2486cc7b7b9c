"""The order of a deployment's layers, and what one layer's result changes for the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cli import deployment
from cli.engine import Result
from gkeplatform.layers import CLUSTER, Layer

CHANGES = dict.fromkeys(("create", "update", "delete", "replace", "same"), 0)


@pytest.mark.parametrize("replaced", [(), (deployment.CLUSTER_TYPE,)])
def test_only_after_a_replacement_of_the_cluster_its_objects_are_forgotten(
    replaced: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str | None] = {}

    class Engine:
        def __init__(self, environment: Mapping[str, str], _say: Any) -> None:
            self.forget = environment.get(deployment.FORGET)

        def release(self, *_: Any) -> None:
            pass

        def up(self, layer: Layer, **_: Any) -> Result:
            seen[layer.name] = self.forget
            return Result(layer.name, 0.0, CHANGES, {}, replaced if layer is CLUSTER else ())

    monkeypatch.setattr(deployment, "Engine", Engine)
    deployment.up("dev", {}, interactive=False, preview=False)
    others = {forget for name, forget in seen.items() if name != CLUSTER.name}
    assert seen[CLUSTER.name] is None
    assert others == {"true" if replaced else None}
