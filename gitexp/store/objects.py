"""Large bytes, by their sha256: .git/gitexp/objects/<aa>/<bb>/<sha256>, read-only, never changed once there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from gitexp import files
from gitexp.errors import WriteFailed
from gitexp.record.pointer import Pointer
from gitexp.store.workspace import Workspace

_FICLONE = 0x40049409  # linux/fs.h: share the blocks, where the file system can


def place(workspace: Workspace, sha256: str) -> Path:
    """Return where an object is, or would be."""
    return workspace.objects / sha256[:2] / sha256[2:4] / sha256


def path(workspace: Workspace, sha256: str) -> Path | None:
    """Return the file of an object, None where its bytes are not here."""
    found = place(workspace, sha256)
    return found if found.is_file() else None


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


def put_file(workspace: Workspace, source: Path, *, take: bool = False) -> Pointer:
    """Keep a file's bytes: a copy (sharing blocks where the file system can), or the file itself with `take`.

    A user's file is never linked: training overwrites files in place. The copy is what is hashed, so a file that
    changes meanwhile gives the bytes that were read and their own hash.
    """
    aside = source if take else _aside(workspace)
    try:
        if not take:
            _copy(source, aside)
        sha256, size = files.sha256(aside)
        pointer = Pointer(sha256, size)
        target = place(workspace, sha256)
        if not _has(target, pointer):
            _adopt(aside, target)
        return pointer
    except OSError as error:
        if error.filename == str(source) and error.errno in (errno.ENOENT, errno.EACCES, errno.EISDIR):
            raise
        raise _failed(workspace, error) from error
    finally:
        aside.unlink(missing_ok=True)


def _has(target: Path, pointer: Pointer) -> bool:
    try:
        return target.stat().st_size == pointer.size_bytes
    except FileNotFoundError:
        return False


def _aside(workspace: Workspace) -> Path:
    workspace.tmp.mkdir(parents=True, exist_ok=True)
    return workspace.tmp / f"object.{os.getpid()}.{os.urandom(4).hex()}"


def _copy(source: Path, target: Path) -> None:
    with open(source, "rb") as read, open(target, "xb") as written:
        try:
            fcntl.ioctl(written.fileno(), _FICLONE, read.fileno())
        except OSError:
            shutil.copyfileobj(read, written, files.BLOCK_BYTES)


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
