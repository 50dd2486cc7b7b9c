"""Which Kubernetes plugin is used: the order of the sources, and what a failed download costs."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from sandbox.engine import EngineError, build, kubernetes_plugin

VERSION = version("pulumi-kubernetes")
FOLDER = Path("plugins", f"resource-kubernetes-v{VERSION}")
Cli = Callable[[str], Path]


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLATFORM_SANDBOX_HOME", "PLATFORM_ENGINE_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The entry of a build; building it takes no time."""
    folder = tmp_path / "cache" / "gke-platform" / "built"

    def build_it(*_: object) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    monkeypatch.setattr(build, "ensure", build_it)
    monkeypatch.setattr(build, "is_built", lambda _: folder.is_dir())
    return folder / "bin" / kubernetes_plugin.BINARY


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Makes a `pulumi` that runs a shell script and counts its calls."""

    def make(script: str) -> Path:
        pulumi = tmp_path / "pulumi"
        pulumi.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/calls"\n{script}\n')
        pulumi.chmod(0o755)
        return pulumi

    return make


def _calls(tmp_path: Path) -> list[str]:
    file = tmp_path / "calls"
    return file.read_text().splitlines() if file.exists() else []


def _plugin_in(home: Path) -> Path:
    plugin = home / FOLDER / kubernetes_plugin.BINARY
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    return plugin


INSTALLS = f'd="$PULUMI_HOME/{FOLDER}"; mkdir -p "$d"; echo ok >"$d/{kubernetes_plugin.BINARY}"'
FAILS = (
    'echo "[resource plugin kubernetes] installing"\n'
    'echo "warning: Error downloading plugin: Get \\"https://x\\": lookup x: no such host"\n'
    "exec sleep 60"
)


def test_an_installed_plugin_is_used(tmp_path: Path, built: Path, cli: Cli) -> None:
    plugin = _plugin_in(tmp_path / "home")
    assert kubernetes_plugin.ensure(cli(INSTALLS), lambda _: None) == plugin
    assert _calls(tmp_path) == []


def test_the_plugin_of_an_interrupted_installation_is_not_used(tmp_path: Path) -> None:
    plugin = _plugin_in(tmp_path / "home")
    plugin.parent.with_name(f"{plugin.parent.name}.partial").touch()
    assert kubernetes_plugin.installed() is None


def test_the_sandboxs_own_copy_is_not_an_installed_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plugin_in(tmp_path / "home" / "pulumi")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("PLATFORM_SANDBOX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home" / "pulumi"))
    assert kubernetes_plugin.installed() is None


def test_a_plugin_is_downloaded_once(tmp_path: Path, built: Path, cli: Cli) -> None:
    first = kubernetes_plugin.ensure(cli(INSTALLS), lambda _: None)
    assert first.read_text() == "ok\n"
    assert kubernetes_plugin.ensure(cli(INSTALLS), lambda _: None) == first
    (call,) = _calls(tmp_path)
    assert call.startswith(f"plugin install resource kubernetes {VERSION}")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (FAILS, "lookup x: no such host"),
        ("echo 'error: no such plugin'; exit 1", "error: no such plugin"),
        ("exit 1", "no reason given"),
        ("true", "the CLI installed nothing"),
    ],
)
def test_a_plugin_that_cannot_be_downloaded_is_built(
    tmp_path: Path, built: Path, cli: Cli, script: str, reason: str
) -> None:
    said: list[str] = []
    for _ in range(2):
        assert kubernetes_plugin.ensure(cli(script), said.append) == built
    assert len(_calls(tmp_path)) == 1, "it asks again although one is built"
    assert said[1:] == [
        f"the official Kubernetes plugin cannot be had ({reason}): building it instead"
    ]


def test_only_a_download_is_an_error_where_there_is_none(
    tmp_path: Path, built: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_ENGINE_SOURCE", "download")
    with pytest.raises(EngineError, match="cannot be had: lookup x: no such host"):
        kubernetes_plugin.ensure(cli(FAILS), lambda _: None)


def test_only_a_build_asks_for_no_download(
    tmp_path: Path, built: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_ENGINE_SOURCE", "build")
    assert kubernetes_plugin.ensure(cli(INSTALLS), lambda _: None) == built
    assert _calls(tmp_path) == []


def test_the_build_shares_what_the_cli_compiles() -> None:
    module = "github.com/pulumi/pulumi/pkg/v3"
    mine = build.version(kubernetes_plugin.tool_set(), module)
    assert mine == build.version(build.PULUMI, module)


def test_the_build_is_of_the_sdks_version() -> None:
    variables = kubernetes_plugin.tool_set().variables
    assert set(variables.values()) == {VERSION}
