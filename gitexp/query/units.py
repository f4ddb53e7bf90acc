"""Numbers, durations (10m, 1h30m) and sizes (10MB, 1GiB) as they are written in a query."""

from __future__ import annotations

import re

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
BYTES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50,
}  # fmt: skip
_SIZES = {unit.casefold(): factor for unit, factor in BYTES.items()}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([A-Za-z]+)")
_MAX_DIGITS = 4000  # what Python converts to an integer


def number(written: str) -> int | float:
    """Return an unsigned number as it is typed; one beyond 64 bits is a float."""
    if written.isdigit() and len(written) <= _MAX_DIGITS:
        found = int(written)
        return found if found < 2**63 else real(found)
    return float(written)


def real(value: int | float) -> float:
    """Return the nearest float of a number of any size."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def quantity(written: str) -> tuple[int | float, str] | None:
    """Return (seconds, "duration") or (bytes, "size") of a number with units; None where it is none."""
    parts = _PART.findall(written)
    if not parts or "".join(count + unit for count, unit in parts) != written:
        return None
    if len(parts) == 1 and (factor := _SIZES.get(parts[0][1].casefold())):
        return _times(parts[0][0], factor), "size"
    units = [unit for _, unit in parts]
    if not all(unit in SECONDS for unit in units) or sorted(units, key=lambda u: -SECONDS[u]) != units:
        return None
    if len(set(units)) < len(units):
        return None
    return sum(_times(count, SECONDS[unit]) for count, unit in parts), "duration"


def _times(count: str, factor: int | float) -> int | float:
    value = number(count) * factor
    return int(value) if isinstance(value, float) and value.is_integer() and value < 2**63 else value
