"""Files: written aside and renamed, hashed in blocks, and never half there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 1 << 20


@contextmanager
def replacing(path: Path, *, durable: bool = False, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path` when the block ends well, and leaves nothing when it does not.

    With `durable`, file and folder are fsync'd, so the new content survives a power cut.
    """
    aside = path.with_name(f".{path.name[:100]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        aside.replace(path)
        if durable:
            sync_folder(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            aside.unlink()
        raise


def write(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write `data` to `path` at once or not at all; makes the folder where it is missing."""
    try:
        with replacing(path, durable=durable) as file:
            file.write(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, durable=durable) as file:
            file.write(data)


def size(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> tuple[str, int]:
    """Return the sha256 (hex) and the size in bytes of a file, read in blocks."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
