"""Runs that came from elsewhere become runs of this clone: new ones, newer ones, and forks of those that went apart.

A run ref only ever moves forward. Nothing of ours is overwritten, whatever came.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gitexp import ids, text
from gitexp.errors import Conflict, Damaged, GitexpError, Unsupported
from gitexp.git import objects, refs
from gitexp.record import message
from gitexp.record import run as run_json
from gitexp.record.run import Parent, RunRecord
from gitexp.store import annotations as said_of
from gitexp.store import reflog, runs
from gitexp.store.workspace import Workspace

_REF = re.compile(r"refs/experiments(?:-live)?/.+/.*-([k-z]{7})")
_TRIES = 5
STALE = "an artifact of it was purged, and this still has it: the same gitexp purge with --remote"


@dataclass(frozen=True, slots=True)
class Fork:
    """A run that went on in two clones: `ref` keeps ours, `fork` is what came."""

    ref: str
    fork: str


@dataclass(slots=True)
class Landed:
    """What became of the refs that came; `skipped` are (ref, why)."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    forks: list[Fork] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of this part of `gitexp fetch --json`."""
        return {
            "new": self.new,
            "updated": self.updated,
            "forks": [{"ref": fork.ref, "fork": fork.fork} for fork in self.forks],
            "skipped": [{"ref": ref, "reason": reason} for ref, reason in self.skipped],
        }


@dataclass(frozen=True, slots=True)
class _Move:
    ref: str
    new: str
    old: str | None


def land(workspace: Workspace, word: str, came: Mapping[str, str]) -> Landed:
    """Give the run refs that came (their objects are here) a place among ours; `word` is for the log of refs."""
    for _ in range(_TRIES):
        landed, moves = _decide(workspace, came, refs.listing(workspace.repo, runs.REF_PREFIX))
        try:
            _apply(workspace, word, moves)
        except Conflict:
            continue
        return landed
    return _one_by_one(workspace, word, came)


def _one_by_one(workspace: Workspace, word: str, came: Mapping[str, str]) -> Landed:
    """Land what can be where one ref keeps the whole transaction from going through."""
    landed = Landed()
    for ref, commit in came.items():
        part, moves = _decide(workspace, {ref: commit}, refs.listing(workspace.repo, ref.rpartition("/")[0] + "/"))
        try:
            _apply(workspace, word, moves)
        except GitexpError as error:
            landed.skipped.append((ref, error.message))
            continue
        for name in ("new", "updated", "forks", "skipped"):
            getattr(landed, name).extend(getattr(part, name))
    return landed


def _apply(workspace: Workspace, word: str, moves: Sequence[_Move]) -> None:
    refs.update_many(workspace.repo, [refs.Update(move.ref, move.new, move.old) for move in moves])
    if moves:
        reflog.append(workspace, word, [(move.ref, move.old, move.new) for move in moves])


def _decide(workspace: Workspace, came: Mapping[str, str], ours: Mapping[str, str]) -> tuple[Landed, list[_Move]]:
    landed, moves = Landed(), []
    replaced = said_of.ledger(workspace).replaced
    for ref, theirs in came.items():
        mine = ours.get(ref)
        if mine == theirs:
            continue
        if why := unfit(workspace, ref, theirs) or _cut_apart(workspace, mine, theirs, replaced):
            landed.skipped.append((ref, why))
        elif mine is None:
            landed.new.append(ref)
            moves.append(_Move(ref, theirs, None))
        elif mine in chain(workspace, theirs):
            landed.updated.append(ref)
            moves.append(_Move(ref, theirs, mine))
        elif theirs not in chain(workspace, mine):
            moves += _went_apart(workspace, ref, mine, theirs, ours, landed)
    return landed, moves


def _went_apart(
    workspace: Workspace, ref: str, mine: str, theirs: str, ours: Mapping[str, str], landed: Landed
) -> list[_Move]:
    try:
        fork, joined = _part(workspace, ref, mine, theirs)
    except (Damaged, Unsupported) as error:
        landed.skipped.append((ref, error.message))
        return []
    moves = [_Move(ref, joined, mine)]
    if fork.ref not in ours:
        landed.forks.append(Fork(ref, fork.ref))
        moves.append(fork)
    return moves


