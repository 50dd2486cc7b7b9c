"""The picture of what an update touches."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from cli.impact import mermaid, picture, report, text
from cli.impact.preview import LayerPlan
from cli.impact.touched import MOST, Item, touched
from tests.cli.test_impact import BUDGET, DEPLOYMENT, step

POOL = "gcp:container/nodePool:NodePool"
ADDRESS = "gcp:compute/globalAddress:GlobalAddress"
ODD = '<b>"x"`;|#&% ]-->\nend'


def made(*steps: object, **others: LayerPlan) -> report.Impact:
    plans = [LayerPlan("cluster", steps), *others.values()]  # type: ignore[arg-type]
    return report.impact("dev", plans)


def test_what_goes_comes_before_what_is_changed_and_that_is_counted_by_kind() -> None:
    (cluster,) = touched(
        made(
            *(step(DEPLOYMENT, name, "update") for name in ("a", "b")),
            step(BUDGET, "a", "create"),
            step(POOL, "general", "replace"),
            step(POOL, "kept"),
        )
    )
    assert cluster.items == [
        Item("replaced", "NodePool general"),
        Item("changed", "2 Deployment"),
        Item("created", "PodDisruptionBudget a"),
    ]
    assert cluster.summary == "1 replaced, 1 created, 2 changed"


def test_losses_come_first() -> None:
    (cluster,) = touched(made(step(ADDRESS, "main", "delete")))
    assert [item.state for item in cluster.items] == ["lost", "deleted"]


def test_more_than_a_picture_holds_is_a_count() -> None:
    (cluster,) = touched(made(*(step(POOL, f"p{index}", "replace") for index in range(20))))
    assert len(cluster.items) == MOST
    assert cluster.items[-1].text == f"and {20 - MOST + 1} more"


def test_names_are_codes_where_mermaid_or_markdown_would_read_them() -> None:
    chart = mermaid.flowchart("dev", touched(made(step(POOL, ODD, "delete"))))
    (line,) = (one for one in chart.splitlines() if "item0x0" in one)
    label = re.fullmatch(r'item0x0\["(.*)"\]:::deleted', line)
    assert label is not None
    assert re.fullmatch(r"([\w .,:()/%-]|#\d+;)+", label[1])
    shown = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label[1])
    assert shown == f"deleted: NodePool {' '.join(ODD.split())}"
    assert chart.count("```") == 2


def test_the_report_begins_with_the_picture_and_has_none_of_nothing() -> None:
    shown = text.markdown(made(step(POOL, "general", "delete")))
    assert shown.startswith("## Impact on dev\n\n```mermaid\n")
    assert "mermaid" not in text.markdown(made(step(POOL, "general")))


def test_a_layer_that_could_not_be_previewed_says_so() -> None:
    found = touched(made(serving=LayerPlan("serving", unknown="the cluster is not deployed")))
    assert [one.summary for one in found] == ["unchanged", "could not be previewed"]


def test_the_drawing_says_the_same_as_its_boxes_and_escapes_names() -> None:
    found = touched(made(step(POOL, ODD, "delete"), serving=LayerPlan("serving", unknown="x")))
    drawing = ElementTree.fromstring(picture.svg("dev", found))
    space = "{http://www.w3.org/2000/svg}"
    texts = [one.text for one in drawing.iter(f"{space}text")]
    assert texts[:3] == ["Impact on dev", "cluster", "1 deleted"]
    assert " ".join(filter(None, texts[3:-2])) == f"deleted: NodePool {' '.join(ODD.split())}"
    assert texts[-2:] == ["serving", "could not be previewed"]
    said = drawing.find(f"{space}desc")
    assert said is not None
    assert said.text == "cluster: 1 deleted; serving: could not be previewed"


def test_a_drawing_of_nothing_is_still_one() -> None:
    ElementTree.fromstring(picture.svg("dev", []))
