"""What pushing and fetching are made of: looking at a remote, bringing its objects here, sending refs there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gitexp.errors import Refused, RemoteError
from gitexp.git import notes, objects, refs, transport
from gitexp.git.transport import Options, Result
from gitexp.ops.sharing import registrybranch, runsbranch
from gitexp.store import models, remotes, runs
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

LIVE_PREFIX = "refs/experiments-live/"
_INCOMING = "refs/gitexp/incoming/"
_OUTGOING = "refs/gitexp/outgoing/"
_KEPT = "refs/gitexp/remotes/"
_FEW = 8  # refs named one by one: Git compares each with every ref on both sides, 25 ms a ref at 10,000
_RUNS, _REGISTRY = "branch", "registry"  # what the tips of branches are kept as
_ALL = "refs/experiments/*:refs/experiments/*"


@dataclass(frozen=True, slots=True)
class Sending:
    """Refs for a remote: what each is to be, and whether that is all that the remote could ever lack from here."""

    refs: Mapping[str, str]
    everything: bool = False


def look(workspace: Workspace, remote: Remote, options: Options) -> dict[str, str]:
    """Ask the remote what it holds, {ref: oid}: runs, running runs, models and facts; remembers it."""
    before, branches = remotes.seen(workspace, remote), _branches(workspace)
    patterns = list(branches)
    if runsbranch.ref(workspace) is None:
        patterns += [runs.REF_PREFIX + "*", LIVE_PREFIX + "*", notes.REF]
        patterns += [models.PREFIX + "*"] if registrybranch.ref(workspace) is None else []
    held = transport.ls_remote(workspace.repo, remote.name, patterns, options)
    for branch, (what, read) in branches.items():
        if tip := held.get(branch):
            if not objects.exists(workspace.repo, tip):
                _fetch(workspace, remote, {branch: tip}, options)
            keep(workspace, remote, what, tip)
            is_registry = what == _REGISTRY
            held |= {ref: oid for ref, oid in read(workspace, tip).items() if is_registry or not _apart(workspace, ref)}
    remotes.replace(workspace, remote, held)
    _notice(workspace, remote, before, held)
    return held


def _branches(workspace: Workspace) -> dict[str, tuple[str, Callable[[Workspace, str], dict[str, str]]]]:
    """Return {branch: (what it is kept as, what reads it)} of those that hold refs of ours at remotes."""
    named = (
        (runsbranch.ref(workspace), _RUNS, runsbranch.read),
        (registrybranch.ref(workspace), _REGISTRY, registrybranch.read),
    )
    return {branch: (what, read) for branch, what, read in named if branch is not None}


def _apart(workspace: Workspace, ref: str) -> bool:
    """Say whether a ref travels in the branch of the registry."""
    return ref.startswith(models.PREFIX) and registrybranch.ref(workspace) is not None


def _notice(workspace: Workspace, remote: Remote, before: Mapping[str, str], held: Mapping[str, str]) -> None:
    """Owe the remote the large files of runs of ours that came there by other ways: a plain `git push` sends none."""
    news = {ref for ref, oid in held.items() if ref.startswith(runs.REF_PREFIX) and before.get(ref) != oid}
    ours = runs.listing(workspace) if news else {}
    came = {ref for ref in news if ours.get(ref) == held[ref]}
    agreed = remotes.agreement(workspace, remote) if came else None
    if agreed is not None and not came <= agreed.owed:
        remotes.owe(workspace, remote, agreed.owed | came, told=agreed.told)


@contextmanager
def brought(workspace: Workspace, remote: Remote, wanted: Mapping[str, str], options: Options) -> Iterator[None]:
    """Have the objects of these refs of the remote here, kept by refs of our own until the block ends."""
    try:
        if wanted:
            _fetch(workspace, remote, wanted, options)
        yield
    finally:
        _clear(workspace, _INCOMING, remote)


def _fetch(workspace: Workspace, remote: Remote, wanted: Mapping[str, str], options: Options) -> None:
    """Fetch by commit id: a name would be compared with every ref of the remote."""
    inside = [ref for ref in wanted if not ref.startswith("refs/heads/") and _in_branch(workspace, ref)]
    if missing := [ref for ref in inside if not objects.exists(workspace.repo, wanted[ref])]:
        squashed = "; was its branch squashed?" if _apart(workspace, missing[0]) else ""
        raise RemoteError(f"{remote.label} does not hold what it names: {missing[0]}{squashed}", hint="gitexp fetch")
    wanted = {ref: oid for ref, oid in wanted.items() if ref not in inside}
    if not wanted:
        return
    _clear(workspace, _INCOMING, remote)
    below = _INCOMING + remotes.key(remote) + "/"
    refspecs = (f"{oid}:{below}{ref.removeprefix('refs/')}" for ref, oid in wanted.items())
    transport.fetch(workspace.repo, remote.name, refspecs, options)


def keep(workspace: Workspace, remote: Remote, what: str, oid: str) -> None:
    """Keep a commit of the remote, on which the next push will build, from being collected here."""
    ref = f"{_KEPT}{remotes.key(remote)}/{what}"
    before = refs.get(workspace.repo, ref)
    if before != oid:
        refs.update(workspace.repo, ref, oid, old=before)


def _clear(workspace: Workspace, namespace: str, remote: Remote) -> None:
    below = namespace + remotes.key(remote) + "/"
    left = refs.listing(workspace.repo, below)
    refs.update_many(workspace.repo, [refs.Update(ref, None, oid) for ref, oid in left.items()])


def send(workspace: Workspace, remote: Remote, sending: Sending, options: Options) -> list[Result]:
    """Push these refs, each only forward, and remember what arrived."""
    if not sending.refs:
        return []
    results = _send(workspace, remote, sending, options)
    arrived = {item.ref: sending.refs[item.ref] for item in results if _arrived(item) and item.ref in sending.refs}
    remotes.remember(workspace, remote, arrived)
    return [item for item in results if item.ref in sending.refs]


def _send(workspace: Workspace, remote: Remote, sending: Sending, options: Options) -> list[Result]:
    apart = {ref: oid for ref, oid in sending.refs.items() if _apart(workspace, ref)}
    rest = replace(sending, refs={ref: oid for ref, oid in sending.refs.items() if ref not in apart})
    results, branch, registry = [], runsbranch.ref(workspace), registrybranch.ref(workspace)
    if rest.refs and branch is not None:
        results += _send_branch(workspace, remote, branch, rest.refs, options)
    elif rest.refs:
        results += _send_refs(workspace, remote, rest, options)
    if apart and registry is not None:
        results += _send_branch(workspace, remote, registry, apart, options)
    return results


def _in_branch(workspace: Workspace, ref: str) -> bool:
    """Say whether a ref travels in a branch, whose history brings its objects."""
    return _apart(workspace, ref) or runsbranch.ref(workspace) is not None


def _arrived(result: Result) -> bool:
    return result.status in (transport.NEW, transport.UPDATED, transport.CURRENT)


def _send_refs(workspace: Workspace, remote: Remote, sending: Sending, options: Options) -> list[Result]:
    mine = {ref: oid for ref, oid in sending.refs.items() if ref.startswith(runs.REF_PREFIX)}
    others = [f"{oid}:{ref}" for ref, oid in sending.refs.items() if ref not in mine]
    leases = _lease_of_facts(workspace, remote, sending.refs)
    with _grouped(workspace, remote, mine, everything=sending.everything) as refspecs:
        return transport.push(workspace.repo, remote.name, [*refspecs, *others], leases=leases, options=options)


@contextmanager
def _grouped(
    workspace: Workspace, remote: Remote, mine: Mapping[str, str], *, everything: bool
) -> Iterator[Sequence[str]]:
    """Yield refspecs for these runs: a name each where they are few, else one pattern that means just them."""
    if len(mine) <= _FEW:
        yield [f"{oid}:{ref}" for ref, oid in mine.items()]
        return
    if everything:
        yield [_ALL]
        return
    below = _OUTGOING + remotes.key(remote) + "/"
    _clear(workspace, _OUTGOING, remote)
    try:
        chosen = [refs.Update(below + ref.removeprefix(runs.REF_PREFIX), oid, None) for ref, oid in mine.items()]
        refs.update_many(workspace.repo, chosen)
        yield [f"{below}*:{runs.REF_PREFIX}*"]
    finally:
        _clear(workspace, _OUTGOING, remote)


def _lease_of_facts(workspace: Workspace, remote: Remote, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the lease with which facts after a purge replace those of the remote; {} where they only go forward."""
    new = wanted.get(notes.REF)
    if new is None:
        return {}
    base = remotes.seen(workspace, remote).get(notes.REF)
    return {} if base is None or notes.contains(workspace.repo, new, base) else {notes.REF: base}


