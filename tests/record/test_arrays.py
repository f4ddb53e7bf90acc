"""Points as arrays: the same points that `record.points` finds, whatever the bytes are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitexp.errors import Damaged
from gitexp.record import arrays, points
from gitexp.record.points import Point
from tests.record import test_points

HEADER = points.HEADER.encode()
usual_names = st.sampled_from(["loss", "Loss", "val/auc", "1", "01", "nan", "", "a,b", 'say "x"', "two\nlines", "損失"])
usual = st.builds(
    Point,
    usual_names | test_points.names,
    st.integers(-(10**6), 10**6) | st.integers(-(2**63), 2**63 - 1),
    test_points.times,
    st.floats() | st.integers(-(2**70), 2**70),
)


def rows(table: arrays.Table) -> list[Point]:
    """Return a table's points, for comparison."""
    columns = (table.codes.tolist(), table.steps.tolist(), table.times_ms.tolist(), table.values.tolist())
    return [Point(table.names[code], *rest) for code, *rest in zip(*columns, strict=True)]


def floats(found: list[Point]) -> list[str]:
    """Return points as text that tells -0.0 from 0.0 and takes NaN for equal, their values as floats."""
    return [repr((point.metric, point.step, point.time_ms, to_float(point.value))) for point in found]


def to_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@given(st.lists(st.builds(Point, test_points.names, test_points.steps, test_points.times, test_points.numbers)))
def test_any_points_are_the_same_as_arrays(logged: list[Point]) -> None:
    found = arrays.parse(points.encode(logged)[len(HEADER) :])
    assert found is not None
    assert floats(rows(found)) == floats(logged)


@given(st.lists(usual, min_size=1))
def test_what_gitexp_writes_is_parsed_fast_and_is_the_same(logged: list[Point]) -> None:
    data = points.encode(logged)[len(HEADER) :]
    found = arrays.fast(data)
    odd = any(byte in data for byte in (b"\0", b"\r")) or data.startswith("\ufeff".encode())
    long = any(len(str(abs(point.step))) > arrays.MAX_DIGITS for point in logged)
    assert (found is None) == (odd or long)
    assert found is None or floats(rows(found)) == floats(logged)


pieces = st.sampled_from(
    ["loss", "1", "-", ".", "e", "5", ",", ",", ",", "\n", '"', '""', "nan", "inf", "True", "0.5", " ", "\r", "\0",
     "_", "+", "é", "1763000000.123", "loss,1,0.000,0.5\n", '"a,b",2,1.500,nan\n', "\ufeff", "Infinity", "1e3"]
)  # fmt: skip


@given(st.lists(pieces, max_size=12).map(lambda parts: "".join(parts).encode()) | st.binary(max_size=60))
@example(b"loss,1e2,0.000,1\n")
@example(b"loss,1.0,0.000,1\n")
@example(b"loss,1,0.000,True\n")
@example(b"loss,1,0.000,false\n")
@example(b"1,1,2\n3,4,5,6,7\n")
@example(b'"a"b,1,0.000,1\n')
@example(b'a"b,1,0.000,1\nc"d,1,0.000,1\n')
@example(b'"a",1,0.000,"1"\n')
@example(b"loss,9223372036854775808,0.000,1\n")
@example(b"loss,1,nan,1\n")
@example(b"loss,1,1e12,1\n")
@example("﻿loss,1,0.000,1\n".encode())
@example(b"\xff\xfe,1,0.000,1\n\xff,1,0.000,1\n")
@example(b"a\0b,1,0.000,1\na\0c,1,0.000,1\n")
@example(b"loss,1,0.000,1\n\nloss,1,0.000,1\n")
@example(b"\n" * 4)
@example(b"x" * 140_000 + b",1,0.000,1\n")
def test_other_bytes_are_parsed_fast_only_where_it_makes_no_difference(data: bytes) -> None:
    found = arrays.fast(data)
    if found is not None:
        assert floats(rows(found)) == floats(list(points.decode(HEADER + data)))


@given(st.lists(pieces, max_size=12).map(lambda parts: "".join(parts).encode()))
def test_what_does_not_parse_is_none(data: bytes) -> None:
    found = arrays.parse(data)
    try:
        wanted = list(points.decode(HEADER + data))
    except Damaged:
        assert found is None
    else:
        assert found is not None
        assert floats(rows(found)) == floats(wanted)


@pytest.mark.parametrize("value", ["5e-324", "1.7976931348623157e+308", "0.1", "9007199254740993", "1e23", "-0.0"])
def test_a_value_is_the_float_that_python_reads(value: str) -> None:
    found = arrays.fast(f"loss,1,0.000,{value}\n".encode() * 2)
    assert found is not None
    assert found.values.tolist() == [float(value)] * 2


def test_columns_have_types_of_their_own() -> None:
    found = arrays.parse(b"loss,1,0.001,7\nauc,2,0.002,0.5\n")
    assert found is not None
    assert [column.dtype for column in (found.steps, found.times_ms, found.values)] == [np.int64, np.int64, np.float64]


def test_a_step_beyond_64_bits_is_kept() -> None:
    found = arrays.parse(b"loss,1,0.001,7\nloss,100000000000000000000,0.002,0.5\n")
    assert found is not None
    assert found.steps.tolist() == [1, 10**20]


def test_some_metrics_can_be_taken() -> None:
    found = arrays.parse(b"a,1,0.000,1\nb,1,0.000,2\nc,1,0.000,3\nb,2,0.000,4\n")
    assert found is not None
    assert rows(arrays.only(found, {"c", "b", "z"})) == [Point("b", 1, 0, 2), Point("c", 1, 0, 3), Point("b", 2, 0, 4)]
    assert rows(arrays.only(found, ())) == []
    assert arrays.only(found, None) is found
