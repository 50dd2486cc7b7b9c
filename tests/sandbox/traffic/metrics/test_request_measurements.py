"""The load balancer's series are what Envoy's lines say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sandbox.traffic.metrics import request_measurements
from sandbox.traffic.metrics.request_measurements import PREFIX, RequestMeasurements

BACKEND = "projects/dev/global/backendServices/acme-resnet"


def line(**given: Any) -> bytes:
    request = {
        "project": "dev", "forwarding_rule": "https", "target_proxy": "https", "url_map": "main",
        "rule": "pathMatchers[0].pathRules[1] /v1/models/resnet", "backend": BACKEND,
        "code": 200, "milliseconds": 30,
        "backend_milliseconds": 28, "request_bytes": 10, "response_bytes": 20,
        "protocol": "HTTP/2", **given,
    }  # fmt: skip
    return msgspec.json.encode(request) + b"\n"


def values(measured: RequestMeasurements, name: str, project: str = "dev") -> dict[str, float]:
    """Values by response code, and by bucket."""
    return {
        f"{one.labels['response_code']} {one.labels.get('le', '')}".strip(): one.value
        for one in measured.samples(project)
        if one.name == PREFIX + name
    }


def test_requests_are_counted_by_answer(tmp_path: Path) -> None:
    path = tmp_path / "requests.log"
    measured = RequestMeasurements(path)
    assert measured.samples("dev") == []
    path.write_bytes(line() + line() + line(code=503, backend_milliseconds=None))
    assert values(measured, "request_count") == {"200": 2, "503": 1}
    assert values(measured, "response_bytes_count") == {"200": 40, "503": 20}
    with path.open("ab") as file:
        file.write(line(code=0) + line()[:20])
        file.flush()
        assert values(measured, "request_count") == {"200": 2, "503": 1, "0": 1}
        file.write(line()[20:])
    assert values(measured, "request_count") == {"200": 3, "503": 1, "0": 1}
    assert measured.samples("prod") == []


def test_latencies_are_cumulative_buckets(tmp_path: Path) -> None:
    path = tmp_path / "requests.log"
    path.write_bytes(line(milliseconds=30) + line(milliseconds=300) + line(milliseconds=301))
    found = values(RequestMeasurements(path), "total_latencies_bucket")
    assert found["200 20"] == 0
    assert found["200 50"] == 1
    assert found["200 300"] == 2
    assert found["200 400"] == 3
    assert found["200 +Inf"] == 3


def test_an_answer_of_the_load_balancer_itself_has_no_backend(tmp_path: Path) -> None:
    path = tmp_path / "requests.log"
    path.write_bytes(line(backend=None, rule=None, code=301, backend_milliseconds=None))
    (count,) = [
        one
        for one in RequestMeasurements(path).samples("dev")
        if one.name.endswith("request_count")
    ]
    assert count.labels["backend_target_name"] == ""
    assert count.labels["backend_target_type"] == "NO_BACKEND_SELECTED"
    assert count.labels["matched_url_path_rule"] == "UNMATCHED"
    assert count.labels["response_code_class"] == "300"


def test_a_long_file_is_emptied_and_counted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_measurements, "_LONGEST", 100)
    path = tmp_path / "requests.log"
    path.write_bytes(line() + line())
    measured = RequestMeasurements(path)
    assert values(measured, "request_count") == {"200": 2}
    assert path.stat().st_size == 0
    path.write_bytes(line())
    assert values(measured, "request_count") == {"200": 3}


def test_answers_of_cloud_cdn_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "requests.log"
    bucket = "projects/dev/global/backendBuckets/files"
    statuses = (None, "hit", "stale", "revalidated", "miss", "uncacheable")
    path.write_bytes(b"".join(line(backend=bucket, cache=one) for one in statuses))
    found = RequestMeasurements(path).samples("dev")
    counted = [one.labels["cache_result"] for one in found if one.name == f"{PREFIX}request_count"]
    assert sorted(counted) == ["DISABLED", "HIT", "HIT", "HIT", "MISS", "MISS"]
    # Of what the cache answers by itself no backend has a latency.
    asked = [one for one in found if one.name == f"{PREFIX}backend_latencies_count"]
    assert len(asked) == 4
