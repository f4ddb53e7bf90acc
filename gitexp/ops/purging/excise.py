"""Purging a part of runs: one artifact, or bytes by their hash wherever records and snapshots have them.

The commits of the runs concerned are made anew without them, by a rule that every clone follows to the same commits.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import NotFound, Refused, UsageError
from gitexp.git import erase, notes, objects, refs
from gitexp.git.objects import Entry
from gitexp.git.transport import Options
from gitexp.index import database, kept
from gitexp.ops import annotate
from gitexp.ops.finding import digests, find
from gitexp.ops.purging import uproot
from gitexp.ops.purging.purge import Purged
from gitexp.ops.sharing import sync
from gitexp.record import facts, names
from gitexp.record import run as run_json
from gitexp.record.pointer import Pointer
from gitexp.record.run import Parent, RunRecord
from gitexp.store import annotations as said
from gitexp.store import live, reflog, remotes, runs
from gitexp.store import objects as large
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

_REFS = (runs.REF_PREFIX, sync.LIVE_PREFIX)
_KEPT = ("run.json", ".gitattributes")  # without them it is no record
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_PER_FACT = 300  # commits in one tombstone, whose line has a limit


@dataclass(frozen=True, slots=True)
class Part:
    """What is to go: an artifact or folder `path` of the run `run`, or all bytes of a sha256."""

    said: str
    run: str = ""
    path: str = ""
    sha256: str = ""


@dataclass(slots=True)
class Plan:
    """Where it is: {run commit: paths below .gitexp/}, {snapshot: paths}, the blobs and large files, and the remotes.

    `stale` are commits that an earlier purge of the same replaced and that are still here.
    """

    part: Part
    records: dict[str, list[str]] = field(default_factory=dict)
    snapshots: dict[str, list[str]] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)  # id: what people call it
    blobs: set[str] = field(default_factory=set)
    pointers: dict[str, Pointer] = field(default_factory=dict)
    stale: dict[str, str] = field(default_factory=dict)
    also: int = 0  # runs that have the same bytes and keep them
    remotes: tuple[Remote, ...] = ()
    elsewhere: tuple[str, ...] = ()


def parse(workspace: Workspace, name: str) -> Part | None:
    """Return the part of runs that a name means, None for a name of whole runs; raises NotFound."""
    if match := _SHA256.fullmatch(name):
        return Part(name, sha256=match[1])
    for at in (at for at, char in enumerate(name) if char in ":@" and at):
        try:
            run = find.one(workspace, name[:at], removed=True)
        except (NotFound, UsageError):  # not here: the mark is one of @{min:loss}
            continue
        annotate.refuse_live([run], "purged")
        return Part(name, run=run.id, path=name[at + 1 :].rstrip("/"))
    return None


def followed(workspace: Workspace) -> list[Part]:
    """Return the parts that others purged, or that a purge here did not end with, as far as anything is still here."""
    found = []
    for run_id, cuts in said.ledger(workspace).cuts.items():
        coming = set[str]()  # what the purges before make, and the next one takes away
        for cut in cuts:
            if any(old in coming or objects.exists(workspace.repo, old) for old in cut.commits):
                coming |= set(cut.commits.values())
                found.append(
                    Part("", run=run_id, path=cut.artifact) if cut.artifact else Part("", sha256=cut.sha256[0])
                )
    return list(dict.fromkeys(found))


def plan(workspace: Workspace, part: Part, *, at: Sequence[Remote] = ()) -> Plan:
    """Find all that has it; nothing is written. Raises NotFound where nothing has, Refused where a running run has."""
    planned = Plan(part, remotes=tuple(at))
    _refuse_running(workspace, part)
    scan = _Scan(workspace, planned)
    for commit in _commits(workspace):
        scan.look(commit)
    for run_id, cuts in said.ledger(workspace).cuts.items():
        for cut in cuts:
            if (run_id == part.run and cut.artifact == part.path) or (part.sha256 and part.sha256 in cut.sha256):
                planned.stale |= cut.commits
    if part.sha256:
        planned.pointers.setdefault("", Pointer(part.sha256, scan.size or 0))
    there = part.sha256 and large.path(workspace, part.sha256) is not None
    if not (planned.records or planned.snapshots or there or planned.stale):
        raise NotFound(f"nothing here has {text.safe(part.said or part.path)}", hint="gitexp lineage SHA256 tells who")
    planned.also = _others(workspace, planned)
    held = {
        name: found for name, found in remotes.holdings(workspace).items() if name not in {item.name for item in at}
    }
    ours = set(planned.records) | set(planned.stale)
    planned.elsewhere = tuple(name for name, found in held.items() if ours & set(found.values()))
    return planned


def _refuse_running(workspace: Workspace, part: Part) -> None:
    for run in live.listing(workspace):
        for item in run.artifacts if part.sha256 else ():
            data = None if item.sha256 else run.artifact_bytes(item, item.size_bytes)
            if part.sha256 in (item.sha256, hashlib.sha256(data).hexdigest() if data is not None else ""):
                raise Refused(f"{run.label} is running and has it", hint=f"gitexp stop {ids.short(run.id)}")


def _others(workspace: Workspace, planned: Plan) -> int:
    """Return how many other runs have the same bytes, where one artifact was named."""
    if planned.part.sha256:
        return 0
    index = database.of(workspace)
    hashes = sorted({pointer.sha256 for pointer in planned.pointers.values()})
    made = [item for sha256 in hashes for item in kept.made(index, sha256)]
    made += kept.made(index, "", sorted(planned.blobs))
    found = kept.members(index, sorted({item.key for item in made}))
    return len({member.id for member in found} - {planned.part.run})


def _commits(workspace: Workspace) -> list[str]:
    """Return all run commits that run refs lead to, each after all those before it."""
    repo, seen, done = workspace.repo, set[str](), list[str]()
    tips = {oid for prefix in _REFS for oid in refs.listing(repo, prefix).values()}
    waiting = [(tip, False) for tip in sorted(tips)]
    while waiting:
        commit, is_ready = waiting.pop()
        if is_ready:
            done.append(commit)
        elif commit not in seen and objects.exists(repo, commit) and runs.head(workspace, "", commit) is not None:
            seen.add(commit)
            waiting.append((commit, True))
            waiting += [(parent, False) for parent in objects.read_commit(repo, commit).parents]
    return done


class _Scan:
    """Looks for the bytes; each tree and blob is read once."""

    def __init__(self, workspace: Workspace, planned: Plan) -> None:
        self.workspace, self.planned, self.part = workspace, planned, planned.part
        self.size = _size(workspace, self.part.sha256) if self.part.sha256 else None
        self._blobs: dict[str, bool] = {}
        self._trees: dict[str, list[tuple[str, Entry]]] = {}

    def look(self, commit: str) -> None:
        """Note what of a run commit, and of its snapshot, is to go."""
        repo, head = self.workspace.repo, runs.head(self.workspace, "", commit)
        if head is None or (self.part.run and head.id != self.part.run):
            return
        content = objects.read_commit(repo, commit)
        folder = objects.subtree(repo, content.tree, runs.FOLDER)
        found = [item for item in self._below(folder) if item[0] not in _KEPT] if folder else []
        self._note(self.planned.records, commit, self._named(commit, found), f"{head.experiment}/{head.name}", head.id)
        for parent in content.parents if self.part.sha256 else ():
            if objects.exists(repo, parent) and uproot.is_snapshot(repo, parent):
                edits = self._below(objects.read_commit(repo, parent).tree)
                self._note(self.planned.snapshots, parent, edits, f"{head.experiment}/{head.name}", head.id)

    def _note(
        self, where: dict[str, list[str]], commit: str, found: list[tuple[str, Entry]], name: str, run: str
    ) -> None:
        if not found:
            return
        where[commit] = [path for path, _ in found]
        self.planned.runs[run] = name
        self.planned.blobs |= {entry.oid for _, entry in found}
        self.planned.pointers |= uproot.meant_by(self.workspace.repo, [entry.oid for _, entry in found])

    def _named(self, commit: str, found: list[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
        """Return those of a record's files that are the artifact, or below the folder, that was named."""
        if not self.part.run:
            return found
        run = runs.load(self.workspace, commit)
        path = self.part.path
        mine = {f"artifacts/{item.stored}" for item in run.artifacts if names.is_or_below(item.name, path)}
        return [item for item in found if item[0] in mine or item[0] == path]

    def _below(self, tree: str) -> list[tuple[str, Entry]]:
        """Return (path, entry) of the files below a tree that are to go; all of them where a name decides."""
        if tree not in self._trees:
            found = objects.walk(self.workspace.repo, tree)
            files = (item for item in found if item[1].is_file)
            self._trees[tree] = [item for item in files if self.part.run or self._is_meant(item[1].oid)]
        return self._trees[tree]

    def _is_meant(self, oid: str) -> bool:
        if oid not in self._blobs:
            self._blobs[oid] = self._compare(oid)
        return self._blobs[oid]

    def _compare(self, oid: str) -> bool:
        repo = self.workspace.repo
        if not objects.exists(repo, oid):
            return False
        if (pointer := uproot.meant_by(self.workspace.repo, [oid]).get(oid)) is not None:
            return pointer.sha256 == self.part.sha256
        if self.size is not None and objects.size_of(repo, oid) != self.size:
            return False
        return hashlib.sha256(objects.read_blob(repo, oid)).hexdigest() == self.part.sha256


