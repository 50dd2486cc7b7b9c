"""The course of a drill as a picture: its figures, its events, and where it is written."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli.drills import course
from cli.errors import CliError, Exit
from cli.pictures import axis, files
from cli.pictures.chart import Chart, Line, Mark, Panel, svg
from tests.cli.drills.courses import SUBJECT, drilled

SVG = "{http://www.w3.org/2000/svg}"


def read(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def words(drawing: ElementTree.Element) -> list[str]:
    return ["".join(one.itertext()) for one in drawing.iter(f"{SVG}text")]


def test_a_chart_is_well_formed_and_says_what_it_shows() -> None:
    drawing = read(course.picture(drilled(" <b>&"), SUBJECT, "svg"))
    assert drawing.find(f"{SVG}title").text == "rolling-update of resnet in dev"  # type: ignore[union-attr]
    said = drawing.find(f"{SVG}desc").text  # type: ignore[union-attr]
    assert said is not None
    assert "436 requests were sent at 20 a second, 432 answered and 4 lost" in said
    labelled = (drawing.get("aria-labelledby") or "").split()
    assert labelled == [one.get("id") for one in drawing if one.get("id")]
    assert "1   5.0 s   another pod template <b>&" in words(drawing)


def test_lines_are_told_apart_by_dashes_and_named() -> None:
    text = course.picture(drilled(), SUBJECT, "svg")
    dashes = re.findall(r"\.line-\w+ \{ stroke: [^;]*;([^}]*)\}", text)
    assert len(set(dashes)) == len(dashes) == 4
    for name in ("answered", "lost", "p99", "p50", "available", "demanded"):
        assert name in words(read(text))


def test_a_model_without_a_budget_has_no_line_of_replicas() -> None:
    text = course.picture(drilled(has_budget=False), SUBJECT, "svg")
    assert "available" not in words(read(text))


def test_the_page_has_the_figures_of_the_document() -> None:
    report = drilled()
    page = course.picture(report, SUBJECT, "html")
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    document = report.document()
    for name, phase in document["phases"].items():
        p50, p99 = (f"{phase['latencies_ms'][one]:.1f} ms" for one in ("p50", "p99"))
        assert f"{name} {phase['sent']} {phase['lost']} {p50} {p99}" in text
    for one in document["events"]:
        assert f"{one['at']} s {one['event']} {one['until_next']['lost']}" in text
    assert "4 requests were lost" in text


def test_a_line_has_a_gap_where_nothing_was_answered() -> None:
    line = Line("p99", [(0.5, 4), (1.5, None), (2.5, 4), (3.5, 8)])
    drawing = read(
        svg(Chart(title="t", description="d", seconds=4, panels=[Panel("latency", [line])]))
    )
    path = drawing.findall(f"{SVG}path")[0].get("d") or ""
    assert path.count("M") == 2
    assert path.count("L") == 1


def test_marks_that_are_close_are_in_rows_of_their_own() -> None:
    marks = [Mark(at, "event") for at in (1.0, 1.1, 1.2, 9.0)]
    drawing = read(
        svg(Chart(title="t", description="d", seconds=10, panels=[Panel("p", [])], marks=marks))
    )
    heights = [one.get("cy") for one in drawing.iter(f"{SVG}circle")]
    assert len(set(heights[:3])) == 3
    assert heights[3] == heights[0]


@pytest.mark.parametrize(
    ("highest", "whole", "ticks"),
    [
        (0, True, [0, 1]),
        (3, True, [0, 1, 2, 3]),
        (0.3, False, [0, 0.1, 0.2, 0.3]),
        (200, True, [0, 50, 100, 150, 200]),
        (201, True, [0, 100, 200, 300]),
    ],
)
def test_an_axis_is_written_at_round_values(
    highest: float, whole: bool, ticks: list[float]
) -> None:
    made = axis.axis(highest, 100, 0, ticks=4, whole=whole)
    assert made.ticks == ticks
    assert made.at(made.most) == 0


def test_a_file_of_another_form_or_without_a_folder_is_refused(tmp_path: Path) -> None:
    assert files.form(tmp_path / "a.SVG", course.FORMS) == "svg"
    for path, said in (
        (tmp_path / "a.png", "the ending is none of .html, .svg"),
        (tmp_path / "a", "the ending is none of .html, .svg"),
        (tmp_path / "no" / "a.svg", "there is no folder"),
    ):
        with pytest.raises(CliError, match=said) as error:
            files.form(path, course.FORMS)
        assert error.value.code is Exit.USAGE
