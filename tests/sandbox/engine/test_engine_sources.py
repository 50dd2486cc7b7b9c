"""Which Pulumi and which Go are used: the order of the sources, and the minimum versions."""

from pathlib import Path

import pytest

from sandbox.engine import EngineError, build, go, pulumi_cli, reachability, tools


def _script(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def _on_path(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setenv("PATH", ":".join([*map(str, folders), "/usr/bin", "/bin"]))


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLATFORM_SANDBOX_HOME", raising=False)
    monkeypatch.delenv(tools.VARIABLE, raising=False)


def test_an_installed_pulumi_that_is_new_enough_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi = _script(tmp_path / "pulumi", "v3.999.0")
    host = _script(tmp_path / "pulumi-language-python", "")
    _on_path(monkeypatch, tmp_path)
    assert pulumi_cli.installed() == pulumi_cli.PulumiCli(pulumi, language_host=host)


@pytest.mark.parametrize("version", ["v3.245.9", "v2.999.0", "nonsense", ""])
def test_an_old_or_unknown_pulumi_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    _script(tmp_path / "pulumi", version)
    _script(tmp_path / "pulumi-language-python", "")
    _on_path(monkeypatch, tmp_path)
    assert pulumi_cli.installed() is None


def test_a_pulumi_without_a_python_host_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _script(tmp_path / "pulumi", "v3.999.0")
    _on_path(monkeypatch, tmp_path)
    assert pulumi_cli.installed() is None


def test_the_sandboxs_own_script_is_not_an_installed_pulumi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _script(tmp_path / "bin" / "pulumi", "v3.999.0")
    _script(tmp_path / "bin" / "pulumi-language-python", "")
    _on_path(monkeypatch, tmp_path / "bin")
    monkeypatch.setenv("PLATFORM_SANDBOX_HOME", str(tmp_path))
    assert pulumi_cli.installed() is None


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing installed, an empty cache, and an installer that cannot be reached."""
    _on_path(monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(reachability, "_PUBLIC", ())
    monkeypatch.setattr(pulumi_cli, "_INSTALLER", "http://127.0.0.1:1")
    return tmp_path / "gke-platform"


def test_without_an_installer_pulumi_is_built(no_network: Path) -> None:
    (no_network / build.entry(build.PULUMI).name / "bin").mkdir(parents=True)
    assert pulumi_cli.ensure(lambda _: None).pulumi.is_relative_to(no_network)


def test_an_installer_out_of_reach_is_one_error(
    no_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (no_network / build.entry(build.PULUMI).name / "bin").mkdir(parents=True)
    monkeypatch.setenv(tools.VARIABLE, tools.DOWNLOAD)
    with pytest.raises(EngineError, match=r"http://127\.0\.0\.1:1 cannot be reached") as caught:
        pulumi_cli.ensure(lambda _: None)
    assert tools.VARIABLE in caught.value.hint


def test_only_a_build_uses_no_downloaded_pulumi(
    no_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official = no_network / pulumi_cli._official_entry() / "bin"
    official.mkdir(parents=True)
    built = no_network / build.entry(build.PULUMI).name / "bin"
    built.mkdir(parents=True)
    assert pulumi_cli.ensure(lambda _: None).pulumi.parent == official
    monkeypatch.setenv(tools.VARIABLE, tools.BUILD)
    assert pulumi_cli.ensure(lambda _: None).pulumi.parent == built


def test_an_old_go_is_replaced_by_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _script(tmp_path / "go", "go1.19.8")
    _on_path(monkeypatch, tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packaged = tmp_path / "cache" / "gke-platform" / go.PACKAGE.replace("==", "-")
    _script(packaged / "go" / "bin" / "go", "go version")
    assert go.ensure(lambda _: None) == packaged / "go" / "bin" / "go"


def test_a_go_that_is_new_enough_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _script(tmp_path / "go", "go1.26.0")
    _on_path(monkeypatch, tmp_path)
    assert go.ensure(lambda _: None) == found


def test_every_tool_is_pinned() -> None:
    assert build.version(build.ACTIONLINT, "github.com/rhysd/actionlint").startswith("v")
    operator = "github.com/zalando/postgres-operator"
    assert build.version(build.POSTGRES, operator).startswith("v")
    assert build.version(build.KEDA, "github.com/kedacore/keda/v2").startswith("v")
    for tool_set in (build.PULUMI, build.KUBERNETES, build.GATEWAY_API):
        for module, _ in tool_set.module_folders.values():
            assert build.version(tool_set, module).startswith("v")
