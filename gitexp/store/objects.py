"""Large bytes, by their sha256: .git/gitexp/objects/<aa>/<bb>/<sha256>, read-only, never changed once there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from gitexp import files
from gitexp.errors import WriteFailed
from gitexp.record.pointer import Pointer
from gitexp.store import copying, hashes
from gitexp.store.workspace import Workspace

_NAME = 64  # letters of a sha256
_REMEMBERED_BYTES = 1 << 20  # smaller files are read again sooner than they are looked up


def place(workspace: Workspace, sha256: str) -> Path:
    """Return where an object is, or would be."""
    return workspace.objects / sha256[:2] / sha256[2:4] / sha256


def path(workspace: Workspace, sha256: str) -> Path | None:
    """Return the file of an object, None where its bytes are not here."""
    found = place(workspace, sha256)
    return found if found.is_file() else None


def listing(workspace: Workspace, most: int) -> list[Pointer] | None:
    """Return all objects that are here, None where there are more than `most`."""
    found: list[Pointer] = []
    folders = [str(workspace.objects)]
    while folders:
        try:
            with os.scandir(folders.pop()) as items:
                for item in items:
                    if item.is_dir(follow_symlinks=False):
                        folders.append(item.path)
                    elif len(item.name) == _NAME:
                        found.append(Pointer(item.name, item.stat().st_size))
        except (FileNotFoundError, NotADirectoryError):
            continue  # there are none yet, or it went just now
        if len(found) > most:
            return None
    return found


def put_bytes(workspace: Workspace, data: bytes) -> Pointer:
    """Keep bytes; returns what names them. Durable when it returns."""
    pointer = Pointer(hashlib.sha256(data).hexdigest(), len(data))
    target = place(workspace, pointer.sha256)
    if not _has(target, pointer):
        aside = _aside(workspace)
        try:
            aside.write_bytes(data)
            _adopt(aside, target)
        except OSError as error:
            raise _failed(workspace, error) from error
        finally:
            aside.unlink(missing_ok=True)
    return pointer


def put_file(
    workspace: Workspace,
    source: Path,
    *,
    take: bool = False,
    progress: Callable[[int], None] | None = None,
    unsteady: Callable[[], None] | None = None,
) -> Pointer:
    """Keep a file's bytes: a copy (sharing blocks where the file system can), or the file itself with `take`.

    A user's file is never linked: training overwrites files in place. A file that was kept before and has not changed
    is not read again. `progress` is told the bytes done since it was told last; `unsteady` is called where the file
    kept changing while it was read: what is kept is some of its states, under the hash of what is kept.
    """
    aside = source if take else _aside(workspace)
    try:
        if take:
            pointer = Pointer(*files.sha256(aside))
        elif (found := _unchanged(workspace, source)) is not None:
            return found
        else:
            pointer = _copy(workspace, source, aside, progress, unsteady)
        target = place(workspace, pointer.sha256)
        if not _has(target, pointer):
            _adopt(aside, target)
        return pointer
    except OSError as error:
        if error.filename == str(source) and error.errno in (errno.ENOENT, errno.EACCES, errno.EISDIR):
            raise
        raise _failed(workspace, error) from error
    finally:
        aside.unlink(missing_ok=True)


def adopt(workspace: Workspace, item: Pointer, source: Path) -> None:
    """Make a file of our own, on the same file system and verified before, the object that it is."""
    try:
        if _has(place(workspace, item.sha256), item):
            source.unlink()
        else:
            _adopt(source, place(workspace, item.sha256))
    except OSError as error:
        raise _failed(workspace, error) from error


def _unchanged(workspace: Workspace, source: Path) -> Pointer | None:
    """Return the object of a file that was kept before, None where it has to be read."""
    stamp = copying.stamp(source.stat())
    if stamp[2] < _REMEMBERED_BYTES or (sha256 := hashes.known(workspace, stamp)) is None:
        return None
    pointer = Pointer(sha256, stamp[2])
    return pointer if _has(place(workspace, sha256), pointer) else None


def _copy(
    workspace: Workspace,
    source: Path,
    aside: Path,
    progress: Callable[[int], None] | None,
    unsteady: Callable[[], None] | None,
) -> Pointer:
    copied = copying.copy(source, aside, progress)
    if copied.stamp is None and unsteady is not None:
        unsteady()
    if copied.stamp is not None and copied.size_bytes >= _REMEMBERED_BYTES:
        hashes.remember(workspace, copied.stamp, copied.sha256)
    return Pointer(copied.sha256, copied.size_bytes)


def _has(target: Path, pointer: Pointer) -> bool:
    try:
        return target.stat().st_size == pointer.size_bytes
    except FileNotFoundError:
        return False


def _aside(workspace: Workspace) -> Path:
    workspace.tmp.mkdir(parents=True, exist_ok=True)
    return workspace.tmp / f"object.{os.getpid()}.{os.urandom(4).hex()}"


def _adopt(aside: Path, target: Path) -> None:
    """Make a finished file the object, durably."""
    descriptor = os.open(aside, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o444)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.replace(target)
    files.sync_folder(target.parent)


def _failed(workspace: Workspace, error: OSError) -> WriteFailed:
    return WriteFailed(f"cannot write into {workspace.objects}: {error.strerror or error}", hint="df -h .")
