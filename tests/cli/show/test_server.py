"""A served page: what changes is pushed, and only to browsers that ask for this machine."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cli.errors import CliError, Exit
from cli.show import board, page, server
from cli.show.board import Board
from cli.show.cluster import Pod
from cli.show.picture import Picture, Zone
from cli.show.server import Server
from tests.cli.courses import running
from tests.cli.show.pictures import picture


def with_pod(of: Picture, state: str) -> Picture:
    """The picture with the first model's pods in a state."""
    first, *others = of.models
    pods = (Pod(name="one", node="node-1", zone="europe-west4-a", state=state),)
    changed = replace(first.versions[0], zones=(Zone(name="europe-west4-a", pods=pods),))
    model = replace(first, versions=(changed, *first.versions[1:]))
    return replace(of, models=(model, *others))


@pytest.fixture
def served() -> Iterator[Server]:
    found = Server(0, Board(picture()))
    with found.running():
        yield found


def asked(served: Server, path: str, host: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=60)
    connection.request("GET", path, headers={"Host": host} if host else {})
    return connection.getresponse()


def events(answer: http.client.HTTPResponse, count: int) -> list[tuple[str, str, object]]:
    """The next events: kind, id and data."""
    found: list[tuple[str, str, object]] = []
    fields: dict[str, str] = {}
    while len(found) < count:
        line = answer.readline().decode().rstrip("\n")
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "event" in fields:
            found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
            fields = {}
    return found


def test_the_page_is_that_of_a_file_with_a_script_more(served: Server) -> None:
    text = asked(served, "/").read().decode()
    assert 'data-number="1"' in text
    assert "EventSource" in text
    assert "EventSource" not in page.html(picture(), root=".")


def test_the_scripts_of_the_page_are_those_that_it_may_run(served: Server) -> None:
    answer = asked(served, "/")
    allowed = answer.headers["Content-Security-Policy"]
    scripts = re.findall(r"<script>(.*?)</script>", answer.read().decode(), re.DOTALL)
    assert scripts == [page.script(name) for name in page.SCRIPTS]
    assert allowed.count("'sha256-") == len(scripts)
    assert "default-src 'none'" in allowed


def test_a_change_is_pushed_as_the_part_that_differs(served: Server) -> None:
    answer = asked(served, "/events?since=1")
    served.board.show(with_pod(picture(), "failed"))
    ((kind, number, parts),) = events(answer, 1)
    assert (kind, number) == ("parts", "2")
    assert isinstance(parts, dict)
    assert set(parts) == {"body:model-0000"}
    assert "pod failed" in parts["body:model-0000"]


def test_a_browser_that_is_behind_gets_all_that_it_missed(served: Server) -> None:
    served.board.show(with_pod(picture(), "failed"))
    served.board.show(replace(with_pod(picture(), "failed"), pools=()))
    ((_, number, parts),) = events(asked(served, "/events?since=1"), 1)
    assert number == "3"
    assert isinstance(parts, dict)
    assert {"body:model-0000", "pools", "summary"} == set(parts)
    ((_, _, every),) = events(asked(served, "/events?since=77"), 1)
    assert isinstance(every, dict)
    assert {"models", "layers", "alerts", "policies"} < set(every)


def test_models_that_come_replace_the_section() -> None:
    before, after = (page.parts(picture(count), root=".") for count in (2, 3))
    found = board.changed(before, after)
    assert "model-0002" in found["models"]
    assert not [name for name in found if ":" in name or name == "frame"]


def test_a_picture_that_shows_the_same_is_no_news(served: Server) -> None:
    served.board.show(picture())
    assert served.board.version.number == 1


def test_a_failure_is_pushed_and_the_next_reading_takes_it_back(served: Server) -> None:
    answer = asked(served, "/events?since=1")
    served.board.fail("the cluster has not answered in 60 s")
    assert events(answer, 1) == [("trouble", "", "the cluster has not answered in 60 s")]
    served.board.show(picture())
    assert events(answer, 1) == [("parts", "1", {})]


def test_a_drill_is_pushed_between_two_readings_of_the_cluster(served: Server) -> None:
    def reading() -> Picture:
        raise AssertionError("it is not yet time")

    watched = (reading, lambda: (running(),), served, 3600.0)
    threading.Thread(target=server.watch, args=watched, daemon=True).start()
    ((kind, _, parts),) = events(asked(served, "/events?since=1"), 1)
    assert kind == "parts"
    assert isinstance(parts, dict)
    assert set(parts) == {"courses", "summary"}
    assert "rolling-update of resnet" in parts["courses"]
    assert "another pod template" in parts["courses"]


def test_a_failure_is_told_again_after_a_change(served: Server) -> None:
    answer = asked(served, "/events?since=1")
    served.board.fail("the cluster has not answered in 60 s")
    assert events(answer, 1)[0][0] == "trouble"
    served.board.show_courses((running(),))
    assert [kind for kind, _, _ in events(answer, 2)] == ["parts", "trouble"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", ""])
@pytest.mark.parametrize("path", ["/", "/events?since=0", "/source/stacks/Pulumi.dev.yaml"])
def test_another_name_is_refused(served: Server, path: str, host: str) -> None:
    answer = asked(served, path, host or "x")
    assert answer.status == 421
    assert b"acme" not in answer.read()


def test_localhost_is_answered(served: Server) -> None:
    assert asked(served, "/", f"localhost:{served.server_port}").status == 200


def test_a_linked_file_is_sent_with_its_lines_and_no_other(served: Server) -> None:
    answer = asked(served, "/source/stacks/Pulumi.dev.yaml")
    assert answer.status == 200
    assert '<span id="L48">' in answer.read().decode()
    for path in (
        "/source/pyproject.toml",
        "/source/../pyproject.toml",
        "/source/stacks/Pulumi.prod.yaml",
        "/source/..%2f..%2fetc/passwd",
        "/source/",
    ):
        assert asked(served, path).status == 404


def test_what_is_encrypted_in_a_file_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ROOT", tmp_path)
    stack = tmp_path / "stacks" / "Pulumi.dev.yaml"
    stack.parent.mkdir()
    stack.write_text("config:\n  a:b:\n    secure: v1:CANARY\n  c:\n    - secure: AAABCANARY\n")
    text = server._source(stack)
    assert "CANARY" not in text
    assert text.count("(encrypted)") == 2


def test_a_port_that_is_taken_is_one_error(served: Server) -> None:
    with pytest.raises(CliError, match=f"port {served.server_port} of 127.0.0.1") as raised:
        Server(served.server_port, Board(picture()))
    assert raised.value.code is Exit.USAGE
    assert "--port" in raised.value.hint


def test_nothing_is_read_until_a_browser_comes(served: Server) -> None:
    read, never = threading.Event(), threading.Event()

    def reading() -> Picture:
        assert browser.is_set()
        if read.is_set():
            never.wait()
        read.set()
        return with_pod(picture(), "failed")

    browser = threading.Event()
    watched = (reading, tuple, served, 0.01)
    threading.Thread(target=server.watch, args=watched, daemon=True).start()
    browser.set()
    answer = asked(served, "/events?since=1")
    assert read.wait(30)
    assert events(answer, 1)[0][0] == "parts"
