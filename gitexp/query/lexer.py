"""A query's text as tokens, each with its column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitexp.errors import BadQuery
from gitexp.query import nodes, units

_QUOTES = {"‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"'}
_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?(?![\w.]))
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
    | (?P<quantity>\.?[0-9][\w.]*)
    | (?P<name>(?:[^\W\d]\w*|`[^`]*(?:``[^`]*)*`)(?:\.(?:\w+|`[^`]*(?:``[^`]*)*`|"[^"]*(?:""[^"]*)*"))*
        (?::(?:last|min|max|mean|first|count)\b)?)
    | (?P<text>'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*")
    | (?P<op><=|>=|!=|==|<>|!~|[~=<>+\-*/(),])
    """,
    re.VERBOSE,
)
_PART = re.compile(r'`[^`]*(?:``[^`]*)*`|"[^"]*(?:""[^"]*)*"|\w+')


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query: `kind` is name, text, number, op, keyword or end.

    `value` is what it means: a keyword or operator, a text without its quotes, the parts of a name, a literal.
    """

    kind: str
    value: str | tuple[str, ...] | nodes.Literal
    written: str
    column: int
    aggregate: str = ""  # of a name: `val_auc:max`

    def is_op(self, *ops: str) -> bool:
        """Say whether this is one of some operators or keywords."""
        return self.kind in ("op", "keyword") and self.value in ops


def tokens(text: str) -> list[Token]:
    """Return the tokens of a query, and one of kind `end`; raises BadQuery."""
    _check_characters(text)
    return list(_tokens(text))


def _check_characters(text: str) -> None:
    for at, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            what = "a null byte" if character == "\0" else "a byte that is not UTF-8"
            raise BadQuery(f"{what} has no place in a query", column=at + 1, query=text)


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        if match.lastgroup != "space":
            yield _token(text, str(match.lastgroup), match[0], at + 1)
        at = match.end()
    yield Token("end", "", "the end", len(text) + 1)


def _token(text: str, kind: str, written: str, column: int) -> Token:
    if kind == "name":
        return _name(written, column)
    if kind == "op":
        return Token("op", {"==": "=", "<>": "!="}.get(written, written), written, column)
    if kind in ("text", "date"):
        value = written if kind == "date" else _unquote(written)
        return Token("text", nodes.Literal(value, column=column), written, column)
    if kind == "number":
        return Token("number", nodes.Literal(units.number(written), "", written, column), written, column)
    found = units.quantity(written)
    if found is None:
        raise BadQuery(f"{_shown(written)} is no number", column=column, query=text, hint=_number_hint(written))
    return Token("number", nodes.Literal(found[0], found[1], written, column), written, column)


def _name(written: str, column: int) -> Token:
    lowered = written.lower()
    if lowered in nodes.KEYWORDS:
        return Token("keyword", lowered, written, column)
    parts = tuple(part if part[0] not in '`"' else _unquote(part) for part in _PART.findall(written))
    if written[len(written.rstrip("abcdefghijklmnopqrstuvwxyz")) - 1] == ":":
        return Token("name", parts[:-1], written, column, parts[-1])
    return Token("name", parts, written, column)


def _unquote(written: str) -> str:
    mark = written[0]
    return written[1:-1].replace(mark * 2, mark)


def _unreadable(text: str, at: int) -> BadQuery:
    character = text[at]
    if character in "'\"`":
        return BadQuery(f"the quote {character} is never closed", column=at + 1, query=text)
    if character in _QUOTES:
        hint = f"quote with {_QUOTES[character]} instead of {character}"
    elif character in "&|":
        hint = "join conditions with: and  or"
    elif character == ".":
        return _after_dot(text, at + 1)
    elif character == "!":
        hint = "negate with: not"
    else:
        hint = "names with other marks than letters, digits, _ and . go in backticks: `val-auc`"
    return BadQuery(f"unexpected {_shown(character)}", column=at + 1, query=text, hint=hint)


def _after_dot(text: str, at: int) -> BadQuery:
    if text[at : at + 1] in tuple('`"'):
        return _unreadable(text, at)
    return BadQuery("expected a name after the dot", column=at + 1, query=text, hint="for example: params.lr")


def _number_hint(written: str) -> str:
    if written.count(".") > 1:
        return f"versions and dates go in quotes: '{written}'"
    return "durations: 30s 10m 1h30m 2d; sizes: 10kB 5MB 1GiB; all else goes in quotes"


def _shown(text: str) -> str:
    shortened = text if len(text) <= 40 else text[:39] + "…"
    return repr(shortened)
