"""Artifacts of a run that is being recorded: small files wait in the journal, large ones are stored at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from gitexp import files
from gitexp.errors import UsageError
from gitexp.ops.lifecycle import Session
from gitexp.record import names
from gitexp.store import journal, seal
from gitexp.store import objects as large

MAX_FILES = 100_000


def add(session: Session, source: Path, name: str) -> int:
    """Keep a file, or every file below a folder, as `name`; returns how many.

    Links are followed inside the given folder only; sockets and devices are passed over. Raises UsageError for names
    that cannot be, OSError for what cannot be read.
    """
    name = names.check(name.strip("/") if source.is_dir() else name)
    if not source.is_dir():
        _add_file(session, source, name)
        return 1
    count = 0
    for path, below in _files(source):
        _add_file(session, path, f"{name}/{below}")
        count += 1
    return count


def add_bytes(session: Session, data: bytes, name: str) -> None:
    """Keep bytes as the artifact `name`; raises as `add` does."""
    name = names.check(name)
    if len(data) > session.workspace.settings.size_bytes("inlineLimit"):
        pointer = large.put_bytes(session.workspace, data)
        session.writer.event("artifact", name=name, size=pointer.size_bytes, sha256=pointer.sha256, executable=False)
        return
    journal.stage(session.folder, seal.staged(name), lambda aside: files.write(aside, data))
    session.writer.event("artifact", name=name, size=len(data), executable=False)


def _files(top: Path) -> Iterator[tuple[Path, str]]:
    inside = os.path.realpath(top)
    seen = 0
    for folder, folders, found in os.walk(top):
        folders.sort()
        for file in sorted(found):
            path = Path(folder, file)
            if path.is_file() and os.path.realpath(path).startswith(inside + os.sep):
                seen += 1
                if seen > MAX_FILES:
                    raise UsageError(f"{top} has more than {MAX_FILES:,} files", hint="log an archive of it")
                yield path, path.relative_to(top).as_posix()


def _add_file(session: Session, path: Path, name: str) -> None:
    found = path.stat()
    executable = bool(found.st_mode & 0o100)
    if found.st_size > session.workspace.settings.size_bytes("inlineLimit"):
        pointer = large.put_file(session.workspace, path)
        session.writer.event(
            "artifact", name=name, size=pointer.size_bytes, sha256=pointer.sha256, executable=executable
        )
        return
    kept = journal.stage(session.folder, seal.staged(name), lambda aside: _copy(path, aside))
    session.writer.event("artifact", name=name, size=kept.stat().st_size, executable=executable)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
