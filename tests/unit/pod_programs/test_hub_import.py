"""The program that imports a model from Hugging Face, against servers that speak the APIs."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.serving.pod_programs import hub_import
from infra.serving.pod_programs.hub_import import MARKER, main
from tests.unit.pod_programs.hub_and_storage import COMMIT, World, served

FOLDER = "gs://models/words/v1"
WEIGHTS = "model.safetensors"
PART = 2**19


def safetensors(size: int = 1000) -> bytes:
    header = b'{"__metadata__":{}}'
    return struct.pack("<Q", len(header)) + header + bytes(range(256)) * (size // 256 + 1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.serving.pod_programs.hub_import.time.sleep", lambda _: None)
    monkeypatch.setattr(hub_import, "PART", PART)


@pytest.fixture
def world() -> Iterator[World]:
    files = {
        "config.json": b'{"architectures": []}',
        "empty.txt": b"",
        WEIGHTS: safetensors(),
        "pytorch_model.bin": b"pickle",
        "modeling.py": b"print()",
        "sub/tokenizer.model": b"words",
        "README.md": b"# Words",
    }
    with served(World(files=files, large=frozenset({WEIGHTS}))) as found:
        yield found


class Ran:
    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.world, self.log, self.secret = world, tmp_path / "log", tmp_path / "token"
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TERMINATION_LOG", str(self.log))
        monkeypatch.setenv("HF_TOKEN_PATH", str(self.secret))
        self.secret.write_text("")

    def __call__(self, *words: str) -> int:
        return main(["acme/words", "v1.0", FOLDER, *words])

    def refusal(self, *words: str) -> str:
        """The message of an import that fails, and leaves no record of one that is complete."""
        assert self(*words) == 1
        assert f"words/v1/{MARKER}" not in self.world.objects
        return self.log.read_text()


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ran:
    return Ran(world, monkeypatch, tmp_path)


def test_the_files_are_copied_without_pickles_and_programs(world: World, run: Ran) -> None:
    assert run() == 0
    names = {"config.json", "empty.txt", WEIGHTS, "sub/tokenizer.model", MARKER}
    assert world.objects.keys() == {f"words/v1/{name}" for name in names}
    for name in names - {MARKER}:
        assert world.objects[f"words/v1/{name}"] == world.files[name]
    record = json.loads(world.objects[f"words/v1/{MARKER}"])
    assert (record["from"], record["commit"]) == ("hf://acme/words", COMMIT)
    assert {one["path"] for one in record["files"]} == names - {MARKER}


def test_a_second_run_asks_the_hub_nothing(world: World, run: Ran) -> None:
    assert run() == 0
    before, world.asked = dict(world.objects), []
    assert run() == 0
    assert world.objects == before
    assert all(path.startswith(("/storage/", "/computeMetadata/")) for _, path in world.asked)


def test_files_that_were_deleted_are_copied_again_and_no_others(world: World, run: Ran) -> None:
    assert run() == 0
    del world.objects["words/v1/config.json"]
    world.asked = []
    assert run() == 0
    assert "words/v1/config.json" in world.objects
    assert [path for _, path in world.asked if "/resolve/" in path] == [
        f"/acme/words/resolve/{COMMIT}/config.json"
    ]


def test_the_record_is_written_last(world: World, run: Ran) -> None:
    assert run() == 0
    assert list(world.sessions.values())[-1]["name"] == f"words/v1/{MARKER}"


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_a_file_that_differs_from_its_digest_never_appears(
    world: World, run: Ran, name: str
) -> None:
    content = bytearray(world.files[name])
    content[-1] ^= 1
    world.changed = {name: bytes(content)}
    assert f"{name}: its " in run.refusal()
    assert f"words/v1/{name}" not in world.objects


def test_a_large_file_that_differs_in_its_last_byte_never_appears(world: World, run: Ran) -> None:
    content = safetensors(2 * PART + 5)
    world.files[WEIGHTS] = content
    world.changed = {WEIGHTS: content[:-1] + b"!"}
    assert "digest" in run.refusal()
    assert f"words/v1/{WEIGHTS}" not in world.objects


def test_a_longer_file_is_refused(world: World, run: Ran) -> None:
    world.changed = {"config.json": world.files["config.json"] + b" "}
    assert "bytes, and the hub lists" in run.refusal()


@pytest.mark.parametrize("size", [PART - 275, PART, 2 * PART, 2 * PART + 1, 3 * PART])
def test_files_of_several_parts_arrive_whole(world: World, run: Ran, size: int) -> None:
    content = safetensors(size)[:size]
    world.files = {WEIGHTS: content}
    assert run() == 0
    assert world.objects[f"words/v1/{WEIGHTS}"] == content


def test_an_answer_that_is_cut_off_is_continued(world: World, run: Ran) -> None:
    world.files[WEIGHTS] = safetensors(PART + 10)
    world.cut_after = PART // 2
    assert run() == 0
    assert world.objects[f"words/v1/{WEIGHTS}"] == world.files[WEIGHTS]


def test_a_part_that_arrives_by_half_is_completed(world: World, run: Ran) -> None:
    world.files = {WEIGHTS: safetensors(3 * PART)}
    world.lose_parts = 2
    assert run() == 0
    assert world.objects[f"words/v1/{WEIGHTS}"] == world.files[WEIGHTS]


def test_servers_that_are_busy_are_asked_again(world: World, run: Ran) -> None:
    world.busy = 3
    assert run() == 0


def test_a_grant_that_is_not_known_yet_is_waited_for(world: World, run: Ran) -> None:
    world.refused = 4
    assert run() == 0


def test_a_grant_that_is_missing_is_reported(
    world: World, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_import, "PATIENCE", 0.0)
    world.refused = 1000
    assert run.refusal() == (
        "Cloud Storage refuses to write to gs://models/words/v1: no storage.objects.create"
    )


def test_the_token_is_shown_to_the_hub_and_to_no_other_host(world: World, run: Ran) -> None:
    world.token = "hf_abc"
    run.secret.write_text("hf_abc\n")
    assert run() == 0
    shown = {path for path, value in world.authorizations if value == "Bearer hf_abc"}
    assert any(path.startswith("/acme/words/resolve/") for path in shown)
    assert not any(path.startswith(("/cdn/", "/storage/", "/upload/")) for path in shown)
    assert [value for path, value in world.authorizations if path.startswith("/cdn/")] == [None]


@pytest.mark.parametrize(
    ("code", "token", "meant"),
    [
        ("GatedRepo", "", "acme/words is gated: set import.token"),
        ("GatedRepo", "hf_other", "accept its licence"),
        ("", "", "private or does not exist; correct import.from, or set import.token"),
        ("", "hf_other", "the token may not read acme/words"),
    ],
)
def test_a_model_that_may_not_be_read_is_explained(
    world: World, run: Ran, code: str, token: str, meant: str
) -> None:
    world.token, world.code = "hf_abc", code
    run.secret.write_text(token)
    message = run.refusal()
    assert meant in message
    assert "\n" not in message


def test_a_revision_that_is_not_there_is_explained(world: World, run: Ran) -> None:
    world.code = "RevisionNotFound"
    assert main(["acme/words", "v2.0", FOLDER]) == 1
    assert run.log.read_text() == "acme/words has no such revision; correct import.revision"
    assert not world.objects


def test_a_revision_of_pickles_only_is_refused(world: World, run: Ran) -> None:
    del world.files[WEIGHTS]
    assert run.refusal().startswith("the revision has no *.safetensors; it has pytorch_model.bin")


@pytest.mark.parametrize("pattern", ["*.bin", "*", "PYTORCH_MODEL.BIN", "pytorch_*"])
def test_pickles_are_imported_only_if_that_is_said(world: World, run: Ran, pattern: str) -> None:
    world.files["PYTORCH_MODEL.BIN"] = b"pickle"
    assert "can run code when loaded" in run.refusal("--include", pattern)
    assert not any(name.lower().endswith(".bin") for name in world.objects)
    assert run("--include", pattern, "--pickles") == 0
    assert any(name.lower().endswith(".bin") for name in world.objects)


def test_a_pickle_under_the_name_of_safetensors_is_refused(world: World, run: Ran) -> None:
    world.files[WEIGHTS] = b"\x80\x04" + b"pickle" * 100
    assert run.refusal() == "model.safetensors is not in the format safetensors"


def test_included_and_excluded_files(world: World, run: Ran) -> None:
    assert run("--include", "*.json", "--include", "*.py", "--exclude", "config*") == 0
    assert world.objects.keys() == {"words/v1/modeling.py", f"words/v1/{MARKER}"}


def test_patterns_that_match_nothing_are_refused(run: Ran) -> None:
    assert "no file matches *.gguf" in run.refusal("--include", "*.gguf")


def test_a_model_that_is_too_large_is_refused_before_a_file_is_copied(
    world: World, run: Ran
) -> None:
    assert "the pods have room for" in run.refusal("--largest", "10")
    assert not world.objects


@pytest.mark.parametrize("exclude", [[], ["--exclude", "model-2*"]])
def test_an_index_names_shards_that_must_be_there(
    world: World, run: Ran, exclude: list[str]
) -> None:
    shards = ["model-1.safetensors", "model-2.safetensors"]
    index = {"weight_map": {f"layer{n}": name for n, name in enumerate(shards)}}
    world.files = {name: safetensors() for name in shards}
    world.files["model.safetensors.index.json"] = json.dumps(index).encode()
    if exclude:
        assert "names model-2.safetensors, which are not imported" in run.refusal(*exclude)
    else:
        assert run() == 0


def test_an_interrupted_import_continues_where_it_was(world: World, run: Ran) -> None:
    world.files[WEIGHTS] = safetensors(PART * 2)
    world.changed = {WEIGHTS: b"x" * len(world.files[WEIGHTS])}
    run.refusal()
    world.changed, world.asked = {}, []
    assert run() == 0
    assert not any(path.endswith("config.json") for _, path in world.asked if "resolve" in path)
