"""The random plugin: values are drawn once, differ, and passwords stay secret."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.plugins.provider import UNKNOWN, PluginError, Secret, reveal
from sandbox.plugins.random.plugin import KINDS, RandomProvider

PROVIDER = RandomProvider()
URN = "urn:pulumi:dev::p::random:index/x:X::name"
MINIMAL: dict[str, dict[str, Any]] = {
    "RandomId": {"byteLength": 4},
    "RandomString": {"length": 20},
    "RandomPassword": {"length": 20},
    "RandomPet": {},
    "RandomInteger": {"min": 1, "max": 10**9},
    "RandomShuffle": {"inputs": [str(n) for n in range(30)]},
    "RandomUuid": {},
    "RandomUuid4": {},
    "RandomUuid7": {},
    "RandomBytes": {"length": 12},
}


def _token(name: str) -> str:
    return f"random:index/{name[0].lower()}{name[1:]}:{name}"


def _checked(name: str, news: dict[str, Any]) -> dict[str, Any]:
    result = PROVIDER.check(type=_token(name), urn=URN, olds={}, news=news, random_seed=b"")
    assert not result.failures
    return result.inputs


def _create(name: str, **news: Any) -> tuple[str, dict[str, Any]]:
    inputs = _checked(name, news)
    return PROVIDER.create(type=_token(name), urn=URN, inputs=inputs, timeout=0, preview=False)


def test_every_type_is_covered_here() -> None:
    assert {_token(name) for name in MINIMAL} == set(KINDS)


@pytest.mark.parametrize("name", MINIMAL)
def test_two_draws_differ(name: str) -> None:
    assert _create(name, **MINIMAL[name]) != _create(name, **MINIMAL[name])


@pytest.mark.parametrize("name", MINIMAL)
def test_a_preview_draws_nothing(name: str) -> None:
    inputs = _checked(name, MINIMAL[name])
    made, outputs = PROVIDER.create(
        type=_token(name), urn=URN, inputs=inputs, timeout=0, preview=True
    )
    assert made == ""
    assert all(outputs[output] is UNKNOWN for output in KINDS[_token(name)].outputs)


@pytest.mark.parametrize("name", MINIMAL)
def test_the_same_inputs_are_no_change_and_others_replace(name: str) -> None:
    inputs = _checked(name, MINIMAL[name])

    def diff(new: dict[str, Any]) -> Any:
        return PROVIDER.diff(
            type=_token(name), urn=URN, id="x", old_inputs=inputs, old_outputs={},
            new_inputs=new, ignore_changes=[],
        )  # fmt: skip

    assert not diff(inputs).changes
    changed = diff({**inputs, "keepers": {"a": "b"}})
    assert changed.changes
    assert changed.replaces == ["keepers"]


@given(
    length=st.integers(8, 80),
    minima=st.tuples(*[st.integers(0, 2)] * 4),
    special=st.sampled_from(["-_", "!", ""]),
)
def test_a_password_has_its_length_and_minima(
    length: int, minima: tuple[int, int, int, int], special: str
) -> None:
    lower, upper, numeric, specials = minima
    made, outputs = _create(
        "RandomString", length=length, minLower=lower, minUpper=upper, minNumeric=numeric,
        minSpecial=specials, overrideSpecial=special,
    )  # fmt: skip
    text = outputs["result"]
    assert made == text
    assert len(text) == length
    assert sum(c in string.ascii_lowercase for c in text) >= lower
    assert sum(c in string.ascii_uppercase for c in text) >= upper
    assert sum(c in string.digits for c in text) >= numeric
    assert sum(not c.isalnum() for c in text) >= specials
    if special:
        assert all(c.isalnum() or c in special for c in text)


def test_a_password_is_secret_and_not_its_own_id() -> None:
    made, outputs = _create("RandomPassword", length=12)
    assert made == "none"
    assert isinstance(outputs["result"], Secret)
    assert isinstance(outputs["bcryptHash"], Secret)
    assert outputs["bcryptHash"].value.startswith("$2")


@pytest.mark.parametrize(
    ("name", "inputs", "words"),
    [
        ("RandomString", {"length": 3, "minLower": 4}, "more than the length 3"),
        ("RandomString", {"length": 3, "upper": False, "minUpper": 1}, "not allowed"),
        ("RandomInteger", {"min": 2, "max": 1}, "min 2 exceeds max 1"),
    ],
)
def test_impossible_inputs_are_refused(name: str, inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        _create(name, **inputs)


def test_a_missing_input_is_named() -> None:
    token = _token("RandomId")
    result = PROVIDER.check(type=token, urn=URN, olds={}, news={}, random_seed=b"")
    assert [failure.property for failure in result.failures] == ["byteLength"]


def test_a_random_id_can_be_imported() -> None:
    made, outputs = _create("RandomId", byteLength=8)
    found = PROVIDER.read(type=_token("RandomId"), urn=URN, id=made, inputs={}, outputs={})
    assert found is not None
    assert found[0] == made
    assert found[2]["hex"] == outputs["hex"]


def test_an_imported_password_stays_secret() -> None:
    token = _token("RandomPassword")
    found = PROVIDER.read(type=token, urn=URN, id="hush-hush", inputs={}, outputs={})
    assert found is not None
    assert found[0] == "none"
    assert found[2]["result"] == Secret("hush-hush")


def test_a_seed_gives_the_same_shuffle() -> None:
    first = _create("RandomShuffle", inputs=["a", "b", "c", "d"], seed="s")[1]["results"]
    assert _create("RandomShuffle", inputs=["a", "b", "c", "d"], seed="s")[1]["results"] == first


@pytest.mark.parametrize(
    ("name", "given", "made", "outputs"),
    [
        ("RandomInteger", "5,1,9", "5", {"min": 1, "max": 9, "result": 5}),
        ("RandomInteger", "5,1,9,a,b", "5", {"min": 1, "max": 9, "result": 5, "seed": "a,b"}),
        ("RandomBytes", "AQI=", "none", {"length": 2, "base64": "AQI=", "hex": "0102"}),
    ],
)
def test_an_import_takes_the_value_from_the_id(
    name: str, given: str, made: str, outputs: dict[str, Any]
) -> None:
    found = PROVIDER.read(type=_token(name), urn=URN, id=given, inputs={}, outputs={})
    assert found is not None
    assert found[0] == made
    assert reveal(found[2]) == outputs


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("RandomInteger", "5", "must be <result>,<min>,<max>"),
        ("RandomInteger", "5,6,9", "5 is not from 6 to 9"),
        ("RandomUuid", "x", "badly formed"),
        ("RandomPet", "x", "cannot be imported"),
    ],
)
def test_an_invalid_import_id_is_refused(name: str, given: str, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        PROVIDER.read(type=_token(name), urn=URN, id=given, inputs={}, outputs={})
