"""Edits of YAML keep what they do not name, to the byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.promotion import yaml_text
from gkeplatform import yaml_files

TEXT = """\
# head
config:
  a:one: 1  # why one
  a:two: 'quoted'

  # about the list
  b:list:
    # first
    - name: x
      size: {cpu: "1", memory: 1Gi}  # sizes
      tags: [a, b]
    # second
    - name: y
      deep:
        er: true
        # last of y
  # end of b
  c:empty: {}
  c:none:
  c:block: |
    line
    line
# tail
"""
VALUE = yaml_files.parse(TEXT, "t").value
NAMES = st.sampled_from(["name", "size", "new", "a.b/c", "yes", "1"])
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-1000, 1000),
    st.none(),
    st.sampled_from(
        ["yes", "0o7", "012", "1e3", "#no", "a: b", " x", "", "- a", "é", "2026-01-01"]
    ),
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp")), max_size=8
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
PLACES: list[yaml_text.Steps] = [
    ("config", "a:one"),
    ("config", "a:new"),
    ("config", "b:list", 0, "size", "cpu"),
    ("config", "b:list", 0, "size", "gpu"),
    ("config", "b:list", 0, "size"),
    ("config", "b:list", 0, "tags"),
    ("config", "b:list", 0, "tags", 2),
    ("config", "b:list", 1),
    ("config", "b:list", 2),
    ("config", "b:list", 1, "deep", "er"),
    ("config", "b:list", 1, "deep"),
    ("config", "c:empty", "k"),
    ("config", "c:none"),
    ("config", "c:none", "k", "l"),
    ("config", "c:block"),
    ("config", "z:new", "k"),
]


def at(value: Any, steps: yaml_text.Steps) -> Any:
    for step in steps:
        value = value[step]
    return value


@given(st.sampled_from(PLACES), VALUES)
@settings(max_examples=300, deadline=None)
def test_a_written_value_is_read_back_and_other_lines_stay(
    steps: yaml_text.Steps, value: Any
) -> None:
    try:
        made = yaml_text.written(TEXT, steps, value)
    except yaml_text.UnfitError:
        return  # a refusal, and no wrong text
    assert at(yaml_files.parse(made, "t").value, steps) == value
    for comment in ("# head", "# why one", "# about the list", "# first", "# end of b", "# tail"):
        assert comment in made
    assert len(set(TEXT.splitlines()) - set(made.splitlines())) <= 4


@pytest.mark.parametrize("steps", PLACES)
@pytest.mark.parametrize("value", [7, "text", [1], {"k": {"l": [{"m": 1}]}}, [{"name": "n"}]])
def test_a_plain_value_can_be_written_everywhere(steps: yaml_text.Steps, value: Any) -> None:
    block_for_other = steps in [("config", "b:list", 1), ("config", "b:list", 1, "deep")]
    if block_for_other and isinstance(value, list):
        pytest.skip("a list in place of a block mapping is refused")
    assert at(yaml_files.parse(yaml_text.written(TEXT, steps, value), "t").value, steps) == value


@pytest.mark.parametrize("prefix", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_byte_order_mark_stay(prefix: str, newline: str) -> None:
    text = prefix + TEXT.replace("\n", newline)
    made = yaml_text.written(text, ("config", "b:list", 2), {"name": "z", "deep": {"a": {"b": 1}}})
    assert made.startswith(prefix)
    assert made.count("\n") == made.count(newline) > text.count(newline)


def test_an_entry_is_removed_and_nothing_else() -> None:
    made = yaml_text.removed(TEXT, ("config", "b:list", 0))
    assert (
        at(yaml_files.parse(made, "t").value, ("config", "b:list")) == VALUE["config"]["b:list"][1:]
    )
    kept = [
        line
        for line in TEXT.splitlines()
        if not line.startswith(("    - name: x", "      size", "      tags"))
    ]
    assert made.splitlines() == kept


@pytest.mark.parametrize(
    "steps",
    [
        ("config", "b:list", 0, "size", "cpu"),
        ("config", "b:list", 1, "deep", "er"),
        ("config", "a:one"),
    ],
)
def test_a_key_is_removed(steps: yaml_text.Steps) -> None:
    made = at(yaml_files.parse(yaml_text.removed(TEXT, steps), "t").value, steps[:-1])
    assert made == {k: v for k, v in at(VALUE, steps[:-1]).items() if k != steps[-1]}


def test_what_an_anchor_shares_is_not_edited() -> None:
    text = "config:\n  a: &x {k: 1}\n  b: *x\n"
    with pytest.raises(yaml_text.UnfitError, match="anchor"):
        yaml_text.written(text, ("config", "b", "k"), 2)
    assert yaml_text.block(text, ("config", "b")) is None


def test_a_block_moves_with_its_comments() -> None:
    block = yaml_text.block(TEXT, ("config", "b:list", 0))
    assert block == 'name: x\nsize: {cpu: "1", memory: 1Gi}  # sizes\ntags: [a, b]'
    made = yaml_text.written("l:\n- a: 1\n", ("l", 1), VALUE["config"]["b:list"][0], block)
    assert (
        made == 'l:\n- a: 1\n- name: x\n  size: {cpu: "1", memory: 1Gi}  # sizes\n  tags: [a, b]\n'
    )
