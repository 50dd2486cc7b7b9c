"""Which alert policies of a project fire now, by the series that its Prometheus has."""

from __future__ import annotations

import json
import math
from typing import Any

from sandbox.gcp.discovery import Json
from sandbox.gcp.service import State
from sandbox.gcp.services.monitoring import alert_queries, policies
from sandbox.gcp.services.monitoring.alert_queries import NotEvaluatedError

FIRING, QUIET, UNKNOWN = "firing", "quiet", "unknown"


async def states(state: State, project: str) -> list[Json]:
    """Each enabled policy: `name`, `displayName`, `severity`, `state` and `conditions`.

    A condition has `displayName`, `state`, and what was measured as `values`, or a `reason` where
    it is unknown. Raises what ManagedService.ask raises.
    """
    found = []
    for _, policy in state.store.collection(f"monitoring/projects/{project}/alertPolicies"):
        if policy.get("enabled") is False:
            continue
        conditions = [await _condition(state, project, one) for one in policy["conditions"]]
        found.append(
            {
                "name": policy["name"],
                "displayName": policy["displayName"],
                "severity": policy.get("severity", ""),
                "state": _combined(policy["combiner"], [one["state"] for one in conditions]),
                "conditions": conditions,
            }
        )
    return sorted(found, key=lambda one: str(one["displayName"]))


def _combined(combiner: str, states: list[str]) -> str:
    if combiner == "OR":
        return FIRING if FIRING in states else UNKNOWN if UNKNOWN in states else QUIET
    return QUIET if QUIET in states else UNKNOWN if UNKNOWN in states else FIRING


async def _condition(state: State, project: str, given: Json) -> Json:
    def objective(name: str) -> Json | None:
        return state.store.get(f"monitoring/{policies.by_id(name, project)}")

    shown: Json = {"displayName": given.get("displayName", "")}
    try:
        met = await _ask(state, project, alert_queries.condition(given, objective))
        measured = await _ask(state, project, alert_queries.value(given, objective))
    except NotEvaluatedError as error:
        return {**shown, "state": UNKNOWN, "reason": str(error)}
    # A share of no requests is not a number.
    found = [(one["metric"], float(one["value"][1])) for one in measured]
    values = [{"labels": labels, "value": one} for labels, one in found if math.isfinite(one)]
    return {**shown, "state": FIRING if met else QUIET, "values": values}


async def _ask(state: State, project: str, query: str) -> list[dict[str, Any]]:
    planes = state.control_planes
    if planes is None:
        raise NotEvaluatedError("this sandbox has no clusters, and so no Prometheus")
    status, content = await planes.metrics.ask(project, "api/v1/query", {"query": query})
    answer = json.loads(content)
    if status != 200:
        raise NotEvaluatedError(f"{answer.get('error')}: {query}")
    data = answer["data"]
    return list(data["result"]) if data["resultType"] == "vector" else []
