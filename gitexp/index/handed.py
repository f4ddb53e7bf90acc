"""Rows that runs hand to the index as they end: lines of a file beside it, so that nobody waits for a lock.

It is a help only: a line that is torn, of another version, or lost is made up for by reading the run's commit.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitexp.errors import GitexpError
from gitexp.index import location, rows, schema
from gitexp.index.rows import Row
from gitexp.index.values import Stored
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_MAX_BYTES = 1 << 20  # of one row
_MAX_FILE_BYTES = 64 << 20  # of all that wait; nobody lists runs then

_told: set[str] = set()  # environments whose content this process has handed over


@dataclass(frozen=True, slots=True)
class Handed:
    """A row and, the first time it is met, the content of its environment."""

    row: Row
    environment: Any


def _path(workspace: Workspace) -> Path:
    return location.of(workspace).with_suffix(".handed")


def give(workspace: Workspace, run: Run) -> None:
    """Leave the row of a run that has just been committed, where there is an index that will want it; never raises."""
    with suppress(OSError, GitexpError, ValueError):
        path = _path(workspace)
        if location.of(workspace).stat().st_size and _size(path) < _MAX_FILE_BYTES:
            _append(path, _line(run))


def _line(run: Run) -> bytes:
    row = rows.stored(run.workspace, str(run.ref), str(run.commit))
    if row is None:
        raise ValueError("no run")
    is_new = row.environment is not None and row.environment not in _told
    content = run.environment if is_new else None
    if row.environment is not None:
        _told.add(row.environment)
    value = [schema.made_by(), *_to_json(row), content]
    line = json.dumps(value).encode() + b"\n"
    if len(line) > _MAX_BYTES:
        raise ValueError("a row too long to be handed over")
    return line


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _to_json(row: Row) -> list[Any]:
    values = [[*key, *_quoted(value)] for key, value in row.values.items()]
    metrics = [[name, *map(_quoted, found)] for name, found in row.metrics.items()]
    return [row.fields, values, metrics, row.artifacts, row.datasets, row.environment]


def _quoted(value: Stored) -> list[Any]:
    return [1, value.decode()] if isinstance(value, bytes) else [0, value]


def _unquoted(found: list[Any]) -> Stored:
    value: int | float | str = found[1]
    return str(value).encode() if found[0] else value


def take(workspace: Workspace) -> dict[tuple[str, str], Handed]:
    """Take the rows that wait, by ref and commit, and remove them."""
    path = _path(workspace)
    aside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(3).hex()}")
    try:
        path.rename(aside)
    except OSError:
        return {}
    try:
        lines = aside.read_bytes().split(b"\n")
    finally:
        aside.unlink()
    found = {}
    for line in lines[:-1]:
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            row, environment = _from_json(line)
            found[row.fields["ref"], row.fields["commit_oid"]] = Handed(row, environment)
    return found


def _from_json(line: bytes) -> tuple[Row, Any]:
    made_by, fields, values, metrics, artifacts, datasets, environment, content = json.loads(line)
    if made_by != schema.made_by():
        raise ValueError("of another version")
    row = Row(
        fields,
        {(kind, name, aggregate): _unquoted(value) for kind, name, aggregate, *value in values},
        {name: tuple(map(_unquoted, found)) for name, *found in metrics},
        [tuple(item) for item in artifacts],
        [tuple(item) for item in datasets],
        environment,
    )
    return row, content
