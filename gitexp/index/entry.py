"""A run as lists need it, read from the index alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gitexp.index import catalogue as catalogues
from gitexp.index import values
from gitexp.record.summary import Aggregate

FIELDS = (
    "key", "id", "ref", "commit_oid", "path", "slug", "experiment", "name", "title", "status", "live", "author", "email",
    "host", "start_ms", "end_ms", "exit_code", "error", "description", "command", "parent", "forked_from", "code_commit",
    "code_snapshot", "code_tree", "code_branch", "code_dirty", "cost", "archived", "favourite", "removed", "own", "pushed",
    "failed_nan", "damaged",
)  # fmt: skip
_FLAGS = frozenset({"live", "dirty", "archived", "favourite", "removed", "own", "pushed", "failed_nan"})


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
    failed_nan: bool
    damaged: str | None
    flat_params: dict[str, Any]
    summary: dict[str, Aggregate]
    tags: dict[str, str]
    posts: dict[str, float]


_NAMES = tuple(Entry.__dataclass_fields__)[: len(FIELDS)]
_IS_FLAG = tuple(name in _FLAGS for name in _NAMES)


def build(plain: Iterable[Any], found: Mapping[tuple[str, str, str], Any], tags: dict[str, str]) -> Entry:
    """Return the entry of a row's fields, its values by kind, name and aggregate, and its tags."""
    known = [bool(value) if is_flag else value for value, is_flag in zip(plain, _IS_FLAG, strict=True)]
    params: dict[str, Any] = {}
    posts: dict[str, float] = {}
    summary: dict[str, dict[str, Any]] = {}
    for (kind, name, aggregate), value in found.items():
        if kind == catalogues.METRIC:
            summary.setdefault(name, {})[aggregate] = values.decode(value)
        elif kind == catalogues.PARAM and not aggregate:
            params[name] = values.decode(value)
        elif kind == catalogues.POST:
            posts[name] = values.decode(value)
    metrics = {name: _aggregate(known) for name, known in sorted(summary.items())}
    return Entry(*known, dict(sorted(params.items())), metrics, tags, posts)  # type: ignore[arg-type]  # by FIELDS


def _aggregate(found: Mapping[str, Any]) -> Aggregate:
    new = Aggregate()
    new.last, new.min, new.max, new.first = (found[key] for key in ("last", "min", "max", "first"))
    new.count, mean = found["count"], found["mean"]
    new.numbers, new.total = (1, mean) if mean == mean else (0, 0.0)
    return new
