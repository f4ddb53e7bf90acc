"""The real removal of runs: refs, objects, facts, journals, here and at remotes; a tombstone stays (docs/facts.md)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitexp import ids, text
from gitexp.errors import Damaged, NotFound, Unsupported
from gitexp.git import erase, notes, objects, refs
from gitexp.git.transport import Options
from gitexp.index import database
from gitexp.ops import annotate
from gitexp.ops.finding import find
from gitexp.ops.purging import uproot
from gitexp.ops.recording import recover
from gitexp.ops.sharing import land, sync
from gitexp.store import annotations as said
from gitexp.store import journal, live, models, reflog, remotes, runs
from gitexp.store.remotes import Remote
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_OWN_REFS = (runs.REF_PREFIX, sync.LIVE_PREFIX, "refs/gitexp/")
_KEPT_FACTS = "refs/gitexp/remotes/"


@dataclass(frozen=True, slots=True)
class Target:
    """A run to purge: its refs here with their commits (none where it was purged before), and all its commits."""

    id: str
    label: str
    refs: dict[str, str] = field(default_factory=dict)
    commits: frozenset[str] = frozenset()

    def is_ref(self, ref: str) -> bool:
        """Say whether a ref, here or at a remote, is one of this run's."""
        return ref.startswith(_OWN_REFS[:2]) and ref.endswith("-" + ids.short(self.id))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a purge will take away: runs, the remotes it reaches, and those known to hold the runs that it does not."""

    targets: tuple[Target, ...]
    remotes: tuple[Remote, ...]
    elsewhere: tuple[str, ...]
    versions: tuple[str, ...] = ()  # of models, that these runs made


@dataclass(slots=True)
class Purged(uproot.Erased):
    """What was done, and what could not be reached."""

    runs: list[str] = field(default_factory=list)
    refs: int = 0
    remotes: list[str] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp purge --json` prints."""
        return {
            "runs": self.runs,
            "artifacts": self.artifacts,
            "refs": self.refs,
            "objects": self.objects,
            "files": self.files,
            "size": self.size_bytes,
            "remotes": self.remotes,
            "left": self.left,
        }


def plan(workspace: Workspace, names: Sequence[str], *, follow: bool = False, at: Sequence[Remote] = ()) -> Plan:
    """Decide what to purge; `follow` adds the runs that others purged and that are still here.

    Raises Refused for a running run, NotFound for a name that means none.
    """
    gone = sorted(said.purged(workspace))
    again = {name: [run_id for run_id in gone if ids.is_id_prefix(name) and run_id.startswith(name)] for name in names}
    found = find.many(workspace, [name for name in names if not again[name]], removed=True)
    annotate.refuse_live(found, "purged")
    targets = {run.id: _target(workspace, run) for run in found}
    targets |= {run_id: _purged_before(workspace, run_id) for known in again.values() for run_id in known}
    for target in [_purged_before(workspace, run_id) for run_id in gone] if follow else []:
        if target.refs:
            targets.setdefault(target.id, target)
    if not targets:
        raise NotFound("no run that was purged elsewhere is here", hint="gitexp fetch")
    reached = {remote.name for remote in at}
    elsewhere = [
        name
        for name, held in remotes.holdings(workspace).items()
        if name not in reached and any(target.is_ref(ref) for ref in held for target in targets.values())
    ]
    return Plan(tuple(targets.values()), tuple(at), tuple(elsewhere), tuple(_versions(workspace, targets)))


def _versions(workspace: Workspace, targets: Container[str]) -> list[str]:
    made = [(model, item) for model in models.every(workspace) for item in model.versions.values()]
    return [f"{text.safe(model.name)}:{item.number}" for model, item in made if item.run in targets]


def _target(workspace: Workspace, run: Run) -> Target:
    found = Target(run.id, run.label)
    own = {ref: oid for prefix in _OWN_REFS[:2] for ref, oid in refs.listing(workspace.repo, prefix).items()}
    mine = {ref: oid for ref, oid in own.items() if found.is_ref(ref) and _is_of(workspace, oid, run.id)}
    tips = {*mine.values(), *([run.commit] if run.commit else [])}
    commits = frozenset(commit for tip in tips for commit in land.chain(workspace, tip))
    return Target(run.id, found.label, mine, commits)


def _is_of(workspace: Workspace, commit: str, run_id: str) -> bool:
    head = runs.head(workspace, "", commit) if objects.exists(workspace.repo, commit) else None
    return head is not None and head.id == run_id


def _purged_before(workspace: Workspace, run_id: str) -> Target:
    """Return a run that has a tombstone already: what of it is still, or again, here."""
    run = runs.by_id(workspace, run_id)
    return _target(workspace, run) if run is not None else Target(run_id, ids.short(run_id))


def describe(planned: Plan) -> list[str]:
    """Return the plan, line by line."""
    lines = [
        f"{target.label}: {text.plural(len(target.refs), 'ref')}, its record and facts" for target in planned.targets
    ]
    lines += [
        f"{name}, a version of a model, is of it: its event stays, its artifact goes" for name in planned.versions
    ]
    lines += [f"also at {remote.label} = {remote.where}" for remote in planned.remotes]
    return lines + [f"not at {name}, which holds it: --remote {name}" for name in planned.elsewhere]


