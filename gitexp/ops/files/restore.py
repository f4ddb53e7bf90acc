"""Artifacts written out as files: exactly, never outside of the target folder, never over a file of other content."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import files, locks, text
from gitexp.errors import Conflict, Damaged, NotFound, RemoteError, UsageError, WriteFailed
from gitexp.git.transport import Options
from gitexp.ops.files import artifacts
from gitexp.ops.storage import supply
from gitexp.record import names
from gitexp.store import copying
from gitexp.store import objects as large
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

ABSENT, THERE, OTHER = "absent", "there", "other"
_GIT = re.compile(r"(\.git|git~\d+)[. ]*(:.*)?", re.IGNORECASE | re.DOTALL)
_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_MAX_PART = 255  # bytes of a file name
_LISTED = 5
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """An artifact and the path below the target folder that it is written to."""

    item: Artifact
    parts: Parts

    @property
    def path(self) -> str:
        """The path below the target folder."""
        return "/".join(self.parts)


@dataclass(slots=True)
class Plan:
    """What is to be written below `top`: files, and folders with nothing in them.

    `renamed` are the files that cannot have their own names: (name, path).
    """

    run: Run
    top: Path
    files: list[File] = field(default_factory=list)
    folders: list[Parts] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Done:
    """What was written, what was there already, and how many bytes were brought for it."""

    plan: Plan
    written: list[File] = field(default_factory=list)
    there: list[File] = field(default_factory=list)
    size_bytes: int = 0
    fetched_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp get --json` prints."""
        rows = [(item, "written") for item in self.written] + [(item, "there") for item in self.there]
        listed = [
            {
                "name": file.item.name,
                "path": str(self.plan.top / file.path),
                "size": file.item.size_bytes,
                "state": state,
            }
            for file, state in sorted(rows, key=lambda row: row[0].item.name)
        ]
        return {
            "run": self.plan.run.id,
            "to": str(self.plan.top),
            "files": listed,
            "size": self.size_bytes,
            "fetched": self.fetched_bytes,
        }


def plan(run: Run, items: Sequence[Artifact], to: Path) -> Plan:
    """Decide where artifacts go: below `to`, under their whole names."""
    return _plan(run, items, to, {item.name: tuple(item.name.split("/")) for item in items})


def plan_one(run: Run, name: str, items: Sequence[Artifact], to: str) -> Plan:
    """Decide where one artifact, or a folder of them (`name` ends in `/`), goes, as `cp -r` would put it.

    `to` is a folder that is there, or ends in `/`, and gets it under the last part of its name; else the new name.
    """
    target, base = Path(to), name.rstrip("/").rpartition("/")[2]
    into = to.endswith("/") or target.is_dir()
    top, first = (target, base) if into else (target.parent, target.name)
    skipped = name.rstrip("/").count("/") + 1
    parts = {item.name: (first, *item.name.split("/")[skipped:]) for item in items}
    made = _plan(run, items, top, parts, given=None if into else first)
    inside = (below for below in made.folders if below[:skipped] == tuple(name.rstrip("/").split("/")))
    made.folders = [(first, *below[skipped:]) for below in inside]
    return made


def _plan(run: Run, items: Sequence[Artifact], top: Path, parts: dict[str, Parts], *, given: str | None = None) -> Plan:
    made, taken = Plan(run, top), set[str]()
    wanted = [tuple(_local(part, given) for part in parts[item.name]) for item in items]
    folders = {"/".join(local[:at]) for local in wanted for at in range(1, len(local))}
    for item, local in zip(items, wanted, strict=True):
        path = "/".join(local)
        if path in taken or path in folders:  # a file called as another's folder, or two of one name
            digest = hashlib.sha256(item.stored.encode("utf-8", "replace")).hexdigest()[:8]
            local = (*local[:-1], f"{local[-1][:60]}~{digest}")
        file = File(item, local)
        taken.add(file.path)
        made.files.append(file)
        if local != parts[item.name]:
            made.renamed.append((item.name, file.path))
    made.folders = [below for below in _empty_folders(run, items) if not any(map(_is_unsafe, below))]
    return made


def _local(part: str, given: str | None) -> str:
    """Return what a part of a name is called here; what the user typed is as it is."""
    return names.encode(part) if part != given and _is_unsafe(part) else part


