"""The adapters that pods have requests for: from the answer of Prometheus to a model's."""

from __future__ import annotations

from cli.show import adapters
from cli.show.adapters import Adapter, Adapters

NAMES = "running_lora_adapters"


def series(names: str, count: float, job: str = "chat") -> tuple[dict[str, str], float]:
    return {"namespace": "models", "job": job, NAMES: names}, count


def test_pods_are_counted_by_adapter_over_all_versions() -> None:
    answer = [
        series("", 3),
        series("a", 1),
        series("a,b", 2),
        series("a,b,c", 1, job="chat-canary"),
        series("a", 9, job="other"),
        series("a", float("nan")),
    ]
    versions = [("models", "chat"), ("models", "chat-canary")]
    found = adapters.of_model(adapters.asked(answer), versions, names=["d", "b", "a"], fit=2)
    assert found == Adapters(
        fit=2,
        listed=(
            Adapter(name="a", pods=4),
            Adapter(name="b", pods=3),
            Adapter(name="d", pods=0),
            Adapter(name="c", pods=1),
        ),
        crowded=1,
    )
    assert adapters.text(found) == "a 4, b 3, c 1"


def test_a_model_that_nobody_has_asked_has_none() -> None:
    found = adapters.of_model({}, [("models", "chat")], names=["a"], fit=1)
    assert found == Adapters(fit=1, listed=(Adapter(name="a", pods=0),), crowded=0)
    assert adapters.text(found) == "none"


def test_only_this_cluster_is_asked_for() -> None:
    asked = adapters.query("main", "europe-west4")
    assert asked.count('{cluster="main",location="europe-west4"}') == 2
