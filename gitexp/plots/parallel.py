"""Parallel coordinates: a line a run through its params, coloured by a metric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gitexp.plots import axes as shared
from gitexp.plots import scatter, sheet, style
from gitexp.plots.scatter import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_AXES = 12
MAX_RUNS = 2000
_MAX_TICKS = 12
_RATIO = 20  # from which on an axis is logarithmic
_FEW = 6  # values of an axis that are all named
_CROWD = 30  # runs from which on lines of equal values are spread a little


@dataclass(frozen=True, slots=True)
class Axis:
    """One vertical axis and what each run has on it; None for nothing."""

    name: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Axes from left to right; the last is the metric that colours the lines. `best` says which end is better."""

    axes: tuple[Axis, ...]
    runs: tuple[str, ...]
    best: str = ""

    def size(self) -> tuple[float, float]:
        """Return inches."""
        return max(5.0, 1.5 * len(self.axes) + 1.0), 4.2

    def draw(self, figure: Figure) -> None:
        """Draw the axes, then the lines, the best on top."""
        import numpy as np
        from matplotlib import colormaps

        plane = figure.add_subplot()
        plane.set(xlim=(-0.1, len(self.axes) - 0.9), ylim=(-0.06, 1.02), yticks=[])
        plane.set_xticks(range(len(self.axes)), [sheet.shorten(axis.name, 22) for axis in self.axes])
        plane.grid(False)
        for side in plane.spines.values():
            side.set_visible(False)
        plane.tick_params(axis="x", length=0, labelsize=9, colors="black")
        heights = [_axis(plane, at, axis) for at, axis in enumerate(self.axes)]
        if len(self.runs) > _CROWD:
            heights = [_apart(column) for column in heights]
        values = np.array([_number(value) for value in self.axes[-1].values])
        shades = colormaps[style.GRADIENT](scatter.norm(values)(np.nan_to_num(values, nan=0.0)))
        order = np.argsort(-values if self.best == "min" else values, kind="stable")
        _lines(plane, heights, order, [shades[run] if math.isfinite(values[run]) else style.FAINT for run in order])
        _bar(figure, plane, self.axes[-1].name, values)

    def to_json(self) -> dict[str, Any]:
        """Return a row a run."""
        rows = [
            {"run": run, "values": {axis.name: axis.values[at] for axis in self.axes}}
            for at, run in enumerate(self.runs)
        ]
        return {"kind": "parallel", "axes": [axis.name for axis in self.axes], "points": rows}


def _axis(plane: Axes, at: int, axis: Axis) -> list[float]:
    """Draw one axis with its ticks, and return the height of each run on it; NaN for those that have nothing."""
    values = [value for value in axis.values if value is not None and value == value]
    if scatter.is_numeric(values):
        ticks, height = _numeric([float(value) for value in values if math.isfinite(float(value))])
    else:
        ticks, height = _words([str(value) for value in values])
    plane.plot([at, at], [0, 1], color=style.GREY, linewidth=0.9, zorder=1)
    for place, said in ticks:
        plane.plot([at - 0.015, at], [place, place], color=style.GREY, linewidth=0.8, zorder=1)
        box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
        plane.text(at - 0.03, place, said, ha="right", va="center", fontsize=7, color=style.GREY, zorder=300, bbox=box)
    return [math.nan if value is None else height(value) for value in axis.values]


def _apart(heights: list[float]) -> list[float]:
    """Spread the heights of an axis of few values a little around each, evenly and the same each time."""
    distinct = {height for height in heights if math.isfinite(height)}
    if not 1 < len(distinct) <= _MAX_TICKS:
        return heights
    width = 0.35 * min(other - one for one, other in pairwise(sorted(distinct)))
    golden = (5**0.5 - 1) / 2  # its multiples fill an interval evenly
    shift = [(at * golden % 1 - 0.5) * min(width, 0.09) for at in range(len(heights))]
    return [min(max(height + by, -0.02), 1.02) for height, by in zip(heights, shift, strict=True)]


def _numeric(values: list[float]) -> tuple[list[tuple[float, str]], Any]:
    """Return the ticks of a numeric axis, and what gives a value's height; logarithmic over a wide range."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    log = low > 0 and high >= _RATIO * low
    base, top = (math.log10(low), math.log10(high)) if log else (low, high)

    def height(value: Value) -> float:
        number = _number(value)
        if not math.isfinite(number) or (log and number <= 0):
            return math.nan
        return ((math.log10(number) if log else number) - base) / (top - base) if top > base else 0.5

    distinct = sorted(set(values))
    if len(distinct) <= _FEW:
        return [(height(tick), f"{tick:.6g}") for tick in distinct], height
    return [(height(tick), style.power(tick) if log else f"{tick:.6g}") for tick in _ticks(low, high, log)], height


def _ticks(low: float, high: float, log: bool) -> list[float]:
    from matplotlib.ticker import LogLocator, MaxNLocator

    if not high > low:
        return [low]
    if log:
        found = [float(tick) for tick in LogLocator(numticks=6).tick_values(low, high)]
    else:
        found = [float(tick) for tick in MaxNLocator(5).tick_values(low, high)]
    return [tick for tick in found if low <= tick <= high]


def _words(values: list[str]) -> tuple[list[tuple[float, str]], Any]:
    """Return the ticks of an axis of words, evenly spaced in sorted order, and what gives a word's height."""
    words = sorted(set(values))
    step = 1 / (len(words) - 1) if len(words) > 1 else 0.0
    at = {word: number * step if step else 0.5 for number, word in enumerate(words)}
    every = math.ceil(len(words) / _MAX_TICKS)
    ticks = [(place, sheet.shorten(word, 16)) for number, (word, place) in enumerate(at.items()) if number % every == 0]
    return ticks, lambda value: at[str(value)]


def _number(value: Value | None) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _lines(plane: Axes, heights: list[list[float]], order: Any, colours: list[Any]) -> None:
    """Draw each run as a smooth line through its heights, the last on top; where it has nothing there is a gap."""
    import numpy as np
    from matplotlib.collections import LineCollection

    turn = np.linspace(0, 1, 20)
    ease = turn * turn * (3 - 2 * turn)
    paths, shades = [], []
    for run, colour in zip(order, colours, strict=True):
        for part in _parts([column[run] for column in heights]):
            places, known = (np.array(values) for values in zip(*part, strict=True))
            x = np.concatenate([at + turn for at in places[:-1]])
            y = np.concatenate([left + (right - left) * ease for left, right in pairwise(known)])
            paths.append(np.column_stack((x, y)))
            shades.append(colour)
    crowd = len(paths) / _CROWD
    lines = LineCollection(paths, colors=shades, linewidths=1.3 if crowd < 8 else 0.7, zorder=2)
    lines.set_alpha(0.85 if crowd <= 1 else max(0.85 / crowd**0.5, 0.12))
    lines.set_gid("runs")
    plane.add_collection(lines, autolim=False)


def _parts(heights: list[float]) -> list[list[tuple[int, float]]]:
    """Return the stretches of (place, height) without a gap, of two axes or more."""
    parts: list[list[tuple[int, float]]] = [[]]
    for place, height in enumerate(heights):
        if math.isfinite(height):
            parts[-1].append((place, height))
        else:
            parts.append([])
    return [part for part in parts if len(part) > 1]


def _bar(figure: Figure, plane: Axes, name: str, values: Any) -> None:
    from matplotlib.cm import ScalarMappable

    shared.shades(figure, ScalarMappable(scatter.norm(values), style.GRADIENT), plane, name, fraction=0.05)
