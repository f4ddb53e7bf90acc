"""Values as people log them."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.record import values


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Config:
    lr: float
    tags: tuple[str, ...]


class Opaque:
    def __repr__(self) -> str:
        return "<opaque>"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("logged", "kept"),
    [
        (1, 1),
        (0.5, 0.5),
        (True, 1),
        (False, 0),
        (Level.HIGH, 3),
        (numpy.float32(0.5), 0.5),
        (numpy.float64(0.1), 0.1),
        (numpy.int64(7), 7),
        (numpy.bool_(True), 1),
        (numpy.array(3), 3),
        (numpy.array([2.5]), 2.5),
        (Decimal("0.25"), 0.25),
        (Fraction(1, 4), 0.25),
        (10**300, 10**300),
    ],
)
def test_a_metric_is_kept_as_int_or_float(logged: Any, kept: float) -> None:
    found = values.number(logged)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    "logged",
    ["0.5", b"1", None, [1], (1.0,), {"a": 1}, 1j, numpy.array([1, 2]), numpy.array([]), numpy.array("x"), object(),
     Decimal("sNaN"), 1 << 60_000, datetime(2026, 1, 1, tzinfo=UTC), Opaque(), Hostile(), numpy.complex64(1j)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_single_number_is_refused(logged: Any) -> None:
    with pytest.raises(ValueError, match=r"not a number|array of several|an integer of"):
        values.number(logged)


@pytest.mark.parametrize(
    ("given_step", "kept"), [(3, 3), (3.0, 3), (numpy.int32(4), 4), (numpy.float64(5), 5), (-1, -1)]
)
def test_a_step_is_a_whole_number(given_step: Any, kept: int) -> None:
    assert values.step(given_step) == kept
    assert type(values.step(given_step)) is int


@pytest.mark.parametrize(
    "given_step", [0.5, math.nan, math.inf, "3", None, [1], 1 << 60_000], ids=lambda value: type(value).__name__
)
def test_a_step_that_is_no_whole_number_is_refused(given_step: Any) -> None:
    with pytest.raises(ValueError, match=r"whole number|not a number|an integer of"):
        values.step(given_step)


@pytest.mark.parametrize(
    ("given_time", "kept"),
    [(0, 0), (1_763_000_000.1234, 1_763_000_000_123), (datetime(1970, 1, 2, tzinfo=UTC), 86_400_000), (-1.5, -1500)],
)
def test_a_time_is_whole_milliseconds(given_time: Any, kept: int) -> None:
    assert values.time_ms(given_time) == kept


@pytest.mark.parametrize("given_time", [math.nan, math.inf, 1e12, 10**400, "now", None, date(2026, 1, 1)])
def test_what_is_no_time_is_refused(given_time: Any) -> None:
    with pytest.raises(ValueError, match=r"not a time in seconds|not a number"):
        values.time_ms(given_time)


@pytest.mark.parametrize(
    ("logged", "kept"),
    [
        (None, None),
        (Path("data") / "train.csv", "data/train.csv"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        ((1, 2), [1, 2]),
        ({2, 1}, [1, 2]),
        (range(3), [0, 1, 2]),
        ({1: "a", None: "b"}, {"1": "a", "None": "b"}),
        (Config(0.1, ("a", "b")), {"lr": 0.1, "tags": ["a", "b"]}),
        (argparse.Namespace(lr=0.1, layers=[1]), {"lr": 0.1, "layers": [1]}),
        (numpy.float32(0.5), 0.5),
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (numpy.str_("adam"), "adam"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
    ],
)
def test_a_param_becomes_what_json_can_hold(logged: Any, kept: Any) -> None:
    assert values.plain({"x": logged}) == ({"x": kept}, True)
    json.dumps(values.plain(logged)[0])


@pytest.mark.parametrize(
    ("logged", "kept"),
    [
        (Opaque(), "<opaque>"),
        (Hostile(), "<Hostile>"),
        (b"abc", "b'abc'"),
        (1 + 2j, "(1+2j)"),
        (len, "<built-in function len>"),
        (10**5000, "<int>"),
        (numpy.complex128(1j), "1j"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_is_kept_as_its_repr_and_said(logged: Any, kept: str) -> None:
    assert values.plain({"x": [logged]}) == ({"x": [kept]}, False)


def test_a_value_that_holds_itself_ends() -> None:
    loop: list[Any] = []
    loop += [loop, {"again": loop}]
    found, whole = values.plain(loop)
    assert not whole
    assert found == ["[[...], {'again': [...]}]", {"again": "[[...], {'again': [...]}]"}]


def test_a_value_that_is_shared_is_written_out_twice() -> None:
    shared = [1]
    assert values.plain({"a": shared, "b": [shared, shared]}) == ({"a": [1], "b": [[1], [1]]}, True)


def test_a_deep_value_is_cut_where_readers_would_stop() -> None:
    deep: Any = 0
    for _ in range(500):
        deep = [deep]
    found, whole = values.plain(deep)
    assert not whole
    json.dumps(found)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_plain_json_stays_as_it_is(value: Any) -> None:
    assert values.plain(value) == (value, True)
