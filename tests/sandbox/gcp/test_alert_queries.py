"""The PromQL of an alert policy's conditions."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from sandbox.gcp.service import State
from sandbox.gcp.services.monitoring import alert_queries, alerts
from sandbox.gcp.services.monitoring.alert_queries import NotEvaluatedError
from sandbox.gcp.store import Store

REQUESTS = "loadbalancing.googleapis.com/https/request_count"
AT = 'resource.type = "https_lb_rule" AND resource.labels.backend_target_name = "resnet"'
TOTAL = f'metric.type = "{REQUESTS}" AND {AT}'
SERIES = (
    "loadbalancing_googleapis_com:https_request_count"
    '{monitored_resource="https_lb_rule",backend_target_name="resnet"}'
)


def query(given: dict[str, Any], objective: dict[str, Any] | None = None) -> str:
    return alert_queries.condition(given, lambda _: objective)


def threshold(filter_: str, **given: Any) -> dict[str, Any]:
    return {
        "conditionThreshold": {
            "filter": filter_,
            "comparison": "COMPARISON_GT",
            "thresholdValue": 2,
            **given,
        }
    }


def objective(**based: Any) -> dict[str, Any]:
    return {"goal": 0.99, "serviceLevelIndicator": {"requestBased": based}}


def test_a_threshold_compares_the_aligned_and_reduced_series() -> None:
    aggregation = {
        "alignmentPeriod": "300s",
        "perSeriesAligner": "ALIGN_RATE",
        "crossSeriesReducer": "REDUCE_SUM",
        "groupByFields": ["metric.label.response_code_class"],
    }
    assert query(threshold(TOTAL, aggregations=[aggregation])) == (
        f"(sum by (response_code_class) (rate({SERIES}[300s]))) > 2"
    )


def test_a_duration_asks_that_it_held_all_the_time() -> None:
    assert query(threshold(TOTAL, duration="60s")) == (
        f"({SERIES}) > 2 and count_over_time((({SERIES}) > 2)[60s:15s]) >= 4"
    )


def test_a_percentile_is_taken_of_the_buckets() -> None:
    aggregation = {"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_PERCENTILE_99"}
    buckets = SERIES.replace("count{", "count_bucket{")
    assert query(threshold(TOTAL, aggregations=[aggregation])) == (
        f"(histogram_quantile(0.99, sum by (le) (rate({buckets}[60s])))) > 2"
    )


def test_a_burn_rate_is_the_share_of_bad_requests_by_the_allowed_share() -> None:
    burn = 'select_slo_burn_rate("projects/p/services/s/serviceLevelObjectives/o", "1h")'
    bad = f"{TOTAL} AND metric.labels.response_code_class = 500"
    found = query(
        threshold(burn),
        objective(goodTotalRatio={"badServiceFilter": bad, "totalServiceFilter": TOTAL}),
    )
    failed = SERIES.replace("}", ',response_code_class="500"}')
    total = f"sum(increase({SERIES}[3600s]))"
    assert found == (
        f"(((sum(increase({failed}[3600s])) or {total} * 0) / ({total} > 0)) / 0.01) > 2"
    )


def test_a_latency_objective_counts_what_is_outside_of_its_range() -> None:
    burn = 'select_slo_burn_rate("projects/p/services/s/serviceLevelObjectives/o", "5m")'
    latencies = f'metric.type = "loadbalancing.googleapis.com/https/total_latencies" AND {AT}'
    found = query(
        threshold(burn),
        objective(distributionCut={"distributionFilter": latencies, "range": {"max": 300}}),
    )
    assert "histogram_fraction(-Inf, 300, sum by (le) (increase(" in found
    assert "https_total_latencies_bucket{" in found
    assert "[300s]" in found


@pytest.mark.parametrize(
    ("comparison", "matcher"),
    [
        ('metric.labels.response_code_class = one_of("200", "300")', 'class=~"200|300"'),
        ("metric.labels.response_code_class != 200", 'class!="200"'),
    ],
)
def test_comparisons_become_matchers(comparison: str, matcher: str) -> None:
    assert matcher in query(threshold(f"{TOTAL} AND {comparison}"))


def test_the_absence_of_a_series_and_promql_are_asked_for_as_they_are() -> None:
    absent = {"conditionAbsent": {"filter": TOTAL, "duration": "300s"}}
    assert query(absent) == f"absent_over_time({SERIES}[300s])"
    promql = {"conditionPrometheusQueryLanguage": {"query": "sum(up) < 1", "duration": "0s"}}
    assert query(promql) == "(sum(up) < 1)"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (threshold(f"{TOTAL} OR {TOTAL}"), "OR or NOT"),
        (threshold('select_slo_budget("projects/p/services/s/o/x")'), "select_slo_budget"),
        (threshold('select_slo_burn_rate("projects/p/x", "1h")'), "no objective"),
        ({"conditionMatchedLog": {"filter": "x"}}, "conditionMatchedLog"),
        (threshold(TOTAL, aggregations=[{}, {}]), "several aggregations"),
    ],
)
def test_what_is_not_evaluated_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(NotEvaluatedError, match=said):
        query(given)


def test_a_share_of_no_requests_is_no_value() -> None:
    """Prometheus answers NaN, which JSON does not have."""

    class Metrics:
        async def ask(self, *_: object) -> tuple[int, bytes]:
            result = [{"metric": {}, "value": [1, one]} for one in ("NaN", "+Inf", "0.5")]
            return 200, msgspec.json.encode({"data": {"resultType": "vector", "result": result}})

    class Planes:
        metrics = Metrics()

    state = State(Store(None), Planes())
    policy = {"displayName": "d", "combiner": "OR", "conditions": [threshold(TOTAL)]}
    state.store.put("monitoring/projects/p/alertPolicies/1", {"name": "1", **policy})
    [found] = asyncio.run(alerts.states(state, "p"))
    assert [one["value"] for one in found["conditions"][0]["values"]] == [0.5]
