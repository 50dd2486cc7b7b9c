"""How the workers that run these tests share them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import scheduling

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"tests/a.py": 2, "tests/b.py": 30, "@own": 40, "@kubernetes": 3, "@rehearsal": 1}


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/a.py::test_one", "tests/a.py"),
        ("tests/a.py::test_one[a@b.example]", "tests/a.py"),
        ("tests/a.py::test_one[a@b.example]@engine", "@engine"),
        ("tests/a.py::TestAll::test_one@engine", "@engine"),
    ],
)
def test_a_test_is_taken_with_its_group_or_its_module(nodeid: str, expected: str) -> None:
    assert scheduling.scope(nodeid) == expected


def test_long_groups_come_first_and_modules_last() -> None:
    in_order = ["@rehearsal", "@kubernetes", "@own", "tests/b.py", "tests/a.py"]
    assert scheduling.order(SIZES) == in_order


def test_the_worker_that_fills_the_gaps_takes_groups_when_no_module_is_left() -> None:
    assert scheduling.next_scope(SIZES, is_filling=False) == "@rehearsal"
    assert scheduling.next_scope(SIZES, is_filling=True) == "tests/b.py"
    groups = {one: size for one, size in SIZES.items() if one.startswith("@")}
    assert scheduling.next_scope(groups, is_filling=True) == "@rehearsal"


def test_one_of_three_workers_fills_the_gaps_and_none_of_two() -> None:
    assert [scheduling.fills_gaps(f"gw{index}", 3) for index in range(3)] == [False, False, True]
    assert [scheduling.fills_gaps(f"gw{index}", 2) for index in range(2)] == [False, False]


@pytest.mark.parametrize("group", scheduling.LONGEST)
def test_a_long_group_is_one_of_the_tests(group: str) -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    assert any(
        f'xdist_group("{group}")' in file.read_text() or file.stem == group for file in files
    )


@dataclass(eq=False)
class Worker:
    """Stands for a process of pytest-xdist; it keeps what it is sent."""

    id: str
    sent: list[int] = field(default_factory=list)
    shutting_down: bool = False

    @property
    def gateway(self) -> Worker:
        return self

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_a_worker_in_a_long_test_holds_one_group_that_others_could_take() -> None:
    option = SimpleNamespace(loadscopereorder=False)
    config: Any = SimpleNamespace(option=option, getvalue=lambda _: ["popen"] * 2)
    subject = scheduling.Scheduling(config)
    one, other = Worker("gw0"), Worker("gw1")
    first = [f"tests/a.py::test_{number}@first" for number in range(3)]
    tests = [*first, *(f"tests/a.py::test_{number}@group{number}" for number in range(3, 9))]
    for worker in (one, other):
        subject.add_node(worker)
        subject.add_node_collection(worker, tests)
    subject.schedule()
    for number in range(3):
        assert one.sent[number + 1 :], "a worker runs a test once it knows the next one"
        subject.mark_test_complete(one, number)
    # Now it runs a long test, and the other worker takes all that it does not hold.
    assert len(one.sent[3:]) == 2
    done = 0
    while len(other.sent[done:]) > 1 or (other.sent[done:] and other.shutting_down):
        subject.mark_test_complete(other, other.sent[done])
        done += 1
    assert other.shutting_down
    assert sorted(one.sent + other.sent) == list(range(9))
    assert len(one.sent) == 5
