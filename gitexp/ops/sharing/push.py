"""Sending runs and facts to a remote: planned, shown, agreed to, sent; again where somebody else came first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from gitexp import clock, ids, text
from gitexp.errors import Damaged, NotFound, Refused, Unsupported, UsageError
from gitexp.git import notes, objects, refs, transport
from gitexp.git.transport import Options, Result
from gitexp.ops.finding import find
from gitexp.ops.sharing import exposure, fetch, land, sync, unite
from gitexp.ops.sharing.exposure import Exposure
from gitexp.ops.sharing.land import Fork, Landed
from gitexp.ops.sharing.unite import United
from gitexp.ops.storage import largefiles
from gitexp.ops.storage.largefiles import Left
from gitexp.record import facts
from gitexp.record.pointer import Pointer
from gitexp.store import annotations as said
from gitexp.store import reflog, remotes, runs
from gitexp.store import workspace as workspaces
from gitexp.store.remotes import Remote
from gitexp.store.runs import Head, Run
from gitexp.store.workspace import Workspace

_TRIES = 6
_MANY = 50  # runs from which on the log of refs is read instead of their commits
_LISTED = 5  # runs whose large files stayed here
_BELIEVED_MS = 3_600_000  # how long what the remote was seen to hold is believed: others may delete there
DIRTY, OTHERS, REMOVED, DELETED, PURGED = "dirty", "not yours", "removed", "deleted there", "purged"
FOREIGN = "no run"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which runs to send: the named ones, else one's own; `everything` takes others' too, `clean` no dirty ones."""

    names: tuple[str, ...] = ()
    everything: bool = False
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push would send, {ref: commit}, and what it leaves here and why.

    `heads` are all of those where `exposure` is measured; that is None where all kinds were agreed to before. `there`
    are runs that were named and that the remote has: it may have lost their large files.
    """

    remote: Remote
    choice: Choice
    runs: Mapping[str, str]
    heads: tuple[Head, ...]
    left_out: Mapping[str, int]
    exposure: Exposure | None = None
    there: Mapping[str, str] = field(default_factory=dict)

    @property
    def everything(self) -> bool:
        """Say whether this is all that the remote lacks, so that Git may find out itself which refs these are."""
        return not self.left_out and self.exposure is None and not self.choice.clean and not self.choice.names

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `gitexp push --dry-run --json`."""
        return {
            "remote": self.remote.label,
            "runs": [{"id": head.id, "ref": head.ref, "dirty": head.dirty} for head in self.heads],
            "left_out": dict(self.left_out),
        }


