"""Packs: many blobs written as one file with its index, where loose objects would be a hundred thousand files."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp import files
from gitexp.git import objects

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_LEVEL = 1  # of zlib: what Git takes for loose objects
_BUFFER_BYTES = 1 << 20


class Writer:
    """A pack that is being written into a folder; complete, under its own name and durable when `finish` returns.

    As a context manager it leaves nothing behind where the block ends with an error, or without `finish`.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._aside = folder / f".{os.getpid()}.{os.urandom(4).hex()}.pack"
        self._file = open(self._aside, "x+b", buffering=_BUFFER_BYTES)  # noqa: SIM115 - closed by `__exit__`
        self._file.write(_header(0))
        self._at = len(_header(0))
        self._entries: dict[str, tuple[int, int]] = {}  # oid -> offset, crc32

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a full disk: what could not be written is not wanted any more
            self._file.close()
        self._aside.unlink(missing_ok=True)
        self._aside.with_suffix(".idx").unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, data: bytes) -> str:
        """Add a blob and return its oid; bytes that are there already are not written again."""
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        if oid not in self._entries:
            row = _size(objects.BLOB, len(data)) + zlib.compress(data, _LEVEL)
            self._file.write(row)
            self._entries[oid] = self._at, zlib.crc32(row)
            self._at += len(row)
        return oid

    def finish(self) -> Path:
        """Complete the pack; returns its `.pack`, beside which lies the `.idx`."""
        from dulwich.pack import write_pack_index_v2

        self._file.seek(0)
        self._file.write(_header(len(self._entries)))
        checksum = self._checksum()
        self._file.seek(0, os.SEEK_END)
        self._file.write(checksum)
        self._sync(self._file.fileno())
        target = self._folder / f"pack-{checksum.hex()}.pack"
        index = self._aside.with_suffix(".idx")
        rows = sorted((bytes.fromhex(oid), offset, crc) for oid, (offset, crc) in self._entries.items())
        with open(index, "xb") as file:
            write_pack_index_v2(file, rows, checksum)
            file.flush()
            self._sync(file.fileno())
        self._aside.replace(target)
        index.replace(target.with_suffix(".idx"))
        files.sync_folder(self._folder)
        return target

    def _checksum(self) -> bytes:
        """Return the sha1 of the whole file: its beginning tells how many objects follow, so it comes last."""
        self._file.flush()
        self._file.seek(0)
        digest = hashlib.sha1()
        while block := self._file.read(_BUFFER_BYTES):
            digest.update(block)
        return digest.digest()

    def _sync(self, descriptor: int) -> None:
        os.fchmod(descriptor, 0o444)
        self._file.flush()
        os.fsync(descriptor)


def install(repo: Repo, pack: Path) -> None:
    """Make a finished pack one of the repository's, durably; done again it changes nothing."""
    folder = repo.common_dir / "objects/pack"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (pack, pack.with_suffix(".idx")):  # Git looks for the index, so it comes last
        _link(path, folder / path.name)
    files.sync_folder(folder)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        aside = target.with_name(f".tmp-{os.getpid()}-{target.name}")
        try:
            shutil.copyfile(source, aside)
            with open(aside, "rb") as file:
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)


def read(pack: Path, oid: str) -> bytes:
    """Return a blob of a pack that is not one of the repository's; raises KeyError where it is not in there."""
    from dulwich.object_format import SHA1
    from dulwich.objects import ObjectID
    from dulwich.pack import Pack

    with Pack(str(pack.with_suffix("")), object_format=SHA1) as opened:
        return opened.get_raw(ObjectID(oid.encode()))[1]


def _header(count: int) -> bytes:
    return struct.pack(">4sLL", b"PACK", 2, count)


def _size(kind: int, size: int) -> bytes:
    """Return the beginning of an entry: its kind and the size of its bytes (gitformat-pack)."""
    row, byte, size = bytearray(), kind << 4 | size & 0x0F, size >> 4
    while size:
        row.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    row.append(byte)
    return bytes(row)
