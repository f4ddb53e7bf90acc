"""Canonical JSON and times: equal content has equal bytes (docs/format.md, "Text")."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_LEVELS = 100  # of lists and objects in one another; gitexp writes 51 at most
_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def dumps(value: Any) -> bytes:
    """Return `value` as canonical JSON: UTF-8, LF, sorted keys, two spaces, non-finite numbers as strings."""
    text = json.dumps(_finite(value), ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)
    return (text + "\n").encode("utf-8", "backslashreplace")


def line(value: Any) -> bytes:
    """Return `value` as canonical JSON on one line, without the newline."""
    text = json.dumps(_finite(value), ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def loads(data: bytes | str) -> Any:
    """Parse JSON; raises ValueError, also for nesting beyond MAX_LEVELS: whoever walks the value may then recurse."""
    try:
        value = _parse(data)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    opened = data.count(b"[") + data.count(b"{") if isinstance(data, bytes) else data.count("[") + data.count("{")
    if opened > MAX_LEVELS and _is_deeper(value):
        raise ValueError("JSON nested too deeply")
    return value


def hasten() -> None:
    """Let `loads` parse by orjson from now on, for who reads thousands of files: three times as fast, 3 ms to load."""
    global _parse
    import orjson

    quick = orjson.loads

    def parse(data: bytes | str) -> Any:
        if isinstance(data, bytes) and _LONG not in data.translate(_DIGITS):
            with suppress(ValueError):  # NaN, 1e999, half of a surrogate pair: json takes more
                return quick(data)
        return json.loads(data)

    _parse = parse


_parse: Callable[[bytes | str], Any] = json.loads
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # digits from which on an integer may need more than 64 bits: orjson would make it a float


def _is_deeper(value: Any) -> bool:
    """Say whether a value has more than MAX_LEVELS levels, without recursion."""
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [
            item
            for above in level
            if isinstance(above, dict | list)
            for item in (above.values() if isinstance(above, dict) else above)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def number(value: Any) -> int | float:
    """Return a JSON number, or one of the three strings for non-finite ones, as a number; raises ValueError."""
    if isinstance(value, str) and value in _NAMES:
        return _NAMES[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"not a number: {value!r}")
    return value


def special(value: Any) -> Any:
    """Return `value` with the strings "NaN", "Infinity" and "-Infinity" turned into numbers, at any depth."""
    if isinstance(value, str):
        return _NAMES.get(value, value)
    if isinstance(value, dict):
        return {key: special(item) for key, item in value.items()}
    if isinstance(value, list):
        return [special(item) for item in value]
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def iso(time_ms: int) -> str:
    """Return milliseconds since the epoch as UTC ISO 8601 with milliseconds: 2026-11-20T14:02:11.123Z."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def from_iso(text: str) -> int:
    """Return the milliseconds since the epoch of an ISO 8601 time; one without a zone is UTC; raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment - _EPOCH) / timedelta(milliseconds=1))
