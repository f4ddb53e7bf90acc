"""What is said of runs and experiments: facts in refs/notes/experiments, added, folded, joined (docs/facts.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitexp import clock, ids, text
from gitexp.errors import UsageError
from gitexp.git import notes, objects, refs, signing
from gitexp.record import facts
from gitexp.record.author import Author
from gitexp.record.facts import EXPERIMENT, RUN, Fact, State
from gitexp.store import ledger as ledgers
from gitexp.store import runs
from gitexp.store import workspace as workspaces
from gitexp.store.ledger import Ledger
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Change:
    """Something to be said, before it has an id, a clock and an author; its line hangs on the object `place`."""

    kind: str
    target: str
    place: str
    op: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of joining another history; `contains_other` is False where a purge kept it out of ours."""

    commit: str | None
    contains_other: bool


class States(Mapping[str, State]):
    """{run id: state} of the runs about which something is said; each is folded when it is asked for."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._ids = ledger.targets(RUN)
        self._known = frozenset(self._ids)

    def __getitem__(self, run_id: str) -> State:
        if run_id not in self._known:
            raise KeyError(run_id)
        return self._ledger.state(RUN, run_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._known


def place(target: str) -> str:
    """Return the blob whose content is an id: where the facts of experiments, live and purged runs hang."""
    data = target.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def about_run(run: Run, op: str, **arguments: Any) -> Change:
    """Return something to be said of a run; a live one has no commit yet, so it hangs on the blob of its id."""
    return Change(RUN, run.id, run.commit or place(run.id), op, arguments)


def about_experiment(experiment_id: str, op: str, **arguments: Any) -> Change:
    """Return something to be said of an experiment."""
    return Change(EXPERIMENT, experiment_id, place(experiment_id), op, arguments)


def add(workspace: Workspace, changes: Sequence[Change]) -> tuple[Fact, ...]:
    """Say all of `changes` in one commit and return the facts; raises UsageError for one that is too long."""
    if not changes:
        return ()
    author, now, seen = who(workspace), clock.now_ms(), greatest_clock(workspace)
    said = []
    additions: dict[str, list[bytes]] = {}
    for number, change in enumerate(changes, 1):
        at = min(seen + number, facts.MAX_CLOCK)
        fact = Fact(ids.new_run_id(), change.kind, change.target, at, now, author, change.op, change.arguments)
        additions.setdefault(change.place, []).append(_line(fact))
        said.append(fact)
        if change.place == place(change.target):
            objects.write_blob(workspace.repo, change.target.encode())
    notes.append(
        workspace.repo, notes.REF, additions, _signature(author, now), message=_subject(changes), clock=said[-1].clock
    )
    return tuple(said)


def state(workspace: Workspace, run: Run) -> State:
    """Return what all facts about a run come to, on whichever commits they hang."""
    return ledger(workspace).state(RUN, run.id)


def states(workspace: Workspace) -> Mapping[str, State]:
    """Return {run id: state} of all runs about which something is said."""
    return States(ledger(workspace))


def experiment_states(workspace: Workspace) -> dict[str, State]:
    """Return {experiment id: state} of all experiments about which something is said."""
    known = ledger(workspace)
    return {target: known.state(EXPERIMENT, target) for target in sorted(known.targets(EXPERIMENT))}


def experiment_of(workspace: Workspace, path: str) -> str:
    """Return the id of the experiment whose runs are below refs/experiments/<path>/.

    Facts know its first name; without any, the name in the records is the first one.
    """
    for target, known in experiment_states(workspace).items():
        if known.path == path:
            return target
    below = f"{runs.REF_PREFIX}{path}/"
    for ref, commit in runs.listing(workspace, path).items():
        if "/" not in ref.removeprefix(below):
            record = runs.load(workspace, commit, ref).record
            return record.experiment_id or ids.experiment_id(record.experiment)
    return ids.experiment_id(path)


def ledger(workspace: Workspace) -> Ledger:
    """Return all lines as they stand now."""
    return ledgers.read(workspace.repo, workspace.home, refs.get(workspace.repo, notes.REF))


def purged(workspace: Workspace) -> frozenset[str]:
    """Return the ids of the runs that were purged, here or elsewhere: nothing may bring them back."""
    return ledger(workspace).purged


def removed(workspace: Workspace) -> frozenset[str]:
    """Return the ids of the runs that lists skip, much faster than by looking at all states."""
    return ledger(workspace).removed


def damaged(workspace: Workspace) -> int:
    """Return how many lines of the notes no reader understands."""
    return ledger(workspace).damaged


def greatest_clock(workspace: Workspace) -> int:
    """Return the greatest logical clock in the notes: said by the commit, or, after plain Git wrote, by all lines."""
    tip = refs.get(workspace.repo, notes.REF)
    if tip is None:
        return 0
    said = notes.reached(workspace.repo, tip)
    if said is not None:
        return min(said, facts.MAX_CLOCK)
    known = ledger(workspace)
    every = (fact for kind in (RUN, EXPERIMENT) for target in known.targets(kind) for fact in known.said(kind, target))
    return max((fact.clock for fact in every), default=0)


def who(workspace: Workspace) -> Author:
    """Return who speaks: git's user, else the login at this host."""
    user = workspaces.user(workspace)
    return Author(str(user["name"]), str(user["email"]))


