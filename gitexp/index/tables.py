"""Rows put into the tables of the index and taken out of them; always inside a transaction that writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gitexp.index import catalogue as catalogues
from gitexp.index import rows, schema
from gitexp.index.catalogue import Catalogue
from gitexp.index.rows import Row, Said

_FIELDS = schema.FIELDS[1:]


def insert(
    connection: sqlite3.Connection,
    catalogue: Catalogue,
    found: Sequence[tuple[int | None, Row, Said]],
    environment: Callable[[str], int | None],
) -> None:
    """Add runs, each under the key given or a new one; `environment` gives the key of an environment's blob."""
    next_key = _count(connection, "SELECT COALESCE(max(key), 0) + 1 FROM run")
    keyed: list[tuple[int, Row, Said]] = []
    for key, row, said in found:
        keyed.append((next_key if key is None else key, row, said))
        next_key += key is None
    for _, row, said in keyed:
        row.values.update({(catalogues.POST, name, ""): value for name, value in said.posts.items()})
        catalogue.extend(row.values)
    _insert_runs(connection, catalogue, keyed, environment)
    for key, _, said in keyed:
        _insert_said(connection, key, said)
    _many(connection, "artifact", 4, ((key, *item) for key, row, _ in keyed for item in row.artifacts))
    _many(connection, "dataset", 8, ((key, *item) for key, row, _ in keyed for item in row.datasets))


def _insert_runs(
    connection: sqlite3.Connection,
    catalogue: Catalogue,
    keyed: Sequence[tuple[int, Row, Said]],
    environment: Callable[[str], int | None],
) -> None:
    used = {(number, key) for key in rows.keys(row for _, row, _ in keyed) if (number := catalogue.number(*key))}
    wide = sorted((number, key) for number, key in used if number <= schema.COLUMN_CAP)
    columns = ", ".join([*schema.FIELDS, *(f"c{number}" for number, _ in wide)])
    marks = ", ".join("?" * (len(schema.FIELDS) + len(wide)))
    wanted = [key for _, key in wide]
    data = []
    for key, row, said in keyed:
        fields = row.fields | said.fields
        if row.environment is not None:
            fields["environment"] = environment(row.environment)
        fields.setdefault("experiment", fields.get("first_experiment"))
        plain = [fields.get(name) for name in _FIELDS]
        data.append((key, *plain, *map(row.values.get, wanted)))
    connection.executemany(f"INSERT INTO run ({columns}) VALUES ({marks})", data)
    over = {key: number for number, key in used if number > schema.COLUMN_CAP}
    if over:
        items = ((run, over[key], value) for run, row, _ in keyed for key, value in row.values.items() if key in over)
        _many(connection, "overflow", 3, items)


def _insert_said(connection: sqlite3.Connection, key: int, said: Said) -> None:
    for table, found in (("tag", said.tags), ("verdict", said.verdicts)):
        if found:
            _many(connection, table, 3, ((key, name, value) for name, value in found.items()))
    if said.notes:
        _many(connection, "note", 4, ((key, *note) for note in said.notes))


def say(connection: sqlite3.Connection, catalogue: Catalogue, key: int, said: Said) -> None:
    """Change what is said of a run that is in the tables."""
    for table in ("tag", "verdict", "note"):
        connection.execute(f"DELETE FROM {table} WHERE run = ?", (key,))
    _insert_said(connection, key, said)
    catalogue.extend((catalogues.POST, name, "") for name in said.posts)
    numbers = {name: catalogue.number(catalogues.POST, name, "") or 0 for name in catalogue.names(catalogues.POST)}
    fields = said.fields | {f"c{n}": said.posts.get(name) for name, n in numbers.items() if n <= schema.COLUMN_CAP}
    settings = ", ".join(f"{name} = ?" for name in fields)
    connection.execute(f"UPDATE run SET {settings} WHERE key = ?", (*fields.values(), key))
    for name, number in numbers.items():
        if number > schema.COLUMN_CAP:
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
    _many(connection, "package", 3, ((key, name, version) for name, version in found.packages))
    return key


def _many(connection: sqlite3.Connection, table: str, width: int, items: Iterable[Sequence[Any]]) -> None:
    connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * width)})", items)


def _count(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
