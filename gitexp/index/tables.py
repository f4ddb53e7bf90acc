"""Rows put into the tables of the index and taken out of them; always inside a transaction that writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from gitexp.index import catalogue as catalogues
from gitexp.index import rows, schema
from gitexp.index.catalogue import AGGREGATES, Catalogue
from gitexp.index.rows import Row, Said

_FIELDS = schema.FIELDS[1:]
_NO_METRIC = (None,) * len(AGGREGATES)

Keyed = tuple[int, Row, Said]


def next_key(connection: sqlite3.Connection) -> int:
    """Return the key of the next new run."""
    return int(connection.execute("SELECT COALESCE(max(key), 0) + 1 FROM run").fetchone()[0])


def insert(
    connection: sqlite3.Connection,
    catalogue: Catalogue,
    found: Sequence[Keyed],
    environment: Callable[[str], int | None],
) -> None:
    """Add runs, each under its key; `environment` gives the key of an environment by its blob."""
    for _, row, said in found:
        row.values.update({(catalogues.POST, name, ""): value for name, value in said.posts.items()})
        catalogue.extend(row.values, row.metrics)
        row.fields.update(said.fields)
        if row.environment is not None:
            row.fields["environment"] = environment(row.environment)
    _insert_runs(connection, catalogue, found)
    _insert_said(connection, [(key, said) for key, _, said in found])
    _many(connection, "artifact", 5, [(key, *item) for key, row, _ in found for item in row.artifacts])
    _many(connection, "dataset", 8, [(key, *item) for key, row, _ in found for item in row.datasets])
    _many(connection, "used", 5, [(key, *item) for key, row, _ in found for item in row.used])
    _many(connection, "logged_model", 4, [(key, *item) for key, row, _ in found for item in row.logged])


def _insert_runs(connection: sqlite3.Connection, catalogue: Catalogue, found: Sequence[Keyed]) -> None:
    singles = catalogue.numbered({name for _, row, _ in found for name in row.values})
    metrics = catalogue.numbered_metrics({name for _, row, _ in found for name in row.metrics})
    wide, over = _parted(singles)
    wide_metrics, over_metrics = _parted(metrics)
    numbers = [*wide.values(), *(number + at for number in wide_metrics.values() for at in range(len(AGGREGATES)))]
    columns = ", ".join([*schema.FIELDS, *(f"c{number}" for number in numbers)])
    marks = ", ".join("?" * (len(schema.FIELDS) + len(numbers)))
    data = []
    for key, row, _ in found:
        metric = row.metrics.get
        data.append((
            key,
            *map(row.fields.get, _FIELDS),
            *map(row.values.get, wide),
            *chain.from_iterable([metric(name, _NO_METRIC) for name in wide_metrics]),
        ))  # fmt: skip
    connection.executemany(f"INSERT INTO run ({columns}) VALUES ({marks})", data)
    if over or over_metrics:
        _many(connection, "overflow", 3, list(_overflow(found, over, over_metrics)))


def _parted(numbers: dict[Any, int]) -> tuple[dict[Any, int], dict[Any, int]]:
    wide = {name: number for name, number in numbers.items() if number <= schema.COLUMN_CAP}
    return wide, {name: number for name, number in numbers.items() if number > schema.COLUMN_CAP}


def _overflow(
    found: Sequence[Keyed], over: dict[rows.Key, int], metrics: dict[str, int]
) -> Iterable[tuple[int, int, Any]]:
    for key, row, _ in found:
        yield from ((key, over[name], value) for name, value in row.values.items() if name in over)
        for name in row.metrics.keys() & metrics.keys():
            yield from ((key, metrics[name] + at, value) for at, value in enumerate(row.metrics[name]))


def _insert_said(connection: sqlite3.Connection, found: Sequence[tuple[int, Said]]) -> None:
    _many(connection, "tag", 3, [(key, *item) for key, said in found for item in said.tags.items()])
    _many(connection, "verdict", 3, [(key, *item) for key, said in found for item in said.verdicts.items()])
    _many(connection, "note", 4, [(key, *item) for key, said in found for item in said.notes])


def say(connection: sqlite3.Connection, catalogue: Catalogue, key: int, said: Said) -> None:
    """Change what is said of a run that is in the tables."""
    for table in ("tag", "verdict", "note"):
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (key,))
    _insert_said(connection, [(key, said)])
    catalogue.extend([(catalogues.POST, name, "") for name in said.posts])
    posts = catalogue.numbered([(catalogues.POST, name, "") for name in catalogue.names(catalogues.POST)])
    wide, over = _parted(posts)
    fields = said.fields | {f"c{number}": said.posts.get(name) for (_, name, _), number in wide.items()}
    settings = ", ".join(f"{name} = ?" for name in fields)
    connection.execute(f"UPDATE run SET {settings} WHERE key = ?", (*fields.values(), key))
    for (_, name, _), number in over.items():
        connection.execute("DELETE FROM overflow WHERE run = ? AND number = ?", (key, number))
        if name in said.posts:
            connection.execute("INSERT INTO overflow VALUES (?, ?, ?)", (key, number, said.posts[name]))


def delete(connection: sqlite3.Connection, keys: Iterable[int]) -> None:
    """Take runs out of all tables."""
    found = [(key,) for key in keys]
    for table in schema.PARTS:
        connection.executemany(f"DELETE FROM {table} WHERE run = ?", found)
    connection.executemany("DELETE FROM run WHERE key = ?", found)


def add_environment(connection: sqlite3.Connection, oid: str, found: rows.Environment) -> int:
    """Add one environment and return its key."""
    marks = ", ".join("?" * (2 + len(found.fields)))
    cursor = connection.execute(f"INSERT INTO environment VALUES ({marks})", (None, oid, *found.fields))
    key = int(cursor.lastrowid or 0)
    _many(connection, "package", 3, [(key, name, version) for name, version in found.packages])
    return key


def _many(connection: sqlite3.Connection, table: str, width: int, items: Sequence[Sequence[Any]]) -> None:
    if items:
        connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * width)})", items)
