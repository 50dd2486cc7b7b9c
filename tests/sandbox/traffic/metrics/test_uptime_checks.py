"""Uptime checks: which answers are good, where they are sent, and what is measured."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.gcp.store import Store
from sandbox.traffic.load_balancer.client import ADDRESS_HEADER, REGION_HEADER
from sandbox.traffic.metrics import uptime_requests
from sandbox.traffic.metrics.uptime_checks import AFTER_START, FIRST, UptimeChecks
from sandbox.traffic.metrics.uptime_requests import Requests
from sandbox.traffic.runtime.authority import Authority
from sandbox.traffic.runtime.frontends import Frontend

Json = dict[str, Any]
KEY = "monitoring/projects/p/uptimeCheckConfigs/c"
HOST = "models.example"


def frontend(listens: int = 1, **fields: Any) -> Frontend:
    standard: Json = {
        "project": "p", "kind": "load-balancer", "name": "f", "address": "127.16.0.1", "port": 80,
        "scheme": "http", "hosts": (HOST, "*"), "listens": listens,
    }  # fmt: skip
    return Frontend(**{**standard, **fields})


def check(host: str = HOST, /, **fields: Any) -> Json:
    return {
        "monitoredResource": {"type": "uptime_url", "labels": {"project_id": "p", "host": host}},
        "httpCheck": {"path": "/health", "port": 80, "requestMethod": "GET"},
        "period": "60s",
        "timeout": "10s",
        **fields,
    }


@pytest.mark.parametrize(
    ("host", "port", "found"),
    [
        (HOST, 80, "named"),
        ("MODELS.example", 80, "named"),
        ("127.16.0.2", 80, "named"),
        ("a.wild.example", 80, "wild"),
        ("wild.example", 80, None),
        (HOST, 443, None),
        ("nobody.example", 80, None),
        ("127.0.0.1", 80, None),
    ],
)
def test_where_a_host_is(host: str, port: int, found: str | None) -> None:
    known = [
        frontend(name="any", hosts=("*",)),
        frontend(name="wild", hosts=("*.wild.example",), address="127.16.0.3"),
        frontend(name="named", address="127.16.0.2"),
        frontend(name="node", kind="node-port", address="127.0.0.1", hosts=()),
    ]
    at = uptime_requests.front_end(known, host, port)
    assert (at and at.name) == found


@pytest.mark.parametrize(
    ("fields", "status", "is_good"),
    [
        ({}, 200, True),
        ({}, 204, True),
        ({}, 404, False),
        ({"codes": [{"statusValue": 404}]}, 404, True),
        ({"codes": [{"statusValue": 404}]}, 200, False),
        ({"codes": [{"statusClass": "STATUS_CLASS_4XX"}, {"statusValue": 200}]}, 403, True),
        ({"codes": [{"statusClass": "STATUS_CLASS_ANY"}]}, 503, True),
        ({"content": [{"content": "AVAIL"}]}, 200, True),
        ({"content": [{"content": "down", "matcher": "CONTAINS_STRING"}]}, 200, False),
        ({"content": [{"content": "AVAIL", "matcher": "NOT_CONTAINS_STRING"}]}, 200, False),
        ({"content": [{"content": "A.A", "matcher": "MATCHES_REGEX"}]}, 200, True),
        ({"content": [{"content": "^V", "matcher": "NOT_MATCHES_REGEX"}]}, 200, True),
        ({"content": [{"content": "AVAIL"}]}, 500, False),
    ],
)
def test_which_answers_are_good(fields: Json, status: int, *, is_good: bool) -> None:
    made = check(contentMatchers=fields.get("content"))
    made["httpCheck"]["acceptedResponseStatusCodes"] = fields.get("codes")
    assert uptime_requests.accepts(made, status, "AVAILABLE") is is_good


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, None),
        ({"monitoredResource": {"type": "gce_instance", "labels": {}}}, "monitoredResource"),
        ({"resourceGroup": {}, "monitoredResource": None}, "monitoredResource"),
        ({"checkerType": "VPC_CHECKERS"}, "checkerType"),
        (
            {"httpCheck": {"serviceAgentAuthentication": {"type": "OIDC_TOKEN"}}},
            "httpCheck.serviceAgentAuthentication",
        ),
        ({"contentMatchers": [{"content": "1", "matcher": "MATCHES_JSON_PATH"}]},
         "contentMatchers"),
        ({"contentMatchers": [{"content": "(", "matcher": "MATCHES_REGEX"}]}, "contentMatchers"),
    ],
)  # fmt: skip
def test_a_check_that_cannot_be_made_is_listed(
    tmp_path: Path, fields: Json, field: str | None
) -> None:
    store = Store(None)
    store.put(KEY, check(**fields))
    checks = UptimeChecks(store, tmp_path / "ca.pem", lambda: None)
    checks._read(0)
    listed = [(one.resource, one.field) for one in checks.unsupported()]
    assert listed == ([(KEY.removeprefix("monitoring/"), field)] if field else [])


def test_the_regions_that_a_check_selects() -> None:
    def locations(*regions: str) -> list[str]:
        return [one.location for one in uptime_requests.places({"selectedRegions": [*regions]})]

    assert len(locations()) == 6
    usa = ["usa-oregon", "usa-iowa", "usa-virginia"]
    assert locations("USA") == usa
    assert locations("USA_IOWA", "EUROPE", "USA") == ["usa-iowa", "eur-belgium", usa[0], usa[2]]


class Model(http.server.BaseHTTPRequestHandler):
    """A model that is up as long as `status` says so; `/moved` leads to it."""

    status = 200
    seen: list[Json]

    def do_GET(self) -> None:
        type(self).seen.append(
            {"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}
        )
        self.send_response(302 if self.path == "/moved" else self.status)
        if self.path == "/moved":
            self.send_header("location", f"http://{HOST}/health")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def model() -> Iterator[Any]:
    """A model; its server's port is `port`."""
    kind: Any = type("One", (Model,), {"seen": [], "status": 200})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kind.port = server.server_address[1]
        yield kind
        server.shutdown()


