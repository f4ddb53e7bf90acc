"""Objects: blobs, trees and commits by their ids (40 hex digits), read and written through libgit2.

Trees and commits are written from their bytes, so what a partial or sparse clone does not have can still be named.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp.errors import Damaged, WriteFailed

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

FILE, EXECUTABLE, LINK, TREE, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o040000, 0o160000
MAX_ENTRIES, MAX_LEVELS = 1_000_000, 250  # of one walk: equal folders in one another can stand for billions of files
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_COMMIT, _TREE, BLOB = 1, 2, 3
_PAUSES = (0.0, 0.001, 0.003, 0.01, 0.01, 0.03, 0.03, 0.1, 0.1, 0.3)  # seconds before writing an object again


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree."""

    name: str
    mode: int
    oid: str

    @property
    def is_file(self) -> bool:
        """Whether it is a file, executable or not: no folder, link or submodule."""
        return self.mode in (FILE, EXECUTABLE)


@dataclass(frozen=True, slots=True)
class Signature:
    """Who and when: seconds since the epoch, minutes east of UTC."""

    name: str
    email: str
    time_s: int
    offset_min: int = 0

    def encode(self) -> bytes:
        """Return the line's value; what would break the line is left out, as Git does."""
        sign, minutes = "-" if self.offset_min < 0 else "+", abs(self.offset_min)
        name, email = (part.translate(_UNSAFE).strip(" .,:;\"'\\") for part in (self.name, self.email))
        return f"{name or 'unknown'} <{email}> {self.time_s} {sign}{minutes // 60:02d}{minutes % 60:02d}".encode(
            "utf-8", "replace"
        )


_UNSAFE = {**dict.fromkeys(range(32)), ord("<"): None, ord(">"): None}


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit's content."""

    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


def write_blob(repo: Repo, data: bytes) -> str:
    """Store bytes as a blob."""
    return _write(repo, BLOB, data)


def write_tree(repo: Repo, files: Mapping[str, tuple[int, str]]) -> str:
    """Store {path: (mode, oid)} as nested trees and return the top one."""
    levels: dict[str, Any] = {}
    for path, entry in files.items():
        *folders, name = path.split("/")
        level = levels
        for folder in folders:
            level = level.setdefault(folder, {})
        level[name] = entry
    return _write_level(repo, levels)


def _write_level(repo: Repo, level: Mapping[str, Any]) -> str:
    entries = [
        Entry(name, TREE, _write_level(repo, item)) if isinstance(item, dict) else Entry(name, *item)
        for name, item in level.items()
    ]
    return write_entries(repo, entries)


def write_entries(repo: Repo, entries: list[Entry]) -> str:
    """Store one tree of these entries, in Git's order."""
    rows = []
    for entry in entries:
        name = entry.name.encode("utf-8", "surrogateescape")
        key = name + b"/" if entry.mode == TREE else name
        rows.append((key, b"%o %s\0" % (entry.mode, name) + bytes.fromhex(entry.oid)))
    return _write(repo, _TREE, b"".join(row for _, row in sorted(rows)))


def graft(repo: Repo, tree: str | None, name: str, subtree: str | None) -> str:
    """Return `tree` with its entry `name` replaced by a subtree (None: without it); no tree at all is an empty one."""
    wanted = name.encode()
    rows = [row for row in _tree(repo, tree) if row[1] != wanted] if tree else []
    if subtree is not None:
        rows.append((b"40000", wanted, bytes.fromhex(subtree)))
        rows.sort(key=lambda row: row[1] + b"/" if row[0] in _TREE_MODES else row[1])
    return _write(repo, _TREE, b"".join([b"%s %s\0%s" % row for row in rows]))


_ROW = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{20})", re.DOTALL)
_TREE_MODES = (b"40000", b"040000")


