"""Which fixed-name resources are deleted before they are replaced, and which are exempt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from declared import ROOT
from gkeplatform import promotion, replacement
from sandbox.plugins.gcp.registry import handler_of
from tests.environment_runs import environment_run

EXEMPT = (
    *replacement.REPLACED_BY_NAME,
    *replacement.NAMED_BY_CONTENT,
    *replacement.HARMLESS,
)
NAMED_BY_GOOGLE = {
    "gcp:billing/budget:Budget",
    "gcp:monitoring/alertPolicy:AlertPolicy",
    "gcp:monitoring/dashboard:Dashboard",
    "gcp:monitoring/notificationChannel:NotificationChannel",
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
}
"""Google gives each its id: a replacement exists beside what it replaces."""
MADE_ELSEWHERE = {
    "gcp:compute/sSLCertificate:SSLCertificate",
    "gcp:logging/projectBucketConfig:ProjectBucketConfig",
    "gcp:logging/projectExclusion:ProjectExclusion",
    "gcp:logging/projectSink:ProjectSink",
}
"""Made only with a certificate of one's own, or with callers whose audit log has its bucket."""
NAMES = ("name", "accountId", "serviceId")
CHANGE_IN_PLACE = ("labels",)


def declared() -> Iterator[tuple[str, dict[str, Any], bool | None]]:
    """Type, inputs and option of every Google Cloud resource of every environment."""
    for environment in promotion.order(ROOT):
        for layer in environment_run(environment).values():
            for (kind, name), inputs in layer.inputs.items():
                if kind.startswith("gcp:"):
                    yield kind, inputs, layer.deleted_first.get((kind, name))


def test_every_fixed_name_has_an_order() -> None:
    kinds = {kind for kind, _, _ in declared()} - NAMED_BY_GOOGLE
    known = {*replacement.DELETED_FIRST, *replacement.CREATED_FIRST, *EXEMPT}
    assert kinds <= known, "say in gkeplatform/replacement.py whether it is deleted first"
    assert known - kinds == MADE_ELSEWHERE


def test_each_type_is_listed_once() -> None:
    listed = [*replacement.DELETED_FIRST, *replacement.CREATED_FIRST, *EXEMPT]
    assert len(listed) == len(set(listed))


def test_resources_carry_the_option_of_their_type() -> None:
    options = {(kind, option) for kind, _, option in declared()}
    assert {kind for kind, option in options if option} == set(replacement.DELETED_FIRST)
    assert {kind for kind, option in options if option is False} == set(replacement.CREATED_FIRST)


@pytest.mark.parametrize("kind", replacement.REPLACED_BY_NAME)
def test_an_exempt_resource_is_replaced_by_its_name_alone(kind: str) -> None:
    handler = handler_of(kind)
    assert handler is not None
    fixed: dict[str, set[str]] = {}
    for other, inputs, _ in declared():
        if other != kind:
            continue
        for key, value in inputs.items():
            stays = key in (*NAMES, *CHANGE_IN_PLACE)
            if not stays and handler.replaces(key, None, value):
                fixed.setdefault(key, set()).add(str(value))
    assert {key: values for key, values in fixed.items() if len(values) > 1} == {}