def _size(workspace: Workspace, sha256: str) -> int | None:
    """Return how many bytes a hash is of, where anything knows: then other sizes need not be read."""
    path = large.path(workspace, sha256)
    if path is not None:
        return path.stat().st_size
    made = digests.made(workspace, digests.Content(sha256))
    return made[0].size_bytes if made else None


def describe(planned: Plan) -> list[str]:
    """Return the plan, line by line."""
    what = text.safe(planned.part.path or planned.part.sha256[:12])
    lines = [f"{what} of {text.safe(name)} ({ids.short(run_id)})" for run_id, name in planned.runs.items()]
    if not lines:
        lines = [f"{what}: the bytes alone; no run here has it" if planned.part.sha256 else f"what is left of {what}"]
    commits = len(planned.records)
    lines += [f"{text.plural(commits, 'run commit')} made anew without it"] if commits else []
    lines += (
        [f"{text.plural(len(planned.snapshots), 'snapshot')} of code made anew without it"] if planned.snapshots else []
    )
    if planned.also:
        others = text.plural(planned.also, "other run")
        lines.append(f"not from {others} of the same bytes; from all: gitexp purge {_hashes(planned)}")
    lines += [f"also at {remote.label} = {remote.where}" for remote in planned.remotes]
    return lines + [f"not at {name}, which holds it: --remote {name}" for name in planned.elsewhere]


