"""Patterns of artifact names: `*.png` in any folder, `plots/*.png` in one, `plots/**` in all below."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from gitexp.record import names

EVERY = "**"
_CLASS = re.compile(r"\[([!^]?)(\]?[^]/]*)\]")


def is_one(text: str) -> bool:
    """Say whether a text has the marks of a pattern."""
    return any(mark in text for mark in "*?[")


def means(pattern: str) -> Callable[[str], bool]:
    """Return the test of a name, a folder or a pattern: that name, all below it, and what the pattern matches."""
    path = pattern.strip("/")
    matches = compile(pattern) if is_one(pattern) else None
    return lambda name: names.is_or_below(name, path) or (matches is not None and matches(name))


@cache
def compile(pattern: str) -> Callable[[str], bool]:
    """Return the test of a pattern: without `/` it is about the last part of a name, else about the whole of it."""
    parts = pattern.strip("/").split("/")
    if len(parts) == 1 and parts != ["**"]:
        parts = ["**", *parts]
    last = len(parts) - 1
    pieces = []
    for at, part in enumerate(parts):
        if part == "**":
            pieces.append(".+" if at == last else "(?:[^/]+/)*")
        else:
            pieces.append(_part(part) + ("" if at == last else "/"))
    found = re.compile("".join(pieces), re.DOTALL)
    return lambda name: found.fullmatch(name) is not None


def _part(part: str) -> str:
    pieces, at = [], 0
    while at < len(part):
        listed = _CLASS.match(part, at)
        if part[at] == "*":
            pieces.append("[^/]*")
        elif part[at] == "?":
            pieces.append("[^/]")
        elif listed is not None and listed[2]:
            pieces.append(f"[{'^/' if listed[1] else ''}{_escaped(listed[2])}]")
            at = listed.end()
            continue
        else:
            pieces.append(re.escape(part[at]))
        at += 1
    return "".join(pieces)


def _escaped(listed: str) -> str:
    """Return what stands between brackets with nothing left that means more than itself, ranges excepted."""
    text = re.sub(r"([\\\[\]&~|^])", r"\\\1", listed)
    try:
        re.compile(f"[{text}]")
    except re.error:  # a range that runs backwards
        return re.sub(r"([\W_])", r"\\\1", listed)
    return text