def _is_unsafe(part: str) -> bool:
    """Say whether a part of a name means Git's own folder to some file system, or cannot be a file name."""
    folded = unicodedata.normalize("NFKC", _IGNORABLE.sub("", part))
    try:
        return _GIT.fullmatch(folded) is not None or "\0" in part or len(os.fsencode(part)) > _MAX_PART
    except UnicodeEncodeError:
        return True


def _empty_folders(run: Run, items: Sequence[Artifact]) -> list[Parts]:
    """Return the folders that were logged with nothing in them, of those logged folders that the items come from."""
    wanted, found = {item.name for item in items}, []
    for name, facts in run.artifact_facts.items():
        rows = facts.get("empty_folders")
        if not isinstance(rows, list):
            continue
        inside = [item.name for item in run.artifacts if item.name.startswith(name + "/")]
        if not wanted.issuperset(inside) or (not inside and len(wanted) < len(run.artifacts)):
            continue
        for below in rows:
            with suppress(UsageError):
                found.append(tuple(names.check(name if below == "." else f"{name}/{below}").split("/")))
    return found


def execute(
    workspace: Workspace,
    plan: Plan,
    *,
    force: bool = False,
    remote: str | None = None,
    options: Options | None = None,
    tell: Callable[[int], None] = lambda count: None,
) -> Done:
    """Write the files that are not there yet; bytes that are not here are brought first.

    Raises Conflict before anything is written where files of other content stand in the way, NotFound and RemoteError
    for bytes that cannot be had once all others are written, Damaged for bytes that are not what was recorded.
    """
    done = Done(plan)
    with _opened(plan.top) as top:
        wanted = _look(workspace, plan, top, done, force)
        lacking = supply.missing(workspace, [file.item for file in wanted])
        why = ""
        if lacking:
            why = supply.bring(workspace, lacking, remote, options or Options())
            left = {item.sha256 for item in lacking if large.path(workspace, item.sha256) is None}
            done.fetched_bytes = sum(item.size_bytes for item in lacking if item.sha256 not in left)
            wanted = [file for file in wanted if file.item.sha256 not in left]
        for file in wanted:
            _write(workspace, plan, top, file, force)
            done.written.append(file)
            done.size_bytes += file.item.size_bytes
            tell(file.item.size_bytes)
        for below in plan.folders:
            with top.folder(below, make=True):
                pass
    if why:
        raise RemoteError(f"of {plan.run.label}, {why}", hint="try again, or name a remote: --remote NAME")
    return done


class _Top:
    """The target folder, whose folders are entered one by one so that no link leads out of it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor

    @contextmanager
    def folder(self, parts: Parts, *, make: bool = False) -> Iterator[int]:
        """Open a folder below; raises FileNotFoundError, and Conflict for what is no folder."""
        at, opened = self._descriptor, list[int]()
        try:
            for number, part in enumerate(parts):
                at = self._enter(at, parts[: number + 1], part, make)
                opened.append(at)
            yield at
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _enter(self, at: int, parts: Parts, part: str, make: bool) -> int:
        if make:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=at)
        try:
            return os.open(part, _FOLDER, dir_fd=at)
        except NotADirectoryError:
            pass
        except OSError as error:
            if not stat.S_ISLNK(os.stat(part, dir_fd=at, follow_symlinks=False).st_mode):
                raise
            del error
        shown = text.safe(str(self.path / "/".join(parts)))
        raise Conflict(f"{shown} is not a folder, or is a link to one", hint="get it elsewhere: --to FOLDER")


@contextmanager
def _opened(path: Path) -> Iterator[_Top]:
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{path} is no folder", hint="get it elsewhere: --to FOLDER") from error
    try:
        yield _Top(path, descriptor)
    finally:
        os.close(descriptor)


def _look(workspace: Workspace, plan: Plan, top: _Top, done: Done, force: bool) -> list[File]:
    """Return the files that have to be written; raises Conflict where others are in the way."""
    wanted, others = [], []
    for file in plan.files:
        try:
            with top.folder(file.parts[:-1]) as folder:
                state = _state(plan.run, file, folder)
        except FileNotFoundError:
            state = ABSENT
        if state == THERE:
            done.there.append(file)
            supply.used(workspace, file.item.sha256)
        elif state == ABSENT or force:
            wanted.append(file)
        else:
            others.append(text.safe(file.path))
    if others:
        listed = text.some(others, _LISTED)
        raise Conflict(
            f"{text.plural(len(others), 'file')} of other content in {plan.top} would be lost: {listed}",
            hint="get it elsewhere: --to FOLDER; or over them: --force",
        )
    return wanted


def _state(run: Run, file: File, folder: int) -> str:
    """Say what is at a file's path; one of the right bytes gets the right mode."""
    name, item = file.parts[-1], file.item
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode) or found.st_size != item.size_bytes:
        return OTHER
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(descriptor, "rb", buffering=0) as opened:
        digest = hashlib.sha256()
        while block := opened.read(files.BLOCK_BYTES):
            digest.update(block)
        if digest.hexdigest() != artifacts.sha256_of(run, item):
            return OTHER
        if bool(found.st_mode & 0o100) != bool(item.mode & 0o100):
            os.fchmod(descriptor, _moded(stat.S_IMODE(found.st_mode), item))
    return THERE