def merge(workspace: Workspace, other: str) -> Merged:
    """Join the notes of another clone to ours by the union of lines; needs no common base.

    Lines about purged runs are dropped, and a history that holds such lines is not taken as a parent: what was purged
    must not travel on in it.
    """
    signature = _signature(who(workspace), clock.now_ms())
    joined = Merged(None, True)

    def edit(tip: str | None) -> str | None:
        nonlocal joined
        joined = _join(workspace, tip, other, signature)
        return joined.commit

    notes.change(workspace.repo, notes.REF, edit)
    return Merged(refs.get(workspace.repo, notes.REF), joined.contains_other)


def _join(workspace: Workspace, tip: str | None, other: str, signature: objects.Signature) -> Merged:
    repo = workspace.repo
    if tip is None or notes.contains(repo, tip, other):
        return Merged(tip or other, True)
    ours, (about, tombstones) = ledgers.read(repo, workspace.home, tip), _brought(workspace, tip, other)
    gone = ours.purged | tombstones
    drop = _about_purged(gone)
    leaking = [line.place for run_id in gone for line in ours.lines(RUN, run_id) if drop(line.line)]
    theirs_leaks = bool(gone & about)
    if not leaking and not theirs_leaks and notes.contains(repo, other, tip):
        return Merged(other, True)
    tree = notes.combine(repo, tip, other, drop=drop, also=leaking)
    parents = (() if leaking else (tip,)) + (() if theirs_leaks else (other,))
    if len(parents) == 1 and objects.read_commit(repo, parents[0]).tree == tree:
        return Merged(parents[0], not theirs_leaks)
    commit = notes.write_commit(repo, tree, parents, signature, "join the facts of another clone")
    return Merged(commit, not theirs_leaks)


def _brought(workspace: Workspace, tip: str, other: str) -> tuple[set[str], set[str]]:
    """Return the runs that another history speaks about where it differs from ours, and those it has purged."""
    differing = notes.changed(workspace.repo, tip, other)
    notes.prefetch(workspace.repo, [blob for _, blobs in differing.values() for blob in blobs])
    about: set[str] = set()
    tombstones: set[str] = set()
    for _, blobs in differing.values():
        for fact in facts.parse(notes.lines(workspace.repo, blobs, strict=False))[0]:
            if fact.kind == RUN:
                (tombstones if fact.op == "purge" else about).add(fact.target)
    return about, tombstones


def _about_purged(gone: Collection[str]) -> Callable[[bytes], bool]:
    """Return the test of a line about a purged run; the tombstones themselves stay."""

    def drop(line: bytes) -> bool:
        try:
            fact = facts.decode_line(line)
        except ValueError:
            return False
        return fact.kind == RUN and fact.op != "purge" and fact.target in gone

    return drop


