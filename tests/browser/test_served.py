"""A page that is served: what changes is seen without a reload, and so is the server's end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from declared import ROOT
from tests.browser import layout

PATIENT = 120_000
"""Milliseconds until something must be seen on a busy machine."""


@dataclass(frozen=True, slots=True)
class Served:
    """The process that serves, and the files that say what it serves."""

    process: subprocess.Popen[str]
    url: str
    folder: Path

    def set(self, name: str, text: str) -> None:
        """Change what is served, at once."""
        draft = self.folder / "draft"
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.folder / name)

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(PATIENT / 1000)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "pods").write_text("ready", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.browser.served", str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/", said)
    try:
        assert found, said + process.stdout.read()
        yield Served(process, found[0], tmp_path)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture
def live(browser: Browser, served: Served) -> Iterator[Page]:
    """The served page; it is loaded once, asks no other address, and makes no error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    said: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(served.url)
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENT)
    page.evaluate("window.isTheFirst = true")
    yield page
    assert page.evaluate("window.isTheFirst")
    assert said == []
    assert all(url.startswith(served.url) for url in asked)
    assert [url for url in asked if "events" not in url] == [served.url]
    context.close()


def test_pods_that_change_are_seen_without_a_reload(live: Page, served: Served) -> None:
    expect(live.locator(".pod.failed")).to_have_count(0)
    served.set("pods", "failed")
    expect(live.locator(".pod.failed")).to_have_count(1, timeout=PATIENT)
    served.set("pods", "ready")
    expect(live.locator(".pod.failed")).to_have_count(0, timeout=PATIENT)


def test_what_is_folded_and_typed_stays(live: Page, served: Served) -> None:
    first, second = live.locator("details[data-name]").all()
    first.locator("summary").click()
    assert not first.evaluate("one => one.open")
    served.set("pods", "failed")
    expect(live.locator(".pod.failed")).to_have_count(1, timeout=PATIENT)
    assert not first.evaluate("one => one.open")
    assert second.evaluate("one => one.open")


def test_a_drill_is_seen_by_its_name_as_it_runs(live: Page, served: Served) -> None:
    assert live.get_by_role("heading", name="Drills and loads").count() == 0
    served.set("course", "8")
    drill = live.locator("details.course")
    expect(drill.locator("summary")).to_contain_text(
        "rolling-update of resnet running", timeout=PATIENT
    )
    expect(drill.locator("summary")).to_contain_text("160 sent")
    before = drill.locator("path.line-0").first.get_attribute("d")
    served.set("course", "20")
    expect(drill.locator("summary")).to_contain_text("400 sent", timeout=PATIENT)
    assert drill.locator("path.line-0").first.get_attribute("d") != before
    events = drill.locator("ol.events li").all_text_contents()
    assert events == [
        "5.0 s: another pod template",
        "9.2 s: a pod is ready on node gke-general-a-0",
    ]
    chart = drill.get_by_role("img", name="rolling-update of resnet in dev")
    expect(chart).to_be_visible()
    assert drill.locator("circle.knob").count() == len(events)
    expect(live.get_by_role("link", name="rolling-update of resnet")).to_be_visible()
    assert layout.faults(live) == []


def test_the_page_says_that_its_server_has_ended_and_nothing_is_left_of_it(
    live: Page, served: Served
) -> None:
    family = psutil.Process(served.process.pid).children(recursive=True)
    assert served.interrupt() == 0
    expect(live.locator("#live")).to_have_text(
        "not live: the server has ended or is not reachable", timeout=PATIENT
    )
    expect(live.locator(".pod.ready").first).to_be_visible()
    assert not [one for one in family if one.is_running()]
    with pytest.raises(ProcessLookupError):
        os.killpg(served.process.pid, 0)


def test_a_linked_line_of_the_stack_file_is_shown(live: Page, served: Served) -> None:
    link = live.locator("a.source", has_text="stacks/Pulumi.dev.yaml:48").first
    page = live.context.new_page()
    page.goto(served.url + str(link.get_attribute("href")))
    expect(page.locator("#L48")).to_be_visible()
    assert page.evaluate("document.querySelector(':target').id") == "L48"
    page.close()
