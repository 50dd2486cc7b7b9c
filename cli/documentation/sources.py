"""The pages of the site: the repository's documents, at the same places relative to each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_PATTERNS = ("*.md", "docs/**/*.md", "stacks/*.md", "infra/*/README.md", "*/README.md")
_INDEX = "docs/README.md"
"""Its table is the site's navigation: a row is a section."""
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_FEATURES = ("navigation.sections", "navigation.top", "search.highlight", "content.code.copy")
_EXTENSIONS: Mapping[str, Mapping[str, object]] = {
    "attr_list": {},
    "md_in_html": {},
    "tables": {},
    "toc": {"permalink": True},
    "pymdownx.highlight": {},
    "pymdownx.superfences": {
        "custom_fences": [
            {
                "name": "mermaid",
                "class": "mermaid",
                "format": "pymdownx.superfences.fence_code_format",
            }
        ]
    },
}


def documents(root: Path) -> list[Path]:
    """The documents of a repository, relative to its root."""
    found = {path for pattern in _PATTERNS for path in root.glob(pattern)}
    return sorted(path.relative_to(root) for path in found)


def linked(root: Path, pages: Sequence[Path]) -> list[Path]:
    """Other files that pages link to, relative to the root: code, pictures."""
    found = set()
    for page in pages:
        text = _FENCE.sub("", (root / page).read_text(encoding="utf-8"))
        for _, link in _LINK.findall(text):
            file = (root / page.parent / link.partition("#")[0]).resolve()
            if ":" not in link and file.is_file() and file.is_relative_to(root):
                found.add(file.relative_to(root))
    return sorted(found - set(pages))


def navigation(index: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The sections of the index with their pages: title, and path from the repository's root."""
    found = []
    for row in index.splitlines():
        name = re.match(r"\| \*\*(\w+)\*\*", row)
        if name:
            pages = [
                (title[0].upper() + title[1:], str(_from_root(link)))
                for title, link in _LINK.findall(row)
                if link.endswith(".md")
            ]
            found.append((name[1], pages))
    return found


def _from_root(link: str) -> Path:
    parts: list[str] = []
    for part in (Path(_INDEX).parent / link).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return Path(*parts)


def configuration(root: Path) -> str:
    """Zensical's settings, in TOML. Nothing of the site is fetched from elsewhere when viewed."""
    sections = navigation((root / _INDEX).read_text(encoding="utf-8"))
    return "\n".join(_lines(sections)) + "\n"


def _lines(sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> Iterator[str]:
    yield "[project]"
    yield 'site_name = "gke-platform"'
    yield 'docs_dir = "pages"'
    yield 'site_dir = "site"'
    yield "use_directory_urls = false"  # works from a folder too
    yield "nav = ["
    yield '  {"Overview" = "README.md"},'
    for name, pages in sections:
        entries = ", ".join(
            f"{{{json.dumps(title)} = {json.dumps(page)}}}" for title, page in pages
        )
        yield f"  {{{json.dumps(name)} = [{entries}]}},"
    yield '  {"Contributing" = "CONTRIBUTING.md"},'
    yield '  {"Changes" = "CHANGELOG.md"},'
    yield "]"
    yield "[project.theme]"
    yield "font = false"  # else Google's are fetched
    yield f"features = {json.dumps(list(_FEATURES))}"
    for scheme, kind in (("default", "light"), ("slate", "dark")):
        yield "[[project.theme.palette]]"
        yield f'media = "(prefers-color-scheme: {kind})"'
        yield f'scheme = "{scheme}"'
    for extension, settings in _EXTENSIONS.items():
        yield f'[project.markdown_extensions."{extension}"]'
        for key, value in settings.items():
            yield f"{key} = {_toml(value)}"
    yield "[project.plugins.offline]"  # a page of a folder may not fetch the index of the search


def _toml(value: object) -> str:
    """A value of the settings. TOML differs from JSON in its tables alone."""
    match value:
        case dict():
            pairs = (f"{key} = {_toml(one)}" for key, one in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return json.dumps(value)
