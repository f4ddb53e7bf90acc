"""Artifacts of a run that is being recorded: small ones wait in the journal, large ones are stored at once.

All of it is done where it is called; what a training logs is brought here by a thread (`gitexp.ops.recording.storing`).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import canonical, files
from gitexp.errors import GitexpError, UsageError
from gitexp.git import packs
from gitexp.ops.recording import folders
from gitexp.ops.recording.folders import File, Trouble
from gitexp.ops.recording.lifecycle import Session
from gitexp.record import names, pointer
from gitexp.record.pointer import Pointer
from gitexp.store import journal, seal
from gitexp.store import objects as large
from gitexp.store.runs import PACK_FILES

_TRIES = 3
_TICK_NS = 20_000_000  # how coarse the times of a file system may be
Facts = Mapping[str, Any]
Seen = tuple[int, int]  # size and time of content (ns) of a file when it was looked at


@dataclass(slots=True)
class Kept:
    """What was kept: how many files and bytes, their names, and the objects that were not there before."""

    size_bytes: int = 0
    names: list[str] = field(default_factory=list)
    new: set[str] = field(default_factory=set)  # sha256


@dataclass(frozen=True, slots=True)
class Work:
    """What every step of one `add` needs: where to, and who hears of what cannot be kept (`trouble`), of what was
    kept but changed meanwhile (`noticed`), and of the bytes done (`progress`). `packs`: many small files go into one.
    """

    session: Session
    trouble: Trouble
    noticed: Trouble
    progress: Callable[[int], None] | None = None
    packs: bool = True
    kept: Kept = field(default_factory=Kept)

    @property
    def limit(self) -> int:
        """The size up to which a file stands in Git itself."""
        return self.session.workspace.settings.size_bytes("inlineLimit")


def add(work: Work, source: Path, name: str, facts: Facts | None = None, *, since: Seen | None = None) -> Kept:
    """Keep a file, or every file below a folder, as `name`.

    `since` are size and time of the file (ns) when it was logged: one that has others now is kept, and said to have
    changed. Raises UsageError for names that cannot be, OSError for what cannot be read; of the files of a folder
    `work.trouble` hears instead.
    """
    found = source.stat()
    name = names.check(name.strip("/") if stat.S_ISDIR(found.st_mode) else name)
    if what := folders.kind(found.st_mode):
        raise OSError(f"is {what}")
    if stat.S_ISDIR(found.st_mode):
        _add_folder(work, source, name, facts or {})
    else:
        _add_file(work, File(str(source), "", found), name, facts or {}, since)
    return work.kept


def add_bytes(session: Session, data: bytes, name: str, facts: Facts | None = None, executable: bool = False) -> Kept:
    """Keep bytes as the artifact `name`; raises UsageError for a name that cannot be, OSError on a full disk."""
    work = Work(session, _no_trouble, _no_trouble)
    _add_bytes(work, data, names.check(name), facts or {}, executable)
    return work.kept


def take(work: Work, aside: Path, name: str, facts: Facts) -> Kept:
    """Keep a file that is gitexp's own, in its folder for temporary files, and remove it there."""
    if aside.stat().st_size <= work.limit:
        _add_bytes(work, aside.read_bytes(), names.check(name), facts, False)
        aside.unlink()
    else:
        begun_ns = time.time_ns()
        _name_object(work, large.put_file(work.session.workspace, aside, take=True), name, facts, False, begun_ns)
    return work.kept


def add_files(work: Work, found: Sequence[File], name: str) -> Kept:
    """Keep files below the folder `name` ("" for the top): many small ones as one pack."""
    below = f"{name}/" if name else ""
    limit = work.limit
    small = [file for file in found if file.found.st_size <= limit]
    if work.packs and len(small) >= PACK_FILES:
        later = [*(file for file in found if file.found.st_size > limit), *_pack(work, small, below, limit)]
    else:
        later = list(found)
    for file in later:
        try:
            _add_file(work, file, names.check(below + file.below), {}, None)
        except (OSError, UsageError) as error:
            work.trouble(file.path, why(error))
    return work.kept


