"""Text for people: times, sizes, numbers, and foreign text made safe for a terminal."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Sequence
from typing import Any

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d\ufe0f\u00ad")  # scripts and emoji need them; they move nothing
_SIZES = ("kB", "MB", "GB", "TB", "PB", "EB")


def safe(text: str) -> str:
    """Return `text` on one line, with control characters, escapes and direction marks made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _is_safe(c) else _visible(c) for c in text)


def safe_lines(text: str) -> str:
    """Return `text` as `safe` does, but keep its lines; tabs become spaces."""
    return "\n".join(safe(line.expandtabs(4)) for line in text.replace("\r\n", "\n").split("\n"))


def safe_json(text: str) -> str:
    """Return a JSON document that says the same, with what a terminal would act upon as escapes of JSON."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(c if c == "\n" or unicodedata.category(c) not in _UNSAFE else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _is_safe(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char) not in _UNSAFE


def _visible(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if named:
        return named
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def duration(seconds: float | None) -> str:
    """Return how long something took: 0.8s, 0:41, 4:12, 1:02:33; "-" where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def age(time_ms: int | None, now_ms: int) -> str:
    """Return how long ago a time was, in its largest unit: 40s, 12m, 3h, 1d, 2y; a time to come is 0s."""
    if time_ms is None:
        return "-"
    seconds = max(now_ms - time_ms, 0) // 1000
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h"), (2 * 31557600, 86400, "d")):
        if seconds < limit:
            return f"{seconds // unit}{name}"
    return f"{seconds // 31557600}y"


def size(size_bytes: int) -> str:
    """Return a number of bytes in decimal units: 17 bytes, 38.4 kB, 41.1 MB."""
    if size_bytes < 1000:
        return plural(size_bytes, "byte")
    value, power = size_bytes / 1000, 0
    while value >= 999.95 and power < len(_SIZES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.1f} {_SIZES[power]}"


def number(value: float) -> str:
    """Return a number in at most four significant digits, aligned well in columns: 0.9410, 12, 1.204e+06, nan."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) < 10**9:
        return str(value)
    try:
        value = float(value)
    except OverflowError:  # an integer beyond the largest float
        digits = str(abs(value))
        return f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:4]}e+{len(digits) - 1}"
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 100_000:
        return f"{value:.1f}"
    if 1000 <= abs(value) < 1_000_000:
        return f"{value:.1f}" if abs(value) < 10_000 else f"{value:.0f}"
    return f"{value:#.4g}"


def value(item: Any) -> str:
    """Return a param as it is, short and on one line: 0.05, adam, true, [64, 64]."""
    if isinstance(item, str):
        return safe(item)
    if isinstance(item, float):
        return repr(item)
    try:
        return safe(json.dumps(item, ensure_ascii=False))
    except (TypeError, ValueError):
        return safe(repr(item))


def rounded(item: Any) -> str:
    """Return a param as `value` does where many stand side by side: 0.3 for 0.30000000000000004."""
    return f"{item:.8g}" if isinstance(item, float) and len(repr(item)) > 12 else value(item)


def percent(change: float | None) -> str:
    """Return a change in percent with its sign, "" where there is none to tell."""
    if not change or not math.isfinite(change):
        return ""
    return f"{change:+.1f} %" if abs(change) < 1000 else f"{change:+.0f} %"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Return a count with its noun: 1 run, 2 runs, 1,204 runs."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def some(words: Sequence[str], most: int) -> str:
    """Return words on one line, at most so many of them: a, b and 7 more."""
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` characters; where it is cut, an ellipsis says so."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
