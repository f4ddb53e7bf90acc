"""A few small files of one folder of a commit, read in as few steps as can be: for whoever reads those of 100,000."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitexp.git import objects

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_ROW = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{20})", re.DOTALL)
_FILES = (b"100644", b"100755")


@dataclass(frozen=True, slots=True)
class Folder:
    """The commit's message, the contents of the files that were asked for, and {name: oid} of all entries."""

    message: str
    files: dict[str, bytes]
    entries: dict[str, str]


def read(repo: Repo, commit: str, name: str, wanted: Collection[str], limit_bytes: int) -> Folder | None:
    """Return the wanted files of a folder right below a commit's tree.

    None where anything about it is unusual: an object missing or of another kind, a file beyond the limit or no file.
    """
    import pygit2

    odb, oid = repo.raw.odb, pygit2.Oid
    try:
        data = odb.read(commit)[1]
        tree = odb.read(data[5:45].decode())[1]
        mark = b"40000 " + name.encode() + b"\0"
        if data[:5] != b"tree " or tree.count(mark) != 1:
            return None
        at = tree.find(mark) + len(mark)
        below = odb.read(oid(raw=tree[at : at + 20]))[1]
        rows = {entry.decode(): (mode, raw) for mode, entry, raw in _ROW.findall(below)}
        files = {}
        for entry in wanted:
            if entry in rows:
                mode, raw = rows[entry]
                blob = oid(raw=raw)
                kind, size = odb.read_header(blob)
                if mode not in _FILES or int(kind) != objects.BLOB or size > limit_bytes:
                    return None
                files[entry] = odb.read(blob)[1]
    except (KeyError, ValueError, UnicodeDecodeError, pygit2.GitError):
        return None
    message = data.partition(b"\n\n")[2].decode("utf-8", "replace")
    return Folder(message, files, {entry: raw.hex() for entry, (_, raw) in rows.items()})
