"""`value in (…)`: thousands of options are one parameter, or few; SQLite takes 32,766 at most."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from gitexp.errors import BadQuery
from gitexp.index import leaves, sql, values
from gitexp.index.operands import Operand
from gitexp.index.sql import Bound, Sql, form
from gitexp.query import nodes

_INLINE = 200  # options that are parameters of their own
_MAX_REALS = 10_000  # numbers with a fraction, each a parameter: SQLite reads those of JSON less exactly
_WHOLE = {"commit": 40, "id": 16, "digest": 64}


def among(left: Operand, options: Sequence[nodes.Literal], column: int, now_ms: int) -> Sql:
    """Return the condition that a value equals one of some literals; of none it is false."""
    if left.kind in ("any", "number", "real", "text"):
        return _of_values(left, options, column)
    if left.kind in _WHOLE:
        return _abbreviated(left, options, column, now_ms)
    if left.kind == "status" and all(isinstance(option.value, str) for option in options):
        return _member(left.sql, [leaves.status(str(option.value), option.column) for option in options], column)
    return sql.either([leaves.with_literal("=", left, option, now_ms) for option in options])


def _of_values(left: Operand, options: Sequence[nodes.Literal], column: int) -> Sql:
    texts = [option.value for option in options if isinstance(option.value, str)]
    numbers = [option.value for option in options if not isinstance(option.value, str | bool)]
    bools = [option for option in options if isinstance(option.value, bool)]
    read = [number for text in texts if (number := values.spelled(text)) is not None]
    found = [leaves.with_literal("=", left, option, 0) for option in bools[:2]]
    if left.kind == "text":
        found.append(_member(left.sql, texts, column))
        found.append(_member(form("gitexp_number({0})", left.sql), numbers, column))
        return sql.either(found)
    beyond = [number for number in (*numbers, *read) if not -(2**63) <= number < 2**63]
    found += [leaves.plain_number("=", left.sql, number) for number in dict.fromkeys(beyond)]
    near = [number for number in (*numbers, *read) if -(2**63) <= number < 2**63]
    found.append(_member(left.sql, [*(texts if left.kind == "any" else ()), *near], column))
    if left.spelled is not None:
        found.append(_member(left.spelled, numbers, column))
    return sql.either(found)


def _abbreviated(left: Operand, options: Sequence[nodes.Literal], column: int, now_ms: int) -> Sql:
    """Return the condition for ids and hashes: whole ones as a set, abbreviations by their length."""
    lengths: dict[int, list[Bound]] = {}
    odd = []
    for option in options:
        leaf = leaves.with_literal("=", left, option, now_ms)  # refuses what is none
        if isinstance(option.value, str) and leaf.parameters:
            lengths.setdefault(len(option.value), []).append(option.value.lower())
        else:
            odd.append(leaf)
    cut = [
        _member(left.sql if size >= _WHOLE[left.kind] else form(f"substr({{0}}, 1, {size})", left.sql), texts, column)
        for size, texts in lengths.items()
    ]
    return sql.either([*cut, *odd[:1]])


def _member(left: Sql, options: Iterable[Bound], column: int) -> Sql:
    found = list(dict.fromkeys(options))
    if not found:
        return sql.FALSE
    if len(found) <= _INLINE:
        return form("{0} IN ({1})", left, sql.listing(map(sql.bind, found)))
    packed = [option for option in found if isinstance(option, str | int)]
    reals = [option for option in found if isinstance(option, float)]
    if len(reals) > _MAX_REALS:
        raise BadQuery(f"a list of more than {_MAX_REALS:,} numbers with a fraction", column=column)
    inner = form("{0} IN (SELECT value FROM json_each({1}))", left, sql.bind(json.dumps(packed)))
    return sql.either([inner, *([form("{0} IN ({1})", left, sql.listing(map(sql.bind, reals)))] if reals else [])])
