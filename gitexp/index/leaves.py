"""Single comparisons in SQL: a value against a literal or another value (docs/query.md, "How values compare").

SQLite sorts numbers before texts before BLOBs, so `x < ''` says that x is a number and `x < x''` that it is a
number or a text. A BLOB is JSON: integers beyond 64 bits begin with `-` (x'2d') or a digit (x'31' to x'39'). Whatever
is compared with NULL is NULL, which is as good as false to AND, OR and `IS NOT TRUE`.
"""

from __future__ import annotations

import re

from gitexp import dates
from gitexp.errors import BadQuery, UsageError
from gitexp.index import functions, sql, values
from gitexp.index.operands import Operand
from gitexp.index.sql import Sql, bind, form
from gitexp.query import nodes

STATUSES = {
    **{word: word for word in ("running", "completed", "failed", "killed")},
    "finished": "completed",  # MLflow's word
    "scheduled": "scheduled",  # MLflow's; no run of gitexp ever is
}
_NULL, _NAN = "x'6e756c6c'", "x'4e614e'"
_TRUE, _FALSE = "x'74727565'", "x'66616c7365'"
_OPPOSITE = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_BEYOND = 2**63
_PREFIXES = {"commit": (re.compile(r"[0-9a-f]{4,40}"), 40, "g"), "id": (re.compile(r"[k-z]{3,16}"), 16, "{")}
_DIGEST = (re.compile(r"[0-9a-f]{4,64}"), 64, "g")


def with_literal(op: str, left: Operand, right: nodes.Literal, now_ms: int) -> Sql:
    """Return `left op right`; raises BadQuery for a literal that cannot be meant."""
    value = right.value
    if left.kind == "time":
        return _time(op, left, right, now_ms)
    if left.kind == "flag":
        return _flag(op, left, right)
    if left.kind == "version" and not isinstance(value, bool):
        return _version(op, left, right)
    if isinstance(value, bool):
        return _bool(op, left, value)
    if isinstance(value, str):
        return _with_text(op, left, right)
    return _with_number(op, left, value)


def _with_text(op: str, left: Operand, right: nodes.Literal) -> Sql:
    value = str(right.value)
    if left.kind in ("number", "real"):
        number = values.spelled(value)
        return _unequal(op, left) if number is None else _with_number(op, left, number)
    if left.kind == "status" and op in ("=", "!="):
        value = status(value, right.column)
    if left.kind == "glob" and op in ("=", "!=") and re.search(r"[*?\[]", value):
        return form("{0} GLOB {1}" if op == "=" else "{0} NOT GLOB {1}", left.sql, bind(value.replace("[!", "[^")))
    if left.kind in ("commit", "id", "digest") and op in ("=", "!="):
        return _abbreviated(op, left, value, right.column)
    if left.kind != "any":
        return form(f"{{0}} {op} {{1}}", left.sql, bind(value))
    return _any_with_text(op, left, value)


def status(word: str, column: int) -> str:
    """Return a status as runs have it; raises BadQuery for a word that is none."""
    found = STATUSES.get(word.lower())
    if found is None:
        raise BadQuery(f"{word[:40]!r} is no status", column=column, hint=f"one of: {', '.join(list(STATUSES)[:4])}")
    return found


def _any_with_text(op: str, left: Operand, value: str) -> Sql:
    number = values.spelled(value)
    text, other = bind(value), sql.FALSE if number is None else plain_number(op, left.sql, number)
    if op == "=":
        return sql.either([form("{0} = {1}", left.sql, text), other])
    if op == "!=":
        differs = form(f"({{0}} != {{1}} AND {{0}} != {_NULL})", left.sql, text)
        return differs if number is None else sql.both([differs, sql.negate(plain_number("=", left.sql, number))])
    if op in ("<", "<="):
        return sql.either([form(f"({{0}} >= '' AND {{0}} {op} {{1}})", left.sql, text), other])
    return sql.either([form(f"({{0}} {op} {{1}} AND {{0}} < x'')", left.sql, text), other])


