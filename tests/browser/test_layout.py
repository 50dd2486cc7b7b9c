"""No text leaves its box and nothing overlaps, at any width, in any environment, and in print."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser import layout
from tests.browser.conftest import SHIPPED

PAGES = (*SHIPPED, "markup", "unbroken", "troubled", "drill", "drill-markup", "drill-unbroken")
WIDTHS = (1280, 768, 360)


@pytest.mark.parametrize("name", PAGES)
def test_every_text_is_in_its_box_and_nothing_overlaps(
    page: Page, files: dict[str, Path], name: str
) -> None:
    page.goto(files[name].as_uri())
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for is_open in (False, True):
            page.evaluate(
                "open => document.querySelectorAll('details').forEach(one => one.open = open)",
                is_open,
            )
            found[width, is_open] = layout.faults(page)
    assert not any(found.values()), found


def test_the_layout_of_a_thousand_models_holds(page: Page, files: dict[str, Path]) -> None:
    page.goto(files["thousand"].as_uri())
    assert layout.faults(page) == []


@pytest.mark.parametrize("name", ["drill-chart", "impact"])
def test_a_drawing_alone_holds_its_texts(page: Page, files: dict[str, Path], name: str) -> None:
    page.set_content(f"<body>{files[name].read_text(encoding='utf-8')}</body>")
    assert layout.faults(page) == []
    texts = page.locator("svg text").all()
    drawing = page.locator("svg").bounding_box()
    assert drawing is not None
    for one in texts:
        box = one.bounding_box()
        assert box is not None
        assert box["width"] > 0
        assert drawing["x"] <= box["x"]
        assert box["x"] + box["width"] <= drawing["x"] + drawing["width"], one.text_content()
        assert box["y"] + box["height"] <= drawing["y"] + drawing["height"]


def test_the_texts_of_an_impact_are_in_their_boxes(page: Page, files: dict[str, Path]) -> None:
    page.set_content(f"<body>{files['impact'].read_text(encoding='utf-8')}</body>")
    boxes = [one.bounding_box() for one in page.locator("svg rect.box").all()]
    texts = [one.bounding_box() for one in page.locator("svg text:not(:first-of-type)").all()]
    assert len(texts) > len(boxes) >= 7
    for text in texts:
        assert text
        assert text["width"] > 0
        assert any(
            box
            and box["x"] <= text["x"]
            and text["x"] + text["width"] <= box["x"] + box["width"]
            and box["y"] <= text["y"]
            and text["y"] + text["height"] <= box["y"] + box["height"]
            for box in boxes
        ), text


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_printed_page_shows_what_is_folded_and_nothing_to_click(
    page: Page, files: dict[str, Path], name: str
) -> None:
    page.goto(files[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 with Chromium's margins
    page.emulate_media(media="print")
    assert layout.faults(page) == []
    assert not page.get_by_role("navigation").is_visible()
    pods = page.locator(".pod")
    assert pods.count() > 0
    assert all((box := one.bounding_box()) and box["width"] > 0 for one in pods.all())
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


FAULTY = {
    "overlaps": "<p>one</p><p style='margin-top:-20px'>two</p>",
    "leaves its": "<div style='width:40px;white-space:nowrap'>a text that is wide</div>",
    "the page is": "<div style='width:3000px'>wide</div>",
    "has no size": "<p>text</p><meter style='width:0'></meter>",
    "nothing is shown": "",
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_is_found(page: Page, fault: str) -> None:
    page.set_content(f"<body>{FAULTY[fault]}</body>")
    assert any(fault in one for one in layout.faults(page))