def _rows(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Return (mode, name, binary oid) of a tree's bytes; raises ValueError where they are none."""
    rows: list[tuple[bytes, bytes, bytes]] = _ROW.findall(data)
    if sum([len(mode) + len(name) + 22 for mode, name, _ in rows]) != len(data):
        raise ValueError("a tree that does not parse")
    return rows


def entries(repo: Repo, tree: str) -> list[Entry]:
    """Return the entries of a tree; names that are not UTF-8 come with surrogate escapes."""
    return [_entry(row) for row in _tree(repo, tree)]


def _tree(repo: Repo, oid: str) -> list[tuple[bytes, bytes, bytes]]:
    try:
        return _rows(_read(repo, oid, _TREE))
    except ValueError as error:
        raise Damaged(f"object {oid[:7]} is {error}", hint="git fsck") from error


def _entry(row: tuple[bytes, bytes, bytes]) -> Entry:
    mode, name, oid = row
    return Entry(name.decode("utf-8", "surrogateescape"), int(mode, 8), oid.hex())


def decode_tree(data: bytes) -> list[Entry]:
    """Return the entries of a tree's bytes; raises ValueError where they are none."""
    return [_entry(row) for row in _rows(data)]


def entry(repo: Repo, tree: str, path: str) -> Entry | None:
    """Return the entry at a path below a tree, None where there is none."""
    found: Entry | None = None
    for part in path.split("/"):
        if found is not None and found.mode != TREE:
            return None
        wanted = part.encode("utf-8", "surrogateescape")
        row = next((row for row in _tree(repo, tree) if row[1] == wanted), None)
        if row is None:
            return None
        found = Entry(part, int(row[0], 8), row[2].hex())
        tree = found.oid
    return found


def subtree(repo: Repo, tree: str, path: str) -> str | None:
    """Return the oid of the folder at a path below a tree."""
    found = entry(repo, tree, path)
    return found.oid if found is not None and found.mode == TREE else None


def walk(repo: Repo, tree: str, below: str = "") -> Iterator[tuple[str, Entry]]:
    """Yield (path, entry) of everything below a tree but the folders themselves; raises Damaged beyond all bounds."""
    open_folders, count = [(below, iter(entries(repo, tree)))], 0
    while open_folders:
        path, rest = open_folders[-1]
        item = next(rest, None)
        if item is None:
            open_folders.pop()
            continue
        count += 1
        if count > MAX_ENTRIES or len(open_folders) > MAX_LEVELS:
            raise Damaged(f"folder {tree[:7]} holds more than gitexp reads", hint="git ls-tree " + tree)
        if item.mode == TREE:
            open_folders.append((f"{path}{item.name}/", iter(entries(repo, item.oid))))
        else:
            yield path + item.name, item


def read_blob(repo: Repo, oid: str, *, limit_bytes: int | None = None) -> bytes:
    """Return a blob's bytes; raises Damaged where it is missing or larger than the limit (looked up before reading)."""
    if limit_bytes is not None and (size := size_of(repo, oid)) > limit_bytes:
        raise Damaged(
            f"object {oid[:7]} has {size:,} bytes, more than the {limit_bytes:,} gitexp reads", hint="git show " + oid
        )
    return _read(repo, oid, BLOB)


def blob_id(data: bytes) -> str:
    """Return the oid that a blob of these bytes has."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def size_of(repo: Repo, oid: str) -> int:
    """Return an object's size in bytes without reading it; raises Damaged where it is missing."""
    return header(repo, oid)[1]


def header(repo: Repo, oid: str) -> tuple[int, int]:
    """Return Git's number of an object's kind, and its size, without reading it; raises Damaged where it is missing."""
    kind, size = _asked(repo, oid, repo.raw.odb.read_header)
    return int(kind), int(size)


def trust() -> None:
    """Let this process take objects as they are, as Git itself does, instead of hashing each anew as it is read."""
    import pygit2

    pygit2.settings.enable_strict_hash_verification(False)


def read(repo: Repo, oid: str) -> tuple[int, bytes]:
    """Return Git's number of an object's kind, and its bytes; raises Damaged where it is missing or damaged."""
    kind, data = _asked(repo, oid, repo.raw.odb.read)
    return int(kind), bytes(data)


def _asked(repo: Repo, oid: str, ask: Callable[[Any], Any]) -> Any:
    """Return what libgit2 answers of an object; raises Damaged where it is missing or damaged."""
    import pygit2

    try:
        return ask(_oid(oid))
    except (KeyError, ValueError) as error:
        raise _missing(repo, oid) from error
    except pygit2.GitError as error:
        raise Damaged(f"object {oid[:7]} of {repo.common_dir} is damaged: {error}", hint="git fsck --full") from error


def add_quarantine(repo: Repo) -> None:
    """Let libgit2 see the objects of a push that a hook looks at: Git names their folder in the hook's environment."""
    if folder := os.environ.get("GIT_QUARANTINE_PATH"):
        repo.raw.odb.add_disk_alternate(folder)


def exists(repo: Repo, oid: str) -> bool:
    """Say whether an object is here."""
    return oid in repo.raw


def write_commit(repo: Repo, commit: Commit) -> str:
    """Store a commit; moves no ref."""
    lines = [b"tree " + commit.tree.encode(), *(b"parent " + parent.encode() for parent in commit.parents)]
    lines += [b"author " + commit.author.encode(), b"committer " + commit.committer.encode(), b""]
    return _write(repo, _COMMIT, b"\n".join([*lines, message_bytes(commit)]))


def write_commit_bytes(repo: Repo, data: bytes) -> str:
    """Store a commit as it stands elsewhere, its signature too; moves no ref."""
    return _write(repo, _COMMIT, data)


def message_bytes(commit: Commit) -> bytes:
    """Return a commit's message as it is stored."""
    return commit.message.replace("\0", "").encode("utf-8", "backslashreplace")


def read_commit(repo: Repo, oid: str) -> Commit:
    """Return a commit's content; raises Damaged where it is missing or no commit."""
    return decode_commit(commit_bytes(repo, oid))


def commit_bytes(repo: Repo, oid: str) -> bytes:
    """Return a commit's bytes, its signature too; raises Damaged where it is missing or no commit."""
    return _read(repo, oid, _COMMIT)


def tree_of(repo: Repo, commit: str) -> str:
    """Return a commit's tree, without parsing the rest; raises Damaged where it is missing or no commit."""
    data = _read(repo, commit, _COMMIT)
    return data[5:45].decode("ascii", "replace") if data[:5] == b"tree " else decode_commit(data).tree


def decode_commit(data: bytes) -> Commit:
    """Return what a commit's bytes say."""
    head, _, message = data.partition(b"\n\n")
    tree, parents, people = "", [], {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"tree":
            tree = value.decode("ascii", "replace")
        elif key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key in (b"author", b"committer"):
            people[key] = _signature(value)
    nobody = Signature("unknown", "", 0)
    return Commit(
        tree,
        tuple(parents),
        people.get(b"author", nobody),
        people.get(b"committer", nobody),
        message.decode("utf-8", "replace"),
    )


def _signature(value: bytes) -> Signature:
    person, _, rest = value.decode("utf-8", "replace").rpartition("> ")
    name, _, email = person.rpartition(" <")
    seconds, _, offset = rest.partition(" ")
    try:
        minutes = (int(offset[1:3]) * 60 + int(offset[3:5])) * (-1 if offset[0] == "-" else 1)
        return Signature(name, email, int(seconds), minutes)
    except (ValueError, IndexError):
        return Signature(name, email, 0)


def _oid(oid: str) -> Any:
    import pygit2

    return pygit2.Oid(hex=oid)


def _read(repo: Repo, oid: str, kind: int) -> bytes:
    found, data = read(repo, oid)
    if found != kind:
        raise Damaged(f"object {oid[:7]} is not a {('', 'commit', 'tree', 'blob')[kind]}", hint="git fsck")
    return data


def _write(repo: Repo, kind: int, data: bytes) -> str:
    import pygit2

    for pause in (*_PAUSES, None):
        try:
            return str(repo.raw.odb.write(kind, data))
        except (pygit2.GitError, OSError) as error:
            # A `git prune-packed` (of any gc) removes folders it finds empty, also the one we are about to write into.
            if pause is None or "No such file" not in str(error):
                raise WriteFailed(f"cannot write an object into {repo.common_dir}: {error}", hint="df -h .") from error
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _missing(repo: Repo, oid: str) -> Damaged:
    hint = "git fetch --refetch" if repo.is_partial else "git fsck --full"
    return Damaged(f"object {oid[:7]} is missing from {repo.common_dir}", hint=hint)
