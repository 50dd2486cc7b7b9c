"""The documentation as a site: its pages, its navigation, and what fails its build."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cli.documentation import build, sources
from cli.errors import CliError
from declared import ROOT

INDEX = "| **Guides**: how | [adding a model](guides/adding.md), [keys](../stacks/README.md) |\n"
FINDING = """\
Build started
\x1b[33mWarning:\x1b[0m page does not exist
     \x1b[38;5;246m╭─[\x1b[0m docs/guides/drift.md:12:3 \x1b[38;5;246m]\x1b[0m
1 issue found
Traceback (most recent call last):
RuntimeError: Aborted because --strict flag is set
"""


def repository(folder: Path, readme: str = "# One\n") -> Path:
    """A repository with an index and a guide."""
    for name, text in {
        "README.md": readme,
        "CONTRIBUTING.md": "# Contributing\n",
        "CHANGELOG.md": "# Changes\n",
        "docs/README.md": f"# Index\n\n| | |\n| --- | --- |\n{INDEX}",
        "docs/guides/adding.md": "# Adding\n\n[code](../../code.py) `[not](a.link)`\n",
        "stacks/README.md": "# Keys\n",
        "code.py": "x = 1\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def _pages(section: list[dict[str, str]]) -> list[str]:
    return [next(iter(one.values())) for one in section]


def test_every_page_of_docs_is_in_the_navigation() -> None:
    settings = tomllib.loads(sources.configuration(ROOT))
    entries = [next(iter(one.values())) for one in settings["project"]["nav"]]
    sections = [[one] if isinstance(one, str) else _pages(one) for one in entries]
    pages = {page for section in sections for page in section}
    wanted = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/[cgr]*/*.md")}
    assert wanted <= pages
    assert all((ROOT / page).is_file() for page in pages)


def test_the_index_is_the_navigation() -> None:
    assert sources.navigation(INDEX) == [
        ("Guides", [("Adding a model", "docs/guides/adding.md"), ("Keys", "stacks/README.md")])
    ]


def test_a_file_that_a_page_links_to_is_part_of_the_site(tmp_path: Path) -> None:
    root = repository(tmp_path)
    assert sources.linked(root, sources.documents(root)) == [Path("code.py")]


def test_a_finding_is_told_by_page_and_line() -> None:
    assert str(build._failure(FINDING)) == (
        "the site is not built: docs/guides/drift.md:12: page does not exist"
    )
    assert "no reason given" in str(build._failure(""))


def test_a_folder_that_is_no_site_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(CliError, match=r"no site|not installed"):
        build.build(ROOT, tmp_path)
    assert (tmp_path / "precious").exists()


def test_a_broken_link_fails_the_build_and_leaves_the_last_site(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="requirements-docs.lock is not installed")
    root, output = repository(tmp_path / "root"), tmp_path / "site"
    assert build.build(root, output) == 6
    assert "Adding" in (output / "search.json").read_text()
    repository(tmp_path / "root", "# One\n\n[gone](docs/gone.md)\n")
    with pytest.raises(CliError, match=r"README\.md:3"):
        build.build(root, output)
    assert (output / "index.html").exists()
