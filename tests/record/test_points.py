"""metrics.csv: every point that was logged comes back, whatever its name and value."""

from __future__ import annotations

import csv
import io
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.errors import Damaged
from gitexp.record import points
from gitexp.record.points import Point

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(
    alphabet=',"\n\r \t;\x00é’𝛼', max_size=8
)
steps = st.integers() | st.integers(-(10**400), 10**400)
times = st.integers(-(10**14), 10**14)
numbers = st.floats() | st.integers() | st.integers(-(10**400), 10**400)


def bits(value: float) -> object:
    """Return what tells two numbers apart: -0.0 from 0.0, 1 from 1.0, and NaN equal to itself."""
    if isinstance(value, int):
        return value
    return "nan" if math.isnan(value) else struct.pack("d", value)


@given(st.lists(st.builds(Point, names, steps, times, numbers)))
def test_any_list_of_points_comes_back_exactly_and_in_order(logged: list[Point]) -> None:
    found = list(points.decode(points.encode(logged)))
    assert [point[:3] for point in found] == [point[:3] for point in logged]
    assert [bits(point.value) for point in found] == [bits(point.value) for point in logged]
    assert points.encode(found) == points.encode(logged)


@given(st.lists(st.builds(Point, names, steps, times, st.floats())))
def test_any_csv_reader_finds_the_same_rows(logged: list[Point]) -> None:
    rows = list(csv.reader(io.StringIO(points.encode(logged).decode(), newline="")))
    assert rows[0] == ["metric", "step", "time", "value"]
    assert [row[0] for row in rows[1:]] == [point.metric for point in logged]


@given(st.binary(max_size=200))
def test_any_bytes_are_points_or_damaged(data: bytes) -> None:
    try:
        list(points.decode(b"metric,step,time,value\n" + data))
    except Damaged as error:
        assert error.hint == "gitexp fsck"


@pytest.mark.parametrize(
    ("point", "line"),
    [
        (Point("loss", 0, 0, 0.5), "loss,0,0.000,0.5\n"),
        (Point("loss", 12, 1_763_000_000_123, 1), "loss,12,1763000000.123,1\n"),
        (Point("loss", 1, 5, 1.0), "loss,1,0.005,1.0\n"),
        (Point("loss", -3, -1500, -0.0), "loss,-3,-1.500,-0.0\n"),
        (Point("loss", 1, 0, math.nan), "loss,1,0.000,nan\n"),
        (Point("loss", 1, 0, -math.inf), "loss,1,0.000,-inf\n"),
        (Point("a,b", 1, 0, 1e-300), '"a,b",1,0.000,1e-300\n'),
        (Point('say "hi"', 1, 0, 2**70), '"say ""hi""",1,0.000,1180591620717411303424\n'),
        (Point("two\nlines", 1, 0, 3), '"two\nlines",1,0.000,3\n'),
        (Point("carriage\rreturn", 1, 0, 3), '"carriage\rreturn",1,0.000,3\n'),
        (Point(" padded ", 1, 0, 3), '" padded ",1,0.000,3\n'),
        (Point("ошибка/валидация", 1, 0, 3), "ошибка/валидация,1,0.000,3\n"),
        (Point("", 1, 0, 3), ",1,0.000,3\n"),
    ],
)
def test_a_point_is_one_line(point: Point, line: str) -> None:
    assert points.line(point) == line


def test_a_metric_that_appears_late_and_one_logged_twice_at_a_step_both_come_back() -> None:
    logged = [Point("loss", 1, 10, 0.5), Point("loss", 1, 10, 0.5), Point("loss", 1, 10, 0.4), Point("late", 9, 11, 1)]
    assert list(points.decode(points.encode(logged))) == logged


def test_columns_that_a_later_version_adds_are_passed_over() -> None:
    data = b"metric,step,time,value,rank\nloss,1,0.000,0.5,7\n"
    assert list(points.decode(data)) == [Point("loss", 1, 0, 0.5)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "metrics.csv, row 1: the header is not metric,step,time,value"),
        (b"loss,1,2,3\n", "metrics.csv, row 1: the header is not metric,step,time,value"),
        (b"metric,step,time,value\nloss,1,0.000\n", "metrics.csv, row 2: 3 fields, not 4"),
        (
            b"metric,step,time,value\nloss,1,0.000,1\nloss,x,0.000,1\n",
            "metrics.csv, row 3: invalid literal for int() with base 10: 'x'",
        ),
        (b'metric,step,time,value\n"loss,1,0.000,1\n', "metrics.csv, row 2: unexpected end of data"),
        (
            b"metric,step,time,value\nloss,1,0.000,1\nloss,1,inf,1\n",
            "metrics.csv, row 3: time 'inf'",
        ),
    ],
)
def test_a_damaged_file_names_the_row(data: bytes, message: str) -> None:
    with pytest.raises(Damaged) as caught:
        list(points.decode(data))
    assert caught.value.message == message
