"""Which large files the records of runs point at, read within bounds: a record from elsewhere may be made to hurt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gitexp.errors import Damaged
from gitexp.git import objects
from gitexp.git.objects import Entry
from gitexp.record import message, names
from gitexp.record import pointer as pointers
from gitexp.store import reflog, runs
from gitexp.store.workspace import Workspace

MAX_CHAIN = 1000  # commits of one run that are looked at


@dataclass(frozen=True, slots=True)
class Use:
    """A file of a record that is kept beside Git: whose, what it is called, how large it must be."""

    run: str
    run_id: str
    file: str
    size_bytes: int
    recorded_here: bool


def listing(workspace: Workspace, standing: Mapping[str, str]) -> dict[str, list[Use]]:
    """Return {sha256: who uses it} of all commits of these runs; equal folders are opened once for each run."""
    own, found = reflog.recorded(workspace), dict[str, list[Use]]()
    known: dict[str, pointers.Pointer | None] = {}
    for ref, tip in standing.items():
        for sha256, use in _of_run(workspace, tip, known, ref in own):
            users = found.setdefault(sha256, [])
            if use not in users:
                users.append(use)
    return found


def _of_run(
    workspace: Workspace, tip: str, known: dict[str, pointers.Pointer | None], recorded_here: bool
) -> Iterator[tuple[str, Use]]:
    repo, seen = workspace.repo, set[str]()
    for commit, said in _chain(workspace, tip):
        record = objects.subtree(repo, commit.tree, runs.FOLDER)
        for path, entry in _files(workspace, record, seen) if record else ():
            if entry.oid not in known:
                known[entry.oid] = _pointer(workspace, entry.oid)
            pointer = known[entry.oid]
            if pointer is not None:
                stored = path.removeprefix("artifacts/")
                name = names.decode(stored) if stored != path else path
                run = f"{said.experiment}/{said.name}"
                yield pointer.sha256, Use(run, said.id, name, pointer.size_bytes, recorded_here)


def _chain(workspace: Workspace, tip: str) -> Iterator[tuple[objects.Commit, message.Trailers]]:
    """Yield the commits of a run, the newest first: it has several where it was resumed."""
    waiting, seen, run_id = [tip], {tip}, ""
    while waiting and len(seen) <= MAX_CHAIN:
        try:
            commit = objects.read_commit(workspace.repo, waiting.pop())
        except Damaged:  # cut off in a shallow clone; otherwise the run has been found damaged already
            continue
        said = message.decode(commit.message)
        if said is None or (run_id and said.id != run_id):
            continue
        run_id = said.id
        yield commit, said
        for parent in commit.parents:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)


def _files(workspace: Workspace, tree: str, seen: set[str]) -> Iterator[tuple[str, Entry]]:
    """Yield the files below a tree; each folder once, so that one that holds itself many times costs nothing."""
    waiting = [("", tree)]
    while waiting:
        below, oid = waiting.pop()
        if oid in seen:
            continue
        seen.add(oid)
        for entry in objects.entries(workspace.repo, oid):
            if entry.mode == objects.TREE:
                waiting.append((f"{below}{entry.name}/", entry.oid))
            elif entry.is_file:
                yield below + entry.name, entry


def _pointer(workspace: Workspace, oid: str) -> pointers.Pointer | None:
    try:
        if objects.size_of(workspace.repo, oid) > pointers.MAX_BYTES:
            return None
        return pointers.decode(objects.read_blob(workspace.repo, oid))
    except Damaged:  # a partial clone: what is not here points at nothing here
        return None
