"""Values as the index keeps them: numbers and text as they are, all else as a BLOB of its JSON; nothing is lost."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from gitexp import canonical

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_WORDS = {None: b"null", True: b"true", False: b"false"}
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_MAX_SPELLED = 400  # characters of a text that is looked at for a number

Stored = int | float | str | bytes


def encode(value: Any) -> Stored:
    """Return a param, metric or seed for its column."""
    kind = type(value)
    if kind is str:
        return value if _is_plain(value) else json.dumps(value).encode()
    if kind is float:
        return b"NaN" if value != value else value  # SQLite would make it NULL, which is "missing"
    if kind is int and _LOWEST <= value <= _HIGHEST:
        return int(value)
    if value is None or kind is bool:
        return _WORDS[value]
    return json.dumps(value).encode()


def decode(value: Any) -> Any:
    """Return what `encode` was given."""
    return json.loads(value) if type(value) is bytes else value


def _is_plain(text: str) -> bool:
    """Say whether UTF-8 can hold a text: JSON can bring half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def clean(text: str) -> str:
    """Return a text that UTF-8 can hold."""
    return text if _is_plain(text) else text.encode("utf-8", "backslashreplace").decode()


def spelled(text: str) -> int | float | None:
    """Return the number that a text spells, as in `'0.001'` or `'1e-3'`; None where it is none."""
    if not text or text[0].isalpha() or len(text) > _MAX_SPELLED or not _NUMBER.fullmatch(text):
        return None
    try:
        found: int | float = int(text)
    except ValueError:
        found = float(text)
    return found if _LOWEST <= found <= _HIGHEST or isinstance(found, float) else float(found)


def integer(value: Any) -> int | None:
    """Return a whole number that SQLite can hold, None for anything else."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and _LOWEST <= value <= _HIGHEST else None


def real(value: Any) -> float | int | None:
    """Return a number that SQLite can hold, None for anything else."""
    try:
        found = canonical.number(value)
    except ValueError:
        return None
    if isinstance(found, int):
        return integer(found)
    return None if math.isnan(found) else found


def text(value: Any) -> str | None:
    """Return a text, None for anything else and for an empty one."""
    if type(value) is str and value.isascii():
        return value or None
    return clean(value) if isinstance(value, str) and value else None
