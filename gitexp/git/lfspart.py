"""Files on their way: a download as `<sha256>.part`, which the next try goes on with, and an upload that is checked."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from typing import BinaryIO

from gitexp import files, locks
from gitexp.errors import WriteFailed
from gitexp.git.lfshttp import BLOCK_BYTES, Trouble
from gitexp.record.pointer import Pointer

Tell = Callable[[int], None]
_BEHIND = 4  # blocks that wait to be hashed while they are sent
DAMAGED = "its bytes here are not those recorded: gitexp fsck"


class Stop(threading.Event):
    """Says that what is under way has to end."""

    def check(self) -> None:
        """Raise Trouble where it has to."""
        if self.is_set():
            raise Trouble("interrupted")


class Part:
    """What has arrived of one object, its hash as far as it goes."""

    def __init__(self, file: BinaryIO, path: Path, item: Pointer, tell: Tell, where: str) -> None:
        self._file, self.path, self.item, self._tell, self._where = file, path, item, tell, where
        self._digest, self.size_bytes = hashlib.sha256(), 0
        self.resumed = False

    @property
    def complete(self) -> bool:
        """Say whether as many bytes as there should be are here."""
        return self.size_bytes == self.item.size_bytes

    def load(self) -> None:
        """Take in what an earlier try has left."""
        if os.fstat(self._file.fileno()).st_size > self.item.size_bytes:
            self.restart()
        while block := self._file.read(BLOCK_BYTES):
            self._count(block)
        self.resumed = self.size_bytes > 0

    def add(self, data: bytes) -> None:
        """Write what comes next; raises Trouble where it is too much, WriteFailed where there is no room."""
        if self.size_bytes + len(data) > self.item.size_bytes:
            self.restart()
            raise Trouble(f"{self._where} sends more than the {self.item.size_bytes:,} bytes that were recorded")
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise WriteFailed(f"cannot write {self.path}: {error.strerror or error}", hint="df -h .") from error
        self._count(data)

    def restart(self) -> None:
        """Begin anew."""
        self._file.seek(0)
        self._file.truncate()
        self._tell(-self.size_bytes)
        self._digest, self.size_bytes, self.resumed = hashlib.sha256(), 0, False

    def check(self) -> None:
        """Raise Trouble where these are other bytes than those meant; nothing of them is kept then."""
        if self._digest.hexdigest() == self.item.sha256:
            return
        resumed = self.resumed
        self.restart()
        raise Trouble(f"{self._where} sends other bytes than those recorded (their sha256 differs)", again=resumed)

    def _count(self, data: bytes) -> None:
        self._digest.update(data)
        self.size_bytes += len(data)
        self._tell(len(data))


@contextmanager
def opened(folder: Path, item: Pointer, tell: Tell, where: str) -> Iterator[Part]:
    """Yield the partial file of an object, ours alone; raises Trouble where another process is at it."""
    path = folder / f"{item.sha256}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise WriteFailed(f"cannot write {path}: {error.strerror or error}", hint="df -h .") from error
    with open(descriptor, "r+b", buffering=0) as file:
        if not locks.try_lock(descriptor) or not _is_at(descriptor, path):
            raise Trouble("another process is downloading it: wait for it, then try again")
        part = Part(file, path, item, tell, where)
        try:
            part.load()
            yield part
        except BaseException:
            tell(-part.size_bytes)  # the next try counts them again
            if not part.size_bytes:
                path.unlink(missing_ok=True)
            raise


def _is_at(descriptor: int, path: Path) -> bool:
    """Say whether an open file still has that name: who was faster has made an object of it."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


class Sending:
    """The body of an upload: an object's file, whose last bytes go only when all of them were right.

    Whoever sends it closes it, also when the sending failed.
    """

    def __init__(self, file: BinaryIO, item: Pointer, tell: Tell, stop: Stop) -> None:
        self._file, self._item, self._tell, self._stop = file, item, tell, stop
        self._digest, self.size_bytes = _Digest(), 0

    def read(self, count: int) -> bytes:
        """Return the next bytes; raises Trouble at the end of a file that is damaged."""
        self._stop.check()
        left = self._item.size_bytes - self.size_bytes
        data = self._file.read(min(count, left, BLOCK_BYTES)) if left else b""
        if left and not data:
            raise Trouble(DAMAGED)
        self._digest.add(data, last=len(data) == left)
        self.size_bytes += len(data)
        self._tell(len(data))
        if data and len(data) == left and self._digest.value() != self._item.sha256:
            raise Trouble(DAMAGED)
        return data

    def close(self) -> None:
        """End the thread that hashes."""
        self._digest.stop()


class _Digest:
    """A sha256 that a thread computes while what was read is sent; what comes at once needs none."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._blocks: Queue[bytes] = Queue(_BEHIND)
        self._thread: threading.Thread | None = None

    def add(self, data: bytes, *, last: bool) -> None:
        """Take in what comes next."""
        if self._thread is None and not last:
            thread = threading.Thread(target=self._follow, name="gitexp-hash", daemon=True)
            with suppress(RuntimeError):  # there may be no more threads
                thread.start()
                self._thread = thread
        if self._thread is None:
            self._digest.update(data)
        else:
            self._blocks.put(data)

    def value(self) -> str:
        """Return the digest, in hex, of all that was taken in; nothing may come after it."""
        self.stop()
        return self._digest.hexdigest()

    def stop(self) -> None:
        """End the thread, once it is through."""
        if self._thread is not None:
            self._blocks.put(b"")
            self._thread.join()
            self._thread = None

    def _follow(self) -> None:
        while block := self._blocks.get():
            self._digest.update(block)


def hashed(path: Path) -> Pointer:
    """Return what names the bytes of a file."""
    return Pointer(*files.sha256(path))
