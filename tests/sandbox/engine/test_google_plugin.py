"""The official Google plugin: downloaded once by the CLI, and a failure is remembered."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from cli.arguments import Which
from cli.commands.sandbox import _google_plugin
from cli.errors import CliError
from sandbox import engine, lifecycle
from sandbox.engine import google_plugin

SCRIPT = b"#!/bin/sh\necho a plugin\n"


class Host:
    """A host of downloads with one archive, which can be taken away."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.archive: bytes = _archive("pulumi-resource-gcp")
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(404)
                self.end_headers()

            def do_GET(self) -> None:
                host.asked.append(self.path)
                self.send_response(200 if host.archive else 404)
                self.send_header("Content-Length", str(len(host.archive)))
                self.end_headers()
                self.wfile.write(host.archive)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def _archive(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(SCRIPT), 0o755
        archive.addfile(entry, io.BytesIO(SCRIPT))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def tools() -> engine.Engine:
    return engine.ensure()


@pytest.fixture
def host(tools: engine.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The host, and an empty cache. The tools are found before the cache is changed."""
    running = Host()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES", f"^https://get={running.address}")
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.mark.slow
def test_the_plugin_is_downloaded_once(tools: engine.Engine, host: Host) -> None:
    said: list[str] = []
    found = google_plugin.find(tools.pulumi, said.append)
    assert found is not None
    assert found.read_bytes() == SCRIPT
    assert google_plugin.find(tools.pulumi, said.append) == found
    (asked,) = host.asked
    assert f"pulumi-resource-gcp-v{version('pulumi-gcp')}" in asked
    assert said == ["looking for the official Google plugin"]
    assert google_plugin.refusal() == ""


def test_a_host_that_cannot_be_reached_is_asked_once(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host.server.shutdown()
    host.server.server_close()
    said: list[str] = []
    unused = tmp_path / "no-such-pulumi"  # the CLI, which tries for long, is not even started
    for _ in range(2):
        assert google_plugin.find(unused, said.append) is None
    assert len(said) == 2
    assert f"cannot be had ({host.address}" in said[1]
    assert google_plugin.find(unused, said.append, again=True) is None
    assert len(said) == 4


def test_what_was_asked_for_and_cannot_be_had_is_an_error(
    tools: engine.Engine, host: Host, tmp_path: Path
) -> None:
    home = lifecycle.Home(tmp_path / "home")
    host.server.shutdown()
    host.server.server_close()
    assert _google_plugin(home, tools, None) is None
    assert _google_plugin(home, tools, Which.OWN) is None
    with pytest.raises(CliError, match="the official Google plugin cannot be had") as caught:
        _google_plugin(home, tools, Which.OFFICIAL)
    assert "--plugins own" in caught.value.hint


def test_an_archive_without_the_plugin_is_refused(tmp_path: Path, host: Host) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.write_text("#!/bin/sh\nmkdir -p $PULUMI_HOME/plugins/resource-gcp; exit 0\n")
    pulumi.chmod(0o755)
    said: list[str] = []
    assert google_plugin.find(pulumi, said.append) is None
    assert "no reason given" in google_plugin.refusal()


def test_the_choice_of_a_sandbox_is_remembered(
    tools: engine.Engine, host: Host, tmp_path: Path
) -> None:
    pulumi = tmp_path / "pulumi"
    script = "#!/bin/sh\nmkdir -p $PULUMI_HOME/plugins/x && echo >$PULUMI_HOME/plugins/x/"
    pulumi.write_text(f"{script}{google_plugin.NAME}\n")
    pulumi.chmod(0o755)
    assert google_plugin.find(pulumi, lambda _: None) is not None
    home = lifecycle.Home(tmp_path / "home")
    home.prepare()
    assert _google_plugin(home, tools, None) is not None
    home.plugins.write_text("own\n")
    assert _google_plugin(home, tools, None) is None
    assert _google_plugin(home, tools, Which.OFFICIAL) is not None


@pytest.mark.slow
def test_either_plugin_is_installed_under_the_version_of_the_sdk(
    tools: engine.Engine, tmp_path: Path
) -> None:
    from sandbox import installation

    home = lifecycle.Home(tmp_path / "home")
    home.prepare()
    official = tmp_path / google_plugin.NAME
    official.write_bytes(SCRIPT)
    installed = home.pulumi / f"plugins/resource-gcp-v{version('pulumi-gcp')}" / google_plugin.NAME
    installation.install(home, tools, official)
    assert installed.read_bytes() == SCRIPT
    assert lifecycle.status(home).plugins == "official"
    installation.install(home, tools)
    assert b"sandbox.plugins.gcp" in installed.read_bytes()
    assert official.read_bytes() == SCRIPT
    assert lifecycle.status(home).plugins == "own"
