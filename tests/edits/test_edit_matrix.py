"""Every key of a stack file has an edit, or is named among those that have none."""

from __future__ import annotations

import pytest
from msgspec import inspect

from tests.edits import page, results
from tests.edits.edits import Edit, committed, of_key, problem
from tests.edits.fields import Key, keys
from tests.edits.found import differences, normal
from tests.edits.merging import merged
from tests.edits.named import named
from tests.edits.without import WITHOUT

LISTED = {key for group in WITHOUT.values() for key in group}
KEYS = {str(key): key for key in keys()}


def test_a_key_without_an_edit_is_a_key() -> None:
    assert LISTED - KEYS.keys() == set()
    assert len(LISTED) == sum(map(len, WITHOUT.values()))


@pytest.mark.parametrize("name", sorted(KEYS.keys() - LISTED))
def test_a_key_has_an_edit_that_the_files_checks_accept(name: str) -> None:
    found = of_key(KEYS[name])
    assert isinstance(found, Edit), found
    assert found.values != committed(found.environment)


def test_a_new_key_whose_type_gives_no_value_is_found() -> None:
    new = Key(("gke-cluster:cluster", "new"), inspect.type_info(str), False)
    assert isinstance(of_key(new), str)


@pytest.mark.parametrize("edit", list(named()), ids=lambda edit: edit.name)
def test_a_named_edit_is_accepted_by_the_files_checks(edit: Edit) -> None:
    assert problem(edit.environment, edit.values) == ""
    assert edit.values != committed(edit.environment)


def test_edits_of_other_values_are_merged() -> None:
    base = {"a": {"x": 1, "y": 2}, "list": [{"n": 1}, {"n": 2}], "gone": 1}
    first = Edit("1", "dev", {**base, "a": {"x": 5, "y": 2}, "new": 3})
    second = Edit("2", "dev", {"a": {"x": 1, "y": 2}, "list": [{"n": 1}, {"n": 9}]})
    assert merged(base, [first, second]) == {
        "a": {"x": 5, "y": 2},
        "list": [{"n": 1}, {"n": 9}],
        "new": 3,
    }


def test_a_value_that_is_not_taken_back_is_a_difference() -> None:
    before = {"compute/p/networks/n": normal({"mtu": 1460, "id": "1"})}
    after = {"compute/p/networks/n": normal({"mtu": 1500, "id": "2"})}
    assert differences(before, after) == ["~ compute/p/networks/n: .mtu: 1460 is now 1500"]
    assert differences(before, before) == []
    assert differences(before, {}) == ["- compute/p/networks/n"]


def test_a_result_is_of_an_edit_that_there_is() -> None:
    edits = KEYS.keys() | {edit.name for edit in named()}
    assert results.read().keys() - edits == set()


def test_the_page_has_a_row_for_every_key_and_named_edit() -> None:
    (text,) = page.render().values()
    for name in (*KEYS, *(edit.name for edit in named())):
        assert f"| `{page.shown(name)}` |" in text or f"| {name} |" in text, name