def _with_number(op: str, left: Operand, value: int | float) -> Sql:
    if left.kind == "real":
        return form(f"{{0}} {op} {{1}}", left.sql, _bind_number(value))
    if left.kind in ("number", "any"):
        if op == "!=":
            return sql.both([present(left), sql.negate(_with_number("=", left, value))])
        plain = plain_number(op, left.sql, value)
        if left.spelled is None:
            return plain
        return sql.either([plain, form(f"{{0}} {op} {{1}}", left.spelled, _bind_number(value))])
    # No text from ':' on can spell a number: most texts are told by that, without a call.
    reading = f"({{0}} < ':' AND gitexp_number({{0}}) {'=' if op == '!=' else op} {{1}})"
    found = form(reading, left.sql, _bind_number(value))
    return sql.both([present(left), sql.negate(found)]) if op == "!=" else found


def plain_number(op: str, left: Sql, value: int | float) -> Sql:
    """Return `left op value` where the left side is a number; false for texts and all else."""
    number = _bind_number(value)
    if not -_BEYOND <= value < _BEYOND:
        beyond = f"({{0}} >= x'' AND gitexp_number({{0}}) {op} {{1}})"
        return form(f"(({{0}} {op} {{1}} AND {{0}} < '') OR {beyond})", left, number)
    if op == "=":
        return form("{0} = {1}", left, number)
    if op in ("<", "<="):
        return form(f"({{0}} {op} {{1}} OR ({{0}} >= x'2d' AND {{0}} < x'2e'))", left, number)
    return form(f"({{0}} {op} {{1}} AND ({{0}} < '' OR ({{0}} >= x'31' AND {{0}} < x'3a')))", left, number)


def _bind_number(value: int | float) -> Sql:
    return bind(value if -_BEYOND <= value < _BEYOND else float(value))


def _bool(op: str, left: Operand, value: bool) -> Sql:
    if left.kind == "any" and op == "=":
        return form(f"{{0}} = {_TRUE if value else _FALSE}", left.sql)
    if left.kind == "any" and op == "!=":
        return form(f"({{0}} != {_TRUE if value else _FALSE} AND {{0}} != {_NULL})", left.sql)
    return _unequal(op, left)


def _unequal(op: str, left: Operand) -> Sql:
    """Return what a pair comes to that is unequal whatever its values are."""
    return present(left) if op == "!=" else sql.FALSE


def present(left: Operand) -> Sql:
    """Return the condition that a value is there."""
    if left.kind == "any":
        return form(f"({{0}} IS NOT NULL AND {{0}} != {_NULL})", left.sql)
    return form("{0} IS NOT NULL", left.sql)


def is_nan(left: Operand) -> Sql:
    """Return the condition that a value is NaN."""
    return form(f"{{0}} = {_NAN}", left.sql) if left.kind in ("any", "number") else sql.FALSE


def truth(left: Operand) -> Sql:
    """Return the condition that a value is there and not false or 0; the texts 'false' and '0' count as such."""
    if left.kind == "flag":
        return left.sql
    zero = _with_number("=", left, 0) if left.kind in ("any", "number", "real", "text") else sql.FALSE
    false = {"any": f"{{0}} = {_FALSE} OR lower({{0}}) = 'false'", "text": "lower({0}) = 'false'"}.get(left.kind)
    falsy = [zero, form(f"({false})", left.sql)] if false else [zero]
    return sql.both([present(left), sql.negate(sql.either(falsy))])


def _flag(op: str, left: Operand, right: nodes.Literal) -> Sql:
    value = {"true": True, "false": False}.get(str(right.value).lower())
    if value is None or op not in ("=", "!="):
        hint = f"write: {left.name}  or: not {left.name}"
        raise BadQuery(f"{left.name} is true or false", column=right.column, hint=hint)
    return form(f"{{0}} {op} {int(value)}", left.sql)


def _time(op: str, left: Operand, right: nodes.Literal, now_ms: int) -> Sql:
    span = moment(right, now_ms, left.name)
    start, end = bind(span.start_ms), bind(span.end_ms)
    if span.end_ms == span.start_ms:
        return form(f"{{0}} {op} {{1}}", left.sql, start)
    if op == "=":
        return form("({0} >= {1} AND {0} < {2})", left.sql, start, end)
    if op == "!=":
        return form("({0} < {1} OR {0} >= {2})", left.sql, start, end)
    # A day is a span: what is after it is not in it, what is up to it is.
    words = {"<": "{0} < {1}", "<=": "{0} < {2}", ">": "{0} >= {2}", ">=": "{0} >= {1}"}
    return form(words[op], left.sql, start, end)


