"""Which runs have which bytes, by sha256: large files by their pointers, small ones by what their blobs come to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gitexp import files
from gitexp.errors import Damaged
from gitexp.git import objects
from gitexp.index import database, kept
from gitexp.index.database import Index
from gitexp.index.kept import Made
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are looked for: the sha256, and the blob that Git would keep them as, where that is known."""

    sha256: str
    blob: str = ""


def of_file(path: Path) -> Content:
    """Return what names the bytes of a file, read once."""
    size, sha256 = path.stat().st_size, hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with open(path, "rb", buffering=0) as file:
        while block := file.read(files.BLOCK_BYTES):
            sha256.update(block)
            blob.update(block)
    return Content(sha256.hexdigest(), blob.hexdigest())


def made(workspace: Workspace, content: Content) -> list[Made]:
    """Return the artifacts that have these bytes, whether they are kept beside Git or in it."""
    index = database.of(workspace)
    blobs = [content.blob] if content.blob else _blobs(index, content.sha256)
    return kept.made(index, content.sha256, blobs)


def _blobs(index: Index, sha256: str) -> list[str]:
    complete(index)
    return kept.blobs(index, sha256)


def complete(index: Index, *, likely: bool = False) -> None:
    """Have the index know the sha256 of small artifacts: each is read once, when this is first wanted.

    `likely`: only of those that some run may have read as data, by their sizes.
    """
    found = []
    for oid in kept.unhashed(index, likely=likely):
        try:
            found.append((oid, hashlib.sha256(objects.read_blob(index.workspace.repo, oid)).hexdigest()))
        except Damaged:  # a partial clone: what is not here has no hash here
            continue
    kept.remember(index, found)


def beginning(workspace: Workspace, prefix: str) -> list[str]:
    """Return the hashes of artifacts and data sets that begin so."""
    index = database.of(workspace)
    complete(index)
    return kept.beginning(index, prefix)
