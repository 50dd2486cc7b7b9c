"""What the load balancer measures of a model: from the answers to the queries."""

from __future__ import annotations

from cli.show import traffic
from cli.show.traffic import Traffic


def of_backend(name: str, value: float) -> traffic.Series:
    return {traffic.BACKEND: name}, value


ANSWERS: list[tuple[str, list[traffic.Series]]] = [
    ("rate", [of_backend("dev-a", 9), of_backend("dev-a-canary", 1), of_backend("dev-b", 4)]),
    ("errors", [of_backend("dev-a-canary", 0.5)]),
    ("in_flight", [of_backend("dev-a", 0.25), of_backend("dev-a-canary", 0.5)]),
    ("p99", [of_backend("dev-a", 20), of_backend("dev-a-canary", 400), of_backend("dev-b", 7)]),
    ("p50", [of_backend("dev-b", float("nan"))]),
    ("p99", [({traffic.MODEL: "a"}, 380)]),
]


def test_a_models_requests_are_those_of_all_its_backend_services() -> None:
    found = traffic.measured(60, ANSWERS)
    assert found.model("a", ["dev-a", "dev-a-canary"]) == Traffic(
        rate=10, errors=0.5, in_flight=0.75, p99=380
    )
    assert found.backend("dev-a") == Traffic(rate=9, in_flight=0.25, p99=20)


def test_a_quantile_of_several_backend_services_is_no_sum_of_theirs() -> None:
    found = traffic.measured(60, ANSWERS[:4])
    assert found.model("a", ["dev-a", "dev-a-canary"]).p99 is None


def test_a_quantile_without_requests_is_none_and_a_backend_without_series_has_none() -> None:
    found = traffic.measured(60, ANSWERS)
    assert found.model("b", ["dev-b"]) == Traffic(rate=4, p99=7)
    assert found.model("c", ["dev-c"]) == Traffic()


def test_each_model_with_several_backend_services_is_asked_for_by_name() -> None:
    several = {f"m{index}": [f"dev-m{index}", f"dev-m{index}-canary"] for index in range(120)}
    asked = traffic.queries("dev-", 60, several)
    for name in several:
        for figure in ("p50", "p99"):
            assert sum(one == figure and f'"{name}"' in query for one, query in asked) == 1
    assert not any(traffic.MODEL + '"' in query for _, query in traffic.queries("dev-", 60, {}))


def test_the_series_are_those_of_objectives_and_of_this_environment_alone() -> None:
    for _, query in traffic.queries("acme-dev-", 300, {}):
        assert 'backend_target_name=~"acme-dev-.*"' in query
        assert "[300s]" in query
        assert "loadbalancing_googleapis_com:https_" in query
