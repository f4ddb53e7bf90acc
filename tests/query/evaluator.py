"""docs/query.md once more, in plain Python over records: what the compiled queries are compared with."""

from __future__ import annotations

import fnmatch
import json
import math
import operator
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from gitexp import dates
from gitexp.query import nodes
from gitexp.record.summary import Aggregate
from tests.query.population import Known

OPS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")


@dataclass(frozen=True)
class Found:
    """The values that a name has in one run (none: missing), what rules they follow, and whether any may match."""

    values: tuple[Any, ...]
    kind: str = "any"
    several: bool = False

    @property
    def present(self) -> bool:
        return bool(self.values)


class Evaluator:
    """Says of one run after the other whether a condition is true."""

    def __init__(self, now_ms: int, represent: Callable[[str], str], runs: list[Known]) -> None:
        self.now_ms, self.represent = now_ms, represent
        self.params = {name for known in runs for name in known.run.flat_params}
        self.metrics = {name for known in runs for name in known.run.summary}

    def true(self, node: nodes.Node, of: Known) -> bool:
        match node:
            case nodes.Query(part):
                return self.true(part, of)
            case nodes.All(parts):
                return all(self.true(part, of) for part in parts)
            case nodes.Any(parts):
                return any(self.true(part, of) for part in parts)
            case nodes.Not(part):
                return not self.true(part, of)
            case nodes.Compare(op, left, right):
                return self.compare(op, self.value(left, of), self.value(right, of))
            case nodes.Between(value, low, high, negated):
                found, ends = self.value(value, of), [self.value(low, of), self.value(high, of)]
                inside = any(
                    self.pair(">=", one, found.kind, ends[0]) and self.pair("<=", one, found.kind, ends[1])
                    for one in found.values
                )
                there = (found.several or found.present) and all(end.present for end in ends)
                return there and not inside if negated else inside
            case nodes.In(value, options, negated):
                found = self.value(value, of)
                inside = any(
                    self.pair("=", one, found.kind, literal(option)) for one in found.values for option in options
                )
                return (found.several or found.present) and not inside if negated else inside
            case nodes.Matches(how, value, pattern, negated):
                found = self.value(value, of)
                hit = any(like(how, pattern, written(one)) for one in found.values)
                return (found.several or found.present) and not hit if negated else hit
            case nodes.IsMissing(value, negated):
                return self.value(value, of).present is negated
            case nodes.IsNan(value, negated):
                found = self.value(value, of)
                is_nan = any(isinstance(one, float) and math.isnan(one) for one in found.values)
                return (found.several or found.present) and not is_nan if negated else is_nan
            case nodes.Truth(value):
                return any(truth(one) for one in self.value(value, of).values)
        raise AssertionError(node)

    def compare(self, op: str, left: Found, right: Found) -> bool:
        if op == "!=" and (left.several or right.several):
            return (
                (left.several or left.present) and (right.several or right.present) and not self.any("=", left, right)
            )
        return self.any(op, left, right)

    def any(self, op: str, left: Found, right: Found) -> bool:
        if left.kind == "literal" and right.kind != "literal":
            turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(op, op)
            return self.any(turned, right, left)
        return any(self.pair(op, one, left.kind, right) for one in left.values)

    def pair(self, op: str, one: Any, kind: str, right: Found) -> bool:
        """Compare one value with each of the right side."""
        return any(self._pair(op, one, kind, other, right.kind) for other in right.values)

    def _pair(self, op: str, one: Any, kind: str, other: Any, other_kind: str) -> bool:
        is_literal = other_kind == "literal"
        if kind == "time" and is_literal:
            return self._time(op, one, other)
        if kind == "status" and is_literal and op in ("=", "!="):
            other = {"finished": "completed"}.get(other.lower(), other.lower()) if isinstance(other, str) else other
        if (
            kind == "glob"
            and is_literal
            and op in ("=", "!=")
            and isinstance(other, str)
            and re.search(r"[*?\[]", other)
        ):
            return fnmatch.fnmatchcase(one, other) is (op == "=")
        if kind in ("id", "commit", "digest") and is_literal and op in ("=", "!=") and isinstance(other, str):
            whole = kind == "digest" and not re.fullmatch("[0-9a-f]{4,64}", other.lower())
            same = one == other.lower() if whole else one.startswith(other.lower())
            return same is (op == "=")
        if kind == "flag" and is_literal and isinstance(other, str):
            other = other.lower() == "true"
        if kind == "version" and not isinstance(other, bool) and (is_literal or other_kind == "version"):
            return version(op, one, other, is_exact=not is_literal)
        return plain(op, one, other)

    def _time(self, op: str, one: Any, other: Any) -> bool:
        span = dates.read(other, self.now_ms) if isinstance(other, str) else dates.Span(round(other), round(other))
        if span.start_ms == span.end_ms:
            return OPS[op](one, span.start_ms)
        place = -1 if one < span.start_ms else 1 if one >= span.end_ms else 0
        return OPS[op](place, 0)

    def value(self, node: nodes.Value, of: Known) -> Found:
        if isinstance(node, nodes.Literal):
            return literal(node)
        if isinstance(node, nodes.Field):
            return self.field(node.name, of)
        if isinstance(node, nodes.Name):
            return self.named(node, of)
        return arithmetic(node.op, self.value(node.left, of), self.value(node.right, of))

    def named(self, node: nodes.Name, of: Known) -> Found:
        kind, name, run, state = node.kind, node.name, of.run, of.state
        if not kind:
            kind = "metric" if node.aggregate or name in self.metrics else "param" if name in self.params else "tag"
        if kind == "metric":
            return one(aggregate(run.summary.get(name), node.aggregate or self.represent(name)))
        if kind == "package":
            known = run.environment.get("packages", {}).get(re.sub(r"[-_.]+", "-", name).lower(), {})
            return one(known.get("version"), "version")
        if kind == "data":
            rows = [item for item in run.data if name in (item["name"], item["role"])]
            found = tuple(item[node.aggregate] for item in rows if item.get(node.aggregate) is not None)
            return Found(found, "digest" if node.aggregate == "sha256" else "any")
        tables: dict[str, Any] = {
            "param": run.flat_params, "seed": run.record.seeds, "post": state.posts, "verdict": state.verdicts,
            "tag": state.tags_over(run.record.tags),
        }  # fmt: skip
        return one(tables[kind].get(name))

    def field(self, name: str, of: Known) -> Found:
        run, state, record = of.run, of.state, of.run.record
        code, environment = record.code, run.environment
        end = record.end_ms
        fields: dict[str, tuple[Any, str]] = {
            "id": (run.id, "id"), "title": (state.title, "text"), "experiment": (run.experiment, "glob"),
            "status": (run.status, "status"), "start": (record.start_ms, "time"), "end": (end, "time"),
            "duration": (record.duration_seconds, "any"), "host": (record.host or None, "text"),
            "exit_code": (record.exit_code, "any"), "error": ((record.error or {}).get("type"), "text"),
            "description": (state.description or record.description or None, "text"),
            "command": (shlex.join(record.command), "text"), "ref": (run.ref, "text"), "commit": (run.commit, "commit"),
            "archived": (state.archived, "flag"), "favourite": (state.favourite, "flag"),
            "removed": (state.removed, "flag"), "env.cuda": (environment.get("cuda"), "version"),
            "code.commit": (code.get("commit"), "commit"), "code.dirty": (bool(code.get("dirty")), "flag"),
            "code.snapshot": (code.get("snapshot"), "commit"), "code.branch": (code.get("branch"), "text"),
            "env.python": (environment["python"]["version"], "version"),
            "env.gpu": (environment["gpus"][0]["name"] if "gpus" in environment else None, "text"),
            "artifact.size": (sum(item.size_bytes for item in run.artifacts), "any"),
        }  # fmt: skip
        if name in fields:
            return one(*fields[name])
        tags = state.tags_over(record.tags)
        several: dict[str, tuple[list[Any], str]] = {
            "name": ([state.title or run.name, run.name], "text"),
            "note": ([note.text for note in state.notes], "text"),
            "user": ([record.user.get("name"), record.user.get("email")], "text"),
            "tag": ([f"{key}={value}" if value else key for key, value in tags.items()], "text"),
            "artifact": ([item.name for item in run.artifacts], "text"),
            "dataset.name": ([item["name"] for item in run.data], "text"),
            "dataset.digest": ([item["sha256"] for item in run.data], "digest"),
        }  # fmt: skip
        found, kind = several[name]
        return Found(tuple(item for item in found if item is not None), kind, several=True)