@dataclass(slots=True)
class Pushed:
    """What became of a push."""

    remote: str
    sent: list[str] = field(default_factory=list)
    facts: bool = False
    forks: list[Fork] = field(default_factory=list)
    left: Left = field(default_factory=Left)  # large files: what went, what stayed here
    which: list[str] = field(default_factory=list)  # what those are called, where it is news
    models: United = field(default_factory=United)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `gitexp push --json`."""
        return {
            "remote": self.remote,
            "sent": self.sent,
            "facts": self.facts,
            "forks": [{"ref": fork.ref, "fork": fork.fork} for fork in self.forks],
            "bytes_left": self.left.why or None,
            "files": len(self.left.there),
            "files_left": len(self.left.items),
            "models": self.models.to_json(),
        }


def plan(workspace: Workspace, remote: Remote, choice: Choice, options: Options, *, measure: bool = False) -> Plan:
    """Decide what would be sent. What the remote was seen to hold is believed for an hour if that leaves something."""
    wanted = [run.ref for run in _named(workspace, choice.names)] if choice.names else None
    local = runs.listing(workspace)
    held = remotes.seen(workspace, remote)
    old = clock.now_ms() - remotes.looked_ms(workspace, remote) > _BELIEVED_MS
    if measure or old or not _lacking(local, held, wanted):
        held = sync.look(workspace, remote, options)
        _hear(workspace, remote, held, options)
    lacking = _lacking(local, held, wanted)
    there = {ref: oid for ref, oid in _chosen(local, wanted or ()).items() if ref not in lacking}
    measured = measure or not exposure.approved(workspace, remote) >= exposure.kinds(workspace, remote)
    certain = {} if measured else _certain(workspace, remote, choice, lacking)
    doubtful = {ref: commit for ref, commit in lacking.items() if ref not in certain}
    kept, left_out = _part(workspace, doubtful, _reasons(workspace, remote, choice))
    shown = None
    if measured:
        commits = [oid for ref, oid in held.items() if ref.startswith(runs.REF_PREFIX)]
        owed = [*_owed(workspace, remote).values(), *there.values()]
        shown = exposure.measure(workspace, remote, kept, commits, owed)
        if not choice.names:
            shown = replace(shown, events=unite.events_lacking(workspace, held))
    return Plan(remote, choice, certain | {head.ref: head.commit for head in kept}, tuple(kept), left_out, shown, there)


def _certain(workspace: Workspace, remote: Remote, choice: Choice, lacking: Mapping[str, str]) -> dict[str, str]:
    """Return the runs of which nothing has to be looked at: recorded here as they stand, and nothing is said of them.

    Reading the commits of a thousand runs takes as long as all else that is planned.
    """
    if len(lacking) < _MANY or choice.clean or workspace.settings.choice("pushDirty") == "refuse":
        return {}
    recorded, told = reflog.commits(workspace), {ids.short(run_id) for run_id in said.states(workspace)}
    deleted = remotes.agreement(workspace, remote).deleted
    return {
        ref: commit
        for ref, commit in lacking.items()
        if recorded.get(ref) == commit and ref[-ids.SHORT :] not in told and ref not in deleted
    }


def _hear(workspace: Workspace, remote: Remote, held: Mapping[str, str], options: Options) -> None:
    """Take in the remote's facts where they are new: a run that was purged there must not come back from here."""
    theirs = held.get(notes.REF)
    if theirs is not None and not objects.exists(workspace.repo, theirs):
        with remotes.busy(workspace, remote):
            fetch.update(workspace, remote, {notes.REF: theirs}, options)


def _named(workspace: Workspace, names: Sequence[str]) -> list[Run]:
    found = find.many(workspace, names)
    if running := [run for run in found if run.live]:
        raise UsageError(f"run {running[0].name!r} is still running", hint="gitexp run --publish shows it to others")
    return found


def _lacking(local: Mapping[str, str], held: Mapping[str, str], wanted: Sequence[str | None] | None) -> dict[str, str]:
    chosen = local if wanted is None else _chosen(local, wanted)
    return {ref: oid for ref, oid in chosen.items() if held.get(ref) != oid}


def _chosen(local: Mapping[str, str], wanted: Sequence[str | None]) -> dict[str, str]:
    return {ref: local[ref] for ref in wanted if ref is not None and ref in local}


def _part(
    workspace: Workspace, lacking: Mapping[str, str], why: Callable[[Head], str]
) -> tuple[list[Head], dict[str, int]]:
    """Part what the remote lacks into the runs that go, and {why not: how many}."""
    kept, left_out = [], Counter[str]()
    for ref, commit in lacking.items():
        head = runs.head(workspace, ref, commit)
        reason = FOREIGN if head is None else why(head)
        if reason:
            left_out[reason] += 1
        elif head is not None:
            kept.append(head)
    return kept, dict(left_out)


def _reasons(workspace: Workspace, remote: Remote, choice: Choice) -> Callable[[Head], str]:
    """Return what says why a run is left out of a push, "" for one that goes."""
    refused = workspace.settings.choice("pushDirty") == "refuse"
    recorded = cache(lambda: frozenset(reflog.recorded(workspace)))  # most runs are known by their author alone
    deleted = frozenset() if choice.names else remotes.agreement(workspace, remote).deleted
    states = said.states(workspace)
    me = workspaces.user(workspace)["email"]

    def why(head: Head) -> str:
        state = states.get(head.id, facts.EMPTY)
        if state.purge is not None or (state.cuts and land.holds_purged(workspace, head.commit)):
            return PURGED
        if head.dirty and (choice.clean or refused):
            if refused and choice.names:
                raise Refused(
                    f"{head.experiment}/{head.name} ran with uncommitted edits (gitexp.pushDirty is refuse)",
                    hint="commit the edits and run again",
                )
            return DIRTY
        if choice.names:
            return ""
        if state.removed:
            return REMOVED
        if head.ref in deleted:
            return DELETED
        mine = choice.everything or head.author.endswith(f"<{me}>") or head.ref in recorded()
        return "" if mine else OTHERS

    return why