def _moded(mode: int, item: Artifact) -> int:
    """Return a mode made executable for whoever may read, or for nobody."""
    return mode | (mode & 0o444) >> 2 if item.mode & 0o100 else mode & ~0o111


def _write(workspace: Workspace, plan: Plan, top: _Top, file: File, force: bool) -> None:
    shown = text.safe(str(plan.top / file.path))
    try:
        with top.folder(file.parts[:-1], make=True) as folder, _part(folder, file, shown) as (part, descriptor):
            _fill(workspace, plan.run, file.item, descriptor)
            _place(folder, part, file.parts[-1], shown, force=force)
    except (Conflict, Damaged, NotFound, WriteFailed):
        raise
    except OSError as error:
        raise WriteFailed(f"cannot write {shown}: {error.strerror or error}", hint="df -h; ls -ld .") from error


@contextmanager
def _part(folder: int, file: File, shown: str) -> Iterator[tuple[str, int]]:
    """Yield a new file beside the final one, ours alone; what a killed process left of it is begun anew."""
    said = hashlib.sha256("/".join((file.parts[-1], file.item.sha256 or file.item.oid)).encode("utf-8", "replace"))
    name = f".gitexp-{said.hexdigest()[:16]}.part"
    with suppress(FileNotFoundError):
        before = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            if not locks.try_lock(before):
                raise Conflict(f"another process is writing {shown}", hint="wait for it")
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(before)
    mode = 0o777 if file.item.mode & 0o100 else 0o666  # the user's umask takes from it
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
    try:
        locks.try_lock(descriptor)
        yield name, descriptor
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def _fill(workspace: Workspace, run: Run, item: Artifact, descriptor: int) -> None:
    """Write an artifact's bytes; raises Damaged where they are not those recorded."""
    if item.sha256 is None:
        data = run.artifact_bytes(item, item.size_bytes)
        if data is None:
            raise NotFound(f"{run.label} ended just now", hint="try again")
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        return
    try:
        with open(large.place(workspace, item.sha256), "rb", buffering=0) as source:
            copied = copying.between(source.fileno(), descriptor)
    except FileNotFoundError as error:
        raise NotFound(f"the bytes of {text.safe(item.name)} were taken away just now", hint="try again") from error
    if (copied.sha256, copied.size_bytes) != (item.sha256, item.size_bytes):
        raise Damaged(
            f"the bytes of {text.safe(item.name)} ({item.sha256[:12]}) are damaged in this clone",
            hint="gitexp fsck --repair",
        )
    supply.used(workspace, item.sha256)


def _place(folder: int, part: str, name: str, shown: str, *, force: bool) -> None:
    """Give a whole file its name; without `force` only where nothing has that name."""
    try:
        if force:
            os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
            return
        try:
            os.link(part, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with suppress(FileNotFoundError):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
                raise FileExistsError(name) from None
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except (FileExistsError, IsADirectoryError) as error:
        raise Conflict(f"{shown} is in the way", hint="get it elsewhere: --to FOLDER") from error
