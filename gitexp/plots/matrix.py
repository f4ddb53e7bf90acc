"""Confusion matrices: a panel a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp.plots import axes as shared
from gitexp.plots import heatmap, sheet, style
from gitexp.record.evaluation import Confusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_WRITTEN = 20  # classes whose cells have numbers


@dataclass(frozen=True, slots=True)
class Matrices:
    """(label, run id, matrix) of each run. Cells are shaded by their share of the true class, and say their count."""

    panels: tuple[tuple[str, str, Confusion], ...]

    def size(self) -> tuple[float, float]:
        """Return inches."""
        classes = max(len(matrix.classes) for _, _, matrix in self.panels)
        columns, rows = sheet.grid(len(self.panels))
        side = min(max(0.52 * classes + 1.2, 3.0), 9.0 if len(self.panels) == 1 else 4.4)
        return columns * side + 0.9, rows * (side - 0.2) + 0.2

    def draw(self, figure: Figure) -> None:
        """Draw the matrices and one scale for all."""
        columns, _ = sheet.grid(len(self.panels))
        found = sheet.panels(figure, len(self.panels), columns)
        for axes, (label, _, matrix) in zip(found, self.panels, strict=True):
            image = _matrix(axes, matrix, small=len(self.panels) > 1)
            axes.set_title(sheet.shorten(label), loc="left", fontsize=9)
        shared.shades(figure, image, found, "share of the true class", shrink=0.8)

    def to_json(self) -> dict[str, Any]:
        """Return the matrices."""
        panels = [{"label": label, "run": run, **matrix.to_json()} for label, run, matrix in self.panels]
        return {"kind": "confusion", "panels": panels}


def _matrix(axes: Axes, matrix: Confusion, *, small: bool) -> Any:
    import numpy as np
    from matplotlib import colormaps

    counts = np.array(matrix.counts, dtype=np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    image = axes.imshow(
        np.ma.masked_invalid(shares), cmap=colormaps["Blues"].with_extremes(bad="#eeeeee"), vmin=0, vmax=1
    )
    heatmap.frame(axes, matrix.classes, matrix.classes)
    axes.set(xlabel="predicted", ylabel="true")
    size = len(matrix.classes)
    if size <= (MAX_WRITTEN if not small else 10):
        for row in range(size):
            for column in range(size):
                colour = heatmap.contrast(image, float(np.nan_to_num(shares[row, column])))
                axes.text(column, row, f"{matrix.counts[row][column]:,}", ha="center", va="center", color=colour,
                          fontsize=8 if size <= 12 else 6)  # fmt: skip
    axes.set_title(f"accuracy {np.trace(counts) / max(counts.sum(), 1):.4g}", loc="right", fontsize=8, color=style.GREY)
    return image