FIELDS = (
    "id", "title", "experiment", "status", "start", "end", "duration", "host", "exit_code", "error", "description",
    "command", "ref", "commit", "archived", "favourite", "removed", "code.commit", "code.dirty", "code.snapshot",
    "code.branch", "env.python", "env.cuda", "env.gpu", "artifact.size", "name", "note", "user", "tag", "artifact",
    "dataset.name", "dataset.digest",
)  # fmt: skip


def one(value: Any, kind: str = "any") -> Found:
    return Found(() if value is None else (value,), kind)


def literal(node: nodes.Literal) -> Found:
    written = isinstance(node.value, int | float) and not isinstance(node.value, bool) and node.written
    return Found((Written(node.value, node.written) if written else node.value,), "literal")


class Written(float):
    """A number of a query, with how it was typed: versions compare with that."""

    def __new__(cls, value: float, written: str) -> Any:
        if isinstance(value, int):
            return WrittenInt(value, written)
        new = super().__new__(cls, value)
        new.written = written  # type: ignore[attr-defined]  # a float has no slots of its own
        return new


class WrittenInt(int):
    """A whole one."""

    def __new__(cls, value: int, written: str) -> Any:
        new = super().__new__(cls, value)
        new.written = written  # type: ignore[attr-defined]  # as above
        return new


