"""What a query means: conditions over values, each with the column where it stands (0: built by code, not typed)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar, dataclass_transform

T = TypeVar("T")
KEYWORDS = frozenset({"and", "or", "not", "in", "like", "ilike", "is", "null", "nan", "between", "true", "false"})
AGGREGATES = ("last", "min", "max", "mean", "first", "count")
FACTS = ("sha256", "rows", "uri", "bytes", "files", "role")  # what data.NAME.… can ask of a dataset
PREFIX = {  # how a name of each kind is written
    "param": "params.", "metric": "metrics.", "tag": "tags.", "post": "post.", "verdict": "verdict.",
    "seed": "seeds.", "data": "data.", "package": "env.packages.", "": "",
}  # fmt: skip


class _Part:
    """What all nodes have in common, written once: generated for each class it doubles the time to load them."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Part) and type(self) is type(other) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self._fields()!r}"

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)


@dataclass_transform(frozen_default=True)
def _node(cls: type[T]) -> type[T]:
    return dataclass(frozen=True, slots=True, eq=False, repr=False)(cls)


@_node
class Literal(_Part):
    """A number, text or bool. `unit` is "duration" (seconds) or "size" (bytes); `written` is how it was typed."""

    value: int | float | str | bool
    unit: str = ""
    written: str = ""
    column: int = 0


@_node
class Field(_Part):
    """A field that every run has: status, start, code.commit …"""

    name: str
    column: int = 0


@_node
class Name(_Part):
    """What a run may have under a name: `kind` is one of PREFIX, "" is a bare name, still to be looked up.

    `aggregate` is one of AGGREGATES for a metric, one of FACTS for a dataset, "" for what represents the metric.
    """

    kind: str
    name: str
    aggregate: str = ""
    column: int = 0


@_node
class Arithmetic(_Part):
    """`left op right` with + - * /."""

    op: str
    left: Value
    right: Value
    column: int = 0


Value = Literal | Field | Name | Arithmetic


@_node
class Compare(_Part):
    """`left op right` with = != < <= > >=."""

    op: str
    left: Value
    right: Value
    column: int = 0


@_node
class Between(_Part):
    """`value [not] between low and high`, both ends included."""

    value: Value
    low: Value
    high: Value
    negated: bool = False
    column: int = 0


@_node
class In(_Part):
    """`value [not] in (…)`."""

    value: Value
    options: tuple[Literal, ...]
    negated: bool = False
    column: int = 0


@_node
class Matches(_Part):
    """`value [not] like|ilike|~ pattern`; `how` is "like", "ilike" or "~"."""

    how: str
    value: Value
    pattern: str
    negated: bool = False
    column: int = 0


@_node
class IsMissing(_Part):
    """`value is [not] null`."""

    value: Value
    negated: bool = False
    column: int = 0


@_node
class IsNan(_Part):
    """`value is [not] nan`."""

    value: Value
    negated: bool = False
    column: int = 0


@_node
class Truth(_Part):
    """A value that stands alone: true where it is there and not false or 0."""

    value: Value
    column: int = 0


@_node
class Not(_Part):
    """The complement."""

    part: Node
    column: int = 0


@_node
class All(_Part):
    """All parts hold; none is true."""

    parts: tuple[Node, ...]
    column: int = 0


@_node
class Any(_Part):
    """At least one part holds; of none it is false."""

    parts: tuple[Node, ...]
    column: int = 0


@_node
class Query(_Part):
    """A condition as it was typed: whoever finds fault with it can show where."""

    part: Node
    text: str
    column: int = 1


Condition = Compare | Between | In | Matches | IsMissing | IsNan | Truth | Not | All | Any | Query
Node = Condition


@_node
class Order(_Part):
    """One key to sort by."""

    value: Value
    descending: bool = False
    text: str = ""  # of all keys, as they were typed


def spell(value: Field | Name) -> str:
    """Return a field or name as it is written in a query."""
    if isinstance(value, Field):
        return value.name
    written = f"{PREFIX[value.kind]}{quote(value.name)}"
    if value.kind == "data" and value.aggregate:
        return f"{written}.{value.aggregate}"
    return f"{value.aggregate}({written})" if value.aggregate else written


def quote(name: str) -> str:
    """Return a name, in backticks where it needs them."""
    first, *rest = name.split(".")
    plain = (
        first.isidentifier() and name.lower() not in KEYWORDS and all(part.replace("_", "a").isalnum() for part in rest)
    )
    return name if plain else "`" + name.replace("`", "``") + "`"
