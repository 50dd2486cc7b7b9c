"""One Chromium for all of these tests, and the pages that they look at."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from cli import chromium
from cli.drills import course
from cli.impact import picture as impact_picture
from cli.impact import report
from cli.impact.preview import LayerPlan
from cli.impact.touched import touched
from cli.show import page as pages
from cli.show.picture import Picture
from tests.browser.environments import declared_picture, multiplied
from tests.cli.courses import ended, running
from tests.cli.drills import courses
from tests.cli.show.pictures import picture, troubled
from tests.cli.test_impact import step

SHIPPED = ("dev", "stage", "prod")
MARKUP = "<b onmouseover=alert(1)>&\"'</b><script>document.title = 'run'</script>"
UNBROKEN = "a" * 200
"""A free text that has no place to break."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-looks", action="store_true", help="accept the pages' changed looks")


@pytest.fixture(scope="package")
def pictures() -> dict[str, Picture]:
    """The shipped environments, two of 1,000 models, two with hostile texts, and one in trouble."""
    # In a thread of their own: Playwright's loop and that of the programs exclude each other.
    with ThreadPoolExecutor(1) as thread:
        shipped = thread.submit(lambda: {name: declared_picture(name) for name in SHIPPED}).result()
    return {
        **shipped,
        "thousand": picture(1000),
        "thousand-of-prod": multiplied(shipped["prod"], 1000),
        "markup": replace(picture(2, MARKUP), courses=(running(MARKUP), ended(MARKUP))),
        "unbroken": replace(picture(2, UNBROKEN), courses=(ended(UNBROKEN),)),
        "troubled": troubled(picture(2)),
    }


@pytest.fixture(scope="package")
def files(
    pictures: dict[str, Picture], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, one in pictures.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(pages.html(one, root=".."), encoding="utf-8")
    for name, text in (("drill", ""), ("drill-markup", MARKUP), ("drill-unbroken", UNBROKEN)):
        found[name] = folder / f"{name}.html"
        page = course.picture(courses.drilled(text), courses.SUBJECT, "html")
        found[name].write_text(page, encoding="utf-8")
    found["drill-chart"] = folder / "drill.svg"
    chart = course.picture(courses.drilled(UNBROKEN), courses.SUBJECT, "svg")
    found["drill-chart"].write_text(chart, encoding="utf-8")
    found["impact"] = folder / "impact.svg"
    found["impact"].write_text(_impact(), encoding="utf-8")
    return found


def _impact() -> str:
    """What an update touches in two layers, with a name of wide letters and an unbroken one."""
    kind = "gcp:compute/globalForwardingRule:GlobalForwardingRule"
    names = ("resnet-availability-slow", "mm-mm-ww-" * 6, UNBROKEN)
    steps = tuple(step(kind, name, "delete") for name in names)
    plans = [LayerPlan("networking", steps), *map(LayerPlan, ("a", "b", "c"))]
    return impact_picture.svg("dev", touched(report.impact("dev", plans)))


@pytest.fixture(scope="package")
def browser(files: dict[str, Path]) -> Iterator[Browser]:
    path = chromium.find()
    if path is None:
        (pytest.fail if chromium.is_required() else pytest.skip)(chromium.notice())
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path)
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window without a network: a page that asks for anything fails the test."""
    found = browser.new_context(
        viewport={"width": 1280, "height": 900}, reduced_motion="reduce", locale="en-GB"
    )
    asked: list[str] = []

    def refuse(route: object, request: object) -> None:
        asked.append(request.url)  # type: ignore[attr-defined]
        route.abort()  # type: ignore[attr-defined]

    found.route(lambda url: not url.startswith("file:"), refuse)
    yield found
    found.close()
    assert asked == []


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose errors, and messages in the console, fail the test."""
    found = context.new_page()
    said: list[str] = []
    found.on("pageerror", lambda error: said.append(str(error)))
    found.on("console", lambda message: said.append(message.text))
    found.on("dialog", lambda dialog: said.append(dialog.message))
    yield found
    assert said == []
