"""From a drawing to the bytes of a PNG, SVG or PDF; equal drawings give equal bytes."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gitexp.plots import style
from gitexp.text import safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
MAX_LABEL = 48  # characters
MIN_INCHES, MAX_INCHES = 1.0, 60.0
_MAX_SEARCHED = 400  # fonts


class Drawing(Protocol):
    """What can be drawn: it knows its own size, and says its data."""

    def size(self) -> tuple[float, float]:
        """Width and height in inches that suit it."""

    def draw(self, figure: Figure) -> None:
        """Draw onto an empty figure."""

    def to_json(self) -> dict[str, Any]:
        """The data that is drawn."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A finished figure; `unknown` are letters that no font here has, drawn as boxes."""

    data: bytes
    unknown: str


def render(
    drawing: Drawing, format: str, *, size: tuple[float, float] | None = None, dpi: float = 150, title: str = ""
) -> Sheet:
    """Draw and return the bytes: `format` is one of FORMATS, `size` in inches, `dpi` the dots per inch of a PNG."""
    with style.settings():
        from matplotlib.figure import Figure
        from matplotlib.text import Text

        figure = Figure(figsize=size or drawing.size(), dpi=dpi, layout="constrained")
        if title:
            figure.suptitle(safe(title), x=0.01, ha="left", wrap=True)
        drawing.draw(figure)
        texts = figure.findobj(Text)
        unknown = _choose_fonts(texts)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)  # a very small --size
            _finish(figure)
            return Sheet(_bytes(figure, format), unknown)


def _finish(figure: Figure) -> None:
    """Lay the figure out, then put the labels that depend on where things are where they belong."""
    late = [axes for axes in figure.axes if hasattr(axes, "gitexp_late")]
    if not late:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it is done: labels only move up and down from here
    for axes in late:
        axes.gitexp_late()


def _bytes(figure: Figure, format: str) -> bytes:
    target = io.BytesIO()
    known: dict[str, dict[str, str | None]] = {
        "png": {"Software": "gitexp"},
        "svg": {"Date": None, "Creator": "gitexp"},
        "pdf": {"CreationDate": None, "Creator": "gitexp", "Producer": "gitexp"},
    }
    figure.savefig(target, format=format, metadata=known[format])
    return target.getvalue()


def shorten(text: str, width: int = MAX_LABEL) -> str:
    """Return a label in at most `width` characters, without its middle: what differs is often at the end.

    It is on one line, and has no control characters: an SVG may not hold them.
    """
    text = safe(" ".join(text.split()))
    if len(text) <= width:
        return text
    tail = width // 2
    return text[: width - tail - 1] + "…" + text[-tail:]


def panels(figure: Figure, count: int, columns: int) -> list[Axes]:
    """Return the axes of `count` panels in so many columns, row by row."""
    rows = math.ceil(count / columns)
    return [figure.add_subplot(rows, columns, at + 1) for at in range(count)]


def grid(count: int) -> tuple[int, int]:
    """Return (columns, rows) for so many panels."""
    columns = 2 if count in (2, 4) else min(count, 3)
    return columns, math.ceil(count / columns)


def _choose_fonts(texts: Sequence[Any]) -> str:
    """Give the texts fonts that have all of their letters, as far as there are any; returns the letters left."""
    from matplotlib import font_manager

    letters = {c for text in texts for c in text.get_text() if ord(c) > 0x7F and not c.isspace()}
    missing = letters - _letters(font_manager.findfont("DejaVu Sans"), letters)
    if not missing:
        return ""
    families = ["DejaVu Sans"]
    for family, path in _fonts():
        if has := _letters(path, missing):
            families.append(family)
            missing -= has
        if not missing:
            break
    for text in texts:
        text.set_fontfamily(families)
    return "".join(sorted(missing))


def _fonts() -> Iterable[tuple[str, str]]:
    """Return (family, file) of the fonts installed, those for Chinese, Japanese and Korean first; no colour emoji."""
    from matplotlib import font_manager

    first: dict[str, str] = {}
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: (entry.weight != 400, entry.fname)):
        if "emoji" not in entry.name.lower() and not entry.name.startswith(("DejaVu", "STIX", "cm", "Last Resort")):
            first.setdefault(entry.name, entry.fname)
    wide = [item for item in first.items() if any(word in item[0] for word in ("CJK", "Han ", "Hei", "Gothic", "Ming"))]
    return list(dict([*wide, *first.items()]).items())[:_MAX_SEARCHED]


def _letters(path: str, wanted: set[str]) -> set[str]:
    """Return those of some letters that a font file has."""
    from matplotlib.ft2font import FT2Font

    try:
        known = FT2Font(path).get_charmap()
    except (RuntimeError, OSError):  # a file that is no font FreeType can read
        return set()
    return {letter for letter in wanted if ord(letter) in known}