def push(workspace: Workspace, planned: Plan, *, yes: bool = False, options: Options | None = None) -> Pushed:
    """Send what was planned, and the facts of the runs that the remote then has.

    Raises Unconfirmed where something of it was never agreed to, RemoteError where the remote does not take it.
    """
    options, remote = options or Options(), planned.remote
    if planned.exposure is not None:
        exposure.check(workspace, remote, planned.exposure, yes=yes)
    pushed, wanted = Pushed(remote.label), dict(planned.runs)
    owed = _send_bytes(workspace, planned, options, pushed)
    options = replace(options, skip_lfs=bool(pushed.left.why))
    with remotes.busy(workspace, remote):  # hours of bytes have passed without it
        _note_owed(workspace, remote, owed, pushed)
        remotes.mark_deleted(workspace, remote, wanted, deleted=False)
        everything = planned.everything
        for _ in range(_TRIES):
            results = _attempt(workspace, planned, sync.Sending(wanted, everything), options)
            behind = _settle(remote, results, pushed)
            if not behind:
                _end_running(workspace, remote, options)
                if not planned.choice.names:
                    pushed.models = unite.send(workspace, remote, options)
                return pushed
            wanted, everything = _catch_up(workspace, remote, behind, wanted, pushed, options), False
    raise sync.refusal(remote, behind)


def _send_bytes(workspace: Workspace, planned: Plan, options: Options, pushed: Pushed) -> dict[str, bool]:
    """Upload the large files of these runs and of those that are owed; returns {ref: whether some are owed now}.

    Bytes go before refs: a host may refuse commits whose pointers it cannot follow. That a remote has no place for
    them is said once.
    """
    remote, wanted = planned.remote, planned.runs
    before = remotes.agreement(workspace, remote)
    commits = {**_owed(workspace, remote), **planned.there, **wanted}
    left = pushed.left = largefiles.upload(workspace, remote, commits.values(), options)
    with_bytes = [ref for ref, commit in commits.items() if left.why and largefiles.here(workspace, [commit])]
    if left.why and not (left.lasting and before.told == left.why):
        pushed.which = list(largefiles.names(workspace, (commits[ref] for ref in with_bytes), left.items))
    return dict.fromkeys((*before.owed, *wanted), False) | dict.fromkeys(with_bytes, True)


def _note_owed(workspace: Workspace, remote: Remote, owed: Mapping[str, bool], pushed: Pushed) -> None:
    """Remember which runs went without their large files, beside what a fetch has noticed meanwhile."""
    noticed = remotes.agreement(workspace, remote).owed - owed.keys()
    now = noticed | {ref for ref, lacking in owed.items() if lacking}
    remotes.owe(workspace, remote, now, told=pushed.left.why if pushed.left.lasting else "")


def _owed(workspace: Workspace, remote: Remote) -> dict[str, str]:
    """Return the runs that went without their large files."""
    known = remotes.agreement(workspace, remote).owed
    return {ref: commit for ref in known if (commit := refs.get(workspace.repo, ref)) is not None}


def _attempt(workspace: Workspace, planned: Plan, sending: sync.Sending, options: Options) -> list[Result]:
    """Send the runs and, with them, the facts that the remote may have."""
    base = remotes.seen(workspace, planned.remote).get(notes.REF)
    if base is not None and not objects.exists(workspace.repo, base):
        _catch_up(workspace, planned.remote, [Result(notes.REF, transport.REJECTED)], {}, Pushed(""), options)
        base = remotes.seen(workspace, planned.remote).get(notes.REF)
    told = _facts(workspace, planned, base, sending.refs)
    with_facts = {**sending.refs, **({notes.REF: told} if told else {})}
    results = sync.send(workspace, planned.remote, sync.Sending(with_facts, sending.everything), options)
    if told and any(item.ref == notes.REF and item.status != transport.REJECTED for item in results):
        sync.keep(workspace, planned.remote, "facts", told)
    return results


