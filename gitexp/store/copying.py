"""Copying a file and hashing the copy in one pass: blocks shared where the file system can, holes kept as holes."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from gitexp import files

_FICLONE = 0x40049409  # linux/fs.h
_CHUNK_BYTES = 32 << 20  # copied at once, and hashed while the next is copied
_ALONE_BYTES = 4 << 20  # below this a thread costs more than it saves
_UNABLE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.ETXTBSY, errno.EPERM)
_TRIES = 3

Stamp = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: the copy's sha256 and size, and the stamp of its source, None where that kept changing."""

    sha256: str
    size_bytes: int
    stamp: Stamp | None


def stamp(found: os.stat_result) -> Stamp:
    """Return what tells one state of a file from another: device, inode, size, times of content and of the inode."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def copy(source: Path, target: Path, progress: Callable[[int], None] | None = None) -> Copied:
    """Copy a file to `target`, which must not be there; `progress` is told the bytes done since it was told last.

    What is hashed is the copy, so its hash is right whatever happens to the source; a source that changes meanwhile is
    copied again, three times at most.
    """
    found: Copied | None = None
    for attempt in range(1, _TRIES + 1):
        with open(source, "rb", buffering=0) as read, open(target, "x+b", buffering=0) as written:
            before = stamp(os.fstat(read.fileno()))
            found = _copied(read.fileno(), written.fileno(), before, progress)
            if stamp(os.fstat(read.fileno())) == before and found.size_bytes == before[2]:
                return found
        if attempt < _TRIES:
            target.unlink()
    assert found is not None
    return Copied(found.sha256, found.size_bytes, None)


def between(read: int, written: int, progress: Callable[[int], None] | None = None) -> Copied:
    """Copy an open file that nobody changes into one that is open and empty."""
    return _copied(read, written, stamp(os.fstat(read)), progress)


def _copied(read: int, written: int, before: Stamp, progress: Callable[[int], None] | None) -> Copied:
    hashing = _Hash(written, progress, alone=before[2] < _ALONE_BYTES)
    try:
        if _clone(read, written):
            hashing.upto(os.fstat(written).st_size)
        else:
            for end, hole in _by_chunks(read, written):
                hashing.upto(end, hole=hole)
    except BaseException:
        hashing.stop()
        raise
    return Copied(hashing.digest(), os.fstat(written).st_size, before)


def _clone(read: int, written: int) -> bool:
    try:
        fcntl.ioctl(written, _FICLONE, read)
    except OSError:
        return False
    return True


def _by_chunks(read: int, written: int) -> Iterator[tuple[int, bool]]:
    """Copy, and yield up to where the copy is complete, again and again, and whether what came last is a hole."""
    done = 0
    for start, end in _extents(read):
        at = start
        while at < end:
            count = _some(read, written, at, min(end - at, _CHUNK_BYTES))
            if count == 0:  # it was cut off meanwhile
                break
            if at > done:
                yield at, True
            at = done = at + count
            yield done, False
    size = os.fstat(read).st_size
    if size > done:
        os.ftruncate(written, size)
        yield size, True


def _extents(read: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a file that are no holes."""
    end = 0
    while True:
        try:
            start = os.lseek(read, end, os.SEEK_DATA)
            end = os.lseek(read, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return
            start, end = end, os.fstat(read).st_size  # a file system that knows no holes
            if start >= end:
                return
        yield start, end


def _some(read: int, written: int, at: int, count: int) -> int:
    try:
        return os.copy_file_range(read, written, count, at, at)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
    data = os.pread(read, min(count, files.BLOCK_BYTES), at)
    return os.pwrite(written, data, at)


class _Hash:
    """The sha256 of a file that grows: computed up to where it is complete, in a thread where that pays."""

    def __init__(self, descriptor: int, progress: Callable[[int], None] | None, *, alone: bool) -> None:
        self._descriptor, self._progress = descriptor, progress
        self._digest, self._at = hashlib.sha256(), 0
        self._parts: SimpleQueue[tuple[int, bool] | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = None if alone else threading.Thread(target=self._follow, name="gitexp-hash", daemon=True)
        if self._thread is not None:
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is ending, and starts no more threads
                self._thread = None

    def upto(self, end: int, *, hole: bool = False) -> None:
        """Say that the file is complete up to `end`; a hole, which was never written, is not read either."""
        if self._thread is None:
            self._take(end, hole)
        else:
            self._parts.put((end, hole))

    def digest(self) -> str:
        """Return the digest of all that was said to be complete; raises what reading raised."""
        self.stop()
        if self._error is not None:
            raise self._error
        return self._digest.hexdigest()

    def stop(self) -> None:
        """End the thread, once it has read what there is."""
        if self._thread is not None:
            self._parts.put(None)
            self._thread.join()

    def _follow(self) -> None:
        try:
            while (part := self._parts.get()) is not None:
                self._take(*part)
        except BaseException as error:
            self._error = error

    def _take(self, end: int, hole: bool) -> None:
        zeros = memoryview(bytes(files.BLOCK_BYTES if hole else 0))
        while self._at < end:
            count = min(files.BLOCK_BYTES, end - self._at)
            block = zeros[:count] if hole else os.pread(self._descriptor, count, self._at)
            if not block:
                return
            self._digest.update(block)
            self._at += len(block)
            if self._progress is not None:
                self._progress(len(block))
