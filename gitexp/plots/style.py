"""How figures look: colours that the colour-blind can tell apart, lines, markers, and matplotlib's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Okabe & Ito, "Color Universal Design", 2008 (https://jfly.uni-koeln.de/color/); yellow, faint on white, comes last.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
YELLOW = COLOURS[-1]
GREY, FAINT = "#555555", "#888888"
GRADIENT = "viridis"  # perceptually uniform, and readable in grey

_SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.title_fontsize": 8.0,
    "legend.frameon": False,
    "figure.titlesize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "font.enable_last_resort": False,  # a letter that no font has is a box, and said
    "text.parse_math": False,  # a `$` in a name is a dollar
    "axes.unicode_minus": True,
    "path.simplify_threshold": 1.0,  # pixels: what lies within one is drawn as one line; spikes stay
    "svg.fonttype": "none",  # text stays text: it can be searched, and any reader's fonts have its letters
    "svg.hashsalt": "gitexp",
    "pdf.fonttype": 42,  # TrueType, as journals ask for
}


@dataclass(frozen=True, slots=True)
class Look:
    """What tells the n-th line from the others."""

    colour: str
    dashes: Any
    marker: str


def look(number: int) -> Look:
    """Return the look of the n-th line: eight colours, then the same with other dashes, then other markers."""
    turn = number // len(COLOURS)
    return Look(COLOURS[number % len(COLOURS)], DASHES[turn % len(DASHES)], MARKERS[turn // len(DASHES) % len(MARKERS)])


def marker(number: int) -> str:
    """Return the marker of the n-th group of points, so that colour alone decides nothing."""
    return MARKERS[(number + number // len(COLOURS)) % len(MARKERS)]


@contextmanager
def settings() -> Iterator[None]:
    """Draw by our settings alone: a user's matplotlibrc neither helps nor spoils; his own are put back."""
    import logging

    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)  # what it says of fonts and of a matplotlibrc is not about the figure
    try:
        matplotlib = _matplotlib()
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            known = {key: value for key, value in _SETTINGS.items() if key in matplotlib.rcParams}
            matplotlib.rcParams.update(known)
            yield
    finally:
        logger.setLevel(level)


def _matplotlib() -> Any:
    """Import it whatever window system a notebook or a user has asked it for: none is opened."""
    wanted = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib

        return matplotlib
    finally:
        if wanted is not None:
            os.environ["MPLBACKEND"] = wanted


def power(value: float, _position: int | None = None) -> str:
    """Return a tick of a logarithmic axis in plain text: 0.001, 0.1, 1, 100, 10⁻⁷, 2×10⁶."""
    import math

    if value <= 0 or not math.isfinite(value):
        return ""
    if 0.99e-4 < value < 1e5:
        return f"{value:.6g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = round(value / 10.0**exponent)
    digits = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{digits}" if factor == 1 else f"{factor}×10{digits}"