def test_pods_that_start_with_the_sandbox_are_not_taken_for_an_outage(tmp_path: Path) -> None:
    store = Store(None)
    store.put(KEY, check())
    checks = UptimeChecks(store, tmp_path / "ca.pem", lambda: None)
    checks._read(100)
    assert checks._due == {KEY: 100 + AFTER_START}


def test_a_check_is_made_from_everywhere_at_its_period(tmp_path: Path, model: Any) -> None:
    authority = Authority(tmp_path)
    authority.prepare()
    store = Store(None)
    settled: list[list[Frontend] | None] = [[frontend(model.port)]]
    checks = UptimeChecks(store, authority.certificate, lambda: settled[0])

    def passed(project: str = "p") -> dict[str, float]:
        return {
            one.labels["checker_location"]: one.value
            for one in checks.samples(project)
            if one.name.endswith("check_passed")
        }

    async def scenario() -> None:
        requests = Requests(authority.certificate)

        async def look(now: float) -> dict[str, float]:
            checks.begin_due(requests, now)
            await asyncio.gather(*checks._under_way)
            return passed()

        try:
            assert await look(-AFTER_START) == {}
            store.put(KEY, check())
            assert await look(0) == {}
            everywhere = dict.fromkeys((one.location for one in uptime_requests.PLACES.values()), 1)
            assert await look(FIRST) == everywhere
            assert passed("another") == {}
            assert {one["host"] for one in model.seen} == {HOST}
            assert len({one[ADDRESS_HEADER] for one in model.seen}) == 6
            assert {one[REGION_HEADER] for one in model.seen} == {"US", "BE", "BR", "SG"}
            # Not due yet; then the model is down; and what is under way is waited for.
            model.status = 503
            assert await look(FIRST + 59) == everywhere
            assert await look(FIRST + 60) == dict.fromkeys(everywhere, 0)
            model.status, settled[0] = 200, None
            assert await look(FIRST + 120) == dict.fromkeys(everywhere, 0)
            settled[0] = [frontend(model.port)]
            assert await look(FIRST + 121) == everywhere
            # A changed check begins anew; redirects are followed.
            moved = check(selectedRegions=["USA"])
            moved["httpCheck"]["path"] = "/moved"
            store.put(KEY, moved)
            assert await look(200) == {}
            model.seen.clear()
            assert await look(200 + FIRST) == dict.fromkeys(
                ["usa-oregon", "usa-iowa", "usa-virginia"], 1
            )
            assert sorted(one["path"] for one in model.seen) == ["/health"] * 3 + ["/moved"] * 3
            # A host that nothing has, and TCP.
            store.put(KEY, check("nobody.example"))
            await look(300)
            assert set((await look(300 + FIRST)).values()) == {0}
            tcp = check()
            del tcp["httpCheck"]
            store.put(KEY, tcp | {"tcpCheck": {"port": 80}})
            await look(400)
            assert await look(400 + FIRST) == everywhere
            store.delete(KEY)
            assert await look(500) == {}
        finally:
            await requests.close()

    asyncio.run(scenario())
