"""Facts that somebody pushes, looked at before they are taken: every line stays, and every new one parses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitexp.errors import Damaged
from gitexp.git import notes, objects
from gitexp.git.batch import Batch
from gitexp.git.objects import Entry
from gitexp.record import facts

MAX_COMMIT_BYTES = 1 << 20
MAX_TREE_BYTES = 16 << 20
GROUP = 1000  # notes looked at together

Notes = dict[str, set[str]]  # {annotated object: its blobs, several where it stands at several depths}


@dataclass(slots=True)
class _Difference:
    """What differs between two notes trees."""

    old: Notes = field(default_factory=dict)
    new: Notes = field(default_factory=dict)


def fault(batch: Batch, old: str | None, new: str, *, may_lose: bool = False) -> str:
    """Return why the facts of commit `new` cannot follow those of `old`, "" where they can."""
    try:
        trees = [_tree(batch, commit) if commit is not None else None for commit in (old, new)]
        found = _compare(batch, trees[0], trees[1])
        for group in _groups(sorted({*found.old, *found.new})):
            why = _fault_in(batch, group, found, str(trees[1]), may_lose=may_lose)
            if why:
                return why
    except Damaged as error:
        return error.message
    return ""


def _groups(oids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(oids), GROUP):
        yield oids[start : start + GROUP]


def _fault_in(batch: Batch, oids: Sequence[str], found: _Difference, tree: str, *, may_lose: bool) -> str:
    blobs = {blob for oid in oids for side in (found.old, found.new) for blob in side.get(oid, ())}
    content = _lines(batch, sorted(blobs))
    for oid in oids:
        before, after = (_union(content, side.get(oid, ())) for side in (found.old, found.new))
        lost = before - after
        if lost and not may_lose:
            # The same object may have a note at another depth of the tree, where nothing has changed.
            elsewhere = _everywhere(batch, tree, oid)
            lost -= _union(_lines(batch, sorted(elsewhere)), elsewhere)
        if lost and not may_lose:
            return f"{len(lost)} facts on {oid[:7]} would be lost: facts are only added (gitexp fetch, then push again)"
        damaged = facts.parse(after - before)[1]
        if damaged:
            return f"{damaged} new lines on {oid[:7]} are not facts"
    return ""


def _union(content: Mapping[str, set[bytes]], blobs: Iterable[str]) -> set[bytes]:
    return {line for blob in blobs for line in content[blob]}


def _lines(batch: Batch, blobs: Sequence[str]) -> dict[str, set[bytes]]:
    found = {}
    for oid, kind, data in batch.read(blobs, limit_bytes=notes.MAX_NOTE_BYTES):
        if kind != "blob" or data is None:
            raise Damaged(f"the note {oid[:7]} is missing, or larger than {notes.MAX_NOTE_BYTES:,} bytes")
        found[oid] = {line for line in data.split(b"\n") if line.strip()}
    return found


def _tree(batch: Batch, oid: str) -> str:
    for _, kind, data in batch.read([oid], limit_bytes=MAX_COMMIT_BYTES):
        if kind == "commit" and data is not None:
            return objects.decode_commit(data).tree
    raise Damaged(f"{oid[:7]} is not a commit")


def _compare(batch: Batch, old: str | None, new: str | None) -> _Difference:
    """Return the notes that differ between two trees; equal folders are never opened."""
    found = _Difference()
    level: list[tuple[str, str | None, str | None]] = [("", old, new)]
    while level:
        trees = _entries(batch, sorted({oid for _, *pair in level for oid in pair if oid is not None}))
        deeper: list[tuple[str, str | None, str | None]] = []
        for prefix, *pair in level:
            one, two = (trees[oid] if oid is not None else {} for oid in pair)
            for name in sorted({*one, *two}):
                before, after = one.get(name), two.get(name)
                if before != after:
                    deeper += _differs(prefix + name, before, after, found)
        level = deeper
    return found


def _differs(
    path: str, before: Entry | None, after: Entry | None, found: _Difference
) -> Iterator[tuple[str, str | None, str | None]]:
    """Take down a note that differs; yield a folder that does."""
    folders: list[str | None] = []
    for entry, side in ((before, found.old), (after, found.new)):
        is_folder = entry is not None and entry.mode == objects.TREE
        folders.append(entry.oid if entry is not None and is_folder else None)
        if entry is not None and not is_folder and len(path) == 40:
            side.setdefault(path, set()).add(entry.oid)
    if len(path) < 40 and any(folders):
        yield path, folders[0], folders[1]


def _entries(batch: Batch, trees: Sequence[str]) -> dict[str, dict[str, Entry]]:
    found = {}
    for oid, kind, data in batch.read(trees, limit_bytes=MAX_TREE_BYTES):
        if kind != "tree" or data is None:
            raise Damaged(f"a folder of notes, {oid[:7]}, is missing or too large")
        try:
            found[oid] = {entry.name: entry for entry in objects.decode_tree(data)}
        except ValueError:
            raise Damaged(f"a folder of notes, {oid[:7]}, is damaged") from None
    return found


def _everywhere(batch: Batch, tree: str, oid: str) -> set[str]:
    """Return the blobs of the notes on one object at whatever depth."""
    found: set[str] = set()
    todo: list[tuple[str, str]] = [(tree, oid)]
    while todo:
        folder, rest = todo.pop()
        for name, entry in _entries(batch, [folder])[folder].items():
            if entry.mode == objects.TREE and rest.startswith(name) and rest != name:
                todo.append((entry.oid, rest[len(name) :]))
            elif entry.mode != objects.TREE and rest == name:
                found.add(entry.oid)
    return found
