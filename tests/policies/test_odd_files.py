"""Each oddity of a file has one documented answer, and never hides what is beside it.

docs/concepts/policies.md has the table.
"""

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from policies.reports import as_json
from policies.sources import read_all

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\nspec: {hostNetwork: true}\n"
JSON = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "good"}}'


def names(path: Path) -> tuple[list[str], list[str]]:
    """The names of what was read, and what was refused, without the folder."""
    resources, refused = read_all([path])
    return [one.name for one in resources], [one.replace(f"{path}", "FILE", 1) for one in refused]


def write(folder: Path, content: str | bytes, name: str = "odd.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "", " \n", "# a\n# b\n", "---\n---\n", "null", "~",
        "apiVersion: v1\nkind: List\nitems: []\n",
        "apiVersion: v1\nkind: List\nitems: [null]\n",
        "apiVersion: v1\nkind: List\nitems: null\n",
        "apiVersion: v1\nkind: List\n",
        "apiVersion: v1\nkind: PodList\n",
    ],
)  # fmt: skip
def test_nothing_is_no_object_and_no_error(tmp_path: Path, text: str) -> None:
    assert names(write(tmp_path, text)) == ([], [])


def test_a_custom_kind_may_end_in_list(tmp_path: Path) -> None:
    text = "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: good}\n"
    assert names(write(tmp_path, text)) == (["good"], [])


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ("a: [1", "FILE:2: not YAML: did not find expected"),
        ("a: 'x", "FILE:2: not YAML: found unexpected"),
        ("a:\n\tb: 1", "FILE:2: not YAML: found character that cannot start any token"),
        ("{{ .Values.pod }}: {{ end }}", "FILE:1: not YAML: "),
        ("just words", "FILE:1: not a Kubernetes object"),
        ("kind: Pod", "FILE:1: the object has no apiVersion"),
        ("apiVersion: v1\nkind: List\nitems: {}", "FILE:1: items of the List is not a list"),
        ("apiVersion: v1\nkind: List\nitems:\n- 1\n", "FILE:4: an item of a list is not an object"),
        (f"{POD}kind: Pod\n", 'FILE:5: not YAML: the key "kind" is given twice'),
        ('a: !!python/object/apply:os.system ["false"]', "FILE:1: not YAML: could not determine"),
        ("Resources: {Name: !Ref Other}", "FILE:1: not YAML: could not determine a constructor"),
        ("? [a]\n: b", "FILE:1: not YAML: found unhashable key"),
        ("a: &a [*a]", "FILE:1: not YAML: its aliases stand for values without end"),
        ("a: *missing", "FILE:1: not YAML: found undefined alias"),
        ("a: " + "[" * 3_000 + "]" * 3_000, "FILE:1: nested too deeply"),
        ("a: " + "[" * 100_000, "FILE:1: nested too deeply"),
        ("- " * 100_000, "FILE:1: nested too deeply"),
        ("".join(f"{' ' * n}a:\n" for n in range(2_000)), "FILE:1001: nested too deeply"),
        (f"a: 1{'0' * 5_000}", "FILE:1: not YAML: Exceeds the limit"),
        ("a: \x01", "FILE:1: not YAML: unacceptable character"),
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_a_refused_document_hides_none_beside_it(tmp_path: Path, odd: str, said: str) -> None:
    read, (refused,) = names(write(tmp_path, f"{odd}\n---\n{POD}"))
    assert refused.startswith(said)
    assert read == ["good"]
    (read, (refused,)) = names(write(tmp_path, f"{POD}---\n{odd}\n---\n{POD}"))
    line = int(said.split(":")[1]) + 5
    assert refused.startswith(said.replace(said.split(":")[1], str(line), 1))
    assert read == ["good", "good"]


def test_aliases_are_not_expanded_without_end(tmp_path: Path) -> None:
    letters = "abcdefghij"
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n" for before, one in pairwise(letters)
    )
    read, (refused,) = names(write(tmp_path, f"{bomb}---\n{POD}"))
    assert read == ["good"]
    assert "its aliases stand for" in refused


