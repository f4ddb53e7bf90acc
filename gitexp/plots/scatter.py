"""Runs as points: one value over another, coloured by a third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp.plots import axes as shared
from gitexp.plots import sheet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_NAMED = 15  # points with their names
_MANY = 500  # points that still have room
Value = float | str


@dataclass(frozen=True, slots=True)
class Scatter:
    """A point a run. Values are numbers, or words, which stand in the order they come; `log` names axes: x, y, xy."""

    x_label: str
    y_label: str
    x: tuple[Value, ...]
    y: tuple[Value, ...]
    runs: tuple[str, ...]
    names: tuple[str, ...] = ()
    colour_label: str = ""
    colour: tuple[Value | None, ...] = ()
    log: str = ""

    def size(self) -> tuple[float, float]:
        """Return inches."""
        return (6.6 if self.colour else 5.6), 4.2

    def draw(self, figure: Figure) -> None:
        """Draw the points."""
        axes = figure.add_subplot()
        xs, ys, few = places(axes.xaxis, self.x), places(axes.yaxis, self.y), len(self.runs) <= _MANY
        if not self.colour:
            axes.scatter(xs, ys, s=34 if few else 12, color=style.COLOURS[0], alpha=0.75 if few else 0.3, linewidths=0)
        elif is_numeric(self.colour):
            _shaded(figure, axes, xs, ys, self)
        else:
            _grouped(axes, xs, ys, self)
        axes.set(xlabel=shared.label(self.x_label), ylabel=shared.label(self.y_label))
        shared.scale(axes, x="x" in self.log, y="y" in self.log)
        axes.margins(0.06)
        if 0 < len(self.names) <= MAX_NAMED:
            shared.names(axes, list(zip(xs, ys, self.names, strict=True)))

    def to_json(self) -> dict[str, Any]:
        """Return the points."""
        rows = []
        for at, run in enumerate(self.runs):
            row: dict[str, Any] = {"run": run, "x": self.x[at], "y": self.y[at]}
            rows.append({**row, "colour": self.colour[at]} if self.colour else row)
        return {
            "kind": "scatter", "x": self.x_label, "y": self.y_label, "colour": self.colour_label or None,
            "log": self.log, "points": rows,
        }  # fmt: skip


def is_numeric(values: Sequence[Value | None]) -> bool:
    """Say whether all values that are there are numbers."""
    return all(isinstance(value, int | float) for value in values if value is not None)


def places(axis: Any, values: Sequence[Value]) -> list[float]:
    """Return where values stand on an axis; words get a place each, in their order, and name its ticks."""
    if is_numeric(values):
        return [float(value) for value in values]
    words = list(dict.fromkeys(str(value) for value in values))
    axis.set_ticks(range(len(words)), [sheet.shorten(word, 24) for word in words])
    return [float(words.index(str(value))) for value in values]


def _shaded(figure: Figure, axes: Axes, xs: list[float], ys: list[float], drawing: Scatter) -> None:
    """Colour points by a number; those that have none are grey rings."""
    import numpy as np

    known = [at for at, value in enumerate(drawing.colour) if value is not None]
    bare = [at for at, value in enumerate(drawing.colour) if value is None]
    axes.scatter([xs[i] for i in bare], [ys[i] for i in bare], s=30, facecolors="none", edgecolors=style.FAINT)
    values = np.array([drawing.colour[i] for i in known], dtype=np.float64)
    found = axes.scatter([xs[i] for i in known], [ys[i] for i in known], s=38, c=values, cmap=style.GRADIENT,
                         norm=norm(values), linewidths=0.4, edgecolors="white")  # fmt: skip
    shared.shades(figure, found, axes, drawing.colour_label)


def norm(values: Any) -> Any:
    """Return how numbers become shades: by powers of ten where they span two or more of them."""
    import numpy as np
    from matplotlib.colors import LogNorm, Normalize

    finite = values[np.isfinite(values)]
    if len(finite) and finite.min() > 0 and finite.max() / finite.min() >= 100:
        return LogNorm(finite.min(), finite.max())
    return Normalize(finite.min(), finite.max()) if len(finite) else Normalize(0, 1)


def _grouped(axes: Axes, xs: list[float], ys: list[float], drawing: Scatter) -> None:
    """Colour points by a word, with a legend; colours have their own markers."""
    words = sorted({str(value) for value in drawing.colour if value is not None})
    for number, word in enumerate(words):
        at = [i for i, value in enumerate(drawing.colour) if value is not None and str(value) == word]
        axes.scatter([xs[i] for i in at], [ys[i] for i in at], s=34, label=sheet.shorten(word, 32), alpha=0.8,
                     color=style.look(number).colour, marker=style.marker(number), linewidths=0)  # fmt: skip
    bare = [i for i, value in enumerate(drawing.colour) if value is None]
    if bare:
        axes.scatter([xs[i] for i in bare], [ys[i] for i in bare], s=30, facecolors="none", edgecolors=style.FAINT,
                     label="none")  # fmt: skip
    columns = 1 if len(words) <= 22 else 2
    axes.legend(title=shared.label(drawing.colour_label), loc="upper left", bbox_to_anchor=(1.0, 1.02), ncols=columns)