def _hashes(planned: Plan) -> str:
    found = sorted({f"sha256:{pointer.sha256}" for pointer in planned.pointers.values()})
    return " ".join(found[:3]) or "gitexp show --json has it"


def execute(workspace: Workspace, planned: Plan, reason: str, done: Purged, options: Options | None = None) -> None:
    """Purge it: new commits, the tombstone, the remotes, the refs, then the bytes; cut off, it can be done again."""
    new = _Anew(workspace, planned).all(_commits(workspace))
    told = said.ledger(workspace).replaced
    _bury(workspace, planned, {old: now for old, now in new.items() if told.get(old) != now}, reason)
    mapping = {**planned.stale, **new}
    for remote in planned.remotes:
        _at_remote(workspace, remote, planned, mapping, done, options or Options())
        done.remotes += [remote.label] if remote.label not in done.remotes else []
    _move(workspace, mapping)
    _erase(workspace, planned, mapping, done, options or Options())
    what = {"artifact": planned.part.path, "sha256": sorted({item.sha256 for item in planned.pointers.values()})}
    done.artifacts += [{"run": run_id, **what} for run_id in planned.runs]
    short = text.safe(planned.part.said)
    done.left.append(uproot.OTHERS)
    done.left += [f"{name} still holds it: gitexp purge {short} --remote {name}" for name in planned.elsewhere]
    if planned.also:
        others = text.plural(planned.also, "other run")
        done.left.append(f"{others} with the same bytes: gitexp purge {_hashes(planned)}")


def _bury(workspace: Workspace, planned: Plan, new: dict[str, str], reason: str) -> None:
    """Leave a tombstone with each run: what went, why, and which commits may not come back."""
    hashes = sorted({item.sha256 for item in planned.pointers.values()} or {planned.part.sha256} - {""})
    hashes = hashes or sorted({_sha256(workspace, oid) for oid in planned.blobs})
    by_run: dict[str, dict[str, str]] = {}
    for old, now in new.items():
        head = runs.head(workspace, "", old)
        if head is not None:
            by_run.setdefault(head.id, {})[old] = now
    changes = []
    for run_id, pairs in by_run.items():
        items = list(pairs.items())
        for start in range(0, len(items), _PER_FACT):
            part = dict(items[start : start + _PER_FACT])
            arguments = {"reason": reason, "artifact": planned.part.path, "sha256": hashes[:100], "commits": part}
            changes.append(said.Change(facts.RUN, run_id, said.place(run_id), facts.CUT, arguments))
    if changes:
        said.add(workspace, changes)
        said.sign(workspace)


