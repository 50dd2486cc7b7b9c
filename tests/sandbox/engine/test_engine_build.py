"""Building tools from a pinned go.mod with the real compiler; a failure names its reason."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.engine import EngineError, build, go

HELLO = build.ToolSet(
    name="hello",
    minutes="a moment",
    tools={"hello": "example.test/hello", "greet": "example.test/hello"},
    variables={"main.version": "v1.2.3"},
    module_folders={"data": ("example.test/hello", ("data",))},
)
PROGRAM = 'package main\n\nvar version = "unset"\n\nfunc main() { println(version) }\n'


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go compiler's cache. Go's own library is compiled once for all these tests."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def source(tmp_path: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "modules" / "hello"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "note").write_text("kept")
    (folder / "go.mod").write_text("module example.test/hello\n\ngo 1.26.0\n")
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text(PROGRAM)
    monkeypatch.setattr(build, "_MODULES", tmp_path / "modules")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GOCACHE", str(compiled))
    return folder


def _entries(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "cache" / "gke-platform").iterdir() if p.is_dir())


def test_a_build_yields_binaries_with_their_version_and_data(source: Path) -> None:
    said: list[str] = []
    folder = build.ensure(HELLO, said.append)
    run = subprocess.run([folder / "bin" / "greet"], capture_output=True, text=True, check=True)
    assert run.stderr == "v1.2.3\n"
    assert (folder / "modules" / "data" / "data" / "note").read_text() == "kept"
    assert any("once only" in line for line in said)


def test_a_set_without_tools_is_its_data_alone(source: Path) -> None:
    data = build.ToolSet(
        name="hello", minutes="no time", tools={}, module_folders=HELLO.module_folders
    )
    folder = build.ensure(data, lambda _: None)
    assert (folder / "modules" / "data" / "data" / "note").read_text() == "kept"
    assert not (folder / "bin").exists()


def test_a_second_build_is_taken_from_the_cache(source: Path) -> None:
    first = build.ensure(HELLO, lambda _: None)
    said: list[str] = []
    assert build.ensure(HELLO, said.append) == first
    assert said == []


def test_a_new_pin_is_built_again(source: Path, tmp_path: Path) -> None:
    build.ensure(HELLO, lambda _: None)
    (source / "go.sum").write_text("\n")
    build.ensure(HELLO, lambda _: None)
    assert len(_entries(tmp_path)) == 2


def test_a_failed_build_names_the_reason_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    (source / "main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    with pytest.raises(EngineError, match="nonsense"):
        build.ensure(HELLO, lambda _: None)
    assert _entries(tmp_path) == []


def test_a_killed_compiler_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler, temporary = tmp_path / "go", tmp_path / "tmp"
    compiler.write_text('#!/bin/sh\nmktemp -d "${GOTMPDIR:-$TMPDIR}/go-buildXXXXXX"; kill -9 $$\n')
    compiler.chmod(0o755)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(go, "ensure", lambda _: compiler)
    with pytest.raises(EngineError):
        build.ensure(HELLO, lambda _: None)
    assert list(temporary.iterdir()) == []
    assert _entries(tmp_path) == []


def test_a_proxy_out_of_reach_is_named(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("GOMODCACHE", str(source / "empty"))
    (source / "go.mod").write_text(
        "module example.test/hello\n\ngo 1.26.0\n\nrequire example.test/absent v1.0.0\n"
    )
    (source / "main.go").write_text(
        'package main\n\nimport _ "example.test/absent"\n\nfunc main() {}\n'
    )
    with pytest.raises(EngineError, match="the Go module proxy cannot be reached"):
        build.ensure(HELLO, lambda _: None)


def test_main_embeds_files_of_its_modules(source: Path) -> None:
    (source / "main.go").write_text(
        'package main\n\nimport _ "embed"\n\n//go:embed note\nvar note string\n\n'
        "func main() { println(note) }\n"
    )
    embedding = build.ToolSet(
        name="hello",
        minutes="a moment",
        tools={"hello": "example.test/hello"},
        embedded={"example.test/hello": ("data/note",)},
    )
    folder = build.ensure(embedding, lambda _: None)
    run = subprocess.run([folder / "bin" / "hello"], capture_output=True, text=True, check=True)
    assert run.stderr == "kept\n"


@pytest.fixture
def edited(source: Path, tmp_path: Path) -> Callable[[str], build.ToolSet]:
    """A tool that depends on a module, and edits the word `unedited` of it."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "go.mod").write_text("module example.test/other\n\ngo 1.26.0\n")
    (other / "other.go").write_text('package other\n\nconst Word = "unedited"\n')
    (source / "go.mod").write_text(
        "module example.test/hello\n\ngo 1.26.0\n\nrequire example.test/other v1.0.0\n\n"
        f"replace example.test/other => {other}\n"
    )
    (source / "main.go").write_text(
        'package main\n\nimport "example.test/other"\n\nfunc main() { println(other.Word) }\n'
    )

    def tool_set(old: str) -> build.ToolSet:
        return build.ToolSet(
            name="hello",
            minutes="a moment",
            tools={"hello": "example.test/hello"},
            edits={"example.test/other": (build.Edit("other.go", old, "edited"),)},
        )

    return tool_set


def test_an_edit_changes_what_is_built(edited: Callable[[str], build.ToolSet]) -> None:
    folder = build.ensure(edited("unedited"), lambda _: None)
    run = subprocess.run([folder / "bin" / "hello"], capture_output=True, text=True, check=True)
    assert run.stderr == "edited\n"


def test_an_edit_that_does_not_apply_is_an_error(edited: Callable[[str], build.ToolSet]) -> None:
    with pytest.raises(EngineError, match=r"other\.go has changed"):
        build.ensure(edited("something else"), lambda _: None)
