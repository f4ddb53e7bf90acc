"""What SQLite cannot do itself: the Python functions that conditions call, for the few values that need them."""

from __future__ import annotations

import json
import operator
import re
import sqlite3
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from gitexp.index import values
from gitexp.query import units

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def number(value: Any) -> int | float | None:
    """Return the number that a stored value is or spells, as one that SQLite can compare; None where it is none."""
    if isinstance(value, str):
        return values.spelled(value)
    if isinstance(value, bytes):
        found = values.decode(value)
        return units.real(found) if isinstance(found, int) and not isinstance(found, bool) else None
    return value if isinstance(value, int | float) else None


def compare(op: str, left: Any, right: Any) -> bool:
    """Compare two stored values as docs/query.md says; false where one is missing."""
    if left is None or right is None or b"null" in (left, right):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return _COMPARE[op](left, right)
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return _COMPARE[op](one, other)
    same = left == right and isinstance(left, bytes) and left != b"NaN"
    return same if op == "=" else not same if op == "!=" else False


def written(value: Any) -> str | None:
    """Return a stored value as text, for patterns: as a record has it, 0.1, true, [64, 64], NaN, Infinity."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return None if value == b"null" else value.decode("utf-8", "replace")
    return json.dumps(value)


def matches(pattern: str, value: Any) -> bool:
    """Say whether a text has a match of a regular expression."""
    found = written(value)
    return found is not None and regex(pattern).search(found) is not None


def ilike(pattern: str, value: Any) -> bool:
    """Say whether a text is like a pattern of SQL, capitals or not."""
    found = written(value)
    return found is not None and _ilike(pattern).fullmatch(found) is not None


@lru_cache(maxsize=256)
def regex(pattern: str) -> re.Pattern[str]:
    """Return a regular expression; raises what `re.compile` raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a later Python may read otherwise
        return re.compile(pattern)


@lru_cache(maxsize=256)
def _ilike(pattern: str) -> re.Pattern[str]:
    marks = {"%": ".*", "_": "."}
    return re.compile("".join(marks.get(c) or re.escape(c) for c in pattern), re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=4096)
def version_key(text: Any, is_exact: bool) -> str | None:
    """Return a text that sorts as a version does (PEP 440), None for what is no version.

    A local part (`+cu121`) counts only where `is_exact`.
    """
    from packaging import version

    try:
        found = version.Version(str(text))
    except version.InvalidVersion:
        return None
    release = list(found.release)
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    pre = "1" + found.pre[0] + _digits(found.pre[1]) if found.pre else "2"
    if found.pre is None and found.post is None and found.dev is not None:
        pre = "0"
    post = "0" if found.post is None else "1" + _digits(found.post)
    dev = "1" if found.dev is None else "0" + _digits(found.dev)
    local = _local(found.local) if is_exact and found.local else ""
    return f"{_digits(found.epoch)}|{''.join('.' + _digits(part) for part in release)}!|{pre}|{post}|{dev}|{local}"


def _local(local: str) -> str:
    return "".join(
        "." + ("1" + _digits(int(part)) if part.isdigit() else "0" + part + "!") for part in local.split(".")
    )


def _digits(value: int) -> str:
    """Return a number that sorts as text: how many digits, then the digits."""
    return f"{len(str(value)):04d}{value}"


FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("gitexp_number", 1, number),
    ("gitexp_compare", 3, compare),
    ("gitexp_written", 1, written),
    ("gitexp_matches", 2, matches),
    ("gitexp_ilike", 2, ilike),
    ("gitexp_version", 2, version_key),
)


def register(connection: sqlite3.Connection) -> None:
    """Make the functions known to a connection."""
    for name, arguments, function in FUNCTIONS:
        connection.create_function(name, arguments, function, deterministic=True)