def _send_branch(
    workspace: Workspace, remote: Remote, branch: str, wanted: Mapping[str, str], options: Options
) -> list[Result]:
    tip, is_registry = remotes.seen(workspace, remote).get(branch), branch == registrybranch.ref(workspace)
    new = (registrybranch if is_registry else runsbranch).build(workspace, tip, wanted)
    done = transport.push(workspace.repo, remote.name, [f"{new}:{branch}"], options=options)
    if done and _arrived(done[0]):
        keep(workspace, remote, _REGISTRY if is_registry else _RUNS, new)
        remotes.remember(workspace, remote, {branch: new})
    return [Result(ref, done[0].status, done[0].reason) for ref in wanted] if done else []


def rewrite(
    workspace: Workspace, remote: Remote, changes: Mapping[str, str | None], options: Options | None = None
) -> list[Result]:
    """Delete refs at the remote (None) or replace them, each only where it still holds what it was seen to hold.

    This is for a deletion somebody asked for; nothing else ever moves a ref backwards. Raises RemoteError.
    """
    options = options or Options()
    if any(_apart(workspace, ref) for ref in changes):
        raise Refused("the branch of the registry only moves forward", hint="gitexp model rm NAME hides a model")
    with remotes.busy(workspace, remote):
        held = look(workspace, remote, options)
        branch = runsbranch.ref(workspace)
        if branch is not None:
            return _rewrite_branch(workspace, remote, branch, held, changes, options)
        wanted = {ref: new for ref, new in changes.items() if held.get(ref) != new}
        leases = {ref: held.get(ref, "") for ref in wanted}
        refspecs = [f"{new or ''}:{ref}" for ref, new in wanted.items()]
        results = transport.push(workspace.repo, remote.name, refspecs, leases=leases, options=options)
        done = {item.ref: wanted[item.ref] for item in results if item.status != transport.REJECTED}
        remotes.remember(workspace, remote, done)
    _raise_refusals(remote, results)
    return results


