"""The mean of several series and its spread, over steps that they may not share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Line = tuple[Array, Array]

BINS = 500


def of(lines: Sequence[Line]) -> tuple[Array, Array, Array, bool]:
    """Return x, mean, sample standard deviation (n - 1; NaN of one line) and whether all lines have the same x.

    lines: (x, y) each, x rising. Where x differs all of it is cut into 500 equal bins: a line counts in a bin with the
    mean of its values there, else, between two of its points, with what lies on the straight line between them; never
    before its first point or after its last. Values that are not finite are left out of both.
    """
    import numpy as np

    same = all(len(x) == len(lines[0][0]) and np.array_equal(x, lines[0][0]) for x, _ in lines)
    same = same and len(np.unique(lines[0][0])) == len(lines[0][0])
    x = lines[0][0] if same else _bins(lines)
    stack = np.array([line[1] if same else _resampled(line, x) for line in lines])
    stack = np.where(np.isfinite(stack), stack, np.nan)
    count = np.count_nonzero(~np.isnan(stack), axis=0)
    mean = np.divide(np.nansum(stack, axis=0), count, out=np.full(len(x), np.nan), where=count > 0)
    square = np.nansum((stack - mean) ** 2, axis=0)
    std = np.sqrt(np.divide(square, count - 1, out=np.full(len(x), np.nan), where=count > 1))
    return x, mean, std, same


def _bins(lines: Sequence[Line]) -> Array:
    """Return the middles of the bins: no more than there are values of x."""
    import numpy as np

    values = np.unique(np.concatenate([x for x, _ in lines]))
    if len(values) <= BINS:
        return values
    edges = np.linspace(values[0], values[-1], BINS + 1)
    return (edges[1:] + edges[:-1]) / 2


def _resampled(line: Line, middles: Array) -> Array:
    """Return a line's value in each bin; NaN where it has none."""
    import numpy as np

    x, y = line
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if not len(x):
        return np.full(len(middles), np.nan)
    edges = (middles[1:] + middles[:-1]) / 2
    place = np.searchsorted(edges, x, side="right")
    count = np.bincount(place, minlength=len(middles))
    total = np.bincount(place, weights=y, minlength=len(middles))
    inside = (middles >= x[0]) & (middles <= x[-1])
    between = np.where(inside, np.interp(middles, x, y), np.nan)
    return np.where(count > 0, np.divide(total, np.maximum(count, 1)), between)
