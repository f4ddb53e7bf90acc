"""Notes: lines hung on objects, in a tree of fan-out 2/2 that we write ourselves (docs/facts.md, "The notes").

Any fan-out is read (plain `git notes` writes others); a change writes the touched blobs and the three trees above each.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from gitexp import locks
from gitexp.errors import Conflict, Damaged
from gitexp.git import objects, reffiles, refs, transport
from gitexp.git.compare import contains as contains

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

REF = reffiles.NOTES
MAX_NOTE_BYTES = 16 << 20
FAN_OUT = 2
UNREADABLE = b"?"  # stands for a note that is missing or too large: no line of ours, so readers count it as damaged
_HEX = re.compile(r"[0-9a-f]+")
_CLOCK = re.compile(r"^Clock: (\d{1,15})$", re.MULTILINE)
_TRIES = 200

Blobs = tuple[str, ...]  # the blobs of one note: several where its object stands at several depths of the tree


def read(repo: Repo, ref: str, oid: str) -> list[bytes]:
    """Return the lines hung on an object."""
    tip = refs.get(repo, ref)
    return lines(repo, locate(repo, _tree(repo, tip), oid)) if tip else []


def lines(repo: Repo, blobs: Iterable[str], *, strict: bool = True) -> list[bytes]:
    """Return the lines of these blobs, sorted, each once; with `strict` off UNREADABLE stands for a lost blob's."""
    found: set[bytes] = set()
    for blob in blobs:
        try:
            found.update(_read(repo, blob).split(b"\n"))
        except Damaged:
            if strict:
                raise
            found.add(UNREADABLE)
    return sorted(line for line in found if line.strip())


def append(
    repo: Repo,
    ref: str,
    additions: Mapping[str, Collection[bytes]],
    author: objects.Signature,
    *,
    message: str = "add notes",
    clock: int | None = None,
) -> str | None:
    """Hang lines on objects in one commit, whoever else writes meanwhile, and return the commit (None: nothing new).

    `clock` is the greatest logical clock in the lines and in what their writer had read.
    """

    def edit(tip: str | None) -> str | None:
        tree = _tree(repo, tip) if tip else None
        changes = {}
        for oid, added in additions.items():
            old = lines(repo, locate(repo, tree, oid))
            if not set(added) <= set(old):
                changes[oid] = write_lines(repo, [*old, *added])
        if not changes:
            return None
        return write_commit(repo, put(repo, tree, changes), (tip,) if tip else (), author, message, clock=clock)

    return change(repo, ref, edit)


def merge(repo: Repo, ref: str, other: str, author: objects.Signature, message: str = "merge notes") -> str | None:
    """Join another history to a ref by the union of the lines of each note; return the new commit (None: nothing new).

    No common base is needed. Fast-forwards where that is enough, otherwise the commit has both as parents.
    """

    def edit(tip: str | None) -> str | None:
        if tip is None:
            return other
        if contains(repo, tip, other):
            return None
        if contains(repo, other, tip):
            return other
        return write_commit(repo, combine(repo, tip, other), (tip, other), author, message)

    return change(repo, ref, edit)


def change(repo: Repo, ref: str, edit: Callable[[str | None], str | None]) -> str | None:
    """Move a ref from its tip to `edit(tip)` by compare-and-swap, again and again until nobody came in between.

    `edit` returns None for no change; then so does this. The lock only keeps our own processes from racing in vain.
    """
    with locks.hold(repo.common_dir / "gitexp" / "notes.lock", timeout_seconds=60):
        for attempt in range(_TRIES):
            tip = refs.get(repo, ref)
            new = edit(tip)
            if new is None or new == tip:
                return None
            try:
                refs.update(repo, ref, new, old=tip)
            except Conflict:
                time.sleep(random.uniform(0, min(0.001 * 2**attempt, 0.05)))
                continue
            return new
    raise Conflict(f"{ref} is being changed all the time", hint="try again")


