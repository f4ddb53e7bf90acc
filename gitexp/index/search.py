"""Searches in the index: runs, counts and projections by conditions of the query language."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from gitexp.index import entry, schema
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
    found = index.connection.execute(
        f"SELECT key FROM run WHERE {where} ORDER BY {by} LIMIT ? OFFSET ?",
        (*parameters, *more, -1 if limit is None else limit, offset),
    ).fetchall()
    keys = (key for (key,) in found)
    while chunk := list(islice(keys, CHUNK)):
        yield from _load(index, chunk)


def count(index: Index, wanted: nodes.Node | None, *, context: Context) -> int:
    """Return how many runs a condition is true of."""
    where, parameters = _where(index, wanted, context)
    return int(index.connection.execute(f"SELECT COUNT(*) FROM run WHERE {where}", parameters).fetchone()[0])


def values(
    index: Index,
    what: Sequence[nodes.Node],
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
    return index.connection.execute(
        f"SELECT {', '.join(part.text for part in parts)} FROM run WHERE {where} ORDER BY {by} LIMIT ?",
        (*(item for part in parts for item in part.parameters), *parameters, *more, -1 if limit is None else limit),
    ).fetchall()


def tally(index: Index, wanted: nodes.Node | None, *, context: Context) -> Tally:
    """Count the runs that a condition is true of, by kind."""
    where, parameters = _where(index, wanted, context)
    row = index.connection.execute(
        "SELECT COUNT(*), TOTAL(status = 'running'), TOTAL(status = 'failed'), TOTAL(archived),"
        f" TOTAL(own AND NOT live AND NOT pushed) FROM run WHERE {where}",
        parameters,
    ).fetchone()
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
    return int(index.connection.execute(query, (below, below[:-1] + "0")).fetchone()[0])


def _where(index: Index, wanted: nodes.Node | None, context: Context) -> tuple[str, tuple[Any, ...]]:
    if wanted is None:
        return "1", ()
    from gitexp.index import compile as compiling

    found = compiling.condition(wanted, index.catalogue, context)
    return found.text, tuple(found.parameters)


def _order(index: Index, order: Sequence[nodes.Order], context: Context) -> tuple[str, tuple[Any, ...]]:
    if not order:
        return _NEWEST, ()
    from gitexp.index import compile as compiling

    found = compiling.order(order, index.catalogue, context)
    return f"{found.text}, {_NEWEST}", tuple(found.parameters)


def _load(index: Index, keys: Sequence[int]) -> Iterable[Entry]:
    """Read whole entries, in the order of their keys; one that went away meanwhile is left out."""
    connection = index.connection
    marks = ", ".join("?" * len(keys))
    columns = index.catalogue.columns()
    names = [(kind, name, aggregate) for _, kind, name, aggregate in columns]
    wide = "".join(f", c{number}" for number, *_ in columns)
    rows = connection.execute(f"SELECT {', '.join(entry.FIELDS)}{wide} FROM run WHERE key IN ({marks})", keys)
    tags = _grouped(connection, f"SELECT run, name, value FROM tag WHERE run IN ({marks})", keys)
    over = _overflow(index, marks, keys)
    width = len(entry.FIELDS)
    found = {}
    for row in rows:
        known = {name: value for name, value in zip(names, row[width:], strict=True) if value is not None}
        known.update(over.get(row[0], {}))
        found[row[0]] = entry.build(row[:width], known, tags.get(row[0], {}))
    return [found[key] for key in keys if key in found]


def _overflow(index: Index, marks: str, keys: Sequence[int]) -> dict[int, dict[tuple[str, str, str], Any]]:
    numbers = index.catalogue.overflowing()
    if not numbers:
        return {}
    query = f"SELECT run, number, value FROM overflow WHERE run IN ({marks})"
    found = _grouped(index.connection, query, keys)
    return {key: {numbers[number]: value for number, value in items.items()} for key, items in found.items()}


def _grouped(connection: sqlite3.Connection, query: str, keys: Sequence[int]) -> dict[int, dict[Any, Any]]:
    found: dict[int, dict[Any, Any]] = {}
    for run, name, value in connection.execute(query, keys):
        found.setdefault(run, {})[name] = value
    return found