def unfit(workspace: Workspace, ref: str, commit: str) -> str:
    """Return why what came cannot be a run, "" where it can."""
    named = _REF.fullmatch(ref)
    if named is None:
        return "its name is no run's"
    try:
        head = runs.head(workspace, ref, commit)
    except Damaged:
        return "it is no commit"
    if head is None:
        return "its commit is no run's"
    return "" if ids.short(head.id) == named[1] else f"it holds the run {ids.short(head.id)}"


def _cut_apart(workspace: Workspace, mine: str | None, theirs: str, replaced: Mapping[str, str]) -> str:
    """Return why a run of which an artifact was purged is not taken: with the old commits the bytes would come back."""
    if not replaced:
        return ""
    if chain(workspace, theirs) & replaced.keys():
        return STALE
    if mine is not None and chain(workspace, mine) & replaced.keys():
        return "an artifact of it was purged elsewhere: gitexp purge --follow"
    return ""


def holds_purged(workspace: Workspace, commit: str) -> bool:
    """Say whether a run commit, or one before it, still has an artifact that was purged from the run."""
    replaced = said_of.ledger(workspace).replaced
    return bool(replaced) and bool(chain(workspace, commit) & replaced.keys())


def chain(workspace: Workspace, commit: str) -> set[str]:
    """Return this run commit and all earlier ones of the same run."""
    head = runs.head(workspace, "", commit)
    found, waiting = {commit}, list(head.parents) if head else []
    while waiting:
        parent = waiting.pop()
        if parent in found or not objects.exists(workspace.repo, parent):
            continue
        earlier = runs.head(workspace, "", parent)
        if head is not None and earlier is not None and earlier.id == head.id:
            found.add(parent)
            waiting.extend(earlier.parents)
    return found


def _part(workspace: Workspace, ref: str, mine: str, theirs: str) -> tuple[_Move, str]:
    """Return the fork that keeps what came, and our run's next commit, which has both tips behind it.

    Both are made of the two tips alone, so that every clone that sees the same two makes the same two commits.
    """
    other = runs.load(workspace, theirs).record
    fork_id = _fork_id(theirs)
    parents = (*_code(workspace, theirs, other), Parent("diverged", theirs))
    record = replace(other, id=fork_id, forked_from=other.id, parents=parents)
    leaf = f"{ids.slug(other.name)}-{ids.short(fork_id)}"
    fork = _Move(f"{ref.rpartition('/')[0]}/{leaf}", _rewritten(workspace, theirs, record), None)
    own = runs.load(workspace, mine).record
    tips = (Parent("previous", mine), Parent("diverged", theirs))
    return fork, _rewritten(workspace, mine, replace(own, parents=(*_code(workspace, mine, own), *tips)))


def _fork_id(commit: str) -> str:
    digest = hashlib.sha256(b"gitexp fork\0" + commit.encode()).hexdigest()[:16]
    return digest.translate(str.maketrans("0123456789abcdef", ids.ALPHABET))


def _code(workspace: Workspace, commit: str, record: RunRecord) -> Iterable[Parent]:
    """Yield the parents that are the code: what a record claims counts where the commit bears it out."""
    real = objects.read_commit(workspace.repo, commit).parents
    return (parent for parent in record.parents if parent.role == "code" and parent.commit in real)


def _rewritten(workspace: Workspace, commit: str, record: RunRecord) -> str:
    """Store a run commit again with another run.json, and the parents that this names."""
    repo = workspace.repo
    run = runs.load(workspace, commit)
    before = objects.read_commit(repo, commit)
    blob = objects.write_blob(repo, run_json.encode(record))
    entries = {**run.entries, "run.json": objects.Entry("run.json", objects.FILE, blob)}
    folder = objects.write_entries(repo, list(entries.values()))
    after = objects.Commit(
        objects.graft(repo, before.tree, runs.FOLDER, folder),
        tuple(parent.commit for parent in record.parents),
        before.author,
        before.committer,
        message.encode(record, run.summary),
    )
    return objects.write_commit(repo, after)


def describe(landed: Landed) -> list[str]:
    """Return the lines about runs that need a look: those that went on in two clones, and those that were not taken."""
    lines = [
        f"{_name(fork.ref)} went on in two clones: yours keeps its name, the other is {_name(fork.fork)}"
        for fork in landed.forks
    ]
    return lines + [f"left out {_name(ref)}: {text.safe(why)}" for ref, why in landed.skipped]


def _name(ref: str) -> str:
    return text.safe(ref.removeprefix(runs.REF_PREFIX))
