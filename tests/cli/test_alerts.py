"""Which alerts fire, in the sandbox and in the account."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from cli import alerting
from cli.app import application
from cli.errors import CliError, Exit
from cli.show import monitoring, traffic
from cli.show.monitoring import Monitoring
from sandbox import lifecycle

PROJECT = "acme-ml-dev"


class Server(ThreadingHTTPServer):
    """Answers with `answers` in their order, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.queries: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        status, content = self.server.answers.pop(0)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.queries.append(
            json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
        )
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def policy(name: str, state: str, **condition: Any) -> dict[str, Any]:
    conditions = [{"displayName": "60 minutes", "state": state, **condition}]
    return {"displayName": name, "severity": "ERROR", "state": state, "conditions": conditions}


@pytest.fixture
def rehearsed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    (tmp_path / "token").write_text("sandbox\n")
    monkeypatch.setenv("PLATFORM_SANDBOX_HOME", str(tmp_path))
    monkeypatch.setattr(lifecycle, "daemon_record", lambda _: {"port": server.port})
    return server


def test_what_fires_comes_first_with_what_it_measures(rehearsed: Server) -> None:
    rehearsed.answers.append(
        (
            200,
            {
                "alerts": [
                    policy("quiet-one", "quiet", values=[]),
                    policy("lost-budget", "firing", values=[{"labels": {}, "value": 43.21}]),
                    policy("on-logs", "unknown", reason="logs are not evaluated here"),
                ]
            },
        )
    )
    result = CliRunner().invoke(application(), ["alerts", "dev"])
    lines = result.output.splitlines()
    assert lines[0] == "firing   ERROR     lost-budget  (60 minutes: 43.2)"
    assert "quiet-one  (60 minutes: no data)" in lines[1]
    assert "logs are not evaluated here" in lines[2]
    assert lines[-1] == "1 of 3 fire"
    assert result.exit_code == Exit.CHANGES
    assert rehearsed.asked[0][0] == f"/sandbox/v1/alerts/{PROJECT}"


def test_nothing_that_fires_is_success_and_json_is_for_machines(rehearsed: Server) -> None:
    rehearsed.answers.append((200, {"alerts": [policy("quiet-one", "quiet", values=[])]}))
    result = CliRunner().invoke(application(), ["alerts", "dev", "--json"])
    assert result.exit_code == 0
    (one,) = json.loads(result.output)["alerts"]
    assert one == {
        "name": "quiet-one", "severity": "ERROR", "state": "quiet", "detail": "60 minutes: no data",
    }  # fmt: skip


def test_a_stopped_sandbox_is_one_line_and_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "daemon_record", lambda _: None)
    with pytest.raises(CliError, match="is not running") as caught:
        alerting.rehearsed(PROJECT)
    assert "--real" in caught.value.hint


@pytest.fixture
def account(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Cloud Monitoring, and a `gcloud` that is signed in."""
    gcloud = tmp_path / "gcloud"
    gcloud.write_text('#!/bin/sh\n[ "$2" = print-access-token ] && echo ya29.token\n')
    gcloud.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(alerting, "MONITORING", f"http://127.0.0.1:{server.port}/v3")
    return server


def test_the_accounts_open_alerts_are_read_page_by_page(account: Server) -> None:
    alert = {
        "name": "projects/p/alerts/1",
        "openTime": "2026-11-26T10:00:00Z",
        "policy": {"displayName": "lost-budget", "severity": "CRITICAL"},
        "resource": {"labels": {"host": "models.example"}},
    }
    account.answers += [
        (200, {"alerts": [alert], "nextPageToken": "more"}),
        (200, {"alerts": [{"name": "projects/p/alerts/2"}]}),
    ]
    first, second = alerting.real(PROJECT)
    assert first.detail == "since 2026-11-26T10:00:00Z: host models.example"
    assert (first.name, first.state, second.name) == (
        "lost-budget",
        alerting.FIRING,
        "projects/p/alerts/2",
    )
    (path, token), (again, _) = account.asked
    assert path.startswith(f"/v3/projects/{PROJECT}/alerts?")
    assert parse_qs(urlsplit(path).query)["filter"] == ['state="OPEN"']
    assert parse_qs(urlsplit(again).query)["pageToken"] == ["more"]
    assert token == "Bearer ya29.token"


def test_the_accounts_refusal_is_one_line(account: Server) -> None:
    account.answers.append((403, {"error": {"message": "Permission denied"}}))
    with pytest.raises(CliError, match="403 Permission denied"):
        alerting.real(PROJECT)


def test_the_accounts_series_are_asked_for_in_promql(account: Server) -> None:
    series = [{"metric": {traffic.BACKEND: "acme-ml-dev-resnet"}, "value": [0, "2.5"]}]
    account.answers += [(200, {"status": "success", "data": {"result": series}})] * 5
    found = Monitoring(PROJECT, real=True).measured("acme-ml-dev-", {})
    assert found.seconds == 300
    assert found.backend("acme-ml-dev-resnet").rate == 2.5
    assert set(account.asked) == {
        (f"/v1/projects/{PROJECT}/location/global/prometheus/api/v1/query", "Bearer ya29.token")
    }
    assert all("[300s]" in query for query in account.queries)


def test_a_refused_query_is_one_line(account: Server) -> None:
    account.answers += [(403, {"error": {"message": "Permission denied"}})] * 5
    with pytest.raises(CliError, match="403 Permission denied"):
        Monitoring(PROJECT, real=True).measured("acme-ml-dev-", {})


UNAVAILABLE = (503, {"error": {"message": "the sandbox's Prometheus: it starts"}})
ANSWER = (200, {"status": "success", "data": {"result": []}})


def test_the_first_figures_are_waited_for_and_that_is_said(
    rehearsed: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(monitoring, "_PAUSE", 0.01)
    asked = Monitoring(PROJECT, real=False)
    rehearsed.answers += [UNAVAILABLE] * 10 + [ANSWER] * 20  # a question may be asked in vain
    assert asked.measured("acme-ml-dev-", {}).seconds == 60
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "waiting for the requests' figures, 60 s at most" in said[0]
    assert "503 the sandbox's Prometheus: it starts" in said[0]
    rehearsed.answers[:] = [UNAVAILABLE] * 10
    with pytest.raises(CliError, match="503 the sandbox"):  # later, what is shown says so at once
        asked.measured("acme-ml-dev-", {})


def test_figures_are_not_waited_for_without_end(
    rehearsed: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "_PATIENCE", 0.0)
    rehearsed.answers += [UNAVAILABLE] * 10
    with pytest.raises(CliError, match="503 the sandbox"):
        Monitoring(PROJECT, real=False).measured("acme-ml-dev-", {})
