"""What a file or folder of data is: its hash, how much there is of it, its schema and its profile."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitexp.capture import folder, pictures, profile, tables
from gitexp.capture.folder import Found
from gitexp.record import merkle
from gitexp.record import pointer as pointers
from gitexp.record.dataset import Dataset
from gitexp.record.merkle import Leaf

_NAMED = 20  # paths that changed or were left out, that a record names
_PARTS = 200  # files of a folder whose rows are counted


@dataclass(frozen=True, slots=True)
class Hashed:
    """The sha256 and size of a file; whether it changed each time that it was read."""

    sha256: str
    size_bytes: int
    changing: bool = False


Hasher = Callable[[Path], Hashed]


def read(path: Path, base: Dataset, hasher: Hasher, *, follow: bool = False) -> Dataset:
    """Return a dataset with what a file or folder holds; what cannot be read is said in `unread`, never raised."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _folder(path, base, hasher, follow)
        if not stat.S_ISREG(mode):
            return replace(base, unread="neither a file nor a folder")
        return _file(path, base, hasher)
    except (OSError, ValueError) as error:
        return replace(base, unread=_why(error))


def check(path: Path, hasher: Hasher, *, follow: bool = False) -> Dataset:
    """Return the hash, size and number of files of a file or folder, without looking at what they mean."""
    try:
        if path.is_dir():
            found = folder.walk(path, follow=follow)
            return _hashed(found, Dataset(""), hasher)
        return _file_hash(path, Dataset(""), hasher)
    except (OSError, ValueError) as error:
        return Dataset("", unread=_why(error))


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:200]


def _file(path: Path, base: Dataset, hasher: Hasher) -> Dataset:
    found = _file_hash(path, base, hasher)
    if found.source.get("kind") == "lfs":
        return found
    try:
        sample = tables.read(path)
    except (tables.Unreadable, MemoryError, RecursionError, OSError) as error:
        return replace(found, profile={"unread": _why(error) if not isinstance(error, MemoryError) else "too large"})
    return found if sample is None else described(found, sample)


def described(found: Dataset, sample: profile.Sample) -> Dataset:
    """Return a dataset with the rows, schema and profile of a sample."""
    columns = sample.columns if sample.columns and sample.columns > len(sample.fields) else None
    return replace(
        found,
        rows=sample.rows,
        schema=profile.schema(sample),
        columns=columns,
        profile=profile.describe(sample),
    )


def _file_hash(path: Path, base: Dataset, hasher: Hasher) -> Dataset:
    pointer = _pointer(path)
    if pointer is not None:
        source = {**base.source, "kind": "lfs"}
        why = "a Git LFS pointer stands here, not the bytes: git lfs pull"
        return replace(base, sha256=pointer.sha256, size_bytes=pointer.size_bytes, files=1, source=source, unread=why)
    hashed = hasher(path)
    changed = (path.name,) if hashed.changing else ()
    return replace(base, sha256=hashed.sha256, size_bytes=hashed.size_bytes, files=1, changed=changed)


def _pointer(path: Path) -> pointers.Pointer | None:
    """Return the LFS pointer that stands in the place of a file; waits for no pipe."""
    found = path.stat()
    if found.st_size > pointers.MAX_BYTES or not stat.S_ISREG(found.st_mode):
        return None
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return pointers.decode(file.read(pointers.MAX_BYTES + 1))


def _folder(path: Path, base: Dataset, hasher: Hasher, follow: bool) -> Dataset:
    found = folder.walk(path, follow=follow)
    done = _hashed(found, base, hasher)
    images = pictures.among(found.files)
    if images and 2 * len(images) >= len(found.files):
        return replace(done, rows=len(images), profile=pictures.describe(images))
    parts = sorted((item for item in found.files if tables.is_table(item[1])), key=lambda item: item[1])
    if parts and 2 * len(parts) >= len(found.files):
        done = _parts(parts, done)
    formats = Counter(name.rpartition(".")[2].lower()[:20] for _, name in found.files if "." in name.rpartition("/")[2])
    most = dict(sorted(formats.items(), key=lambda item: (-item[1], item[0]))[:_NAMED])
    return replace(done, profile={**done.profile, **({"formats": most} if most else {})})


def _parts(parts: Sequence[tuple[str, str]], done: Dataset) -> Dataset:
    """Describe tables that are parts of one: rows of all, schema and profile of the first, and how many differ."""
    rows, others, first = 0, 0, None
    for where, _ in parts[:_PARTS]:
        try:
            sample = tables.read(Path(where))
        except (tables.Unreadable, MemoryError, RecursionError, OSError):
            return replace(done, profile={**done.profile, "unread": "a part could not be read"})
        if sample is None or sample.rows is None:
            return done
        first = first or sample
        others += [item.name for item in sample.fields] != [item.name for item in first.fields]
        rows += sample.rows
    if first is None:
        return done
    whole = len(parts) <= _PARTS
    names = (
        tuple(replace(column, missing=None) for column in profile.schema(first))
        if len(parts) > 1
        else profile.schema(first)
    )
    said: dict[str, Any] = {**profile.describe(first), **({"parts": len(parts)} if len(parts) > 1 else {})}
    if len(parts) > 1:
        said["sampled"] = "first"
    if others:
        said["other_columns"] = others
    return replace(done, rows=rows if whole else None, schema=names, profile=said)


def _hashed(found: Found, base: Dataset, hasher: Hasher) -> Dataset:
    leaves, changed, unread, size, lfs = [], [], list(found.unreadable), 0, 0
    for where, below in found.files:
        try:
            pointer = _pointer(Path(where))
            hashed = Hashed(pointer.sha256, pointer.size_bytes) if pointer else hasher(Path(where))
        except FileNotFoundError:
            changed.append(f"{below} (vanished)")
            continue
        except OSError as error:
            unread.append((below, _why(error)))
            continue
        lfs += pointer is not None
        changed += [below] if hashed.changing else []
        leaves.append(Leaf(below, hashed.sha256))
        size += hashed.size_bytes
    leaves += [Leaf(below, _text_hash(target), merkle.LINK) for below, target in found.links]
    left_out = [*unread, *found.special]
    first = f"{unread[0][0]}: {unread[0][1]}" if unread else ""
    more = f", and {len(unread) - 1:,} more" if len(unread) > 1 else ""
    source = (
        dict(base.source) | ({"pointers": lfs} if lfs else {}) | ({"outside": found.outside} if found.outside else {})
    )
    return replace(
        base,
        sha256=None if unread else merkle.root(leaves),
        size_bytes=size,
        files=len(found.files),
        unread=f"not all could be read: {first}{more}" if unread else base.unread,
        changed=tuple(sorted(changed)[:_NAMED]),
        left_out=tuple({"path": path, "reason": why} for path, why in sorted(left_out)[:_NAMED]),
        source=source,
    )


def _text_hash(target: str) -> str:
    return hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()
