"""The page by keyboard, as screen readers are told of it, and judged by axe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import SHIPPED

_FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  return {
    name: one.textContent.trim().replace(/\\s+/g, " ") || one.id,
    tag: one.localName,
    isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    isSeen: box.width > 0 && box.right > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*SHIPPED, "unbroken", "troubled", "drill"])
def test_axe_finds_no_violation(page: Page, files: dict[str, Path], name: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(files[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(
    page: Page, files: dict[str, Path]
) -> None:
    page.goto(files["dev"].as_uri())
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], summary, input, [tabindex]')]"
        ".filter(one => one.checkVisibility()).map(one => one.localName)"
    )
    found = []
    for _ in wanted:
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        assert focused["isMarked"], focused
        assert focused["isSeen"], focused
        found.append(focused)
    assert [one["tag"] for one in found] == wanted
    assert found[0]["name"] == "To the models"


def test_the_first_link_skips_to_the_models(page: Page, files: dict[str, Path]) -> None:
    page.goto(files["dev"].as_uri())
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.localName") == "summary"


def test_enter_folds_and_unfolds_a_model(page: Page, files: dict[str, Path]) -> None:
    page.goto(files["thousand"].as_uri())
    model = page.locator("details.model").first
    model.locator("summary").focus()
    for is_open in (True, False):
        page.keyboard.press("Enter")
        assert model.evaluate("one => one.open") is is_open


def test_typing_leaves_the_models_whose_name_contains_it(
    page: Page, files: dict[str, Path]
) -> None:
    page.goto(files["thousand"].as_uri())
    page.get_by_role("searchbox", name="Show models whose name contains").fill("MODEL-099")
    expect(page.locator("details.model:visible")).to_have_count(10)
    page.get_by_role("searchbox").fill("no such")
    expect(page.locator("details.model:visible")).to_have_count(0)


def test_a_screen_reader_finds_landmarks_headings_and_names(
    page: Page, files: dict[str, Path]
) -> None:
    page.goto(files["dev"].as_uri())
    for role in ("banner", "main"):
        expect(page.get_by_role(role)).to_have_count(1)
    sections = page.get_by_role("navigation", name="Sections")
    links = sections.get_by_role("link").all_text_contents()
    for title in links:
        heading = page.get_by_role("heading", level=2).filter(has_text=title)
        expect(heading).to_have_count(1)
    assert page.get_by_role("region").count() >= len(links)
    assert "dev" in page.title()
    pods = page.get_by_role("img")
    assert pods.count() > 10
    named = page.get_by_role("img", name=re.compile(r"\S, (ready|starting)"))
    assert named.count() == pods.count()
    for meter in page.get_by_role("meter").all():
        assert "requested" in (meter.get_attribute("aria-label") or "")
    for table in page.get_by_role("table").all():
        assert table.get_by_role("columnheader").count() > 1


def test_states_are_told_apart_without_colours(page: Page, files: dict[str, Path]) -> None:
    page.goto(files["dev"].as_uri())
    looks = page.evaluate(
        """() => ["ready", "starting", "pending", "stopping", "failed"].map((state) => {
          const pod = document.querySelector(".pod").cloneNode();
          pod.className = `pod ${state}`;
          document.body.append(pod);
          const style = getComputedStyle(pod);
          return [style.borderTopStyle, style.borderTopLeftRadius, style.backgroundColor ===
            "rgba(0, 0, 0, 0)", state].slice(0, 3).join(" ");
        })"""
    )
    ready, starting, pending, stopping, failed = looks
    assert starting == pending  # both wait, and the names tell them apart
    assert len({ready, starting, stopping, failed}) == 4