def _sha256(workspace: Workspace, oid: str) -> str:
    return hashlib.sha256(objects.read_blob(workspace.repo, oid)).hexdigest()


class _Anew:
    """Makes commits anew without what is to go, and with the parents that were made anew before them."""

    def __init__(self, workspace: Workspace, planned: Plan) -> None:
        self.workspace, self.planned = workspace, planned
        self.new: dict[str, str] = {}
        self._snapshots: dict[str, str] = {}

    def all(self, commits: Sequence[str]) -> dict[str, str]:
        """Return {old: new} of the run commits that change."""
        for commit in commits:
            content = objects.read_commit(self.workspace.repo, commit)
            changed = any(parent in self.new or parent in self.planned.snapshots for parent in content.parents)
            if changed or commit in self.planned.records:
                self.new[commit] = self._commit(commit, content)
        return self.new

    def _commit(self, commit: str, content: objects.Commit) -> str:
        repo, run = self.workspace.repo, runs.load(self.workspace, commit)
        gone = set(self.planned.records.get(commit, ()))
        snapshots = {parent: self._snapshot(parent) for parent in content.parents if parent in self.planned.snapshots}
        after = {**self.new, **snapshots}
        record = self._record(run.record, after, snapshots, gone)
        parents = tuple(after.get(parent, parent) for parent in content.parents)
        files = {path: entry for path, entry in runs.record_entries(run).items() if path not in gone}
        files["run.json"] = Entry("run.json", objects.FILE, objects.write_blob(repo, run_json.encode(record)))
        if (about := files.get("artifacts.json")) is not None:
            files |= self._about(run, about)
        folder = objects.write_tree(repo, {path: (entry.mode, entry.oid) for path, entry in files.items()})
        base = content.tree
        for new in snapshots.values():
            base = objects.read_commit(repo, new).tree
        tree = objects.graft(repo, base, runs.FOLDER, folder)
        return objects.write_commit(repo, replace(content, tree=tree, parents=parents))

    def _record(self, record: RunRecord, after: dict[str, str], snapshots: dict[str, str], gone: set[str]) -> RunRecord:
        stored = {path.removeprefix("artifacts/") for path in gone}
        parents = tuple(Parent(parent.role, after.get(parent.commit, parent.commit)) for parent in record.parents)
        code = dict(record.code)
        for old, new in snapshots.items():
            left = [{"path": path, "reason": "purged"} for path in self.planned.snapshots[old]]
            lists = {
                key: [path for path in code.get(key, ()) if path not in self.planned.snapshots[old]] for key in _LISTS
            }
            code |= {key: value for key, value in lists.items() if key in code}
            tree = objects.read_commit(self.workspace.repo, new).tree
            code |= {"snapshot": new, "complete": False, "left_out": [*code.get("left_out", ()), *left]}
            code |= {"tree": tree} if "tree" in code else {}
        kept = {key: name for key, name in record.names.items() if key not in stored}
        return replace(record, parents=parents, names=kept, code=code)

    def _about(self, run: runs.Run, entry: Entry) -> dict[str, Entry]:
        """Return artifacts.json without what was said of the artifact."""
        try:
            value = canonical.loads(run.file("artifacts.json") or b"{}")
            known: dict[str, Any] = value["artifacts"]
        except (ValueError, KeyError, TypeError):
            return {"artifacts.json": entry}
        gone = {names.read(path.removeprefix("artifacts/"), run.record.names.get(path.removeprefix("artifacts/")))
                for path in self.planned.records.get(str(run.commit), ())}  # fmt: skip
        gone |= {self.planned.part.path}
        left = {name: facts for name, facts in known.items() if name not in gone}
        if left == known:
            return {"artifacts.json": entry}
        blob = objects.write_blob(self.workspace.repo, canonical.dumps({**value, "artifacts": left}))
        return {"artifacts.json": Entry("artifacts.json", objects.FILE, blob)}

    def _snapshot(self, commit: str) -> str:
        """Return a snapshot without some files; where HEAD has them, HEAD's are there again."""
        if commit not in self._snapshots:
            repo, content = self.workspace.repo, objects.read_commit(self.workspace.repo, commit)
            gone = set(self.planned.snapshots[commit])
            files = {path: (entry.mode, entry.oid) for path, entry in _all_entries(self.workspace, content.tree)}
            for path in gone:
                del files[path]
                base = objects.read_commit(repo, content.parents[0]).tree if content.parents else None
                before = objects.entry(repo, base, path) if base else None
                if before is not None and before.oid not in self.planned.blobs:
                    files[path] = before.mode, before.oid
            self._snapshots[commit] = objects.write_commit(repo, replace(content, tree=objects.write_tree(repo, files)))
        return self._snapshots[commit]


