"""Values side by side."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.ops.comparing import difference
from gitexp.ops.comparing.difference import MISSING, MetricRow
from gitexp.ops.finding.goals import Goal

numbers = st.none() | st.floats() | st.integers() | st.integers(-(10**400), 10**400)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(MISSING),
    lambda inner: st.lists(inner.filter(lambda item: item is not MISSING), max_size=2),
    max_leaves=4,
)
goals = st.sampled_from([Goal("max", "x"), Goal("min", "x"), Goal("")])


@given(values, values)
def test_being_the_same_is_mutual_and_holds_for_oneself(one: Any, other: Any) -> None:
    assert difference.same(one, one)
    assert difference.same(one, other) == difference.same(other, one)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (math.nan, math.nan, True),
        ("1", 1, False),
        (None, MISSING, False),
        (MISSING, MISSING, True),
        ([1], [1.0], False),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, True),
        (10**400, 10**400, True),
    ],
)
def test_values_are_the_same_as_people_mean_it(one: Any, other: Any, same: bool) -> None:
    assert difference.same(one, other) is same


@given(goals, st.lists(numbers, min_size=2, max_size=4))
def test_a_row_of_any_numbers_has_a_verdict(goal: Goal, found: list[Any]) -> None:
    row = MetricRow("loss", goal, tuple(found))
    assert row.verdict in ("equal", "better", "worse", "")
    assert row.change is None or math.isfinite(row.change)
    assert row.best is None or found[row.best] is not None
    percent = row.percent
    assert percent is None or isinstance(percent, float)


@pytest.mark.parametrize(
    ("goal", "found", "verdict", "best"),
    [
        (Goal("max"), (0.9, 0.91), "better", 1),
        (Goal("min"), (0.9, 0.91), "worse", 0),
        (Goal(""), (0.9, 0.91), "", None),
        (Goal("max"), (0.9, 0.9), "equal", None),
        (Goal("max"), (0.9, None), "", None),
        (Goal("max"), (0.9, math.nan), "worse", None),
        (Goal("min"), (math.nan, 0.5), "better", None),
        (Goal("min"), (0.5, 0.4, 0.4), "better", None),
        (Goal("min"), (0.5, None, 0.4), "better", 2),
    ],
)
def test_the_better_one_is_known_where_the_direction_is(
    goal: Goal, found: tuple[Any, ...], verdict: str, best: int | None
) -> None:
    row = MetricRow("loss", goal, found)
    assert (row.verdict, row.best) == (verdict, best)


def test_a_foreign_environment_of_any_shape_has_packages_or_none() -> None:
    for value in ([], None, "x", {"numpy": "2.0"}, {"numpy": {"version": 5, "commit": None}}, {"x": []}):
        assert isinstance(difference.packages({"packages": value}), dict)
    assert difference.packages({"packages": {"mine": {"version": "1", "commit": "a" * 40}}}) == {"mine": "1 (aaaaaaa)"}
