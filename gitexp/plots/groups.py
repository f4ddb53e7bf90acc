"""Runs in groups: bars of the mean with its standard deviation, or boxes; each run stays visible as a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp import text
from gitexp.plots import axes as shared
from gitexp.plots import sheet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_POINTS = 200  # of one group; of more, a box says enough


@dataclass(frozen=True, slots=True)
class Group:
    """The values of some runs; `runs` are their ids."""

    label: str
    values: tuple[float, ...]
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups from top to bottom. `by` is what groups them, "" for a run each; `title` says what labels stand for."""

    groups: tuple[Group, ...]
    value_label: str
    by: str = ""
    title: str = ""
    boxes: bool = False
    log: str = ""

    def size(self) -> tuple[float, float]:
        """Return inches: a line of a third of an inch for each group."""
        return 6.4, min(max(1.2 + 0.32 * len(self.groups), 2.2), 40.0)

    def draw(self, figure: Figure) -> None:
        """Draw a horizontal bar or box a group, so that long names stand beside theirs."""
        axes = figure.add_subplot()
        places = list(range(len(self.groups), 0, -1))
        (_boxes if self.boxes else _bars)(axes, self.groups, places)
        for group, place in zip(self.groups, places, strict=True):
            _dots(axes, group, place)
        names = [
            sheet.shorten(group.label, 40) + (f"  (n={len(group.values)})" if self.by else "") for group in self.groups
        ]
        axes.set_yticks(places, names)
        axes.set_ylim(0.4, len(places) + 0.6)
        axes.tick_params(axis="y", length=0, colors="black")
        axes.grid(False, axis="y")
        axes.set_xlabel(_said(self))
        if self.title:
            axes.set_title(shared.label(self.title), loc="left", fontsize=8, color=style.GREY, fontweight="bold")
        shared.scale(axes, x=bool(self.log))
        if not self.log:
            _bounds(axes, self)

    def to_json(self) -> dict[str, Any]:
        """Return the groups with their values, mean and standard deviation."""
        groups = [
            {"label": group.label, "values": list(group.values), "runs": list(group.runs), **statistics(group.values)}
            for group in self.groups
        ]
        return {"kind": "box" if self.boxes else "bar", "value": self.value_label, "by": self.by or None,
                "log": self.log, "groups": groups}  # fmt: skip


def statistics(values: Sequence[float]) -> dict[str, float | None]:
    """Return the mean and the sample standard deviation (n - 1; None for one value) of the finite values."""
    import numpy as np

    finite = np.array([value for value in values if np.isfinite(value)])
    mean = float(finite.mean()) if len(finite) else None
    return {"mean": mean, "std": float(finite.std(ddof=1)) if len(finite) > 1 else None}


def _said(drawing: Groups) -> str:
    label = shared.label(drawing.value_label)
    if drawing.boxes:
        return f"{label}\nbox: quartiles and median; whiskers: within 1.5 times the quartiles' distance"
    return (
        f"{label}\nbar: mean; line: ± standard deviation" if any(len(g.values) > 1 for g in drawing.groups) else label
    )


def _bars(axes: Axes, groups: Sequence[Group], places: Sequence[int]) -> None:
    from itertools import cycle

    colours = cycle([style.COLOURS[0]])
    for group, place, colour in zip(groups, places, colours, strict=False):
        found = statistics(group.values)
        if found["mean"] is None:
            axes.annotate("NaN", (0, place), (3, 0), textcoords="offset points", va="center", color=style.GREY)
            continue
        axes.barh(place, found["mean"], height=0.62, color=colour, alpha=0.45, linewidth=0)
        if found["std"] is not None:
            axes.errorbar(found["mean"], place, xerr=found["std"], color="black", capsize=3, linewidth=1.1)
        elif len(groups) <= 60:
            right = found["mean"] >= 0
            axes.annotate(text.number(found["mean"]), (found["mean"], place), (5 if right else -5, 0), va="center",
                          textcoords="offset points", ha="left" if right else "right", fontsize=7,
                          color=style.GREY)  # fmt: skip


def _boxes(axes: Axes, groups: Sequence[Group], places: Sequence[int]) -> None:
    import numpy as np

    known = [(group, place) for group, place in zip(groups, places, strict=True) if np.isfinite(group.values).any()]
    found = axes.boxplot(
        [[value for value in group.values if np.isfinite(value)] for group, _ in known],
        positions=[place for _, place in known], orientation="horizontal", widths=0.55, showfliers=False,
        patch_artist=True, manage_ticks=False, medianprops={"color": "black", "linewidth": 1.4},
    )  # fmt: skip
    for box in found["boxes"]:
        box.set(facecolor="#0072B240", edgecolor=style.COLOURS[0], linewidth=1)
    for part in ("whiskers", "caps"):
        for line in found[part]:
            line.set(color=style.COLOURS[0], linewidth=1)


def _dots(axes: Axes, group: Group, place: int) -> None:
    """Show each run as a point, moved up and down a little so that equal ones are seen; the same each time."""
    import numpy as np

    values = np.array(group.values)
    if not 1 < len(values) <= _MAX_POINTS:
        return
    shift = np.resize([0.0, 0.1, -0.1, 0.18, -0.18], len(values))
    axes.plot(values, place + shift, linestyle="none", marker="o", markersize=3, color=style.COLOURS[1], alpha=0.8,
              markeredgewidth=0, gid="runs")  # fmt: skip


def _bounds(axes: Axes, drawing: Groups) -> None:
    """Begin bars at zero, unless that hides what differs: then at a distance below the smallest, which is said."""
    import numpy as np

    values = np.array([value for group in drawing.groups for value in group.values if np.isfinite(value)])
    if drawing.boxes or not len(values):
        return
    low, high = float(values.min()), float(values.max())
    if low > 0 and high - low < 0.3 * high and high > low:
        left = max(0.0, low - 0.5 * (high - low) - 0.01 * high)
        axes.set_xlim(left, high + 0.12 * (high - left))
        shared.note(axes, "the axis does not begin at 0")
    if drawing.log == "" and axes.get_xlim()[0] == 0:
        axes.margins(x=0.08)
