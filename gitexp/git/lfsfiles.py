"""The LFS store of a remote that is a folder on this machine (a path, file://): objects linked or copied, no server."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from gitexp import files
from gitexp.git import lfspart, lfswork
from gitexp.git.lfshttp import BLOCK_BYTES, Trouble, Tuning
from gitexp.git.lfspart import Stop, Tell
from gitexp.record.pointer import Failure, Pointer


class FolderDepot:
    """Objects below `<repository>/lfs/objects/<aa>/<bb>/`, where git-lfs looks for them too."""

    def __init__(self, label: str, folder: Path, tuning: Tuning) -> None:
        self.label, self._folder, self._tuning = label, folder, tuning
        self._stop = Stop()

    def lacks(self, items: Sequence[Pointer]) -> list[Pointer]:
        """Return those whose bytes are not there."""
        return [item for item in items if not self._has(item)]

    def send(self, items: Sequence[Pointer], source: Callable[[Pointer], Path], tell: Tell) -> list[Failure]:
        """Link the files into the store, or copy them where that cannot be."""

        def work(item: Pointer) -> None:
            if not self._has(item):
                self._put(item, source(item))
            tell(item.size_bytes)

        return self._each(items, work)

    def bring(
        self, items: Sequence[Pointer], arrive: Callable[[Pointer, Path], None], folder: Path, tell: Tell
    ) -> list[Failure]:
        """Copy objects into `folder`; `arrive` takes each once it is verified."""

        def work(item: Pointer) -> None:
            if not self._has(item):
                raise Trouble(f"{self.label} does not have it", status=404)
            with lfspart.opened(folder, item, tell, self.label) as part:
                self._copy(item, part)
                part.check()
                arrive(item, part.path)

        return self._each(items, work)

    def drop(self, items: Sequence[Pointer]) -> list[Failure]:
        """Delete objects of the store."""

        def work(item: Pointer) -> None:
            with suppress(FileNotFoundError):
                self._place(item).unlink()

        return self._each(items, work)

    def _each(self, items: Sequence[Pointer], work: Callable[[Pointer], None]) -> list[Failure]:
        def tried(item: Pointer) -> Failure | None:
            try:
                work(item)
            except Trouble as trouble:
                return Failure(item, trouble.why, trouble.missing)
            except OSError as error:
                where = f" {error.filename}" if error.filename else ""
                return Failure(item, f"{self.label}: {error.strerror or error}{where}")
            return None

        return lfswork.each(list(dict.fromkeys(items)), tried, self._tuning.parallel, self._stop)

    def _place(self, item: Pointer) -> Path:
        return self._folder / item.sha256[:2] / item.sha256[2:4] / item.sha256

    def _has(self, item: Pointer) -> bool:
        try:
            return self._place(item).stat().st_size == item.size_bytes
        except FileNotFoundError:
            return False

    def _put(self, item: Pointer, source: Path) -> None:
        """Give the store an object; it never has a part of one under the object's name."""
        if lfspart.hashed(source) != item:
            raise Trouble(lfspart.DAMAGED)
        target = self._place(item)
        _make(target.parent)
        aside = target.with_name(f"{item.sha256[:16]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
        try:
            if not _link(source, aside):
                self._copy_aside(source, aside)
            aside.replace(target)
            files.sync_folder(target.parent)
        finally:
            aside.unlink(missing_ok=True)

    def _copy_aside(self, source: Path, aside: Path) -> None:
        with open(source, "rb", buffering=0) as read, open(aside, "xb", buffering=0) as written:
            while os.sendfile(written.fileno(), read.fileno(), None, BLOCK_BYTES):
                self._stop.check()
            os.fchmod(written.fileno(), 0o444)
            os.fsync(written.fileno())

    def _copy(self, item: Pointer, part: lfspart.Part) -> None:
        with open(self._place(item), "rb", buffering=0) as file:
            file.seek(part.size_bytes)
            while block := file.read(BLOCK_BYTES):
                self._stop.check()
                part.add(block)


def _link(source: Path, aside: Path) -> bool:
    """Give a read-only object of ours a second name; nobody ever writes to it."""
    try:
        os.link(source, aside)
    except OSError:  # another file system, or one without links
        return False
    return True


def _make(folder: Path) -> None:
    """Make a folder as its parent is, so that a store shared by a group stays so."""
    if folder.is_dir():
        return
    _make(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        with suppress(PermissionError):
            folder.chmod(folder.parent.stat().st_mode & 0o7777)
