"""The mean of several lines and its spread."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gitexp.plots import band


def test_lines_of_the_same_steps_are_averaged_step_by_step() -> None:
    x = np.array([0.0, 1.0, 2.0])
    steps, mean, std, same = band.of([(x, np.array([1.0, 2.0, math.nan])), (x, np.array([3.0, 2.0, 7.0]))])
    assert same
    assert steps.tolist() == [0, 1, 2]
    assert mean.tolist() == [2.0, 2.0, 7.0]
    assert std[:2] == pytest.approx([math.sqrt(2), 0.0])
    assert math.isnan(std[2])  # one line has no spread


def test_lines_of_other_steps_count_between_their_points_and_not_beyond_them() -> None:
    one = (np.array([0.0, 2.0, 4.0]), np.array([0.0, 2.0, 4.0]))
    other = (np.array([0.0, 1.0]), np.array([10.0, 11.0]))
    x, mean, std, same = band.of([one, other])
    assert not same
    assert x.tolist() == [0, 1, 2, 4]
    assert mean.tolist() == [5.0, 6.0, 2.0, 4.0]
    assert np.isnan(std).tolist() == [False, False, True, True]


def test_long_lines_are_averaged_in_bins() -> None:
    random = np.random.default_rng(0)
    lines = [(np.sort(random.uniform(0, 100, 20_000)), random.normal(5, 1, 20_000)) for _ in range(4)]
    x, mean, std, same = band.of(lines)
    assert len(x) == band.BINS
    assert not same
    assert np.abs(mean - 5).max() < 0.5
    assert np.nanmax(std) < 1


def test_lines_without_a_number_give_none() -> None:
    x = np.array([0.0, 1.0])
    _, mean, std, _ = band.of([(x, np.array([math.nan, math.inf])), (x + 0.5, np.array([math.nan, math.nan]))])
    assert np.isnan(mean).all()
    assert np.isnan(std).all()