def _rewrite_branch(
    workspace: Workspace,
    remote: Remote,
    branch: str,
    held: Mapping[str, str],
    changes: Mapping[str, str | None],
    options: Options,
) -> list[Result]:
    """Build the branch anew without a past: only so do the commits that are to go have nothing that keeps them."""
    apart = {ref: oid for ref, oid in held.items() if ref.startswith("refs/heads/") or _apart(workspace, ref)}
    after = {**{ref: oid for ref, oid in held.items() if ref not in apart}, **changes}
    kept = {ref: oid for ref, oid in after.items() if oid is not None}
    new = runsbranch.build(workspace, None, kept) if kept else ""
    refspecs, leases = [f"{new}:{branch}"], {branch: held.get(branch, "")}
    results = transport.push(workspace.repo, remote.name, refspecs, leases=leases, options=options)
    _raise_refusals(remote, results)
    apart.pop(branch, None)
    remotes.replace(workspace, remote, {**apart, **kept, **({branch: new} if new else {})})
    return [Result(ref, transport.DELETED if oid is None else transport.UPDATED) for ref, oid in changes.items()]


def _raise_refusals(remote: Remote, results: Sequence[Result]) -> None:
    refused = [item for item in results if item.status == transport.REJECTED]
    if refused:
        raise refusal(remote, refused)


def refusal(remote: Remote, refused: Sequence[Result]) -> RemoteError:
    """Return the error for refs that a remote did not take, with what can be done instead."""
    first = refused[0]
    more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
    said = f"{remote.label} refused {first.ref}{more}: {first.reason}"
    if "shallow" in first.reason:
        return RemoteError(said, hint="the history here is cut off; complete it: git fetch --unshallow")
    if first.behind:
        return RemoteError(said, hint="it changes all the time; try again: gitexp push")
    return RemoteError(
        said,
        hint="where a host takes branches only: git config gitexp.runsBranch gitexp/runs   or: gitexp bundle FILE",
    )