def _facts(workspace: Workspace, planned: Plan, base: str | None, sent: Mapping[str, str]) -> str | None:
    """Return the commit of facts for the remote: what is said of runs that it has or gets, and of their experiments."""
    tip = refs.get(workspace.repo, notes.REF)
    differing = notes.changed(workspace.repo, base, tip) if tip is not None else {}
    if not differing:
        return None
    held = {ref: oid for ref, oid in remotes.seen(workspace, planned.remote).items() if ref.startswith(runs.REF_PREFIX)}
    there = _Held(workspace, {**held, **sent})
    about = {facts.RUN: set[str](), facts.EXPERIMENT: set[str]()}
    for old, new in differing.values():
        lines = set(notes.lines(workspace.repo, new, strict=False)) - set(
            notes.lines(workspace.repo, old, strict=False)
        )
        for fact in facts.parse(lines)[0]:
            about[fact.kind].add(fact.target)
    runs_there = [run_id for run_id in about[facts.RUN] if there.run(run_id)]
    experiments = [item for item in about[facts.EXPERIMENT] if planned.choice.everything or there.experiment(item)]
    return said.outgoing(workspace, base, runs_there, experiments)


class _Held:
    """The runs that a remote holds, asked for by id."""

    def __init__(self, workspace: Workspace, held: Mapping[str, str]) -> None:
        self.workspace = workspace
        self.by_short: dict[str, list[tuple[str, str]]] = {}
        self.paths: dict[str, str] = {}
        for ref, commit in held.items():
            self.by_short.setdefault(ref[-ids.SHORT :], []).append((ref, commit))
            self.paths[ref.rpartition("/")[0]] = commit

    def run(self, run_id: str) -> bool:
        """Say whether the remote holds this run."""
        for ref, commit in self.by_short.get(ids.short(run_id), ()):
            if not objects.exists(self.workspace.repo, commit):
                return True  # its refs are all that is known of a run that was never fetched
            head = runs.head(self.workspace, ref, commit)
            if head is not None and head.id == run_id:
                return True
        return False

    def experiment(self, experiment_id: str) -> bool:
        """Say whether the remote holds a run of this experiment."""
        return experiment_id in self.experiments

    @cached_property
    def experiments(self) -> frozenset[str]:
        """The experiments of its runs: one record of each path tells."""
        found = set()
        for commit in self.paths.values():
            with suppress(Damaged, Unsupported):
                record = runs.load(self.workspace, commit).record
                found.add(record.experiment_id or ids.experiment_id(record.experiment))
        return frozenset(found)


def _settle(remote: Remote, results: Sequence[Result], pushed: Pushed) -> list[Result]:
    """Note what arrived; return what somebody else was faster with; raise RemoteError for what was refused."""
    for item in results:
        if item.status in (transport.NEW, transport.UPDATED):
            if item.ref == notes.REF:
                pushed.facts = True
            else:
                pushed.sent.append(item.ref)
    rejected = [item for item in results if item.status == transport.REJECTED]
    refused = [item for item in rejected if not item.behind]
    if refused:
        raise sync.refusal(remote, refused)
    return rejected


def _catch_up(
    workspace: Workspace,
    remote: Remote,
    behind: Sequence[Result],
    wanted: Mapping[str, str],
    pushed: Pushed,
    options: Options,
) -> dict[str, str]:
    """Fetch what came first, and return what is to be sent on top of it."""
    held = sync.look(workspace, remote, options)
    names = {item.ref for item in behind} | {notes.REF}
    landed = fetch.update(workspace, remote, {ref: oid for ref, oid in held.items() if ref in names}, options)
    pushed.forks += landed.forks
    ours = runs.listing(workspace)
    again = [ref for ref in (*wanted, *(fork.fork for fork in landed.forks)) if ref in ours]
    return {ref: ours[ref] for ref in again if held.get(ref) != ours[ref]}