def moment(right: nodes.Literal, now_ms: int, name: str) -> dates.Span:
    """Return what a literal means beside a time: a text as it is written, a number as milliseconds."""
    if isinstance(right.value, str):
        try:
            return dates.read(right.value, now_ms)
        except UsageError as error:
            raise BadQuery(error.message, column=right.column, hint=error.hint) from error
    if isinstance(right.value, bool) or right.unit or not abs(right.value) < 2**60:
        hint = f"for example: {name or 'start'} > '2 days ago'"
        raise BadQuery(f"{name or 'a time'} compares with a time", column=right.column, hint=hint)
    return dates.Span(round(right.value), round(right.value))


def _abbreviated(op: str, left: Operand, value: str, column: int) -> Sql:
    pattern, whole, after = _PREFIXES.get(left.kind, _DIGEST)
    value = value.lower()
    if not pattern.fullmatch(value):
        if left.kind == "digest":
            return form(f"{{0}} {op} {{1}}", left.sql, bind(value))
        form_of = "4 to 40 hex digits" if left.kind == "commit" else "3 to 16 letters from k to z"
        hint = "runs of a range of commits: gitexp log main..HEAD" if left.kind == "commit" else "by name: name = '…'"
        raise BadQuery(f"expected {form_of}, not {value[:40]!r}", column=column, hint=hint)
    if len(value) == whole:
        return form(f"{{0}} {op} {{1}}", left.sql, bind(value))
    test = "({0} >= {1} AND {0} < {2})" if op == "=" else "({0} < {1} OR {0} >= {2})"
    return form(test, left.sql, bind(value), bind(value + after))


def _version(op: str, left: Operand, right: nodes.Literal) -> Sql:
    written = str(right.value) if isinstance(right.value, str) else right.written or str(right.value)
    is_exact = int("+" in written)
    key = functions.version_key(written, bool(is_exact))
    if key is None:
        if op in ("=", "!="):
            return form(f"{{0}} {op} {{1}}", left.sql, bind(written))
        raise BadQuery(f"{written[:40]!r} is no version", column=right.column, hint="for example: '2.1'  '2.1.0rc1'")
    found = form(f"gitexp_version({{0}}, {is_exact}) {op} {{1}}", left.sql, bind(key))
    return found if op != "!=" else form("({0} IS NOT NULL AND ({1}) IS NOT FALSE)", left.sql, found)


def with_value(op: str, left: Operand, right: Operand) -> Sql:
    """Return `left op right` for two values that are known only when a run is looked at."""
    if "time" in (left.kind, right.kind):
        if left.kind != right.kind:
            other = right if left.kind == "time" else left
            raise BadQuery(f"{other.name or 'a number'} is no time", column=other.column, hint="end - start > 10m")
        return form(f"{{0}} {op} {{1}}", left.sql, right.sql)
    if left.kind == right.kind == "real":
        return form(f"{{0}} {op} {{1}}", left.sql, right.sql)
    if left.kind == right.kind == "version":
        return form(f"gitexp_version({{0}}, 1) {op} gitexp_version({{1}}, 1)", left.sql, right.sql)
    called = f"gitexp_compare('{op}', {{0}}, {{1}})"
    numbers = f"WHEN {{0}} < '' AND {{1}} < '' THEN {{0}} {op} {{1}}"
    return form(
        f"CASE WHEN {{0}} IS NULL OR {{1}} IS NULL THEN 0 {numbers} ELSE {called} END", _as_any(left), _as_any(right)
    )


def _as_any(side: Operand) -> Sql:
    if side.kind == "flag":
        return form(f"CASE {{0}} WHEN 1 THEN {_TRUE} WHEN 0 THEN {_FALSE} END", side.sql)
    return side.sql


def turned(op: str) -> str:
    """Return the operator with its sides changed."""
    return _OPPOSITE[op]


def text(left: Operand) -> Sql:
    """Return a value as the text that patterns look at."""
    if left.kind in ("any", "number"):
        return form("CASE WHEN {0} >= '' AND {0} < x'' THEN {0} ELSE gitexp_written({0}) END", left.sql)
    if left.kind == "flag":
        return form("CASE {0} WHEN 1 THEN 'true' ELSE 'false' END", left.sql)
    return left.sql
