"""ROC and precision-recall curves: runs, or the classes of a run, over one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gitexp.plots import axes as shared
from gitexp.plots import sheet, style
from gitexp.record.evaluation import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = {"roc": ("false positive rate", "true positive rate", "AUC"), "pr": ("recall", "precision", "AP")}


@dataclass(frozen=True, slots=True)
class Line:
    """One curve, the run it is of, and its number among the looks."""

    label: str
    run: str
    number: int
    curve: Curve


@dataclass(frozen=True, slots=True)
class RateCurves:
    """Panels of (title, lines); `kind` says what the axes are."""

    kind: Literal["roc", "pr"]
    panels: tuple[tuple[str, tuple[Line, ...]], ...]
    legend_title: str = ""

    def size(self) -> tuple[float, float]:
        """Return inches: square panels, and room for the legend beside a single one."""
        columns, rows = sheet.grid(len(self.panels))
        lines = max(len(lines) for _, lines in self.panels)
        if len(self.panels) == 1:
            return 7.0, max(4.2, 0.17 * lines + 0.9)
        return 3.9 * columns, 4.0 * rows

    def draw(self, figure: Figure) -> None:
        """Draw the curves, chance as a dashed line, and the area of each in the legend."""
        columns, _ = sheet.grid(len(self.panels))
        for axes, (title, lines) in zip(sheet.panels(figure, len(self.panels), columns), self.panels, strict=True):
            self._panel(axes, lines)
            axes.set_title(sheet.shorten(title), loc="left", fontsize=9)
            _legend(axes, self.legend_title, inside=len(self.panels) > 1, kind=self.kind)

    def _panel(self, axes: Axes, lines: tuple[Line, ...]) -> None:
        x_name, y_name, area = _NAMES[self.kind]
        for line in lines:
            look, curve = style.look(line.number), line.curve
            value = "not defined" if curve.area is None else f"{curve.area:.4f}"
            (drawn,) = axes.plot(
                curve.x, curve.y, color=look.colour, linestyle=look.dashes, linewidth=1.5, gid="curve",
                drawstyle="default" if self.kind == "roc" else "steps-pre",
                label=f"{sheet.shorten(line.label, 40)}  ({area} {value})".strip(),
            )  # fmt: skip
            shared.outline(drawn)
        self._chance(axes, lines)
        axes.set(xlabel=x_name, ylabel=y_name, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", anchor="W")

    def _chance(self, axes: Axes, lines: tuple[Line, ...]) -> None:
        """Draw what guessing gives: the diagonal, or the share of the positives where all curves have the same."""
        if self.kind == "roc":
            axes.plot([0, 1], [0, 1], color=style.FAINT, linestyle="--", linewidth=0.9, label="chance")
            return
        found = {line.curve.positives / max(line.curve.positives + line.curve.negatives, 1) for line in lines}
        if max(found) - min(found) < 0.005:
            share = sum(found) / len(found)
            axes.plot([0, 1], [share, share], color=style.FAINT, linestyle="--", linewidth=0.9,
                      label=f"chance ({share:.3g} are positive)")  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the curves."""
        x, y = ("fpr", "tpr") if self.kind == "roc" else ("recall", "precision")
        panels = [
            {
                "title": title,
                "lines": [
                    {"label": line.label, "run": line.run, "class": line.curve.label, x: list(line.curve.x),
                     y: list(line.curve.y), "area": line.curve.area}
                    for line in lines
                ],
            }
            for title, lines in self.panels
        ]  # fmt: skip
        return {"kind": self.kind, "panels": panels}


def _legend(axes: Axes, title: str, *, inside: bool, kind: str) -> None:
    """Put the legend beside a single panel, else into the corner that good curves leave empty."""
    if not inside:
        axes.legend(title=sheet.shorten(title) or None, alignment="left", loc="upper left", bbox_to_anchor=(1.0, 1.02))
    elif kind == "roc":
        axes.legend(
            title=sheet.shorten(title) or None, alignment="left", loc="lower right", frameon=True, edgecolor="none"
        )
    else:
        axes.legend(
            title=sheet.shorten(title) or None, alignment="left", loc="lower left", frameon=True, edgecolor="none"
        )