_LISTS = ("changed", "untracked")


def _all_entries(workspace: Workspace, tree: str) -> Iterator[tuple[str, Entry]]:
    return objects.walk(workspace.repo, tree)


def _at_remote(
    workspace: Workspace, remote: Remote, planned: Plan, mapping: dict[str, str], done: Purged, options: Options
) -> None:
    """Give the remote the new commits in the place of the old ones, and the tombstones."""
    held = sync.look(workspace, remote, options)
    theirs = held.get(notes.REF)
    with sync.brought(workspace, remote, {notes.REF: theirs} if theirs else {}, options):
        if theirs is not None:
            said.merge(workspace, theirs)
        told = said.outgoing(workspace, theirs, sorted(planned.runs))
        told = said.signed(workspace, told) if told else None
    changes: dict[str, str | None] = {ref: mapping[oid] for ref, oid in held.items() if oid in mapping}
    sync.rewrite(workspace, remote, {**changes, **({notes.REF: told} if told else {})}, options)
    tails = tuple("-" + ids.short(run_id) for run_id in planned.runs)
    known = {*mapping, *mapping.values()}
    for ref, oid in held.items():
        if ref.startswith(_REFS) and ref.endswith(tails) and oid not in known:
            where = f"{text.safe(ref)} went on at {remote.label}"
            done.left.append(f"{where}: gitexp fetch {remote.label}; then the same purge again")


def _move(workspace: Workspace, mapping: dict[str, str]) -> None:
    """Move our refs to the new commits, and those that followed the remote's."""
    held = {ref: oid for prefix in _REFS for ref, oid in refs.listing(workspace.repo, prefix).items() if oid in mapping}
    refs.update_many(workspace.repo, [refs.Update(ref, mapping[oid], oid) for ref, oid in held.items()])
    if held:
        reflog.append(workspace, "purge", [(ref, oid, mapping[oid]) for ref, oid in held.items()])
    for ref, oid in refs.listing(workspace.repo, "refs/gitexp/live/").items():
        if oid in mapping:
            refs.update(workspace.repo, ref, mapping[oid], old=oid)


def _erase(workspace: Workspace, planned: Plan, mapping: dict[str, str], done: Purged, options: Options) -> None:
    """Erase the old commits, the bytes and every copy of them that gitexp keeps."""
    database.discard(workspace)
    uproot.drop_shown(workspace, mapping)
    doomed = uproot.objects_of(workspace.repo, mapping.keys()) | planned.blobs | set(planned.snapshots)
    doomed -= uproot.objects_of(workspace.repo, set(mapping.values()))
    meant = uproot.meant_by(workspace.repo, doomed & {*planned.blobs, *planned.pointers}) | planned.pointers
    erased = uproot.erase_here(workspace, doomed, meant, done)
    if planned.part.sha256 and not _still_named(workspace, planned, erased):
        uproot.drop_file(workspace, planned.part.sha256, done)
    gone = tuple(pointer for oid, pointer in meant.items() if oid in erased.gone or not oid)
    there = uproot.Doomed(frozenset(mapping), frozenset(doomed), frozenset(planned.blobs), gone, named=True)
    for remote in planned.remotes:
        done.left += uproot.erase_there(workspace, remote, there, options)
    if left := (planned.blobs & erased.needed) if not planned.also else set():
        who = erase.holders(workspace.repo, mapping.keys() & erased.needed) or [
            "your own commits, the index or a reflog"
        ]
        held = f"{text.plural(len(left), 'object')} here, which {', '.join(who)} hold"
        done.left.append(f"{held}: git filter-repo (docs/howto-purge.md)")


def _still_named(workspace: Workspace, planned: Plan, erased: erase.Erased) -> bool:
    needed = {oid for oid in planned.pointers if oid in erased.needed}
    return bool(needed) or planned.part.sha256 in uproot.in_journals(workspace)
