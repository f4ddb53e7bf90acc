"""A run as lists need it, read from the index alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitexp.index import schema, values
from gitexp.index.catalogue import AGGREGATES, METRIC, PARAM, POST, Catalogue
from gitexp.record.summary import Aggregate

FIELDS = (
    "key", "id", "ref", "commit_oid", "path", "slug", "experiment", "name", "title", "status", "live", "author",
    "email", "host", "start_ms", "end_ms", "exit_code", "error", "description", "command", "parent", "forked_from",
    "code_commit", "code_snapshot", "code_tree", "code_branch", "code_dirty", "cost", "archived", "favourite",
    "removed", "own", "pushed", "reason", "damaged",
)  # fmt: skip
_FLAGS = frozenset({"live", "dirty", "archived", "favourite", "removed", "own", "pushed"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a list; times in ms. `ref` and `commit` are None of a run that is running here."""

    key: int
    id: str
    ref: str | None
    commit: str | None
    path: str
    slug: str
    experiment: str
    name: str
    title: str | None
    status: str
    live: bool
    author: str | None
    email: str | None
    host: str | None
    start_ms: int
    end_ms: int | None
    exit_code: int | None
    error: str | None
    description: str | None
    command: str | None
    parent: str | None
    forked_from: str | None
    code_commit: str | None
    code_snapshot: str | None
    code_tree: str | None
    code_branch: str | None
    dirty: bool
    cost: float | None
    archived: bool
    favourite: bool
    removed: bool
    own: bool
    pushed: bool
    reason: str | None
    damaged: str | None
    flat_params: dict[str, Any]
    summary: dict[str, Aggregate]
    tags: dict[str, str]
    posts: dict[str, float]

    @property
    def standing(self) -> str:
        """Its status, and in a word why: `failed oom`; nothing where somebody has taken that tag away."""
        told = self.reason is not None and self.reason in self.tags and (self.status, self.reason) != _PLAIN_END
        return f"{self.status} {self.reason}" if told else self.status


_PLAIN_END = ("killed", "interrupted")  # the status says it
_NAMES = tuple(Entry.__dataclass_fields__)[: len(FIELDS)]
_IS_FLAG = tuple(name in _FLAGS for name in _NAMES)
_WIDTH = 1000  # columns of one SELECT


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the values of an entry stand among the columns that are read: params, posts and metrics by name."""

    columns: list[list[str]]
    width: int
    params: dict[str, int]
    posts: dict[str, int]
    metrics: dict[str, int]
    over: dict[int, tuple[str, str, int]]  # {number in the overflow: (kind, name, place among the aggregates)}

    @classmethod
    def of(cls, catalogue: Catalogue) -> Layout:
        """Return the layout of all that a catalogue has."""
        names, places = list(FIELDS), dict[str, dict[str, int]]()
        over: dict[int, tuple[str, str, int]] = {}
        for (kind, name, aggregate), number in catalogue.singles.items():
            if aggregate or kind not in (PARAM, POST):
                continue
            if number > schema.COLUMN_CAP:
                over[number] = kind, name, 0
            else:
                places.setdefault(kind, {})[name] = len(names)
                names.append(f"c{number}")
        for name, number in catalogue.metrics.items():
            if number > schema.COLUMN_CAP:
                over |= {number + at: (METRIC, name, at) for at in range(len(AGGREGATES))}
            else:
                places.setdefault(METRIC, {})[name] = len(names)
                names += [f"c{number + at}" for at in range(len(AGGREGATES))]
        columns = [names[at : at + _WIDTH] for at in range(0, len(names), _WIDTH)]
        params, posts, metrics = (dict(sorted(places.get(kind, {}).items())) for kind in (PARAM, POST, METRIC))
        return cls(columns, len(names), params, posts, metrics, over)


def build(row: Sequence[Any], layout: Layout, over: Mapping[int, Any], tags: dict[str, str]) -> Entry:
    """Return the entry of a row's columns, of what it has in the overflow, and of its tags."""
    known = [bool(value) if is_flag else value for value, is_flag in zip(row[: len(FIELDS)], _IS_FLAG, strict=True)]
    params = {name: values.decode(value) for name, at in layout.params.items() if (value := row[at]) is not None}
    posts = {name: values.decode(value) for name, at in layout.posts.items() if (value := row[at]) is not None}
    width = len(AGGREGATES)
    metrics = {name: row[at : at + width] for name, at in layout.metrics.items() if row[at] is not None}
    if over:
        _spill(layout, over, params, posts, metrics)
    summary = {name: _aggregate(*found) for name, found in metrics.items()}
    return Entry(*known, params, summary, tags, posts)  # type: ignore[call-arg, arg-type]  # FIELDS


def _spill(
    layout: Layout, over: Mapping[int, Any], params: dict[str, Any], posts: dict[str, Any], metrics: dict[str, Any]
) -> None:
    """Add what stands in the overflow."""
    for number, value in over.items():
        kind, name, at = layout.over.get(number, ("", "", 0))  # a seed, or the number that a text spells
        if kind == METRIC:
            metrics.setdefault(name, [None] * len(AGGREGATES))[at] = value
        elif kind:
            (params if kind == PARAM else posts)[name] = values.decode(value)


def _aggregate(last: Any, low: Any, high: Any, mean: Any, first: Any, count: int) -> Aggregate:
    new = Aggregate()
    new.last, new.min, new.max, new.first = map(values.decode, (last, low, high, first))
    new.count, mean = count, values.decode(mean)
    new.numbers, new.total = (1, mean) if mean == mean else (0, 0.0)
    return new
