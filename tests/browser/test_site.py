"""The documentation's site, opened from a folder without a network: its search, its diagrams."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from cli.documentation import build
from cli.errors import CliError
from tests.cli.documentation.test_site import repository

PATIENT = 240_000
"""Milliseconds: Mermaid is large, and the machine may be busy."""
DIAGRAM = "# One\n\n```mermaid\nflowchart LR\n  first --> second --> third\n```\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("zensical", "mermaidx"):
        if find_spec(name) is None:
            pytest.skip("requirements-docs.lock is not installed")
    folder = tmp_path_factory.mktemp("documentation")
    build.build(repository(folder / "root", DIAGRAM), folder / "site")
    return folder / "site"


def test_a_diagram_is_drawn_where_there_is_one(context: BrowserContext, site: Path) -> None:
    page = context.new_page()
    page.set_default_timeout(PATIENT)
    page.goto((site / "index.html").as_uri(), wait_until="commit")
    diagram = page.locator("div.mermaid")  # a `pre` until it is drawn
    expect(diagram).to_be_visible(timeout=PATIENT)
    box = diagram.bounding_box()
    assert box
    assert box["height"] > 20
    expect(page.get_by_text("flowchart LR")).to_have_count(0)
    other = (site / "docs" / "guides" / "adding.html").read_text(encoding="utf-8")
    assert "mermaid.js" not in other


def test_the_search_of_a_folder_finds_a_page(context: BrowserContext, site: Path) -> None:
    page = context.new_page()
    page.set_default_timeout(PATIENT)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((site / "docs" / "guides" / "adding.html").as_uri(), wait_until="commit")
    page.get_by_role("button", name="Search").first.click()
    query = page.get_by_role("combobox", name="Search")
    query.press_sequentially("Contributing", delay=20)
    found = page.get_by_role("option")
    expect(found.filter(has_text="Contributing").first).to_be_visible(timeout=PATIENT)
    expect(query).to_have_value("Contributing")
    expect(found).to_have_count(1)
    assert said == []


def test_a_site_that_would_fetch_something_is_not_built(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.documentation.offline._SHIM", build._FINDING)
    with pytest.raises(CliError, match="of the site would fetch https://"):
        build.build(repository(tmp_path / "root"), tmp_path / "site")
    assert not (tmp_path / "site").exists()
