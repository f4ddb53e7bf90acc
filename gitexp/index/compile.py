"""Conditions, values and orders of the query language as SQL over the index (docs/query.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from gitexp.errors import BadQuery
from gitexp.index import functions, leaves, members, operands, sql, values
from gitexp.index.operands import Names, Operand
from gitexp.index.sql import Sql, bind, form
from gitexp.query import nodes

Context = operands.Context
_MAX_PATTERN = 48_000  # bytes; SQLite's limit is 50,000
_MAX_PARAMETERS = 30_000  # SQLite's limit is 32,766 for one statement
_IS_NUMBER = "({0} < '' OR ({0} >= x'2d' AND {0} < x'3a'))"  # beyond 64 bits a BLOB that begins with a sign or digit
_NUMBER = "CASE WHEN {0} < x'' THEN {0} ELSE gitexp_number({0}) END"
_RANK = f"CASE WHEN {_IS_NUMBER} THEN 0 WHEN {{0}} < x'' THEN 1 WHEN {{0}} != x'6e756c6c' THEN 2 ELSE 3 END"
_ESCAPED = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}


def condition(node: nodes.Node, catalogue: Names, context: Context) -> Sql:
    """Return the condition over `FROM run`; raises BadQuery for names and literals that cannot be meant."""
    compiler = _Compiler(catalogue, context)
    return compiler.told(compiler.condition(node))


def value(node: nodes.Value | nodes.Node, catalogue: Names, context: Context) -> Sql:
    """Return the expression of a value, as it is stored; of a condition 1 or 0."""
    compiler = _Compiler(catalogue, context)
    if isinstance(node, nodes.Condition):
        return compiler.told(form("({0}) IS TRUE", compiler.condition(node)))
    return compiler.told(compiler.shown(node))


def order(orders: Sequence[nodes.Order], catalogue: Names, context: Context) -> Sql:
    """Return what follows ORDER BY: numbers, then texts, then all else, what is missing last, in both directions."""
    compiler = _Compiler(catalogue, context)
    return compiler.told(sql.listing(compiler.order(item) for item in orders))


def resolve(name: nodes.Name, catalogue: Names) -> nodes.Name | nodes.Field:
    """Return a bare name as the param, metric, tag or field that it is; raises BadQuery."""
    return operands.resolve(name, catalogue)


class _Compiler:
    """One translation; gathers the names that no run has."""

    def __init__(self, names: Names, context: Context) -> None:
        self.names = names
        self.context = context
        self.unknown: list[str] = []

    def told(self, found: Sql) -> Sql:
        return replace(found, unknown=tuple(dict.fromkeys(self.unknown)))

    def condition(self, node: nodes.Node) -> Sql:
        """Return a condition that can stand beside AND and OR as it is; NULL counts as false."""
        match node:
            case nodes.Query(part, text):
                return self._typed(part, text)
            case nodes.All(parts):
                return sql.both([self.condition(part) for part in parts])
            case nodes.Any(parts):
                return sql.either([self.condition(part) for part in parts])
            case nodes.Not(part):
                return sql.negate(self.condition(part))
            case nodes.Compare(op, left, right):
                return self._compare(op, left, right)
            case nodes.Between(value, low, high, negated):
                return self._between(value, low, high, negated)
            case nodes.In(value, options, negated, column):
                operand = self.operand(value)
                now_ms = self.context.now_ms
                return self._tested(operand, lambda one: members.among(one, options, column, now_ms), negated)
            case nodes.Matches():
                return self._matches(node)
            case nodes.IsMissing(value, negated):
                there = self._tested(self.operand(value), leaves.present, False)
                return there if negated else sql.negate(there)
            case nodes.IsNan(value, negated):
                return self._tested(self.operand(value), leaves.is_nan, negated)
            case nodes.Truth(value):
                return self._tested(self.operand(value), leaves.truth, False)

    def _typed(self, part: nodes.Node, text: str) -> Sql:
        """Return the condition that somebody typed; errors show where."""
        try:
            found = self.condition(part)
            if len(found.parameters) > _MAX_PARAMETERS:
                raise BadQuery(f"more than {_MAX_PARAMETERS:,} values to compare with", column=1)
        except BadQuery as error:
            raise error.within(text) from None
        return found

    def operand(self, value: nodes.Value) -> Operand:
        """Return where a value is."""
        if isinstance(value, nodes.Literal):
            return _literal(value)
        if isinstance(value, nodes.Arithmetic):
            return self._arithmetic(value)
        found = operands.of(value, self.names, self.context)
        self.unknown.extend(found.sql.unknown)
        return found

    def _compare(self, op: str, left: nodes.Value, right: nodes.Value) -> Sql:
        one = self.operand(left)
        if isinstance(left, nodes.Literal) and not isinstance(right, nodes.Literal):
            return self._compare(leaves.turned(op), right, left)
        if isinstance(right, nodes.Literal):
            literal, now_ms = right, self.context.now_ms
            return self._differing(op, one, lambda op, each: leaves.with_literal(op, each, literal, now_ms))
        other = self.operand(right)
        if other.several and not one.several:
            one, other, op = other, one, leaves.turned(op)
        there = _scalar(other)
        if not one.several:
            return leaves.with_value(op, _scalar(one), there)
        found = self._differing(op, one, lambda op, each: leaves.with_value(op, each, there), is_correlated=True)
        return sql.both([leaves.present(there), found]) if op == "!=" else found

    def _differing(
        self, op: str, operand: Operand, leaf: Callable[[str, Operand], Sql], *, is_correlated: bool = False
    ) -> Sql:
        """Return a comparison; where a run has several values, `!=` says that none is equal."""
        if op == "!=" and operand.several:
            return sql.negate(self._tested(operand, lambda each: leaf("=", each), False, is_correlated=is_correlated))
        return self._tested(operand, lambda each: leaf(op, each), False, is_correlated=is_correlated)

    def _between(self, value: nodes.Value, low: nodes.Value, high: nodes.Value, negated: bool) -> Sql:
        operand = self.operand(value)
        ends = [(">=", low), ("<=", high)]
        literal = isinstance(low, nodes.Literal) and isinstance(high, nodes.Literal)
        if not literal and not operand.several:
            operand = _scalar(operand)

        def leaf(each: Operand) -> Sql:
            return sql.both([self._beside(op, each, end) for op, end in ends])

        found = self._tested(operand, leaf, negated, is_correlated=not literal)
        if not negated or literal:
            return found
        there = [self._tested(self.operand(end), leaves.present, False) for end in (low, high)]
        return sql.both([*there, found])

    def _beside(self, op: str, each: Operand, other: nodes.Value) -> Sql:
        if isinstance(other, nodes.Literal):
            return leaves.with_literal(op, each, other, self.context.now_ms)
        end = self.operand(other)
        if end.several:
            raise _several(end)
        return leaves.with_value(op, each, _scalar(end))

    def _matches(self, node: nodes.Matches) -> Sql:
        operand = self.operand(node.value)
        if operand.kind == "time":
            hint = f"for example: {operand.name} = '2026-11'"
            raise BadQuery("a time is no text", column=node.column, hint=hint)
        if node.how == "like":
            pattern = bind(_glob(node))
            return self._tested(operand, lambda each: form("{0} GLOB {1}", leaves.text(each), pattern), node.negated)
        function = "gitexp_ilike" if node.how == "ilike" else "gitexp_matches"
        pattern = bind(node.pattern if node.how == "ilike" else _regex(node))
        return self._tested(
            operand, lambda each: form(f"{function}({{0}}, {{1}})", pattern, leaves.text(each)), node.negated
        )

    def _tested(
        self, operand: Operand, leaf: Callable[[Operand], Sql], negated: bool, *, is_correlated: bool = False
    ) -> Sql:
        """Return a test of a value: of any of the values where there are several; a negated one is of what is there."""
        each = [replace(operand, sql=one) for one in (operand.sql, *operand.others)]
        test = sql.either([leaf(one) for one in each])
        if negated and not operand.several:
            test = sql.both([leaves.present(operand), sql.negate(test)])
        if operand.rows is not None:
            test = _among_rows(operand.rows, test, is_correlated=is_correlated)
        return sql.negate(test) if negated and operand.several else test

    def _arithmetic(self, node: nodes.Arithmetic) -> Operand:
        found = self._sum(node)
        return replace(found, sql=form("({0})", found.sql), column=node.column)

    def _sum(self, node: nodes.Arithmetic) -> Operand:
        """Return arithmetic without parentheses around it: a chain needs none, and SQLite's parser takes few."""
        left, right = self._term(node.left, node.op, is_left=True), self._term(node.right, node.op, is_left=False)
        times = [side.kind == "time" for side in (left, right)]
        if any(times):
            return _with_times(node, left, right)
        if node.op == "/":
            return Operand(form("{0} * 1.0 / NULLIF({1}, 0)", left.sql, right.sql), "real")
        return Operand(form(f"{{0}} {node.op} {{1}}", left.sql, right.sql), "real")

    def _term(self, value: nodes.Value, op: str, *, is_left: bool) -> Operand:
        if isinstance(value, nodes.Arithmetic):
            found = self._sum(value)
            is_chain = is_left and (op in "+-" or value.op in "*/")
            return found if is_chain else replace(found, sql=form("({0})", found.sql))
        if isinstance(value, nodes.Literal):
            return _constant(value)
        operand = _scalar(self.operand(value))
        if operand.kind == "time":
            return operand
        return replace(operand, sql=_number(operand), kind="real")

    def shown(self, value: nodes.Value) -> Sql:
        """Return the expression of a value, several as one text."""
        operand = self.operand(value)
        if operand.rows is None or not operand.several:
            return _scalar(operand).sql
        rows = operand.rows
        inner = form("group_concat({0}, ', ')", operand.sql)
        return form(f"(SELECT {{0}} FROM {rows.table} WHERE {rows.table}.{rows.key} = {rows.own})", inner)

    def order(self, item: nodes.Order) -> Sql:
        """Return the terms that sort by one key."""
        try:
            operand = _scalar(self.operand(item.value))
        except BadQuery as error:
            raise error.within(item.text) from None
        way = "DESC" if item.descending else "ASC"
        if operand.kind == "version":
            return form(f"gitexp_version({{0}}, 1) {way} NULLS LAST, {{0}} {way} NULLS LAST", operand.sql)
        if operand.kind == "number":  # no texts: a rank in two steps does
            return form(f"{_IS_NUMBER} DESC NULLS LAST, {_NUMBER} {way}", operand.sql)
        if operand.kind != "any":
            return form(f"{{0}} {way} NULLS LAST", operand.sql)
        known = operand.sql if operand.spelled is None else form("COALESCE({0}, {1})", operand.spelled, operand.sql)
        return form(f"{_RANK}, {_NUMBER} {way}", known)


