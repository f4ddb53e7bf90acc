"""Metrics over steps or time: a line a run, or the mean of a group with its spread; a panel a metric."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gitexp.plots import axes as shared
from gitexp.plots import sheet, style, thin

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Array = np.ndarray[Any, Any]

MAX_DIRECT = 26  # labels that stand beside one panel; more go into a legend below
COLUMNS = 1000  # points across that JSON has at least
LARGEST = 1e300  # beyond, matplotlib's own arithmetic overflows: drawn as infinite
_DAY_SECONDS = 86_400.0  # matplotlib's dates are days since the epoch
_AXES_SHARE = 0.85  # of a figure's width that its axes have at most, when they have labels beside them
_FEW = 40  # points of a line that are shown as points too


@dataclass(frozen=True, slots=True)
class Curve:
    """One line. `raw` is the series before smoothing, `spread` its standard deviation; `runs` are ids."""

    label: str
    number: int  # which look it has: the same run has the same in all panels
    runs: tuple[str, ...]
    x: Array
    y: Array
    raw: Array | None = None
    spread: Array | None = None

    def to_json(self) -> dict[str, Any]:
        """The line as it is drawn, thinned."""
        kept = thin.keep(self.x, self.y if self.raw is None else self.raw, COLUMNS)
        found: dict[str, Any] = {"label": self.label, "runs": list(self.runs)}
        for name in ("x", "y", "raw", "spread"):
            values = getattr(self, name)
            if values is not None:
                found[name] = values[kept].tolist()
        return {**found, "points": len(self.x)}


@dataclass(frozen=True, slots=True)
class Panel:
    """The curves of one metric."""

    name: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """Panels that share what their x is. With `dates` x is in seconds since the epoch; `log` names axes: x, y, xy."""

    panels: tuple[Panel, ...]
    x_label: str
    dates: bool = False
    log: str = ""
    legend_title: str = ""
    looks: dict[int, str] = field(default_factory=dict)  # number: label
    said: str = ""  # what was done to the values: smoothed 0.9, mean ± std

    def size(self) -> tuple[float, float]:
        """Return inches: a panel of 6 by 3.8, several smaller ones in a grid, and room for a long legend."""
        columns, rows = sheet.grid(len(self.panels))
        if len(self.panels) == 1:
            direct = len(self.looks) if len(self.looks) <= MAX_DIRECT else 0
            return 7.2, max(3.8, 0.16 * direct + 0.7) if direct else 4.2 + 0.05 * len(self.looks)
        return {1: 7.2, 2: 8.4}.get(columns, 11.0), 3.0 * rows + (0.5 if len(self.looks) > 1 else 0)

    def draw(self, figure: Figure) -> None:
        """Draw all panels."""
        columns, _ = sheet.grid(len(self.panels))
        found = sheet.panels(figure, len(self.panels), columns)
        pixels = int(figure.get_figwidth() * figure.dpi / columns * _AXES_SHARE)
        direct = len(self.panels) == 1 and 1 < len(self.looks) <= self._room(figure)
        for axes, panel in zip(found, self.panels, strict=True):
            self._panel(axes, panel, max(pixels, 100))
            if direct:
                items = [(_end(curve), curve.label, style.look(curve.number)) for curve in panel.curves]
                shared.ends(axes, items, log="y" in self.log, title=self.legend_title)
        if len(self.looks) > 1 and not direct:
            items_of = [(label, style.look(number)) for number, label in self.looks.items()]
            shared.legend(figure, items_of, title=self.legend_title)
        elif len(self.looks) == 1:
            found[0].set_title(sheet.shorten(next(iter(self.looks.values()))), loc="left", fontsize=9)

    def _room(self, figure: Figure) -> int:
        return min(MAX_DIRECT, int((figure.get_figheight() - 0.6) * 72 / 10))

    def _panel(self, axes: Axes, panel: Panel, pixels: int) -> None:
        log_x, log_y = "x" in self.log, "y" in self.log
        marks = _Marks()
        for curve in panel.curves:
            curve = replace(curve, x=curve.x / _DAY_SECONDS) if self.dates else curve
            _draw(axes, curve, pixels, marks, log_x=log_x, log_y=log_y, width=1.5 if len(panel.curves) < 9 else 1.1)
        marks.draw(axes, pixels)
        said = f", {self.said}" if self.said else ""
        axes.set(xlabel=shared.label(self.x_label), ylabel=shared.label(panel.name) + said)
        shared.scale(axes, x=log_x, y=log_y)
        axes.margins(x=0.01)
        if self.dates:
            _dates(axes)
        elif self.x_label == "step" and not log_x:
            _whole(axes)

    def to_json(self) -> dict[str, Any]:
        """Return the panels with their lines."""
        panels = [{"metric": panel.name, "lines": [curve.to_json() for curve in panel.curves]} for panel in self.panels]
        return {"kind": "curve", "x": self.x_label, "log": self.log, "values": self.said or None, "panels": panels}


class _Marks:
    """Where values were NaN or infinite, by colour: drawn at the edges, so that none is lost."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, Array]] = []

    def add(self, x: Array, y: Array, colour: str) -> None:
        import numpy as np

        for kind, where in (("nan", np.isnan(y)), ("inf", y > LARGEST), ("-inf", y < -LARGEST)):
            if where.any():
                self.found.append((kind, colour, x[where]))

    def draw(self, axes: Axes, pixels: int) -> None:
        shown = {"nan": ("x", 0.0), "inf": ("^", 1.0), "-inf": ("v", 0.0)}
        for kind, colour, x in self.found:
            marker, height = shown[kind]
            x = x[thin.keep(x, x, pixels // 4)] if len(x) > pixels else x
            axes.plot(x, [height] * len(x), linestyle="none", marker=marker, color=colour, markersize=4,
                      transform=axes.get_xaxis_transform(), clip_on=False, zorder=5, gid=f"marks-{kind}")  # fmt: skip
        kinds = [kind for kind in shown if any(kind == found for found, _, _ in self.found)]
        said = {"nan": "× NaN", "inf": "▲ inf", "-inf": "▼ −inf"}
        if kinds:
            shared.note(axes, "   ".join(said[kind] for kind in kinds))


def _draw(axes: Axes, curve: Curve, pixels: int, marks: _Marks, *, log_x: bool, log_y: bool, width: float) -> None:
    look = style.look(curve.number)
    shown = (curve.x > 1 / LARGEST) if log_x else slice(None)
    x, y = curve.x[shown], curve.y[shown]
    if not len(x):
        return
    source = y if curve.raw is None else curve.raw[shown]
    marks.add(x, source, look.colour)
    if curve.raw is not None:
        axes.plot(*_thinned(x, source, pixels, log_x, log_y), color=look.colour, alpha=0.22, linewidth=0.8, zorder=1.8)
    if curve.spread is not None:
        _band(axes, x, y, curve.spread[shown], look.colour, log_y)
    xs, ys = _thinned(x, y, pixels, log_x, log_y)
    (line,) = axes.plot(xs, ys, color=look.colour, linestyle=look.dashes, linewidth=width, label=curve.label)
    line.set_gid("curve")
    shared.outline(line)
    _points(axes, line, xs, ys, look)


def _thinned(x: Array, y: Array, pixels: int, log_x: bool, log_y: bool) -> tuple[Array, Array]:
    """Return what is drawn of a line: thinned, and a gap wherever no value can be shown."""
    import numpy as np

    shown = np.where(np.abs(y) <= LARGEST, y, np.nan)
    if log_y:
        shown = np.where(shown > 1 / LARGEST, shown, np.nan)
    kept = thin.keep(x, shown, pixels, log=log_x)
    return x[kept], shown[kept]


def _points(axes: Axes, line: Any, x: Array, y: Array, look: style.Look) -> None:
    """Show as points what no line would: a value between gaps; all of them where there are few."""
    import numpy as np

    finite = np.isfinite(y)
    beside = np.concatenate(([False], finite[:-1])) | np.concatenate((finite[1:], [False]))
    if len(x) <= _FEW:
        line.set(marker=look.marker, markersize=2.8)
    elif (finite & ~beside).any():
        lone = finite & ~beside
        axes.plot(x[lone], y[lone], linestyle="none", marker=look.marker, markersize=3, color=look.colour, gid="lone")


def _band(axes: Axes, x: Array, y: Array, spread: Array, colour: str, log_y: bool) -> None:
    import numpy as np

    low = np.where(np.isfinite(spread), y - spread, y)
    if log_y:
        low = np.maximum(low, y * 1e-3)  # below zero a logarithm has no place; the line itself stays
    high = np.where(np.isfinite(spread), y + spread, y)
    finite = np.isfinite(low) & np.isfinite(high) & (np.abs(low) < LARGEST) & (np.abs(high) < LARGEST)
    axes.fill_between(x, low, high, where=finite, color=colour, alpha=0.18, linewidth=0, zorder=1.5)


def _end(curve: Curve) -> float:
    """Return the height of a curve's right end: its last finite value, in the order of x; NaN without any."""
    import numpy as np

    finite = np.flatnonzero(np.isfinite(curve.y) & (np.abs(curve.y) <= LARGEST))
    if not len(finite):
        return math.nan
    x = curve.x[finite]
    return float(curve.y[finite[np.flatnonzero(x == x.max())[-1]]])


def _whole(axes: Axes) -> None:
    """Give the x axis whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))


def _dates(axes: Axes) -> None:
    """Give the x axis dates in local time, as short as their range allows."""
    from datetime import datetime

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    zone = datetime.now().astimezone().tzinfo
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
