"""The hash of a folder: a tree of the hashes of all that is in it (docs/format.md, "Datasets")."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

FILE, LINK, FOLDER = "file", "link", "folder"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A file (the sha256 of its bytes) or a link that is not followed (of its target), at a path with `/`."""

    path: str
    sha256: str
    kind: str = FILE


def root(leaves: Iterable[Leaf]) -> str:
    """Return the hash of the folder that holds these leaves, in whatever order; folders without any do not count."""
    folders: dict[str, list[tuple[bytes, bytes, bytes]]] = {"": []}
    for leaf in leaves:
        above, _, name = leaf.path.rpartition("/")
        _open(folders, above).append(_line(name, leaf.kind, leaf.sha256))
    for path in sorted(folders, key=lambda path: path.count("/") if path else -1, reverse=True):
        digest = _digest(folders[path])
        if not path:
            return digest
        above, _, name = path.rpartition("/")
        folders[above].append(_line(name, FOLDER, digest))
    raise AssertionError("every tree has a root")


def _open(folders: dict[str, list[tuple[bytes, bytes, bytes]]], path: str) -> list[tuple[bytes, bytes, bytes]]:
    """Return the lines of a folder; those above it are made too. Without recursion: paths may have 2,000 parts."""
    at = path
    while at not in folders:
        folders[at] = []
        at = at.rpartition("/")[0]
    return folders[path]


def _line(name: str, kind: str, sha256: str) -> tuple[bytes, bytes, bytes]:
    return normal(name), kind.encode(), sha256.encode()


def normal(name: str) -> bytes:
    """Return a name as it is hashed: UTF-8 of its NFC, or its very bytes where they are no UTF-8."""
    try:
        return unicodedata.normalize("NFC", name).encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape")


def _digest(lines: list[tuple[bytes, bytes, bytes]]) -> str:
    found = hashlib.sha256(b"gitexp folder\0")
    for name, kind, sha256 in sorted(lines):
        found.update(b"%b %b %b\0" % (kind, sha256, name))
    return found.hexdigest()
