"""Values of the index: what comes back is what was stored, and SQLite orders numbers and text by themselves."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.index import values

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def through_sqlite(value: Any) -> Any:
    connection = sqlite3.connect(":memory:")
    try:
        found: Any = connection.execute("SELECT ?", (value,)).fetchone()[0]
    finally:
        connection.close()
    return found


@given(JSON)
def test_every_value_of_json_comes_back_exactly(value: Any) -> None:
    found = values.decode(through_sqlite(values.encode(value)))
    assert type(found) is type(value)
    assert json.dumps(found) == json.dumps(value)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (1, 1),
        (-(2**63), -(2**63)),
        (2**63, b"9223372036854775808"),
        (1.0, 1.0),
        (math.inf, math.inf),
        (True, b"true"),
        (False, b"false"),
        (None, b"null"),
        ([1, 2], b"[1, 2]"),
        ("true", "true"),
        ("\ud800", b'"\\ud800"'),
    ],
)
def test_numbers_and_text_are_stored_as_they_are_and_all_else_as_json(value: Any, stored: Any) -> None:
    assert values.encode(value) == stored
    assert type(values.encode(value)) is type(stored)


def test_nan_is_stored_as_json_for_sqlite_has_none() -> None:
    assert values.encode(math.nan) == b"NaN"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1), ("-0.5", -0.5), ("1e-3", 0.001), (".5", 0.5), ("5.", 5.0), (" 7 ", 7), ("+2", 2), ("1e999", math.inf),
        ("", None), ("nan", None), ("inf", None), ("0x10", None), ("1_000", None), ("1,5", None), ("٣", None),
        ("1 2", None), ("9" * 30, float("9" * 30)), ("9" * 401, None),
    ],
)  # fmt: skip
def test_the_number_that_a_text_spells(text: str, number: float | None) -> None:
    assert values.spelled(text) == number
