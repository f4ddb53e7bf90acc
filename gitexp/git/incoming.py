"""A pack from elsewhere: taken in durably, and held to bring whole history before a ref names it."""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp import files
from gitexp.errors import Damaged, WriteFailed
from gitexp.git import objects, outgoing, refs

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

# What dulwich's parsers raise of bytes that somebody made up.
MALFORMED = (ValueError, KeyError, IndexError, AssertionError, EOFError, struct.error, zlib.error, OverflowError)

Write = Callable[[bytes], int]


@contextmanager
def pack(repo: Repo) -> Iterator[Write]:
    """Yield what takes the bytes of a pack; it is the repository's, whole and durable, when the block ends well.

    Raises Damaged where the bytes are no pack, or not what they say: nothing is left of them then.
    """
    folder = repo.common_dir / "objects"
    with _writing(folder):
        (folder / "pack").mkdir(exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder, prefix="tmp_")  # noqa: SIM115 - closed below

    def write(data: bytes) -> int:
        with _writing(folder):
            return file.write(data)

    with file:
        yield write
        if file.tell():
            file.seek(0)
            _install(folder, file.read)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteFailed(f"cannot write a pack into {folder}: {error}", hint="df -h .") from error


def _install(folder: Path, read: Callable[[int], bytes]) -> None:
    from dulwich import errors as faults
    from dulwich.object_store import DiskObjectStore

    malformed = (*MALFORMED, faults.ChecksumMismatch, faults.ApplyDeltaError, faults.FileFormatException)
    with closing(DiskObjectStore(str(folder), fsync_object_files=True)) as store, _writing(folder):
        try:
            store.add_thin_pack(read, None)
        except malformed as error:
            raise Damaged(f"the pack that came is damaged: {type(error).__name__} {error}", hint="try again") from error
        files.sync_folder(folder / "pack")


def check(repo: Repo, tips: Collection[str]) -> None:
    """Raise Damaged where something of the history of these commits is missing, as Git looks after each fetch.

    What the refs name is whole already: the cost is of what is new.
    """
    held = set(refs.listing(repo, "refs/").values())
    for oid in outgoing.lacking(repo, tips, held):
        if not objects.exists(repo, oid):
            raise Damaged(f"object {oid[:7]} is missing from what came", hint="try again")
