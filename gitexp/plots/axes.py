"""What all kinds share: axes with their scales, labels at the ends of lines that do not overlap, legends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gitexp.plots import sheet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GAP = 1.25  # line height of labels at the ends of lines, in font sizes
_REACH, _SAMPLE = 34.0, 18.0  # points from the axes to the labels; of them, the sample of the line


def scale(axes: Axes, *, x: bool = False, y: bool = False) -> None:
    """Make axes logarithmic, with ticks in plain text."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for wanted, axis, name in ((x, axes.xaxis, "x"), (y, axes.yaxis, "y")):
        if not wanted:
            continue
        getattr(axes, f"set_{name}scale")("log", nonpositive="mask")
        low, high = sorted(getattr(axes, f"get_{name}lim")())
        axis.set_major_formatter(FuncFormatter(style.power))
        if high < 30 * low:  # few powers of ten: name what lies between, or the axis says nothing
            axis.set_minor_locator(LogLocator(subs=(2.0, 3.0, 5.0)))
            axis.set_minor_formatter(FuncFormatter(style.power))
        else:
            axis.set_minor_formatter(NullFormatter())


def ends(axes: Axes, items: Sequence[tuple[float, str, style.Look]], *, log: bool, title: str = "") -> None:
    """Write labels beside the right end of the axes, each near its height `y` and joined to it; none overlaps."""
    notes = []
    for y, label, look in items:
        text = axes.annotate(
            sheet.shorten(label),
            (1.0, 0.5),
            (_REACH, 0.0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
        )
        text.set_fontsize(8)
        notes.append((text, y, look))
    head = axes.annotate(
        sheet.shorten(title),
        (1.0, 1.0),
        (_REACH, 0.0),
        xycoords="axes fraction",
        textcoords="offset points",
        va="bottom",
    )
    head.set(fontsize=8, color=style.GREY, fontweight="bold")
    axes.gitexp_late = lambda: _place(axes, notes, head, log)  # type: ignore[attr-defined]  # where, layout decides


def _place(axes: Axes, notes: Sequence[tuple[Any, float, style.Look]], head: Any, log: bool) -> None:
    """Spread the labels once the size of the axes is known, and lead a sample of its line to each."""
    gap = 8 * _GAP / (axes.bbox.height / axes.figure.dpi * 72)
    point = axes.bbox.width / axes.figure.dpi * 72
    heights = [_fraction(axes, y, log) for _, y, _ in notes]
    places = spread(heights, gap)
    for (text, _, look), height, place in zip(notes, heights, places, strict=True):
        text.xy = (1.0, place)
        bend, end = 1 + (_REACH - _SAMPLE - 3) / point, 1 + (_REACH - 3) / point
        _leader(axes, (1.004, bend), (height, place), color=look.colour, linewidth=0.6)
        _leader(axes, (bend, end), (place, place), color=look.colour, linestyle=look.dashes, linewidth=1.6)
    head.xy = (1.0, max(places) + gap * 0.75)


def _leader(axes: Axes, x: tuple[float, float], y: tuple[float, float], **how: Any) -> None:
    from matplotlib.lines import Line2D

    line = Line2D(x, y, transform=axes.transAxes, clip_on=False, **how)
    line.set_in_layout(False)
    axes.add_artist(line)


def _fraction(axes: Axes, y: float, log: bool) -> float:
    """Return a height as a part of the axes' own."""
    if not math.isfinite(y) or (log and y <= 0):
        return 0.0
    _, at = axes.transAxes.inverted().transform(axes.transData.transform((axes.get_xlim()[0], y)))
    return float(min(max(at, 0.0), 1.0))


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return places near `heights`, in the same order, at least `gap` apart: groups that touch share their room."""
    order = sorted(range(len(heights)), key=lambda i: (heights[i], -i))
    groups: list[tuple[float, list[int]]] = []  # middle, members
    for item in order:
        groups.append((heights[item], [item]))
        while len(groups) > 1 and _touch(groups[-2], groups[-1], gap):
            (low, below), (high, above) = groups[-2:]
            members = below + above
            middle = (low * len(below) + high * len(above)) / len(members)
            groups[-2:] = [(middle, members)]
    places = [0.0] * len(heights)
    for middle, members in groups:
        room = gap * (len(members) - 1)
        bottom = min(max(middle - room / 2, 0.0), max(1.0 - room, 0.0))
        for at, item in enumerate(members):
            places[item] = bottom + gap * at
    return _apart(places, order, gap)


def _touch(one: tuple[float, list[int]], other: tuple[float, list[int]], gap: float) -> bool:
    return one[0] + gap * len(one[1]) / 2 > other[0] - gap * len(other[1]) / 2


def _apart(places: list[float], order: Sequence[int], gap: float) -> list[float]:
    """Push places apart that the limits of the axes have moved together."""
    for low, high in pairwise(order):
        places[high] = max(places[high], places[low] + gap)
    over = places[order[-1]] - 1.0 if order else 0.0
    if over > 0:
        for at in reversed(range(len(order))):
            bound = 1.0 if at == len(order) - 1 else places[order[at + 1]] - gap
            places[order[at]] = min(places[order[at]], bound)
    return places


def outline(line: Any) -> None:
    """Give a yellow line a dark edge: on white it is hardly seen."""
    if line.get_color() == style.YELLOW:
        from matplotlib import patheffects

        line.set_path_effects([patheffects.withStroke(linewidth=line.get_linewidth() + 0.9, foreground="#6b6400")])


def names(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Name points beside them where there is room: a name that would lie on another or on an axis is left out."""
    texts = []
    for x, y, name in points:
        text = axes.annotate(sheet.shorten(name, 24), (x, y), (4, 3), textcoords="offset points")
        text.set(fontsize=7, color=style.GREY)
        texts.append(text)
    axes.gitexp_late = lambda: _thin_out(axes, texts)  # type: ignore[attr-defined]  # where, layout decides


def _thin_out(axes: Axes, texts: Sequence[Any]) -> None:
    taken: list[Any] = []
    for text in texts:
        for corner in (
            (4, 3, "left", "bottom"),
            (4, -3, "left", "top"),
            (-4, 3, "right", "bottom"),
            (-4, -3, "right", "top"),
        ):
            text.xyann = corner[:2]
            text.set(ha=corner[2], va=corner[3])
            box = text.get_window_extent()
            is_inside = box.x0 >= axes.bbox.x0 and box.y0 >= axes.bbox.y0  # left of and below it are its ticks
            if is_inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
        else:
            text.set_visible(False)


def legend(figure: Figure, items: Sequence[tuple[str, style.Look]], *, title: str = "", markers: bool = False) -> None:
    """Put one legend for all panels below them, in as many columns as fit."""
    from matplotlib.lines import Line2D

    items = [(sheet.shorten(label), look) for label, look in items]
    widest = max(len(label) for label, _ in items)
    columns = max(1, min(len(items), int(figure.get_figwidth() * 14 / (widest + 6))))
    handles = []
    for label, look in items:
        line = Line2D([], [], color=look.colour, linestyle="none" if markers else look.dashes, label=label)
        line.set_marker(look.marker if markers else "none")
        handles.append(line)
    figure.legend(
        handles=handles, loc="outside lower left", ncols=columns, title=sheet.shorten(title) or None, alignment="left"
    )


def shades(figure: Figure, image: Any, axes: Any, said: str, **how: Any) -> None:
    """Put the scale of shades beside some axes."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, NullFormatter

    bar = figure.colorbar(image, ax=axes, label=label(said), pad=0.02, **how)
    bar.outline.set_visible(False)
    if isinstance(image.norm, LogNorm):
        bar.ax.yaxis.set_major_formatter(FuncFormatter(style.power))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())


def note(axes: Axes, said: str) -> None:
    """Say something small above the right end of the axes."""
    axes.set_title(said, loc="right", fontsize=7, color=style.FAINT)


def label(text: str) -> str:
    """Return an axis' label, cut where it is too long."""
    return sheet.shorten(text)
