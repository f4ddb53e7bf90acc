"""Fewer points for the same picture: per pixel column the extremes, so no spike, gap or infinity is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def keep(x: Array, y: Array, columns: int, *, log: bool = False) -> Array:
    """Return the indices, in order, of the points that draw the same line over so many pixel columns.

    x: finite, in the order drawn; y: any. Of each stretch of points that lie in one column these stay: the first, the
    last, the smallest, the greatest, and the first NaN, inf and -inf (U. Jugel et al., "M4: A Visualization-Oriented
    Time Series Data Aggregation", VLDB 2014). Where x runs to and fro so often that this saves nothing, stretches are
    of equal length and the extremes of x stay too.
    """
    import numpy as np

    if len(x) <= 4 * columns:
        return np.arange(len(x))
    starts = _stretches(_columns(x, columns, log))
    if len(starts) > 2 * columns:
        starts = np.unique(np.linspace(0, len(x), columns, endpoint=False).astype(np.int64))
        kept = [*_extremes(x, starts), *_extremes(y, starts)]
    else:
        kept = _extremes(y, starts)
    kept += [starts, np.append(starts[1:], len(x)) - 1]
    kept += [_first(found, starts) for found in (np.isnan(y), np.isposinf(y), np.isneginf(y))]
    return np.unique(np.concatenate(kept))


def _columns(x: Array, columns: int, log: bool) -> Array:
    import numpy as np

    place = np.log10(np.maximum(x, np.finfo(float).tiny)) if log else x / 2.0  # halved: no range overflows
    low, high = place.min(), place.max()
    if not high > low:
        return np.zeros(len(x), dtype=np.int64)
    found: Array = np.minimum((place - low) / (high - low) * columns, columns - 1).astype(np.int64)
    return found


def _stretches(column: Array) -> Array:
    """Return where each stretch of points of one column starts."""
    import numpy as np

    return np.concatenate(([0], np.flatnonzero(np.diff(column)) + 1))


def _extremes(values: Array, starts: Array) -> list[Array]:
    """Return the indices of the first smallest and the first greatest finite value of each stretch that has one."""
    import numpy as np

    finite, sizes = np.isfinite(values), np.diff(np.append(starts, len(values)))
    low = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
    high = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
    return [_first(finite & (values == np.repeat(bound, sizes)), starts) for bound in (low, high)]


def _first(found: Array, starts: Array) -> Array:
    """Return the index of the first point of each stretch for which `found` is true."""
    import numpy as np

    where = np.flatnonzero(found)
    stretch = np.searchsorted(starts, where, side="right")
    return where[np.concatenate(([True], np.diff(stretch) > 0))] if len(where) else where
