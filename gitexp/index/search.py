"""Searches in the index: runs, counts and projections by conditions of the query language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from gitexp.index import entry
from gitexp.index.database import Index
from gitexp.index.entry import Entry

if TYPE_CHECKING:
    from gitexp.index.compile import Context
    from gitexp.query import nodes

CHUNK = 500  # entries in memory at once
_NEWEST = "run.start_ms DESC, run.id DESC"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many runs there are of which kind."""

    total: int
    running: int
    failed: int
    archived: int
    unpushed: int


@contextmanager
def snapshot(index: Index) -> Iterator[None]:
    """Let all searches of the block see the same runs, whatever is recorded meanwhile."""
    if index.connection.in_transaction:
        yield
        return
    index.connection.execute("BEGIN")
    try:
        yield
    finally:
        if index.connection.in_transaction:
            index.connection.execute("ROLLBACK")


def entries(
    index: Index,
    wanted: nodes.Node | None = None,
    order: Sequence[nodes.Order] = (),
    *,
    limit: int | None = None,
    offset: int = 0,
    context: Context,
) -> list[Entry]:
    """Return the runs that a condition is true of, in the order asked for, then newest first."""
    return list(stream(index, wanted, order, limit=limit, offset=offset, context=context))


def stream(
    index: Index,
    wanted: nodes.Node | None = None,
    order: Sequence[nodes.Order] = (),
    *,
    limit: int | None = None,
    offset: int = 0,
    context: Context,
) -> Iterator[Entry]:
    """Yield what `entries` returns, a chunk in memory at a time."""
    where, parameters = _where(index, wanted, context)
    by, more = _order(index, order, context)
    found = index.rows(
        f"SELECT key FROM {_scanned(order)} WHERE {where} ORDER BY {by} LIMIT ? OFFSET ?",
        (*parameters, *more, -1 if limit is None else limit, offset),
    )
    keys = (key for (key,) in found)
    while chunk := list(islice(keys, CHUNK)):
        yield from _load(index, chunk)


def count(index: Index, wanted: nodes.Node | None, *, context: Context) -> int:
    """Return how many runs a condition is true of."""
    where, parameters = _where(index, wanted, context)
    return int(index.rows(f"SELECT COUNT(*) FROM run WHERE {where}", parameters)[0][0])


def values(
    index: Index,
    what: Sequence[nodes.Value],
    wanted: nodes.Node | None = None,
    order: Sequence[nodes.Order] = (),
    *,
    limit: int | None = None,
    context: Context,
) -> list[tuple[Any, ...]]:
    """Return some values of each run that a condition is true of."""
    from gitexp.index import compile as compiling

    parts = [compiling.value(node, index.catalogue, context) for node in what]
    where, parameters = _where(index, wanted, context)
    by, more = _order(index, order, context)
    return index.rows(
        f"SELECT {', '.join(part.text for part in parts)} FROM {_scanned(order)} WHERE {where} ORDER BY {by} LIMIT ?",
        (*(item for part in parts for item in part.parameters), *parameters, *more, -1 if limit is None else limit),
    )


def tally(index: Index, wanted: nodes.Node | None, *, context: Context) -> Tally:
    """Count the runs that a condition is true of, by kind."""
    where, parameters = _where(index, wanted, context)
    row = index.rows(
        "SELECT COUNT(*), TOTAL(status = 'running'), TOTAL(status = 'failed'), TOTAL(archived),"
        f" TOTAL(own AND NOT live AND NOT pushed) FROM run WHERE {where}",
        parameters,
    )[0]
    return Tally(*map(int, row))


def get(index: Index, run_id: str) -> Entry | None:
    """Return the run of a whole id."""
    found = index.connection.execute(
        "SELECT key FROM run WHERE id = ? ORDER BY live DESC LIMIT 1", (run_id,)
    ).fetchone()
    return next(iter(_load(index, [found[0]])), None) if found else None


def strange(index: Index, path: str = "") -> int:
    """Return how many refs hold no run, below an experiment's path."""
    below = f"refs/experiments/{path}/" if path else "refs/"
    query = "SELECT COUNT(*) FROM strange WHERE ref >= ? AND ref < ?"
    return int(index.rows(query, (below, below[:-1] + "0"))[0][0])


def _where(index: Index, wanted: nodes.Node | None, context: Context) -> tuple[str, tuple[Any, ...]]:
    if wanted is None:
        return "1", ()
    from gitexp.index import compile as compiling

    found = compiling.condition(wanted, index.catalogue, context)
    return found.text, tuple(found.parameters)


def _scanned(order: Sequence[nodes.Order]) -> str:
    """Return where rows come from: whoever ranks all runs reads the table as it lies, not in the order of an index."""
    return "run NOT INDEXED" if order else "run"


def _order(index: Index, order: Sequence[nodes.Order], context: Context) -> tuple[str, tuple[Any, ...]]:
    if not order:
        return _NEWEST, ()
    from gitexp.index import compile as compiling

    found = compiling.order(order, index.catalogue, context)
    return f"{found.text}, {_NEWEST}", tuple(found.parameters)


def _load(index: Index, keys: Sequence[int]) -> Iterable[Entry]:
    """Read whole entries, in the order of their keys; one that went away meanwhile is left out."""
    marks = ", ".join("?" * len(keys))
    layout = entry.Layout.of(index.catalogue)
    tags = _grouped(index, f"SELECT run, name, value FROM tag WHERE run IN ({marks})", keys)
    over = _grouped(index, f"SELECT run, number, value FROM overflow WHERE run IN ({marks})", keys)
    found: dict[int, list[Any]] = {}
    for part in layout.columns:
        for row in index.rows(f"SELECT key, {', '.join(part)} FROM run WHERE key IN ({marks})", keys):
            found.setdefault(row[0], []).extend(row[1:])
    return [
        entry.build(found[key], layout, over.get(key, {}), tags.get(key, {}))
        for key in keys
        if len(found.get(key, ())) == layout.width
    ]


def _grouped(index: Index, query: str, keys: Sequence[int]) -> dict[int, dict[Any, Any]]:
    found: dict[int, dict[Any, Any]] = {}
    for run, name, value in index.rows(query, keys):
        found.setdefault(run, {})[name] = value
    return found
