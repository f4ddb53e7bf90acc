"""What a number is, and numbers that no float can hold."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gitexp.record import numbers

HUGE = 10**400


@pytest.mark.parametrize(
    ("value", "is_number"),
    [(0, True), (-0.5, True), (math.nan, True), (HUGE, True), (True, False), ("1", False), (None, False)],
)
def test_whole_numbers_and_floats_are_numbers_and_nothing_else_is(value: Any, is_number: bool) -> None:
    assert numbers.is_number(value) is is_number


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3.0), (0.5, 0.5), (-math.inf, -math.inf), (HUGE, math.inf), (-HUGE, -math.inf)]
)
def test_an_integer_beyond_all_floats_is_an_infinity(value: int | float, number: float) -> None:
    assert numbers.float_of(value) == number


def test_nan_is_told_of_integers_of_any_size() -> None:
    assert [numbers.is_nan(value) for value in (math.nan, HUGE, 0, math.inf)] == [True, False, False, False]
