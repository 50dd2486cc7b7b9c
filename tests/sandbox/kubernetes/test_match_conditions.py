"""Conditions of GCPRoutingExtensions are rehearsed, or refused in the Gateway's status."""

from __future__ import annotations

from typing import Any

import pytest

from infra.serving.exposures.inference import router
from sandbox.kubernetes.controllers import match_conditions


def extension(*expressions: str) -> dict[str, Any]:
    condition = {"celExpressions": [{"celMatcher": one} for one in expressions]}
    return {"spec": {"extensionChains": [{"name": "models", "matchCondition": condition}]}}


def test_the_platform_s_condition_is_rehearsed() -> None:
    made = {"spec": router.routing_extension(["llm.example", "code.example"])}
    assert match_conditions.problem(made) is None
    assert match_conditions.hosts(made) == r"(?i)^(llm[.]example|code[.]example)(:[0-9]+)?$"


def test_without_a_condition_all_requests_count() -> None:
    made = {"spec": {"extensionChains": [{"name": "models"}]}}
    assert match_conditions.problem(made) is None
    assert match_conditions.hosts(made) == ""


@pytest.mark.parametrize(
    "expressions",
    [
        ("request.path == '/v1'",),
        ("request.host.matches('a') || request.host.matches('b')",),
        ("request.host.matches('(')",),
        ("request.host.matches('a')", "request.host.matches('b')"),
    ],
)
def test_another_condition_is_refused(expressions: tuple[str, ...]) -> None:
    assert match_conditions.problem(extension(*expressions))
