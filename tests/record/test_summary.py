"""summary.json: what a list shows of a metric."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.errors import Damaged
from gitexp.record import summary
from gitexp.record.points import Point
from gitexp.record.summary import Aggregate

names = st.text(max_size=5)
numbers = st.floats() | st.integers() | st.integers(-(10**400), 10**400)
logged = st.lists(st.builds(Point, st.sampled_from(["loss", "acc"]), st.integers(-5, 5), st.integers(0, 9), numbers))


def make(*values: float, steps: tuple[int, ...] = ()) -> Aggregate:
    rows = enumerate(values) if not steps else zip(steps, values, strict=True)
    return summary.of(Point("loss", step, step * 1000, value) for step, value in rows)["loss"]


@given(logged)
def test_a_summary_comes_back_as_it_was_written(points: list[Point]) -> None:
    found = summary.of(points)
    data = summary.encode(found)
    assert summary.decode(data) == found
    assert summary.encode(summary.decode(data)) == data


@given(logged)
def test_a_summary_agrees_with_a_plain_reading_of_the_points(points: list[Point]) -> None:
    for name, found in summary.of(points).items():
        own = [point for point in points if point.metric == name]
        values = [point.value for point in own if not math.isnan(float_of(point.value))]
        assert found.count == len(own)
        assert same(found.first, own[0].value)
        last = max(enumerate(own), key=lambda item: (item[1].step, item[1].time_ms, item[0]))[1]
        assert same(found.last, last.value)
        assert found.last_step == max(point.step for point in own)
        if values:
            assert (found.min, found.max) == (min(values), max(values))
            assert any(p.step == found.min_step and p.value == found.min for p in own)
            assert any(p.step == found.max_step and p.value == found.max for p in own)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9), numbers), min_size=1, max_size=6), max_size=5)
)
def test_points_in_batches_give_what_points_one_by_one_give(batches: list[list[tuple[int, int, float]]]) -> None:
    singly, together = Aggregate(), Aggregate()
    for batch in batches:
        for row in batch:
            singly.add(*row)
        steps, times, values = (list(column) for column in zip(*batch, strict=True))
        together.add_many(steps, times, values)
    one, other = singly.to_json(), together.to_json()
    means = one.pop("mean", 0.0), other.pop("mean", 0.0)
    assert same_items(one, other)
    assert math.isnan(means[0]) or math.isinf(means[0]) or means[0] == pytest.approx(means[1], rel=1e-6, abs=1e300)


def float_of(value: float) -> float:
    return value if isinstance(value, float) else 0.0


def same(one: float, other: float) -> bool:
    return one == other or (float_of(one) != float_of(one) and float_of(other) != float_of(other))


def same_items(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)


def test_last_is_the_value_at_the_highest_step_not_the_last_logged() -> None:
    found = make(0.5, 0.3, 0.4, steps=(1, 9, 4))
    assert (found.last, found.last_step, found.first, found.first_step) == (0.3, 9, 0.5, 1)


def test_nan_counts_as_a_point_and_decides_no_minimum() -> None:
    found = make(math.nan, 2.0, math.nan, 1.0)
    assert (found.count, found.min, found.min_step, found.max, found.max_step, found.mean) == (4, 1.0, 3, 2.0, 1, 1.5)


def test_a_metric_of_nan_alone_has_no_minimum_in_the_file() -> None:
    assert make(math.nan).to_json().keys() == {"count", "first", "last", "first_step", "last_step"}
    assert math.isnan(summary.decode(summary.encode({"loss": make(math.nan)}))["loss"].min)


def test_what_the_user_set_stands_for_the_metric() -> None:
    found = make(0.5, 0.4)
    found.set = 0.123
    assert found.value == 0.123
    assert summary.decode(summary.encode({"loss": found}))["loss"].value == 0.123


def test_a_number_that_was_only_set_has_no_points() -> None:
    alone = Aggregate()
    alone.set = 7
    found = summary.decode(summary.encode({"size": alone}))["size"]
    assert (found.count, found.value, found.last, found.max) == (0, 7, 7, 7)


def test_the_file_is_canonical() -> None:
    assert summary.encode({"loss": make(0.5, 0.25)}) == (
        b'{\n  "loss": {\n    "count": 2,\n    "first": 0.5,\n    "first_step": 0,\n    "last": 0.25,\n'
        b'    "last_step": 1,\n    "max": 0.5,\n    "max_step": 0,\n    "mean": 0.375,\n    "min": 0.25,\n'
        b'    "min_step": 1\n  }\n}\n'
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1]",
        b'{"loss": 1}',
        b'{"loss": {"count": "many"}}',
        b'{"loss": {"count": 1e999}}',
        b'{"loss": {"count": 1, "min": []}}',
        b'{"loss": {"count": 1, "last_step": null}}',
        b'{"loss": ' * 100_000,
    ],
)
def test_a_damaged_summary_says_so(data: bytes) -> None:
    with pytest.raises(Damaged, match=r"^summary\.json does not parse"):
        summary.decode(data)
