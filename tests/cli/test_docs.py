"""The documents: every link resolves, and every path that they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "stacks/*.md", "infra/*/README.md", "*/README.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.<>*-]+(/[\w.<>*{},-]+)+/?")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}


def prose(text: str) -> str:
    """The text without its code blocks."""
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The fragments that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def broken_links(document: Path, text: str) -> list[str]:
    """The relative links of a document that lead nowhere."""
    found = []
    for link in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (
            fragment and fragment not in anchors(target.read_text(encoding="utf-8"))
        ):
            found.append(link)
    return found


def missing_paths(text: str) -> list[str]:
    """The paths in backticks that do not exist; `<word>` and `*` stand for any name."""
    found = []
    for code in CODE.findall(prose(text)):
        word = code.removeprefix("./").split(" ")[0].rstrip(":")
        if not PATH.fullmatch(word) or word.split("/")[0] not in FOLDERS:
            continue
        pattern = re.sub(r"<[^>]*>|[A-Z]{3,}(?=\.\w+$)", "*", word).rstrip("/")
        if not any(ROOT.glob(pattern)):
            found.append(code)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_resolves_and_a_named_path_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert broken_links(document, text) == []
    assert missing_paths(text) == []


def test_a_broken_link_and_a_missing_path_are_found() -> None:
    text = "# One two\n[a](nothing.md) [b](#one-two) [c](#three) [d](README.md)\n"
    assert broken_links(ROOT / "x.md", text.replace("[b](#one-two) [c](#three)", "")) == [
        "nothing.md"
    ]
    assert "three" not in anchors(text)
    assert "one-two" in anchors(text)
    named = "`cli/app.py` `cli/gone.py` `stacks/Pulumi.<environment>.yaml` `n2/e2` `cli/*.py`"
    assert missing_paths(named) == ["cli/gone.py"]


def test_every_page_of_docs_is_reached_from_its_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [*ROOT.glob("docs/concepts/*.md"), *ROOT.glob("docs/guides/*.md")]
    assert pages
    for page in pages:
        assert str(page.relative_to(ROOT / "docs")) in index
