"""SQL with its parameters: what comes from outside is always a parameter, never text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Bound = int | float | str | bytes

_PLACE = re.compile(r"\{(\d)\}")
_PARENTHESES = re.compile(r"[()]")
_DEEP = 8  # parentheses; from here on the order of conditions is chosen for SQLite's parser


@dataclass(frozen=True, slots=True)
class Sql:
    """An expression or condition; `unknown` are the names in it that no run has."""

    text: str
    parameters: tuple[Bound, ...] = ()
    unknown: tuple[str, ...] = ()


TRUE, FALSE, NOTHING = Sql("1"), Sql("0"), Sql("NULL")


def bind(value: Bound) -> Sql:
    """Return a parameter."""
    return Sql("?", (value,))


def form(template: str, *parts: Sql) -> Sql:
    """Return a template with parts for its {0}, {1} …; one that stands twice brings its parameters twice."""
    texts: list[str] = []
    parameters: list[Bound] = []
    for at, piece in enumerate(_PLACE.split(template)):
        if at % 2:
            part = parts[int(piece)]
            texts.append(part.text)
            parameters.extend(part.parameters)
        else:
            texts.append(piece)
    return Sql("".join(texts), tuple(parameters))


def listing(parts: Iterable[Sql]) -> Sql:
    """Return parts with commas between them."""
    found = list(parts)
    return Sql(", ".join(part.text for part in found), tuple(item for part in found for item in part.parameters))


def both(parts: Sequence[Sql]) -> Sql:
    """Return the AND of conditions, each of which can stand beside an AND as it is; of none it is true."""
    return _tree([part for part in parts if part.text != "1"], "AND", TRUE)


def either(parts: Sequence[Sql]) -> Sql:
    """Return the OR of conditions; of none it is false."""
    return _tree([part for part in parts if part.text != "0"], "OR", FALSE)


def negate(part: Sql) -> Sql:
    """Return what is true where a condition is false or NULL."""
    return form("({0}) IS NOT TRUE", part)


def _tree(parts: list[Sql], word: str, none: Sql) -> Sql:
    """Join conditions as a balanced tree: SQLite bounds the depth of expressions, a chain of 1,000 is too deep for it.

    Deep parts go first: their parentheses then stand alone on the stack of SQLite's parser, which holds 100.
    """
    if not parts:
        return none
    depths = [_depth(part.text) for part in parts]
    if max(depths) > _DEEP:
        parts = [part for _, part in sorted(zip(depths, parts, strict=True), key=lambda item: -item[0])]
    while len(parts) > 1:
        pairs = [form(f"({{0}} {word} {{1}})", *parts[at : at + 2]) for at in range(0, len(parts) - 1, 2)]
        parts = [*pairs, *parts[len(pairs) * 2 :]]
    return parts[0]


def _depth(text: str) -> int:
    depth = deepest = 0
    for mark in _PARENTHESES.findall(text):
        depth += 1 if mark == "(" else -1
        deepest = max(deepest, depth)
    return deepest