def why(error: Exception) -> str:
    """Return what an error says, in short."""
    if isinstance(error, GitexpError):
        return error.message
    return ((error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__).lower()


def link(session: Session, name: str, said: Facts) -> None:
    """Keep a link to bytes that stay elsewhere."""
    session.writer.post("link", name=names.check(name), link=dict(said))


def drop(session: Session, name: str) -> bool:
    """Take an artifact back; says whether that is written already."""
    return session.writer.post("drop", name=name)


def _add_folder(work: Work, source: Path, name: str, facts: Facts) -> None:
    repo = work.session.workspace.repo
    own = {os.path.realpath(path) for path in (repo.git_dir, repo.common_dir)}
    found = folders.listing(source, work.trouble, own)
    add_files(work, found.files, name)
    said = {**({"empty_folders": found.empty} if found.empty else {}), **facts}
    if said:
        work.session.writer.post("about", name=name, facts={"type": "folder", **said})


def _add_file(work: Work, file: File, name: str, facts: Facts, since: Seen | None) -> None:
    executable = bool(file.found.st_mode & 0o100)
    if file.found.st_size <= work.limit:
        data, changed = read(file.path, work.limit)
        if data is not None:
            _add_bytes(work, data, name, {**facts, **({"changed": True} if changed else {})}, executable)
            if changed:
                work.noticed(file.path, CHANGED)
            return
    _add_object(work, Path(file.path), name, facts, since, executable)


CHANGED = "changed after it was logged, or while it was read: what is kept is of a later moment"


def _add_object(work: Work, source: Path, name: str, facts: Facts, since: Seen | None, executable: bool) -> None:
    """Store a large file; one that is not as it was when it was logged is said to have changed."""
    seen: list[bool] = []
    begun_ns = time.time_ns()
    workspace, before = work.session.workspace, source.stat()
    since = since or (before.st_size, before.st_mtime_ns)
    kept = large.put_file(workspace, source, progress=work.progress, unsteady=lambda: seen.append(True))
    after = source.stat()
    if seen or (after.st_size, after.st_mtime_ns) != since:
        facts = {**facts, "changed": True}
        work.noticed(name, CHANGED)
    _name_object(work, kept, name, facts, executable, begun_ns)
    if large.path(workspace, kept.sha256) is None:  # another run freed it before it could see that we name it
        large.put_file(workspace, source)


def _add_bytes(work: Work, data: bytes, name: str, facts: Facts, executable: bool) -> None:
    if len(data) > work.limit:
        begun_ns = time.time_ns()
        kept = large.put_bytes(work.session.workspace, data)
        _name_object(work, kept, name, facts, executable, begun_ns)
        if large.path(work.session.workspace, kept.sha256) is None:
            large.put_bytes(work.session.workspace, data)
        return
    journal.stage(work.session.folder, seal.staged(name), lambda aside: _write(aside, data))
    _post(work, name, len(data), facts, executable=executable)
    if work.progress is not None:
        work.progress(len(data))


def _write(aside: Path, data: bytes) -> None:
    aside.write_bytes(data)


def _name_object(work: Work, kept: Pointer, name: str, facts: Facts, executable: bool, begun_ns: int) -> None:
    with suppress(FileNotFoundError):
        if large.place(work.session.workspace, kept.sha256).stat().st_mtime_ns > begun_ns - _TICK_NS:
            work.kept.new.add(kept.sha256)
    _post(work, name, kept.size_bytes, facts, sha256=kept.sha256, executable=executable)


def _post(work: Work, name: str, size: int, facts: Facts, **fields: Any) -> None:
    said = {"facts": dict(facts)} if facts else {}
    work.session.writer.post("artifact", name=name, size=size, **fields, **said)
    work.kept.names.append(name)
    work.kept.size_bytes += size


def _pack(work: Work, found: Sequence[File], below: str, limit: int) -> list[File]:
    """Keep small files as one pack in the journal; returns those that cannot stand in it."""
    later, rows, size = [], [], 0
    folder = journal.packs(work.session.folder)
    with packs.Writer(folder) as writer:
        for file in found:
            try:
                name, (data, changed) = names.check(below + file.below), read(file.path, limit)
            except (OSError, UsageError) as error:
                work.trouble(file.path, why(error))
                continue
            if data is None or pointer.decode(data) is not None:  # as a blob it would be taken for a pointer
                later.append(file)
                continue
            if changed:
                work.noticed(file.path, CHANGED)
            rows.append(_row(name, writer.add(data), len(data), file, changed))
            size += len(data)
            work.kept.names.append(name)
            if work.progress is not None:
                work.progress(len(data))
        if rows:
            pack = writer.finish()
            files.write(pack.with_suffix(".list"), b"".join(rows))
            work.session.writer.post("pack", pack=pack.name, files=len(rows), size=size)
    work.kept.size_bytes += size
    return later


def _row(name: str, oid: str, size: int, file: File, changed: bool) -> bytes:
    executable = bool(file.found.st_mode & 0o100)
    said = {"facts": {"changed": True}} if changed else {}
    return canonical.line({"name": name, "oid": oid, "size": size, "executable": executable, **said}) + b"\n"


def read(path: str | os.PathLike[str], limit: int) -> tuple[bytes | None, bool]:
    """Return the bytes of a small file (None: it is over the limit) and whether it kept changing while it was read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if what := folders.kind(os.fstat(descriptor).st_mode):
            raise OSError(f"is {what}")
        for _ in range(_TRIES):
            before = os.fstat(descriptor)
            data = _upto(descriptor, limit + 1)
            after = os.fstat(descriptor)
            if len(data) > limit:
                return None, False
            if (after.st_size, after.st_mtime_ns) == (len(data), before.st_mtime_ns):
                return data, False
        return data, True
    finally:
        os.close(descriptor)


def _upto(descriptor: int, count: int) -> bytes:
    """Return the first bytes of a file: reads may give less than is asked for."""
    data = os.pread(descriptor, count, 0)
    if len(data) == os.fstat(descriptor).st_size:
        return data
    while 0 < len(data) < count and (more := os.pread(descriptor, count - len(data), len(data))):
        data += more
    return data


def _no_trouble(what: str, why: str) -> None:
    raise AssertionError(f"bytes cannot be in trouble: {what} {why}")
