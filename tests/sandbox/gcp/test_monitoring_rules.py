"""Validation in Cloud Monitoring and Cloud Billing Budgets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sandbox.gcp.emulator import PROJECT, emulator

FOLDER = f"/monitoring/v3/projects/{PROJECT}"
BUDGETS = "/billingbudgets/v1/billingAccounts/01ACE0-01ACE0-01ACE0/budgets"
LB = "loadbalancing.googleapis.com/https"
AT = 'resource.type = "https_lb_rule"'
REQUESTS = f'metric.type = "{LB}/request_count" AND {AT}'
LATENCIES = f'metric.type = "{LB}/backend_latencies" AND {AT}'
MINUTE = {"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_RATE"}


def called(*requests: tuple[str, str, Any, int]) -> list[dict[str, Any]]:
    """The answers to requests of (method, path, body, status), in order."""

    async def run() -> list[dict[str, Any]]:
        async with emulator() as client:
            return [await client.call(*one[:3], status=one[3]) for one in requests]

    return asyncio.run(run())


def policy(filter_: str, *aggregations: dict[str, Any], **other: Any) -> dict[str, Any]:
    threshold = {
        "filter": filter_,
        "aggregations": list(aggregations),
        "comparison": "COMPARISON_GT",
        "thresholdValue": 1,
        "duration": "60s",
        **other,
    }
    return {
        "displayName": "policy",
        "combiner": "OR",
        "conditions": [{"displayName": "c", "conditionThreshold": threshold}],
    }


def refused(body: dict[str, Any], status: int = 400) -> str:
    (answer,) = called(("POST", f"{FOLDER}/alertPolicies", body, status))
    return str(answer["error"]["message"])


@pytest.mark.parametrize(
    ("filter_", "aligner"),
    [
        (REQUESTS, "ALIGN_RATE"),
        (REQUESTS, "ALIGN_SUM"),
        (LATENCIES, "ALIGN_PERCENTILE_99"),
        (f"{REQUESTS} AND metric.labels.response_code_class = 500", "ALIGN_DELTA"),
        (f'{REQUESTS} (metric.label.protocol = "HTTP/2" OR NOT {AT})', "ALIGN_RATE"),
        (f'{REQUESTS} resource.labels.url_map_name = one_of("a", "b")', "ALIGN_RATE"),
        ('metric.type = "custom.googleapis.com/x" AND resource.type = "global"', "ALIGN_MEAN"),
    ],
)
def test_a_valid_filter_is_accepted(filter_: str, aligner: str) -> None:
    step = {"alignmentPeriod": "60s", "perSeriesAligner": aligner}
    called(("POST", f"{FOLDER}/alertPolicies", policy(filter_, step), 200))


@pytest.mark.parametrize(
    ("filter_", "why"),
    [
        (f"{REQUESTS} AND", "syntax error"),
        (f"({REQUESTS}", "syntax error"),
        (f"{REQUESTS} AND metric.labels.protocol", "syntax error"),
        (f"{REQUESTS} AND metric.labels.protocol = ;", "syntax error"),
        (AT, 'must specify a restriction on "metric.type" in the filter'),
        (f'metric.type = "{LB}/request_count"', 'must specify a restriction on "resource.type"'),
        (
            f'metric.type = "{LB}/request_count" AND resource.type = "k8s_container"',
            "does not specify a valid combination of metric and monitored resource",
        ),
        (f'{REQUESTS} AND metric.labels.colour = "red"', "does not specify a valid combination"),
        (f'{REQUESTS} AND resource.labels.pod_name = "x"', "does not specify a valid combination"),
        (f'{REQUESTS} AND metric.labels.response_code_class = "5xx"', "holds whole numbers"),
        ('select_slo_burn_rate("projects/p/services/s/x")', "takes the name of an objective"),
        ('select_slo_burn_rate("projects/p/services/s/x", "5x")', "invalid lookback period"),
        ('select_slo_burn_rate("projects/p/services/s/x", "5m")', "there is no objective"),
    ],
)
def test_a_filter_that_selects_nothing_is_refused(filter_: str, why: str) -> None:
    said = refused(policy(filter_))
    assert said.startswith("Field alert_policy.conditions[0].condition_threshold.filter had an")
    assert why in said


def test_a_metric_that_does_not_exist_is_not_found() -> None:
    said = refused(policy(f'metric.type = "{LB}/request_counts" AND {AT}'), 404)
    assert said.startswith(f'Cannot find metric that matches type = "{LB}/request_counts".')


def test_a_metric_unknown_to_the_sandbox_is_answered_with_501() -> None:
    said = refused(policy('metric.type = "run.googleapis.com/x" AND resource.type = "y"'), 501)
    assert said == "sandbox does not know the metric run.googleapis.com/x"


@pytest.mark.parametrize(
    ("filter_", "steps", "why"),
    [
        (
            LATENCIES,
            [MINUTE],
            'per_series_aligner had an invalid value of "ALIGN_RATE": The aligner cannot be '
            "applied to metrics with kind DELTA and value type DISTRIBUTION.",
        ),
        (
            REQUESTS,
            [{"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_PERCENTILE_99"}],
            "The aligner cannot be applied to metrics with kind DELTA and value type INT64.",
        ),
        (
            REQUESTS,
            [MINUTE | {"groupByFields": ["metric.label.protocol"]}],
            "An aggregation cannot have group-by fields without a reducer.",
        ),
        (
            REQUESTS,
            [MINUTE | {"crossSeriesReducer": "REDUCE_COUNT_FALSE"}],
            "The reducer cannot be applied to metrics with value type DOUBLE.",
        ),
        (
            REQUESTS,
            [MINUTE | {"alignmentPeriod": "450s"}],
            "alignment period must be in multiples of one minute",
        ),
        (
            LATENCIES,
            [{"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_DELTA"}],
            "a threshold cannot be compared with values of type DISTRIBUTION",
        ),
    ],
)
def test_an_invalid_aggregation_is_refused(
    filter_: str, steps: list[dict[str, Any]], why: str
) -> None:
    assert why in refused(policy(filter_, *steps))


def test_an_unknown_aligner_is_refused() -> None:
    said = refused(policy(REQUESTS, MINUTE | {"perSeriesAligner": "ALIGN_ALL"}))
    assert "ALIGN_ALL" in said


def test_a_policy_has_few_conditions_and_whole_minutes() -> None:
    many = policy(REQUESTS, MINUTE)
    many["conditions"] *= 7
    assert "at most 6" in refused(many)
    assert "multiples of one minute" in refused(policy(REQUESTS, MINUTE, duration="30s"))
    quick = policy(REQUESTS, MINUTE) | {"alertStrategy": {"autoClose": "60s"}}
    assert "between 30 minutes and 7 days" in refused(quick)


def objective(indicator: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {
        "goal": 0.99,
        "rollingPeriod": "86400s",
        "serviceLevelIndicator": {"requestBased": indicator},
        **other,
    }


CUT = {"distributionCut": {"distributionFilter": LATENCIES, "range": {"max": 500}}}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (objective(CUT, goal=1), "greater than 0 and less than 1"),
        (objective(CUT, rollingPeriod="3600s"), "1 to 30 whole days"),
        (objective(CUT, rollingPeriod="2678400s"), "1 to 30 whole days"),
        (
            objective({"goodTotalRatio": {"totalServiceFilter": REQUESTS}}),
            "exactly two of good_service_filter",
        ),
        (
            objective(
                {
                    "goodTotalRatio": {
                        "totalServiceFilter": REQUESTS,
                        "badServiceFilter": REQUESTS.replace("request_count", "requests"),
                    }
                }
            ),
            "The metric referenced by the provided filter is unknown.",
        ),
        (
            objective({"distributionCut": {"distributionFilter": REQUESTS, "range": {"max": 1}}}),
            "needs a metric of distributions",
        ),
        (
            objective(
                {
                    "goodTotalRatio": {
                        "totalServiceFilter": LATENCIES,
                        "badServiceFilter": LATENCIES,
                    }
                }
            ),
            "needs metrics that count",
        ),
    ],
)
def test_an_invalid_objective_is_refused(body: dict[str, Any], why: str) -> None:
    service = f"{FOLDER}/services"
    _, answer = called(
        ("POST", f"{service}?serviceId=resnet", {"custom": {}}, 200),
        ("POST", f"{service}/resnet/serviceLevelObjectives", body, 400),
    )
    assert why in answer["error"]["message"]


def test_a_burn_rate_alert_finds_its_objective() -> None:
    service = f"{FOLDER}/services"

    async def run() -> None:
        async with emulator() as client:
            await client.call("POST", f"{service}?serviceId=resnet", {"custom": {}})
            slo = await client.call(
                "POST", f"{service}/resnet/serviceLevelObjectives", objective(CUT)
            )
            body = policy(f'select_slo_burn_rate("{slo["name"]}", "3600s")')
            made = await client.call("POST", f"{FOLDER}/alertPolicies", body)
            assert slo["name"] in made["conditions"][0]["conditionThreshold"]["filter"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("kind", "labels", "why"),
    [
        ("carrier-pigeon", {}, "Unknown notification channel type"),
        ("email", {"address": "a@b.example"}, "email_address"),
        ("webhook_basicauth", {"url": "https://x.example", "username": "u"}, "password"),
    ],
)
def test_a_channel_needs_its_types_labels(kind: str, labels: dict[str, str], why: str) -> None:
    body = {"type": kind, "labels": labels}
    (answer,) = called(("POST", f"{FOLDER}/notificationChannels", body, 400))
    assert why in answer["error"]["message"]


def test_a_channels_password_is_masked() -> None:
    body = {
        "type": "webhook_basicauth",
        "displayName": "pager",
        "labels": {"url": "https://x.example", "username": "u", "password": "correct horse"},
    }

    async def run() -> None:
        async with emulator() as client:
            made = await client.call("POST", f"{FOLDER}/notificationChannels", body)
            assert made["labels"]["password"] == "******"
            path = f"/monitoring/v3/{made['name']}?updateMask=displayName"
            changed = await client.call("PATCH", path, made | {"displayName": "other"})
            assert changed["displayName"] == "other"
            assert "correct horse" not in str(changed)

    asyncio.run(run())


DASHBOARDS = f"/monitoring/v1/projects/{PROJECT}/dashboards"


def tile(x: int, width: int, filter_: str = REQUESTS, aligner: str = "ALIGN_RATE") -> Any:
    series = {"filter": filter_, "aggregation": {"perSeriesAligner": aligner}}
    chart = {"dataSets": [{"timeSeriesQuery": {"timeSeriesFilter": series}}]}
    return {"xPos": x, "width": width, "height": 4, "widget": {"xyChart": chart}}


def board(*tiles: Any, columns: int = 48) -> dict[str, Any]:
    return {"displayName": "models", "mosaicLayout": {"columns": columns, "tiles": list(tiles)}}


def test_a_dashboard_is_created_updated_and_deleted() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.call("POST", DASHBOARDS, board(tile(0, 24), tile(24, 24)))
            path = f"/monitoring/v1/{made['name']}"
            assert (await client.call("GET", path)) == made
            body = {"displayName": "other", "gridLayout": {}}
            changed = await client.call("PATCH", path, body)
            assert "mosaicLayout" not in changed
            await client.call("PATCH", path, body | {"etag": made["etag"]}, status=409)
            await client.call("DELETE", path)
            await client.call("GET", path, status=404)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"gridLayout": {}}, "displayName was not set"),
        ({"displayName": "x"}, "exactly one layout"),
        (board(columns=49), "use 1 to 48"),
        (board(tile(40, 12)), "reaches beyond the 48 columns"),
        (board(tile(0, 24), tile(20, 24)), "overlap"),
        (board(tile(0, 24, AT)), "metric.type"),
        (board(tile(0, 24, LATENCIES, "ALIGN_RATE")), "kind DELTA and value type DISTRIBUTION"),
    ],
)
def test_an_invalid_dashboard_is_refused(body: dict[str, Any], why: str) -> None:
    (answer,) = called(("POST", DASHBOARDS, body, 400))
    assert why in answer["error"]["message"]


def budget(**other: Any) -> dict[str, Any]:
    return {
        "displayName": "monthly",
        "amount": {"specifiedAmount": {"units": "1000", "currencyCode": "EUR"}},
        "budgetFilter": {"projects": [f"projects/{PROJECT}"]},
        "thresholdRules": [{"thresholdPercent": 0.5}],
        **other,
    }


def test_a_budget_counts_projects_by_number() -> None:
    made, _, found = called(
        ("POST", BUDGETS, budget(), 200),
        ("POST", BUDGETS, budget(displayName="other"), 200),
        ("GET", BUDGETS, None, 200),
    )
    (project,) = made["budgetFilter"]["projects"]
    assert project.removeprefix("projects/").isdigit()
    assert made["thresholdRules"][0]["spendBasis"] == "CURRENT_SPEND"
    assert sorted(one["displayName"] for one in found["budgets"]) == ["monthly", "other"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": {}},
        {"amount": {"specifiedAmount": {"units": "0", "currencyCode": "EUR"}}},
        {"amount": {"specifiedAmount": {"units": "9", "currencyCode": "USD"}}},
        {"budgetFilter": {"projects": ["acme"]}},
        {"thresholdRules": [{"thresholdPercent": -1}]},
        {"notificationsRule": {"pubsubTopic": "projects/p/topics/t"}},
        {"notificationsRule": {"monitoringNotificationChannels": ["projects/p/x/1"]}},
    ],
)
def test_an_invalid_budget_is_refused_without_a_reason(wrong: dict[str, Any]) -> None:
    _, answer = called(("POST", BUDGETS, budget(), 200), ("POST", BUDGETS, budget(**wrong), 400))
    assert answer["error"]["message"] == "Request contains an invalid argument."
