"""Exponential smoothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def exponential(values: Array, weight: float) -> Array:
    """Return the exponential moving average of `values`, debiased; `weight` in [0, 1) is that of the past.

    As TensorBoard does it (tensorboard/components/vz_line_chart2/line-chart.ts, `resmooth`):
    s_n = w·s_{n-1} + (1-w)·x_n from s_0 = 0, shown as s_n / (1 - w^n) so that it does not start near zero; values
    that are not finite are passed through and smooth nothing.
    """
    import numpy as np

    smoothed = np.array(values, dtype=np.float64)
    finite = np.isfinite(smoothed)
    total = smoothed[finite]
    if weight <= 0 or not len(total):
        return smoothed
    # The sum over all of the past by doubling: what reaches back n points, added to itself n points earlier.
    scale = float(np.abs(total).max()) or 1.0
    total, back, factor = total / scale, 1, weight
    while back < len(total) and factor > 0:
        total[back:] += factor * total[:-back]
        back, factor = 2 * back, factor * factor
    weights = -np.expm1(np.arange(1, len(total) + 1) * np.log(weight)) / (1 - weight)
    smoothed[finite] = total / weights * scale
    return smoothed
