"""Findings come in one order, whatever the order in which programs and engine name resources."""

from pathlib import Path

from declared.result import Declared
from policies.check import judge
from policies.pack import Pack
from policies.recording import Recorder, read
from policies.registry import RULES
from policies.reports import FORMATS
from policies.subjects import Resource

BUCKET = "gcp:storage/bucket:Bucket"
NAMES = ("a", "b", "c")


def test_findings_do_not_depend_on_the_order_of_registration() -> None:
    reports = [
        FORMATS["json"](judge(declared.resources("dev", "gke-cluster"), Pack(RULES)))
        for declared in (
            Declared({(BUCKET, name): {} for name in NAMES}),
            Declared({(BUCKET, name): {} for name in reversed(NAMES)}),
        )
    ]
    assert '"name": "b"' in reports[0]
    assert reports[0] == reports[1]


def test_findings_of_a_preview_are_by_resource(tmp_path: Path) -> None:
    pack = Pack(RULES)
    found = []
    for order in (NAMES, tuple(reversed(NAMES))):
        file = tmp_path / "".join(order)
        file.touch()
        recorder = Recorder(str(file))
        for name in order:
            bucket = Resource(BUCKET, {}, name, f"urn:{name}")
            recorder.judged(bucket, pack.judge(bucket))
        found.append([(one.resource.name, one.rule.id) for one in read(file, pack).findings])
    assert {name for name, _ in found[0]} == set(NAMES)
    assert found[0] == found[1]
