"""Canonical JSON and times: equal content has equal bytes, and comes back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp import canonical

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def typed(value: Any) -> Any:
    """Return `value` so that 1, 1.0 and True differ, and -0.0 from 0.0."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), repr(value))


@given(values)
def test_any_json_comes_back_with_its_types(value: Any) -> None:
    assert typed(canonical.loads(canonical.dumps(value))) == typed(value)
    assert typed(canonical.loads(canonical.line(value))) == typed(value)


ODD = [
    "NaN", "[Infinity, -Infinity]", "1e999", "-0", "-0.0", "9223372036854775808", "-9223372036854775809",
    "[1.5, 2e400]",
    "18446744073709551616", "1" * 5000, '{"a": 1, "a": 2}', '"\\ud800"', '"\\ud83d\\ude00"', "[" * 200 + "]" * 200, "{",
    "", "\ufeff1", '"\x00"', "0.1000000000000000055511151231257827", "[1,]", "01", "nul", "5e-324", "1 x", "'a'",
]  # fmt: skip


@given(st.sampled_from(ODD) | values.map(json.dumps) | st.text('0123456789-+.eE[],: "a{}', max_size=12))
def test_json_that_is_parsed_in_haste_is_the_same(text: str) -> None:
    def outcome(data: bytes | str) -> Any:
        try:
            return typed(canonical.loads(data))
        except ValueError:
            return "no JSON"

    for data in (text, text.encode(), text.encode("utf-16"), text.encode().replace(b"a", b"\xff")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(canonical, "_parse", json.loads)
            plain = outcome(data)
            canonical.hasten()
            assert outcome(data) == plain


@given(values)
def test_writing_what_was_read_gives_the_same_bytes(value: Any) -> None:
    data = canonical.dumps(value)
    assert canonical.dumps(canonical.loads(data)) == data
    assert canonical.dumps(json.loads(data)) == data
    assert b"\n" not in canonical.line(value)


@given(st.dictionaries(st.text(), scalars))
def test_the_order_of_keys_changes_nothing(value: dict[str, Any]) -> None:
    assert canonical.dumps(dict(reversed(value.items()))) == canonical.dumps(value)


@given(st.floats())
def test_any_float_is_a_number_again(value: float) -> None:
    found = canonical.special(canonical.loads(canonical.dumps({"x": [value]})))["x"][0]
    assert found == value or (math.isnan(found) and math.isnan(value))


@given(st.integers(0, 253_402_300_799_999))
def test_a_time_comes_back_to_the_millisecond(time_ms: int) -> None:
    text = canonical.iso(time_ms)
    assert len(text) == 24
    assert canonical.from_iso(text) == time_ms


@given(st.integers(0, 253_402_300_799_999), st.integers(0, 253_402_300_799_999))
def test_times_sort_as_their_texts(one: int, other: int) -> None:
    assert (one < other) == (canonical.iso(one) < canonical.iso(other))


@given(st.binary(max_size=100))
def test_any_bytes_are_json_or_a_value_error(data: bytes) -> None:
    try:
        canonical.loads(data)
    except ValueError as error:
        assert str(error)


def test_the_form_is_utf8_sorted_and_indented_by_two() -> None:
    value = {"b": [1, 2.0, True, None], "a": "é\u2028", "n": math.nan, "i": [math.inf, -math.inf]}
    assert canonical.dumps(value).decode() == (
        '{\n  "a": "é\u2028",\n  "b": [\n    1,\n    2.0,\n    true,\n    null\n  ],\n'
        '  "i": [\n    "Infinity",\n    "-Infinity"\n  ],\n  "n": "NaN"\n}\n'
    )
    assert canonical.line({"b": 1, "a": "x"}) == b'{"a":"x","b":1}'


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2026-11-20T14:02:11.123Z", 1_795_183_331_123),
    ],
)
def test_times_are_read_in_any_zone(text: str, time_ms: int) -> None:
    assert canonical.from_iso(text) == time_ms


@pytest.mark.parametrize("data", ["[" * 200_000, '{"a":' * 200_000])
def test_nesting_beyond_the_stack_is_a_value_error(data: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        canonical.loads(data)


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
def test_json_of_more_levels_than_anybody_writes_is_refused(opening: str, closing: str) -> None:
    def nested(levels: int) -> str:
        return opening * levels + "1" + closing * levels

    assert canonical.loads(nested(canonical.MAX_LEVELS)) is not None
    for levels in (canonical.MAX_LEVELS + 1, 900, 100_000):
        with pytest.raises(ValueError, match="nested too deeply"):
            canonical.loads(nested(levels))
    assert len(canonical.loads("[" + "[1]," * 1000 + "[]]")) == 1001
