"""The pictures of the documentation: what they show, and that nothing lies on anything else."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest

from cli import routing
from cli.diagrams import columns, pages, stairs
from cli.diagrams.columns import Column
from cli.diagrams.stairs import Step
from gkeplatform.layers import LAYERS

SVG = "{http://www.w3.org/2000/svg}"
MARKUP = "<b>&\"'</b>"
Area = tuple[float, float, float, float]


def areas(picture: str) -> list[Area]:
    """Left, top, right and bottom of each box."""
    found = []
    for box in ElementTree.fromstring(picture).iter(f"{SVG}rect"):
        left, top, wide, high = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        found.append((left, top, left + wide, top + high))
    return found


def texts(picture: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def overlap(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.fixture(scope="module")
def request_picture() -> str:
    return pages.request(routing.plan("dev"))


def test_every_model_of_dev_is_on_the_way_of_a_request(request_picture: str) -> None:
    shown = texts(request_picture)
    plan = routing.plan("dev")
    assert plan.serving.entries
    for entry in plan.serving.entries:
        assert entry.name in shown
        assert plan.backend(entry.name, entry.exposure.kind) in shown
    assert "/v1/models/resnet" in shown
    assert "models.dev.acme.example" in shown


def test_every_layer_is_drawn_with_what_it_reads() -> None:
    shown = texts(pages.layers())
    for layer in LAYERS:
        assert f"{layer.name}: {layer.main}" in shown
    assert shown.count("ClusterContract") == sum("cluster" in layer.needs for layer in LAYERS)
    assert pages.layers().count("marker-end") == sum(len(layer.needs) for layer in LAYERS)


def test_no_box_lies_on_another(request_picture: str) -> None:
    for picture in (request_picture, pages.layers()):
        found = areas(picture)
        assert len(found) >= 4
        assert not any(overlap(*pair) for pair in itertools.combinations(found, 2))


def test_no_line_of_the_layers_goes_through_a_text() -> None:
    root = ElementTree.fromstring(pages.layers())
    labels = [
        (float(one.attrib["x"]), float(one.attrib["y"]), len(one.text or ""))
        for one in root.iter(f"{SVG}text")
        if (one.text or "").endswith("Contract") and " " not in (one.text or "")
    ]
    lines = [
        tuple(map(float, found.groups()))
        for one in root.iter(f"{SVG}path")
        if (found := re.match(r"M([\d.]+) ([\d.]+)V([\d.]+)H", one.attrib["d"]))
    ]
    assert len(labels) == len(lines) > 0
    for left, base, count in labels:
        for x, top, bottom in lines:
            assert not (left < x < left + 9 * count and top < base < bottom)


def test_markup_stays_text_and_nothing_is_requested() -> None:
    drawings = (
        columns.drawn(
            MARKUP,
            MARKUP,
            [Column(MARKUP, {"a": [MARKUP]}), Column("b", {"b": ["b"]})],
            [((0, "a"), (1, "b"))],
        ),
        stairs.drawn(MARKUP, MARKUP, {"a": Step([MARKUP], {}), "b": Step(["b"], {"a": MARKUP})}),
    )
    for picture in drawings:
        assert MARKUP in texts(picture)
        assert not list(ElementTree.fromstring(picture).iter(f"{SVG}b"))
        assert not re.search(r"url\((?!#)|@import|href=|<script", picture)


def test_an_arrow_from_nowhere_is_refused() -> None:
    with pytest.raises(KeyError):
        columns.drawn("", "", [Column("a", {"a": ["a"]})], [((0, "a"), (1, "b"))])
