"""Queries as people type them, turned into nodes (docs/query.md has the grammar)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from gitexp.errors import BadQuery
from gitexp.query import lexer, names, nodes
from gitexp.query.lexer import Token

# SQLite's parser has a stack of 100: a condition in a condition takes a place or two of it, arithmetic in
# parentheses six.
MAX_DEPTH = 40  # of conditions in conditions; redundant parentheses do not count
_ARITHMETIC_DEPTH = 5  # what arithmetic in parentheses counts
MAX_TERMS = 100  # of one sum or product
MAX_OPEN = 5000  # parentheses, also redundant ones

_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_PATTERNS = {"like": "like", "ilike": "ilike", "~": "~", "!~": "~"}
_RANKS = {"(": 0, "or": 1, "and": 2, "not": 3, "between": 4, **dict.fromkeys(_COMPARISONS, 4)}
_RANKS |= {"+": 5, "-": 5, "*": 6, "/": 6, "minus": 7, "plus": 7}


def parse(text: str) -> nodes.Node:
    """Return the condition that a query is; raises BadQuery."""
    return nodes.Query(_Parser(text).condition(), text)


def parse_value(text: str) -> nodes.Value:
    """Return the one value that a text is: `params.lr`, `min(metrics.loss)`, `end - start`; raises BadQuery."""
    return _Parser(text).value()


def parse_order(text: str) -> tuple[nodes.Order, ...]:
    """Return the keys of `-metrics.val_auc,params.lr` or `metrics.val_auc DESC, params.lr`; raises BadQuery."""
    return _Parser(text).orders()


@dataclass(slots=True)
class _Operand:
    """A node that is built, and how deep it is: SQLite bounds what it takes."""

    node: nodes.Value | nodes.Node
    depth: int = 0  # of conditions
    terms: int = 1  # of arithmetic: its height
    nested: int = 0  # of arithmetic: parentheses that it needs
    column: int = 0


@dataclass(slots=True)
class _Operator:
    """An operator that waits for its right side; `negated` for `not between`."""

    op: str
    column: int
    negated: bool = False
    has_and: bool = False  # of `between`: its `and` was seen


class _Parser:
    """An operator-precedence parser with stacks of its own, so that no depth of a query is a depth of calls."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = lexer.tokens(text)
        self.at = 0
        self.operands: list[_Operand] = []
        self.operators: list[_Operator] = []
        self.opened = 0

    def condition(self) -> nodes.Node:
        """Parse the whole text as a condition."""
        if self.now.kind == "end":
            raise self._bad("the query is empty", 1, hint="for example: metrics.val_auc > 0.9")
        operand = self._expression()
        if not self.now.kind == "end":
            raise self._expected("and, or, or the end")
        return self._as_condition(operand).node  # type: ignore[return-value]  # a condition by now

    def value(self) -> nodes.Value:
        """Parse the whole text as a value."""
        operand = self._expression()
        if not self.now.kind == "end":
            raise self._expected("the end")
        return self._as_value(operand)

    def orders(self) -> tuple[nodes.Order, ...]:
        """Parse the whole text as keys to sort by."""
        found = []
        while True:
            descending = self._take("-")
            if not descending:
                self._take("+")
            value = self._as_value(self._expression())
            if self.now.kind == "name" and self.now.written.lower() in ("asc", "desc"):
                descending = descending != (self.now.written.lower() == "desc")
                self.at += 1
            found.append(nodes.Order(value, descending, self.text))
            if self.now.kind == "end":
                return tuple(found)
            if not self._take(","):
                raise self._expected("a comma, asc, desc or the end")

    @property
    def now(self) -> Token:
        return self.tokens[self.at]

    def _take(self, *ops: str) -> bool:
        """Go past the next token if it is one of these; say whether it was."""
        if not self.now.is_op(*ops):
            return False
        self.at += 1
        return True

    def _bad(self, message: str, column: int, hint: str = "") -> BadQuery:
        return BadQuery(message, column=column, query=self.text, hint=hint)

    def _expected(self, what: str, hint: str = "") -> BadQuery:
        token = self.now
        shown = token.written if len(token.written) <= 40 else token.written[:39] + "…"
        there = shown if token.kind == "end" else f"'{shown}'" if "'" not in shown else shown
        return self._bad(f"expected {what}, not {there}", token.column, hint)

    def _expression(self) -> _Operand:
        """Parse up to where nothing goes on; operands and operators take turns."""
        while True:
            while self._prefix():
                pass
            self._operand()
            while self._postfix():
                pass
            if not self._infix():
                break
        self._reduce(0)
        if self.operators:
            raise self._bad("this parenthesis is never closed", self.operators[-1].column)
        return self.operands.pop()

    def _prefix(self) -> bool:
        token = self.now
        if not token.is_op("(", "not", "-", "+"):
            return False
        self.at += 1
        op = {"-": "minus", "+": "plus"}.get(str(token.value), str(token.value))
        if op == "not" and self.operators and self.operators[-1].op not in ("(", "or", "and", "not"):
            raise self._bad("expected a value, not 'not'", token.column, hint="put it in parentheses: (not …)")
        self.opened += 1
        if self.opened > MAX_OPEN:
            raise self._bad(f"more than {MAX_OPEN:,} parentheses and signs before this", token.column)
        self.operators.append(_Operator(op, token.column))
        return True

    def _operand(self) -> None:
        token = self.now
        if token.kind in ("text", "number"):
            node: nodes.Value = cast(nodes.Literal, token.value)
        elif token.is_op("true", "false"):
            node = nodes.Literal(token.value == "true", written=token.written, column=token.column)
        elif token.is_op("null", "nan"):
            raise self._expected("a value", hint=f"ask for it with: is {token.value}  is not {token.value}")
        elif token.kind == "name":
            node = self._name(token)
        else:
            raise self._expected("a value")
        self.at += 1
        self.operands.append(_Operand(node, column=token.column))

    def _name(self, token: Token) -> nodes.Value:
        parts = cast(tuple[str, ...], token.value)
        if not self.tokens[self.at + 1].is_op("("):
            return names.read(self.text, parts, token.column, token.aggregate)
        aggregate = parts[0].lower()
        if len(parts) > 1 or aggregate not in nodes.AGGREGATES or token.aggregate:
            hint = f"the functions are: {'  '.join(f'{name}(metrics.NAME)' for name in nodes.AGGREGATES)}"
            raise self._bad(f"there is no function '{token.written[:40]}'", token.column, hint)
        self.at += 2
        inner = self.now
        if inner.kind != "name" or inner.aggregate:
            raise self._expected(f"a metric in {aggregate}()")
        node = names.read(self.text, cast(tuple[str, ...], inner.value), inner.column, aggregate)
        self.at += 1
        if not self.now.is_op(")"):
            raise self._expected("a closing parenthesis")
        return node

    def _postfix(self) -> bool:
        """Take what ends a condition on its own: a closing parenthesis, in (…), like '…', is null."""
        token = self.now
        if token.is_op(")"):
            return self._close()
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        negated = token.is_op("not") and following.is_op("in", "like", "ilike")
        word = following if negated else token
        if word.is_op("is"):
            self._is(token)
        elif word.is_op("in"):
            self.at += 2 if negated else 1
            self._in(token, negated)
        elif word.is_op(*_PATTERNS):
            self.at += 2 if negated else 1
            self._matches(token, str(word.value), negated)
        else:
            return False
        return True

    def _close(self) -> bool:
        self._reduce(0)
        if not self.operators:
            raise self._bad("this parenthesis was never opened", self.now.column)
        self.operators.pop()
        self.at += 1
        return True

    def _left(self, column: int) -> _Operand:
        """Return the value to the left of a comparison."""
        self._reduce(5)
        operand = self.operands.pop()
        self._as_value(operand)
        return operand

    def _is(self, token: Token) -> None:
        left = self._left(token.column)
        self.at += 1
        negated = self._take("not")
        kind = nodes.IsNan if self.now.is_op("nan") else nodes.IsMissing
        if not self._take("null", "nan"):
            raise self._expected("null or nan", hint="compare with: =  !=")
        self._finish(kind(self._as_value(left), negated, token.column), token.column, left)

    def _in(self, token: Token, negated: bool) -> None:
        left = self._left(token.column)
        if not self._take("("):
            raise self._expected("a list in parentheses", hint="for example: status in ('completed', 'running')")
        options = [self._literal()]
        while self._take(","):
            options.append(self._literal())
        if not self._take(")"):
            raise self._expected("a comma or a closing parenthesis")
        node = nodes.In(self._as_value(left), tuple(options), negated, token.column)
        self._finish(node, token.column, left)

    def _literal(self) -> nodes.Literal:
        sign = self.now
        negative = self._take("-")
        if not negative:
            self._take("+")
        token = self.now
        if token.is_op("true", "false") and not sign.is_op("-", "+"):
            self.at += 1
            return nodes.Literal(token.value == "true", written=token.written, column=token.column)
        if token.kind not in ("number", "text") or (token.kind == "text" and sign.is_op("-", "+")):
            raise self._expected("a number or a text", hint="texts go in quotes: ('adam', 'sgd')")
        self.at += 1
        literal = cast(nodes.Literal, token.value)
        return _negative(literal, sign.column) if negative else literal

    def _matches(self, token: Token, word: str, negated: bool) -> None:
        left = self._left(token.column)
        if self.now.kind != "text":
            raise self._expected("a text in quotes")
        pattern = str(cast(nodes.Literal, self.now.value).value)
        column = self.now.column
        self.at += 1
        node = nodes.Matches(_PATTERNS[word], self._as_value(left), pattern, negated or word == "!~", column)
        self._finish(node, token.column, left)

    def _finish(self, node: nodes.Node, column: int, *sides: _Operand) -> None:
        """Take in a comparison; arithmetic on its sides makes it deeper."""
        depth = _ARITHMETIC_DEPTH * max(side.nested for side in sides)
        self._deep(depth, column)
        self.operands.append(_Operand(node, depth, column=column))

    def _infix(self) -> bool:
        """Take the operator between two operands; false where the expression ends."""
        token = self.now
        negated = token.is_op("not") and self.tokens[self.at + 1].is_op("between")
        if negated:
            self.at += 1
        op = str(self.now.value) if self.now.kind in ("op", "keyword") else ""
        if op not in _RANKS or op in ("(", "not"):
            if token.is_op("not") or (token.kind not in ("end",) and not token.is_op(",") and not self._ends_order()):
                raise self._expected("and, or, or an operator", hint=self._joining(token))
            return False
        self._push(op, token.column, negated)
        self.at += 1
        return True

    def _ends_order(self) -> bool:
        return self.now.kind == "name" and self.now.written.lower() in ("asc", "desc")

    def _joining(self, token: Token) -> str:
        if token.kind in ("name", "text", "number"):
            return "names with spaces or other marks go in backticks, texts in quotes"
        return ""

    def _push(self, op: str, column: int, negated: bool) -> None:
        if op == "and":
            self._reduce(5)
            if self.operators and self.operators[-1].op == "between" and not self.operators[-1].has_and:
                self.operators[-1].has_and = True
                return
        if op in ("and", "or"):
            self._reduce(_RANKS[op] + 1)  # one chain of them becomes one node
        else:
            self._reduce(_RANKS[op])
        if op in _COMPARISONS or op == "between":
            self._as_value(self.operands[-1])
        self.operators.append(_Operator(op, column, negated))

    def _reduce(self, rank: int) -> None:
        """Build the nodes of all waiting operators that bind at least as strongly as `rank`."""
        while self.operators and self.operators[-1].op != "(" and _RANKS[self.operators[-1].op] >= rank:
            operator = self.operators.pop()
            if operator.op in ("and", "or"):
                self._join(operator)
            elif operator.op == "not":
                self.operands.append(self._negate(self._as_condition(self.operands.pop()), operator))
            elif operator.op in ("minus", "plus"):
                self._sign(operator)
            elif operator.op == "between":
                self._between(operator)
            else:
                self._binary(operator)

    def _join(self, last: _Operator) -> None:
        count = 2
        while self.operators and self.operators[-1].op == last.op:
            self.operators.pop()
            count += 1
        joined = self.operands[-count:]
        del self.operands[-count:]
        kind: Callable[..., nodes.Node] = nodes.All if last.op == "and" else nodes.Any
        parts: list[nodes.Node] = []
        depth = 0
        for operand in map(self._as_condition, joined):
            node = cast(nodes.Node, operand.node)
            if isinstance(node, nodes.All | nodes.Any) and type(node) is kind:
                parts.extend(node.parts)
                depth = max(depth, operand.depth)
            else:
                parts.append(node)
                depth = max(depth, operand.depth + 1)
        self._deep(depth, last.column)
        self.operands.append(_Operand(kind(tuple(parts), last.column), depth, column=joined[0].column))

    def _negate(self, operand: _Operand, operator: _Operator) -> _Operand:
        if isinstance(operand.node, nodes.Not):
            return _Operand(operand.node.part, operand.depth - 1, column=operator.column)
        self._deep(operand.depth + 1, operator.column)
        part = cast(nodes.Node, operand.node)
        return _Operand(nodes.Not(part, operator.column), operand.depth + 1, column=operator.column)

    def _deep(self, depth: int, column: int) -> None:
        if depth > MAX_DEPTH:
            raise self._bad("nested too deep", column, "ask for less at a time")

    def _sign(self, operator: _Operator) -> None:
        operand = self.operands.pop()
        value = self._as_value(operand)
        if operator.op == "minus" and isinstance(value, nodes.Literal):
            if isinstance(value.value, str | bool):
                raise self._bad("expected a number after the sign", value.column)
            operand = _Operand(_negative(value, operator.column), column=operator.column)
        elif operator.op == "minus":
            operand = self._arithmetic("-", _Operand(nodes.Literal(0)), operand, operator.column)
        self.operands.append(operand)

    def _between(self, operator: _Operator) -> None:
        if not operator.has_and:
            raise self._expected("and", hint="for example: params.lr between 0.001 and 0.1")
        sides = self.operands[-3:]
        del self.operands[-3:]
        value, low, high = map(self._as_value, sides)
        node = nodes.Between(value, low, high, operator.negated, operator.column)
        self._finish(node, operator.column, *sides)

    def _binary(self, operator: _Operator) -> None:
        right, left = self.operands.pop(), self.operands.pop()
        if operator.op in _COMPARISONS:
            node = nodes.Compare(operator.op, self._as_value(left), self._as_value(right), operator.column)
            self._finish(node, operator.column, left, right)
        else:
            self.operands.append(self._arithmetic(operator.op, left, right, operator.column))

    def _arithmetic(self, op: str, left: _Operand, right: _Operand, column: int) -> _Operand:
        """Join two values; the right side needs parentheses if it is arithmetic, the left if it binds less."""
        one, other = self._as_value(left), self._as_value(right)
        is_looser = isinstance(one, nodes.Arithmetic) and _RANKS[one.op] < _RANKS[op]
        nested = max(left.nested + is_looser, right.nested + isinstance(other, nodes.Arithmetic))
        terms = max(left.terms, right.terms) + 1
        if terms > MAX_TERMS:
            raise self._bad(f"arithmetic of more than {MAX_TERMS} steps", column, "ask for less at a time")
        self._deep(_ARITHMETIC_DEPTH * nested, column)
        return _Operand(nodes.Arithmetic(op, one, other, column), 0, terms, nested, left.column or column)

    def _as_condition(self, operand: _Operand) -> _Operand:
        """Return a condition: a value that stands alone is true where it is there and not false or 0."""
        node = operand.node
        if isinstance(node, nodes.Condition):
            return operand
        if isinstance(node, nodes.Arithmetic) or (isinstance(node, nodes.Literal) and not isinstance(node.value, bool)):
            column = operand.column or node.column
            raise self._bad("expected a comparison, not a value alone", column, "for example: metrics.val_auc > 0.9")
        return _Operand(nodes.Truth(node, node.column), column=operand.column)

    def _as_value(self, operand: _Operand) -> nodes.Value:
        node = operand.node
        if isinstance(node, nodes.Condition):
            hint = "join comparisons with and, or; a range is: params.lr between 0.001 and 0.1"
            raise self._bad("expected a value, not a condition", operand.column or node.column, hint)
        return node


def _negative(literal: nodes.Literal, column: int) -> nodes.Literal:
    value = literal.value
    assert not isinstance(value, str)
    return nodes.Literal(-value, literal.unit, "-" + literal.written, column)
