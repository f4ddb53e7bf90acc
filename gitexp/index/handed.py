"""Records that runs hand to the index as they end: lines of a file beside it, so that nobody waits for a lock.

It is a help only: a line that is torn, of another version, or lost is made up for by reading the run's commit.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitexp import files
from gitexp.errors import GitexpError
from gitexp.git.folders import Folder
from gitexp.index import location, rows, schema
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_MAX_BYTES = 1 << 20  # of one record
_MAX_FILE_BYTES = 64 << 20  # of all that wait; nobody lists runs then

_told: set[str] = set()  # environments whose content this process has handed over


@dataclass(frozen=True, slots=True)
class Handed:
    """The files of a record, its artifacts and, from each process once, the content of its environment."""

    folder: Folder
    artifacts: list[tuple[Any, ...]]
    environment: Any


def _path(workspace: Workspace) -> Path:
    return location.of(workspace).with_suffix(".handed")


def give(workspace: Workspace, run: Run) -> None:
    """Leave the record of a run just committed where there is an index that will want it; never raises."""
    with suppress(OSError, GitexpError, ValueError):
        path = _path(workspace)
        if location.of(workspace).stat().st_size and files.size(path) < _MAX_FILE_BYTES:
            _append(path, _line(run))


def _line(run: Run) -> bytes:
    """Return the line of a run: its files as they are, for whoever takes them has more time than a training."""
    folder = rows.files_of(run)
    if folder is None:
        raise ValueError("an unusual record, which is read from its commit")
    environment = folder.entries.get("environment.json")
    content = run.environment if environment is not None and environment not in _told else None
    if environment is not None:
        _told.add(environment)
    artifacts = rows.artifacts_of(run) if "artifacts" in folder.entries else []
    files = {name: data.decode() for name, data in folder.files.items()}
    value = [schema.made_by(), run.ref, run.commit, folder.message, files, environment, artifacts, content]
    line = json.dumps(value).encode() + b"\n"
    if len(line) > _MAX_BYTES:
        raise ValueError("a record too long to be handed over")
    return line


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def take(workspace: Workspace) -> dict[tuple[str, str], Handed]:
    """Take what waits, by ref and commit, and remove it."""
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
            ref, commit, item = _from_json(line)
            found[ref, commit] = item
    return found


def _from_json(line: bytes) -> tuple[str, str, Handed]:
    made_by, ref, commit, message, files, environment, artifacts, content = json.loads(line)
    if made_by != schema.made_by():
        raise ValueError("of another version")
    entries = {"environment.json": str(environment)} if environment is not None else {}
    folder = Folder(str(message), {name: text.encode() for name, text in files.items()}, entries)
    return str(ref), str(commit), Handed(folder, [tuple(item) for item in artifacts], content)