def combine(
    repo: Repo,
    ours: str,
    theirs: str,
    *,
    drop: Callable[[bytes], bool] = lambda line: False,
    also: Iterable[str] = (),
) -> str:
    """Return the tree of both commits' notes without the lines that `drop` names, looked for where the two differ.

    `also` are further objects whose lines are looked at. A note of theirs that cannot be read is left out.
    """
    tree = _tree(repo, ours)
    differing = changed(repo, ours, theirs)
    differing.update({oid: (locate(repo, tree, oid), ()) for oid in also if oid not in differing})
    prefetch(repo, [blob for pair in differing.values() for blobs in pair for blob in blobs])
    changes: dict[str, str | None] = {}
    for oid, (mine, other) in differing.items():
        old = lines(repo, mine)
        brought = [line for line in lines(repo, other, strict=False) if line != UNREADABLE]
        new = sorted({line for line in (*old, *brought) if not drop(line)})
        if new != old:
            changes[oid] = write_lines(repo, new) if new else None
    return put(repo, tree, changes)


def write_lines(repo: Repo, content: Iterable[bytes]) -> str:
    """Store lines as the blob of a note: sorted and each once, as `git notes merge -s cat_sort_uniq` leaves them."""
    return objects.write_blob(repo, b"".join(line + b"\n" for line in sorted(set(content))))


def write_commit(
    repo: Repo,
    tree: str,
    parents: tuple[str, ...],
    author: objects.Signature,
    message: str,
    *,
    clock: int | None = None,
) -> str:
    """Store a commit of a notes tree; its trailer says the greatest logical clock in it, where that is known."""
    clocks = [reached(repo, parent) for parent in parents]
    if clock is not None or None not in clocks:
        message += f"\n\nClock: {max([clock or 0, *(value or 0 for value in clocks)])}\n"
    return objects.write_commit(repo, objects.Commit(tree, parents, author, author, message))


def reached(repo: Repo, commit: str) -> int | None:
    """Return the greatest logical clock in the notes of a commit, None where plain Git wrote it and none is said."""
    content = objects.read_commit(repo, commit)
    if found := _CLOCK.findall(content.message):
        return int(found[-1])
    if len(content.parents) < 2:
        return None
    known = [reached(repo, parent) for parent in content.parents]
    return None if None in known else max(value or 0 for value in known)


def locate(repo: Repo, tree: str | None, oid: str) -> Blobs:
    """Return the blobs of the note on an object, at whatever depth."""
    found, rest = [], oid
    while tree is not None and rest:
        deeper = None
        for entry in _entries(repo, tree):
            if entry.name == rest and entry.mode != objects.TREE:
                found.append(entry.oid)
            elif entry.name == rest[:2] and entry.mode == objects.TREE:
                deeper = entry.oid
        tree, rest = deeper, rest[2:]
    return tuple(sorted(set(found)))


def put(repo: Repo, tree: str | None, changes: Mapping[str, str | None]) -> str:
    """Return a notes tree with the notes of these objects replaced (None: taken away), at fan-out 2/2 only."""
    return _put(repo, tree, changes, 0) or objects.EMPTY_TREE


def _put(repo: Repo, tree: str | None, changes: Mapping[str, str | None], depth: int) -> str | None:
    found = {entry.name: entry for entry in _entries(repo, tree)} if tree else {}
    deeper: dict[str, dict[str, str | None]] = {}
    for rest, blob in changes.items():
        found.pop(rest, None)
        if depth == FAN_OUT and blob is not None:
            found[rest] = objects.Entry(rest, objects.FILE, blob)
        deeper.setdefault(rest[:2], {})[rest[2:]] = blob if depth < FAN_OUT else None
    for head, below in deeper.items():
        old = found.get(head)
        old = old if old is not None and old.mode == objects.TREE else None
        if old is None and not any(below.values()):
            continue
        new = _put(repo, old.oid if old else None, below, depth + 1)
        if new is None:
            found.pop(head, None)
        else:
            found[head] = objects.Entry(head, objects.TREE, new)
    return objects.write_entries(repo, list(found.values())) if found else None