def aggregate(found: Aggregate | None, name: str) -> Any:
    if found is None:
        return None
    return found.count if name == "count" else found.set if found.set is not None else getattr(found, name)


def number(value: Any) -> int | float | None:
    """Return the number that a value is or spells; an integer beyond 64 bits as the nearest float."""
    if isinstance(value, str):
        if not NUMBER.fullmatch(value):
            return None
        value = float(value) if re.search("[.eE]", value) else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def plain(op: str, left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return OPS[op](left, right)
    numbers = number(left), number(right)
    if None not in numbers:
        return OPS[op](*numbers)
    kinds = (bool, list | dict)
    alike = any(isinstance(left, kind) and isinstance(right, kind) for kind in kinds)
    same = alike and json.dumps(left) == json.dumps(right)
    return same if op == "=" else not same if op == "!=" else False


def version(op: str, left: str, right: Any, *, is_exact: bool) -> bool:
    wanted = str(getattr(right, "written", right))
    try:
        sides = Version(left), Version(wanted)
    except InvalidVersion:
        if is_exact or not _is_version(wanted):
            return OPS[op](left, wanted) if op in ("=", "!=") and not is_exact else False
        return op == "!="
    if not is_exact and sides[1].local is None:
        return OPS[op](Version(sides[0].public), sides[1])
    return OPS[op](*sides)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def like(how: str, pattern: str, text: str) -> bool:
    if how == "~":
        return re.search(pattern, text) is not None
    parts = [".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern]
    return re.fullmatch("".join(parts), text, re.DOTALL | (re.IGNORECASE if how == "ilike" else 0)) is not None


def truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return number(value) != 0 and not (isinstance(value, str) and value.lower() == "false")


def arithmetic(op: str, left: Found, right: Found) -> Found:
    if not left.present or not right.present:
        return Found((), "time" if (left.kind == "time") != (right.kind == "time") else "any")
    one, other = number(left.values[0]), number(right.values[0])
    if left.kind == right.kind == "time":
        return Found(((one - other) / 1000.0,))  # type: ignore[operator]  # times are numbers
    if left.kind == "time" or right.kind == "time":
        if left.kind == "time":
            other = None if other is None else limited("*", other, 1000)
        else:
            one = None if one is None else limited("*", one, 1000)
        result = None if one is None or other is None else limited(op, one, other)
        return Found(() if result is None else (result,), "time")
    if one is None or other is None or (op == "/" and other == 0):
        return Found(())
    result = float(one) / float(other) if op == "/" else limited(op, one, other)
    return Found(() if result is None or result != result else (result,))


def limited(op: str, one: float, other: float) -> float | None:
    """Add, subtract or multiply; integers within 64 bits exactly, all else as floats."""
    does = {"+": operator.add, "-": operator.sub, "*": operator.mul}[op]
    result = does(one, other)
    if isinstance(result, int) and not -(2**63) <= result < 2**63:
        result = does(float(one), float(other))
    return None if result != result else result
