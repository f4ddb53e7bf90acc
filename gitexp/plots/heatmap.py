"""Two params against a metric: a cell for each pair of values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp import text
from gitexp.plots import axes as shared
from gitexp.plots import scatter, sheet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_WRITTEN = 400  # cells with their number
Cell = tuple[float, int]  # value, how many runs


@dataclass(frozen=True, slots=True)
class Heatmap:
    """`cells` are rows of (value, runs), in the order of `y_values` and `x_values`; None where there is no run."""

    x_label: str
    y_label: str
    value_label: str
    x_values: tuple[str, ...]
    y_values: tuple[str, ...]
    cells: tuple[tuple[Cell | None, ...], ...]

    def size(self) -> tuple[float, float]:
        """Return inches."""
        return max(4.2, min(0.62 * len(self.x_values) + 2.4, 20)), max(3.0, min(0.42 * len(self.y_values) + 1.3, 20))

    def draw(self, figure: Figure) -> None:
        """Draw the cells with their values."""
        import numpy as np

        axes = figure.add_subplot()
        values = np.array([[math.nan if cell is None else cell[0] for cell in row] for row in self.cells])
        finite = values[np.isfinite(values)]
        shades = np.ma.masked_invalid(values)
        image = axes.imshow(shades, aspect="auto", origin="lower", cmap=style.GRADIENT, norm=scatter.norm(finite))
        frame(axes, self.x_values, self.y_values)
        axes.set(xlabel=shared.label(self.x_label), ylabel=shared.label(self.y_label))
        shared.shades(figure, image, axes, self.value_label)
        if values.size <= _MAX_WRITTEN:
            self._write(axes, image)

    def _write(self, axes: Axes, image: Any) -> None:
        several = any(cell is not None and cell[1] > 1 for row in self.cells for cell in row)
        for y, row in enumerate(self.cells):
            for x, cell in enumerate(row):
                if cell is not None:
                    said = text.number(cell[0]) + (f"\nn={cell[1]}" if several else "")
                    axes.text(x, y, said, ha="center", va="center", fontsize=7, color=contrast(image, cell[0]))

    def to_json(self) -> dict[str, Any]:
        """Return the cells that have runs."""
        cells = [
            {"x": self.x_values[x], "y": self.y_values[y], "value": cell[0], "count": cell[1]}
            for y, row in enumerate(self.cells)
            for x, cell in enumerate(row)
            if cell is not None
        ]
        return {"kind": "heatmap", "x": self.x_label, "y": self.y_label, "value": self.value_label, "cells": cells}


def frame(axes: Axes, x_values: tuple[str, ...], y_values: tuple[str, ...]) -> None:
    """Name the rows and columns of a matrix, as many of them as can be read."""
    from matplotlib.ticker import NullLocator

    every = [max(1, math.ceil(len(values) / 40)) for values in (x_values, y_values)]
    names = [sheet.shorten(value, 18) for value in x_values[:: every[0]]]
    turned = max((len(name) for name in names), default=0) > 8
    axes.set_xticks(range(0, len(x_values), every[0]), names)
    if turned:
        axes.tick_params(axis="x", labelrotation=40)
        for tick in axes.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(0, len(y_values), every[1]), [sheet.shorten(value, 24) for value in y_values[:: every[1]]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def contrast(image: Any, value: float) -> str:
    """Return black or white, whichever is read better on the shade of a value (relative luminance, WCAG 2.1)."""
    if not math.isfinite(value):
        return "black"
    red, green, blue, _ = (float(part) for part in image.cmap(image.norm(value)))
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "white"