def changed(repo: Repo, old: str | None, new: str | None) -> dict[str, tuple[Blobs, Blobs]]:
    """Return {object: (blobs before, blobs after)} of the notes that differ between two commits (None: no notes).

    Equal subtrees are never opened, so this costs what differs, not what is there.
    """
    found: dict[str, tuple[Blobs, Blobs]] = {}
    _compare(repo, _tree(repo, old) if old else None, _tree(repo, new) if new else None, "", found)
    return found


def _compare(repo: Repo, old: str | None, new: str | None, prefix: str, found: dict[str, tuple[Blobs, Blobs]]) -> None:
    if old == new:
        return
    before, after = _buckets(repo, old, prefix), _buckets(repo, new, prefix)
    for head in sorted({*before, *after}):
        (old_tree, old_notes), (new_tree, new_notes) = (side.get(head, (None, {})) for side in (before, after))
        if not old_notes and not new_notes:
            _compare(repo, old_tree, new_tree, prefix + head, found)
            continue
        one = _flat(repo, old_tree, prefix + head, old_notes)
        two = _flat(repo, new_tree, prefix + head, new_notes)
        for oid in {*one, *two}:
            if one.get(oid, ()) != two.get(oid, ()):
                found[oid] = one.get(oid, ()), two.get(oid, ())


def _buckets(repo: Repo, tree: str | None, prefix: str) -> dict[str, tuple[str | None, dict[str, str]]]:
    """Return one level of a notes tree by its next two digits: (folder, {object: blob}); other entries are no notes."""
    found: dict[str, tuple[str | None, dict[str, str]]] = {}
    for entry in _entries(repo, tree) if tree else ():
        if not _HEX.fullmatch(entry.name):
            continue
        head, whole = entry.name[:2], prefix + entry.name
        folder, notes = found.get(head, (None, {}))
        if entry.mode == objects.TREE and len(entry.name) == 2 and len(whole) < 40:
            found[head] = entry.oid, notes
        elif entry.mode != objects.TREE and len(whole) == 40:
            found[head] = folder, {**notes, whole: entry.oid}
    return found


def _flat(repo: Repo, tree: str | None, prefix: str, notes: Mapping[str, str]) -> dict[str, Blobs]:
    found: dict[str, set[str]] = {oid: {blob} for oid, blob in notes.items()}
    inner: dict[str, tuple[Blobs, Blobs]] = {}
    _compare(repo, None, tree, prefix, inner)
    for oid, (_, blobs) in inner.items():
        found.setdefault(oid, set()).update(blobs)
    return {oid: tuple(sorted(blobs)) for oid, blobs in found.items()}


def prefetch(repo: Repo, oids: Collection[str]) -> None:
    """Bring the objects that a partial clone has left at its remote, all in one go."""
    if not repo.is_partial:
        return
    missing = [oid for oid in oids if not objects.exists(repo, oid)]
    remote = next((e.name.split(".", 1)[1].rsplit(".", 1)[0] for e in repo.settings if _promises(e.name)), None)
    if not missing or remote is None:
        return
    transport.bring(repo, remote, missing)


def _promises(name: str) -> bool:
    return name.startswith("remote.") and name.endswith(".promisor")


def _tree(repo: Repo, commit: str) -> str:
    return objects.read_commit(repo, commit).tree


def _entries(repo: Repo, tree: str) -> list[objects.Entry]:
    try:
        return objects.entries(repo, tree)
    except Damaged:
        prefetch(repo, [tree])
        return objects.entries(repo, tree)


def _read(repo: Repo, blob: str) -> bytes:
    try:
        return objects.read_blob(repo, blob, limit_bytes=MAX_NOTE_BYTES)
    except Damaged:
        prefetch(repo, [blob])
        return objects.read_blob(repo, blob, limit_bytes=MAX_NOTE_BYTES)