def test_brackets_in_text_are_no_nesting(tmp_path: Path) -> None:
    text = f"{POD}data: |\n  {'[' * 3_000}\n"
    assert names(write(tmp_path, text)) == (["good"], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{JSON}\n{JSON[:-1]}, }}", "FILE:2: not JSON: "),
        (f'{JSON}\n{JSON[:-1]},\n"kind": "Pod"}}', 'FILE:3: the key "kind" is given twice'),
        (f"{JSON}\n[1]", "FILE:2: not a Kubernetes object"),
        (f"{JSON}\n{'[' * 100_000}", "FILE:2: nested too deeply"),
    ],
)
def test_a_refused_json_document_hides_none_before_it(tmp_path: Path, text: str, said: str) -> None:
    read, (refused,) = names(write(tmp_path, text, "odd.json"))
    assert read == ["good"]
    assert refused.startswith(said)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", [POD, POD.replace("\n", "\r\n"), JSON, f"{JSON}\n{JSON}"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str, text: str) -> None:
    read, refused = names(write(tmp_path, text.encode(encoding)))
    assert set(read) == {"good"}
    assert refused == []


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    _, (refused,) = names(write(tmp_path, POD.encode() + b"# caf\xe9"))
    assert refused == f"FILE: not UTF-8: byte {len(POD) + 5} cannot be decoded"


@pytest.mark.parametrize("value", ["2026-01-01", "12:30", "1:30.5", "=", "0o17"])
def test_what_yaml_1_1_alone_reads_otherwise_is_text(tmp_path: Path, value: str) -> None:
    file = write(tmp_path, f"{POD.replace('spec', f'a: {value}{chr(10)}spec')}")
    (pod,), _ = read_all([file])
    assert pod.props["a"] == value


def test_a_merge_key_is_followed_and_may_be_overridden(tmp_path: Path) -> None:
    text = f"a: &a {{name: base, b: 1}}\n{POD.replace('{name: good}', '{<<: *a, name: good}')}"
    (pod,), refused = read_all([write(tmp_path, text)])
    assert pod.props["metadata"] == {"name": "good", "b": 1}
    assert refused == []


def test_a_folder_is_read_whatever_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "x.yaml"
    folder.mkdir()
    write(folder, POD, "a.yaml")
    (folder / "b.yaml").symlink_to("a.yaml")  # the same file
    (folder / "c.yaml").symlink_to("nowhere")
    (folder / "d.yaml").symlink_to("d.yaml")
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "e.yaml")
    (folder / "f.yaml").mkdir()
    write(folder / "f.yaml", POD.replace("good", "inner"), "g.json")
    resources, refused = read_all([tmp_path, folder / "a.yaml"])
    assert [one.name for one in resources] == ["good", "inner"]
    assert refused == [
        f"{folder / 'c.yaml'}: a link to nothing, or to itself",
        f"{folder / 'd.yaml'}: a link to nothing, or to itself",
        f"{folder / 'e.yaml'}: not a regular file",
    ]


def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, POD, "good.yaml")
    closed = write(tmp_path, POD, "closed.yaml")
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == closed:  # root may read everything, so the refusal is made up
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    resources, refused = read_all([tmp_path])
    assert [one.name for one in resources] == ["good"]
    assert refused == [f"{closed}: cannot be read: Permission denied"]


def test_thousands_of_documents_keep_their_lines(tmp_path: Path) -> None:
    resources, refused = read_all([write(tmp_path, "---\n".join([POD] * 10_000))])
    assert refused == []
    assert [one.line for one in resources] == list(range(1, 50_000, 5))


def test_a_name_that_is_no_unicode_is_escaped_in_json() -> None:
    given = {"file": "m\udcff.yaml", "fix": "name:tag@sha256:… 😀"}
    shown = as_json.to_json(given)
    assert shown.isascii()
    assert json.loads(shown) == given