def _literal(literal: nodes.Literal) -> Operand:
    value = literal.value
    spelled = values.spelled(value) if isinstance(value, str) else None
    stored = value if isinstance(value, float) and value == value else values.encode(value)
    return Operand(bind(stored), "any", None if spelled is None else bind(spelled), column=literal.column)


def _constant(literal: nodes.Literal) -> Operand:
    """Return a literal in arithmetic."""
    value = values.spelled(literal.value) if isinstance(literal.value, str) else literal.value
    if value is None or isinstance(value, bool):
        raise BadQuery("expected a number beside + - * /", column=literal.column)
    return Operand(bind(value), "real", column=literal.column)


def _scalar(operand: Operand) -> Operand:
    """Return an operand that is one expression over `run`; raises BadQuery where a run has several values."""
    rows = operand.rows
    if rows is None:
        return replace(operand, several=False, others=())
    if operand.several:
        raise _several(operand)
    inner = f"(SELECT {{0}} FROM {rows.table} WHERE {rows.table}.{rows.key} = {rows.own} AND {{1}} LIMIT 1)"
    return replace(operand, sql=form(inner, operand.sql, rows.where), rows=None)


def _several(operand: Operand) -> BadQuery:
    hint = f"ask: {operand.name} = '…'  {operand.name} like '%…'"
    return BadQuery(f"a run can have several of {operand.name}", column=operand.column, hint=hint)


