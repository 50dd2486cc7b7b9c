"""A golden file that is a difference holds the same inventory as a whole one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.inventory import golden_files
from tests.inventory.golden_files import ABSENT, difference, patched, renamed

KEYS = st.text("ab/~0", min_size=1, max_size=3)
PLAIN = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"])
INPUTS = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
VALUES = st.dictionaries(
    st.sampled_from(["Bucket", "Network"]),
    st.dictionaries(KEYS, st.dictionaries(KEYS, INPUTS, max_size=3), min_size=1, max_size=3),
    max_size=2,
)


@given(VALUES, VALUES)
def test_a_difference_applied_to_its_base_gives_the_inventory_back(base: Any, values: Any) -> None:
    assert patched(base, difference(base, values)) == values


def test_a_difference_holds_the_paths_that_differ_and_nothing_else() -> None:
    base = {"Bucket": {"models": {"name": "a", "rules": [{"age": 1}, {"age": 2}], "force": True}}}
    other = {"Bucket": {"models": {"name": "a", "rules": [{"age": 1}, {"age": 9}]}}}
    assert difference(base, other) == {
        "changed": {"Bucket": {"models": {"force": ABSENT, "rules/1/age": 9}}},
        "not_here": {},
        "only_here": {},
    }


def test_a_name_is_replaced_only_where_it_is_a_word() -> None:
    value = {"acme-stage-models": ["gs://acme-stage/x", "backstage", 1]}
    assert renamed(value, "stage", "prod") == {
        "acme-prod-models": ["gs://acme-prod/x", "backstage", 1]
    }


def test_prod_is_kept_as_a_difference_that_a_reviewer_can_read() -> None:
    for file in (golden_files.FOLDER / "prod").glob("*.yaml"):
        assert len(file.read_text().splitlines()) < 400, file.name
