"""Exponential smoothing is TensorBoard's."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from gitexp.plots import smooth


def as_tensorboard_does(values: list[float], weight: float) -> list[float]:
    """Return what `resmooth` in TensorBoard's line-chart.ts makes of some values."""
    last, count, found = 0.0, 0, []
    for value in values:
        if not math.isfinite(value):
            found.append(value)
            continue
        last = last * weight + (1 - weight) * value
        count += 1
        found.append(last / (1 - weight**count))
    return found


@given(
    st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=200),
    st.floats(0.001, 0.999),
)
def test_each_value_is_that_of_tensorboard(values: list[float], weight: float) -> None:
    found = smooth.exponential(np.array(values, dtype=float), weight)
    assert found == pytest.approx(as_tensorboard_does(values, weight), nan_ok=True, rel=1e-9, abs=1e-6)


def test_no_weight_changes_nothing_and_a_constant_stays() -> None:
    values = np.array([1.0, 5.0, math.nan])
    assert np.array_equal(smooth.exponential(values, 0.0), values, equal_nan=True)
    assert smooth.exponential(np.full(5000, 3.0), 0.99) == pytest.approx(np.full(5000, 3.0))
    assert smooth.exponential(np.array([1e308] * 50), 0.9) == pytest.approx([1e308] * 50)