def _among_rows(rows: operands.Rows, test: Sql, *, is_correlated: bool) -> Sql:
    """Return the condition that a run has rows which pass a test; one that looks at the run is made for each run."""
    if is_correlated:
        mine = Sql(f"{rows.table}.{rows.key} = {rows.own}")
        return form(f"EXISTS (SELECT 1 FROM {rows.table} WHERE {{0}})", sql.both([mine, rows.where, test]))
    inner = f"{rows.own} IN (SELECT {rows.table}.{rows.key} FROM {rows.table} WHERE {{0}})"
    return form(inner, sql.both([rows.where, test]))


def _number(operand: Operand) -> Sql:
    """Return the number that a value is or spells, NULL where it is none."""
    if operand.kind == "real":
        return operand.sql
    if operand.kind == "flag":
        raise BadQuery(f"{operand.name} is true or false, no number", column=operand.column)
    if operand.kind not in ("any", "number"):
        return form("gitexp_number({0})", operand.sql)
    plain = form("CASE WHEN {0} < '' THEN {0} WHEN {0} >= x'' THEN gitexp_number({0}) END", operand.sql)
    return plain if operand.spelled is None else form("COALESCE({0}, {1})", operand.spelled, plain)


def _with_times(node: nodes.Arithmetic, left: Operand, right: Operand) -> Operand:
    """Return the sum or difference of a time and seconds, or the seconds between two times."""
    if left.kind == right.kind and node.op == "-":
        return Operand(form("({0} - {1}) / 1000.0", left.sql, right.sql), "real")
    if left.kind == right.kind or node.op not in "+-" or (right.kind == "time" and node.op == "-"):
        raise BadQuery("a time takes + and - with a duration", column=node.column, hint="end - start > 1h30m")
    time, seconds = (left, right) if left.kind == "time" else (right, left)
    return Operand(form(f"{{0}} {node.op} {{1}} * 1000", time.sql, seconds.sql), "time")


def _glob(node: nodes.Matches) -> str:
    """Return a pattern of LIKE as GLOB has it: GLOB tells capitals apart."""
    found = "".join(_ESCAPED.get(character, character) for character in node.pattern)
    if len(found.encode()) > _MAX_PATTERN:
        raise BadQuery("the pattern is too long", column=node.column)
    return found


def _regex(node: nodes.Matches) -> str:
    try:
        functions.regex(node.pattern)
    except (re.error, RecursionError, OverflowError) as error:
        message = f"{node.pattern[:60]!r} is not a regular expression: {error}"
        raise BadQuery(message, column=node.column, hint="escape its marks with \\") from error
    return node.pattern