def execute(workspace: Workspace, planned: Plan, reason: str, options: Options | None = None) -> Purged:
    """Purge: first the tombstone and the remotes, then the refs, then what nothing else needs.

    Interrupted at any point, the same command completes it.
    """
    done = Purged(runs=[target.id for target in planned.targets])
    said.purge(workspace, done.runs, reason)
    said.sign(workspace)
    there = frozenset[str]()
    for remote in planned.remotes:
        there |= _at_remote(workspace, remote, planned.targets, options or Options())
        done.remotes.append(remote.label)
    _drop_refs(workspace, planned.targets, done)
    _drop_traces(workspace, done.runs)
    _drop_objects(workspace, planned, there, done, options or Options())
    done.left += _out_of_reach(workspace, planned)
    return done


def _at_remote(workspace: Workspace, remote: Remote, targets: Sequence[Target], options: Options) -> frozenset[str]:
    """Delete the runs' refs at a remote and give it the facts without them; returns what these refs held."""
    held = sync.look(workspace, remote, options)
    theirs = held.get(notes.REF)
    gone: dict[str, str | None] = {ref: None for ref in held for target in targets if target.is_ref(ref)}
    with sync.brought(workspace, remote, {notes.REF: theirs} if theirs else {}, options):
        if theirs is not None:
            said.merge(workspace, theirs)
        told = said.outgoing(workspace, theirs, ())
        told = said.signed(workspace, told) if told else None
    sync.rewrite(workspace, remote, {**gone, **({notes.REF: told} if told else {})}, options)
    remotes.replace(workspace, remote, remotes.seen(workspace, remote))
    return frozenset(held[ref] for ref in gone)


def _drop_refs(workspace: Workspace, targets: Iterable[Target], done: Purged) -> None:
    dropped = {ref: oid for target in targets for ref, oid in target.refs.items()}
    for target in targets:
        code = refs.get(workspace.repo, recover.CODE_PREFIX + target.id)
        dropped |= {recover.CODE_PREFIX + target.id: code} if code else {}
    for ref, oid in dropped.items():
        reflog.append(workspace, "purge", [(ref, oid, None)])
        refs.delete(workspace.repo, ref, old=oid)
    reflog.forget(workspace, dropped)
    done.refs = len(dropped)


def _drop_traces(workspace: Workspace, run_ids: Iterable[str]) -> None:
    """Take away journals, caches, and what keeps notes from before reachable."""
    for run_id in run_ids:
        for folder in live.folders(workspace):
            if folder.name.startswith(run_id):
                journal.remove(folder)
    (workspace.home / "facts.cache").unlink(missing_ok=True)
    database.discard(workspace)
    (workspace.repo.common_dir / "logs" / notes.REF).unlink(missing_ok=True)
    for ref, oid in refs.listing(workspace.repo, _KEPT_FACTS).items():
        refs.delete(workspace.repo, ref, old=oid)


def _drop_objects(
    workspace: Workspace, planned: Plan, at_remotes: frozenset[str], done: Purged, options: Options
) -> None:
    """Erase the runs' commits, also those that lost their ref before, what only they need, and old lines of notes."""
    targets = planned.targets
    commits = frozenset(commit for target in targets for commit in target.commits)
    words = [word % target.id.encode() for target in targets for word in (b'"run":"%s"', b"\nRun: %s")]
    try:
        stray, doomed = erase.adrift(workspace.repo, words, notes.MAX_NOTE_BYTES)
    except Unsupported:
        stray, doomed = set(), set()
    commits |= {commit for commit in stray if any(_is_record(workspace, commit, target.id) for target in targets)}
    doomed |= uproot.objects_of(workspace.repo, commits)
    meant = uproot.meant_by(workspace.repo, doomed)
    erased = uproot.erase_here(workspace, doomed, meant, done)
    gone = tuple(pointer for oid, pointer in meant.items() if oid in erased.gone)
    for remote in planned.remotes:
        there = uproot.Doomed(commits | at_remotes, frozenset(doomed), frozenset(), gone)
        done.left += uproot.erase_there(workspace, remote, there, options)
    if commits & erased.needed:
        held = erase.holders(workspace.repo, commits & erased.needed)
        done.left.append(f"its commits here, which are held by {', '.join(held) or 'a reflog'}")


def _is_record(workspace: Workspace, commit: str, run_id: str) -> bool:
    """Say whether a commit is a run's: somebody's own commit may name a run too."""
    try:
        return runs.load(workspace, commit).id == run_id
    except (Damaged, Unsupported):
        return False


def _out_of_reach(workspace: Workspace, planned: Plan) -> list[str]:
    short = " ".join(target.id for target in planned.targets)
    lines = [f"{name} still holds it: gitexp purge {short} --remote {name}" for name in planned.elsewhere]
    return [*lines, uproot.OTHERS]