def outgoing(
    workspace: Workspace, base: str | None, run_ids: Iterable[str], experiments: Iterable[str] = ()
) -> str | None:
    """Return the notes commit to push to where `base` is the tip (None: no notes there), None where nothing lacks.

    It says what `base` says and, of ours, what is about these runs and experiments and what was purged. Its parent is
    `base`, unless that holds lines about purged runs; where all this is our own commit already, that is returned.
    """
    repo, tip = workspace.repo, refs.get(workspace.repo, notes.REF)
    if tip is None or tip == base:
        return None
    known = ledger(workspace)
    drop = _about_purged(known.purged)
    leaks = base is not None and bool(known.purged & _brought(workspace, tip, base)[0])
    tree = objects.read_commit(repo, base).tree if base else None
    wanted = {(RUN, run_id) for run_id in {*run_ids, *known.purged}} | {(EXPERIMENT, target) for target in experiments}
    additions: dict[str, set[bytes]] = {}
    for line in (line for kind, target in wanted for line in known.lines(kind, target) if not drop(line.line)):
        additions.setdefault(line.place, set()).add(line.line)
    for oid in notes.changed(repo, tip, base) if leaks else ():
        additions.setdefault(oid, set())
    changes: dict[str, str | None] = {}
    for oid, added in additions.items():
        old = notes.lines(repo, notes.locate(repo, tree, oid))
        new = {line for line in old if not drop(line)} | added
        if new != set(old):
            changes[oid] = notes.write_lines(repo, new) if new else None
    if not changes:
        return None
    tree = notes.put(repo, tree, changes)
    if tree == objects.read_commit(repo, tip).tree and (base is None or notes.contains(repo, tip, base)):
        return tip
    parents = (base,) if base is not None and not leaks else ()
    signature = _signature(who(workspace), clock.now_ms())
    return notes.write_commit(
        repo, tree, parents, signature, "add the facts about pushed runs", clock=greatest_clock(workspace)
    )


def purge(workspace: Workspace, run_ids: Collection[str], reason: str) -> tuple[Fact, ...]:
    """Take all lines about these runs out of the notes, also out of their history; each has a tombstone then.

    The notes begin anew with one commit when there was such a line; otherwise the tombstones are added to them.
    """
    gone = purged(workspace)
    lacking = [run_id for run_id in run_ids if run_id not in gone]
    tombstones = add(workspace, [Change(RUN, run_id, place(run_id), "purge", {"reason": reason}) for run_id in lacking])
    signature = _signature(who(workspace), clock.now_ms())
    drop = _about_purged(run_ids)

    def edit(tip: str | None) -> str | None:
        if tip is None:
            return None
        known = ledgers.read(workspace.repo, workspace.home, tip)
        places = {line.place for run_id in run_ids for line in known.lines(RUN, run_id) if drop(line.line)}
        if not places:
            return None
        tree = notes.combine(workspace.repo, tip, tip, drop=drop, also=places)
        reached = greatest_clock(workspace)
        return notes.write_commit(workspace.repo, tree, (), signature, "begin anew after a purge", clock=reached)

    notes.change(workspace.repo, notes.REF, edit)
    return tombstones


def signed(workspace: Workspace, commit: str) -> str:
    """Return a commit of the notes that follows this one, says the same and is signed, where `gitexp.sign` is on.

    Git's signature covers the tree, so it is one of all that is said: of a tombstone above all.
    """
    if not workspace.settings.flag("sign"):
        return commit
    signature = _signature(who(workspace), clock.now_ms())
    words = f"sign what is said\n\nClock: {notes.reached(workspace.repo, commit) or greatest_clock(workspace)}\n"
    tree = objects.read_commit(workspace.repo, commit).tree
    return signing.commit(workspace.repo, objects.Commit(tree, (commit,), signature, signature, words), sign=True)


def sign(workspace: Workspace) -> None:
    """Sign the notes as they stand."""
    notes.change(workspace.repo, notes.REF, lambda tip: signed(workspace, tip) if tip is not None else None)


def _line(fact: Fact) -> bytes:
    try:
        return facts.encode_line(fact)
    except ValueError as error:
        raise UsageError(f"{fact.op}: {error}", hint="log long texts as an artifact") from error


def _subject(changes: Sequence[Change]) -> str:
    ops = ", ".join(sorted({change.op for change in changes}))
    targets = {(change.kind, change.target) for change in changes}
    if len(targets) == 1:
        return f"{ops} {ids.short(changes[0].target)}"
    kinds = {kind for kind, _ in targets}
    return f"{ops} {text.plural(len(targets), kinds.pop() if len(kinds) == 1 else 'target')}"


def _signature(author: Author, now_ms: int) -> objects.Signature:
    return objects.Signature(author.name, author.email, now_ms // 1000)
