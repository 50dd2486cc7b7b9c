"""What a browser makes of the page: texts of users stay texts, and nothing is secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from cli.show import page as pages
from cli.show.picture import Picture
from tests.browser.conftest import MARKUP, SHIPPED
from tests.browser.environments import CANARY


def test_markup_of_users_is_shown_as_they_wrote_it(page: Page, files: dict[str, Path]) -> None:
    page.goto(files["markup"].as_uri())
    assert page.title() == "dev, rehearsed"
    assert page.locator("[onmouseover]").count() == 0
    assert page.locator("script").count() == 1
    assert page.locator("body").inner_text().count(MARKUP) >= 15


def test_markup_in_the_events_of_a_drill_is_shown_as_it_is(
    page: Page, files: dict[str, Path]
) -> None:
    page.goto(files["drill-markup"].as_uri())
    assert page.locator("[onmouseover], script").count() == 0
    assert page.locator("body").inner_text().count(MARKUP) == 3


@pytest.mark.parametrize("name", SHIPPED)
def test_the_page_shows_the_figures_of_its_environment(
    page: Page, files: dict[str, Path], pictures: dict[str, Picture], name: str
) -> None:
    page.goto(files[name].as_uri())
    counts = pages.counts(pictures[name])
    facts = page.locator("header dl").inner_text()
    assert counts.models > 5
    assert f"{counts.models}, {counts.ready} of {counts.wanted} replicas ready" in facts
    assert page.locator("details.model").count() == counts.models
    assert page.locator(".pod").count() == counts.ready
    assert page.locator("[data-part=pools] .cards > .card").count() == len(pictures[name].pools)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_secret_of_a_stack_is_on_the_page(files: dict[str, Path], name: str) -> None:
    text = files[name].read_text(encoding="utf-8")
    assert CANARY not in text
    assert "certificate-authority-data" not in text
    assert "PRIVATE KEY" not in text


@pytest.mark.parametrize("name", ["thousand", "thousand-of-prod"])
def test_a_thousand_models_are_small_and_folded(
    page: Page, files: dict[str, Path], name: str
) -> None:
    assert files[name].stat().st_size < 2_000_000
    page.goto(files[name].as_uri())
    assert page.locator("details.model").count() == 1000
    assert page.locator("details.model[open]").count() == 0
    height = page.locator("details.model").nth(999).evaluate("one => one.offsetHeight")
    assert 20 < height < 80
