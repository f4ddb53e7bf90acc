"""Thinning keeps every extreme, gap and infinity of every pixel column."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from gitexp.plots import thin

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
SERIES = st.lists(NUMBERS, min_size=1, max_size=300)


def column_of(x: np.ndarray[Any, Any], columns: int) -> np.ndarray[Any, Any]:
    """Return the pixel column of each point, as one would say it."""
    low, high = x.min(), x.max()
    return np.minimum(((x - low) / (high - low or 1) * columns).astype(int), columns - 1)


@given(SERIES, st.integers(1, 40))
def test_no_extreme_is_lost_of_any_column(values: list[float], columns: int) -> None:
    y, x = np.array(values), np.arange(len(values), dtype=float)
    kept = thin.keep(x, y, columns)
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert {0, len(y) - 1} <= set(kept.tolist())
    place = column_of(x, columns)
    for column in set(place.tolist()):
        whole, rest = y[place == column], y[kept][place[kept] == column]
        for part in (np.isnan, np.isposinf, np.isneginf):
            assert part(whole).any() == part(rest).any()
        if np.isfinite(whole).any():
            for extreme in (np.min, np.max):
                assert extreme(whole[np.isfinite(whole)]) == extreme(rest[np.isfinite(rest)])


@given(SERIES, st.randoms(use_true_random=False), st.integers(1, 20))
def test_no_extreme_is_lost_where_x_runs_to_and_fro(values: list[float], random: Any, columns: int) -> None:
    y, x = np.array(values), np.array([random.uniform(-1e6, 1e6) for _ in values])
    kept = thin.keep(x, y, columns)
    finite = y[np.isfinite(y)]
    if len(finite):
        assert {finite.min(), finite.max()} <= set(y[kept].tolist())
    pixel = (x.max() - x.min()) / columns
    assert x[kept].min() - x.min() <= pixel
    assert x.max() - x[kept].max() <= pixel
    assert np.isnan(y).any() == np.isnan(y[kept]).any()


def test_a_million_points_become_a_few_for_each_column() -> None:
    x = np.arange(1_000_000, dtype=float)
    y = np.random.default_rng(0).normal(size=len(x))
    y[123_456], y[654_321], y[777_777] = 1e9, math.nan, math.inf
    kept = set(thin.keep(x, y, 800).tolist())
    assert {123_456, 654_321, 777_777} <= kept
    assert len(kept) <= 7 * 800
    random = np.random.default_rng(1).normal(size=len(x))
    assert len(thin.keep(random, y, 800)) <= 9 * 800


def test_columns_of_a_logarithmic_axis_are_those_of_its_powers() -> None:
    x = np.geomspace(1, 1e6, 10_000)
    kept = x[thin.keep(x, np.sin(x), 60, log=True)]
    assert (kept < 10).sum() > 20


@pytest.mark.parametrize("values", [[5.0] * 1000, [math.nan] * 1000, [1e308, -1e308] * 500])
def test_constant_and_huge_values_are_thinned_too(values: list[float]) -> None:
    kept = thin.keep(np.arange(1000.0), np.array(values), 10)
    assert 0 < len(kept) <= 50