def _end_running(workspace: Workspace, remote: Remote, options: Options) -> None:
    """Take away what was published of runs while they ran, once they have ended and are there themselves."""
    held = remotes.seen(workspace, remote)
    over = [
        ref
        for ref in held
        if ref.startswith(sync.LIVE_PREFIX) and runs.REF_PREFIX + ref.removeprefix(sync.LIVE_PREFIX) in held
    ]
    if over:
        leases = {ref: held[ref] for ref in over}
        results = transport.push(
            workspace.repo, remote.name, [f":{ref}" for ref in over], leases=leases, options=options
        )
        gone = [item.ref for item in results if item.status != transport.REJECTED]
        remotes.remember(workspace, remote, dict.fromkeys(gone))


def doomed(workspace: Workspace, remote: Remote, names: Sequence[str], options: Options) -> list[str]:
    """Return the refs at the remote that a deletion of these names would take; raises NotFound."""
    held = sync.look(workspace, remote, options)
    chosen: set[str] = set()
    for name in names:
        try:
            here = [run.ref for run in find.many(workspace, [name], removed=True) if run.ref in held]
        except NotFound:
            here = []  # it need not be in this clone
        chosen.update(ref for ref in (here or fetch.select(held, [name], remote)) if ref is not None)
    return sorted(chosen)


def delete(workspace: Workspace, remote: Remote, chosen: Sequence[str], options: Options) -> None:
    """Delete refs at the remote, not here; they are not sent there again but by name."""
    sync.rewrite(workspace, remote, dict.fromkeys(chosen), options)
    remotes.mark_deleted(workspace, remote, chosen)


def describe(pushed: Pushed, planned: Plan) -> list[str]:
    """Return the lines that tell a person what was sent."""
    parts, files = [], _files(pushed.left.there)
    if pushed.sent:
        parts.append(f"{text.plural(len(pushed.sent), 'run')} sent{' with ' + files if files else ''}")
    elif files and not planned.there:  # those of runs that the remote has may have been there too
        parts.append(f"{files} sent")
    if pushed.facts:
        parts.append("facts sent")
    if pushed.models.sent:
        parts.append(unite.summary(pushed.models.sent, "sent"))
    lines = [f"{pushed.remote}: " + (", ".join(parts) or "everything is there already") + _left(planned)]
    if pushed.which:
        verb = "stays" if len(pushed.left.items) == 1 else "stay"
        lines.append(f"{_files(pushed.left.items)} {verb} here: {pushed.left.why}")
        more = [f"  and those of {len(pushed.which) - _LISTED:,} more runs"] if len(pushed.which) > _LISTED else []
        lines += [*(f"  {words}" for words in pushed.which[:_LISTED]), *more]
    return [*lines, *land.describe(Landed(forks=pushed.forks)), *unite.describe(pushed.models)]


def _files(items: Sequence[Pointer]) -> str:
    size = text.size(sum(item.size_bytes for item in items))
    return f"{text.plural(len(items), 'large file')} ({size})" if items else ""


def preview(planned: Plan) -> list[str]:
    """Return the lines of a dry run: what would be sent, and each run."""
    shown = planned.exposure
    if shown is None or not (planned.heads or shown.artifact_files or shown.events):
        return [f"{planned.remote.label}: no runs to send{_left(planned)}"]
    lines = exposure.describe(planned.remote, shown, "would be sent")
    runs_ = [
        f"  {ids.short(head.id)} {text.safe(head.experiment)}/{text.safe(head.name)}{'+' if head.dirty else ''}"
        for head in planned.heads
    ]
    return [*lines, *runs_, *([_left(planned).removeprefix("; ")] if planned.left_out else [])]


def _left(planned: Plan) -> str:
    if not planned.left_out:
        return ""
    return "; left out: " + ", ".join(f"{count} {why}" for why, count in sorted(planned.left_out.items()))
