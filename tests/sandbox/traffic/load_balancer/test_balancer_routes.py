"""What a URL map says is what Envoy does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.traffic.load_balancer.rig import Rig

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]


@pytest.fixture
def links(rig: Rig) -> list[str]:
    """Four backend services, each of one server."""
    return [rig.service(f"s{i}", i) for i in range(4)]


def one_matcher(default: str, hosts: list[str] | None = None, **fields: Any) -> Any:
    return {
        "defaultService": default,
        "hostRules": [{"hosts": hosts or ["*"], "pathMatcher": "m"}],
        "pathMatchers": [{"name": "m", "defaultService": default, **fields}],
    }


def test_the_most_specific_host_and_path_win(rig: Rig, links: list[str]) -> None:
    zero, one, two, three = links
    rules = [
        {"paths": ["/v1", "/v1/*"], "service": one},
        {"paths": ["/v1/models/*"], "service": two},
    ]
    rig.url_map(
        defaultService=zero,
        hostRules=[
            {"hosts": ["*.example"], "pathMatcher": "wild"},
            {"hosts": ["a.example"], "pathMatcher": "exact"},
        ],
        pathMatchers=[
            {"name": "wild", "defaultService": three},
            {"name": "exact", "defaultService": zero, "pathRules": rules},
        ],
    )

    def server(path: str, host: str = "a.example") -> int:
        return int(rig.get(path, host=host).json()["server"])

    assert [server("/v1"), server("/v1/x"), server("/v1/models/x?y=/")] == [1, 1, 2]
    assert [server("/v1x"), server("/V1"), server("/v1/models")] == [0, 0, 1]
    assert [server("/", "b.example"), server("/", "A.EXAMPLE:8080"), server("/", "c.test")] == [
        3, 0, 0,
    ]  # fmt: skip
