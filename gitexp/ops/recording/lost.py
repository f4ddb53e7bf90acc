"""Runs whose machine is lost, as somebody says: what is known of them becomes a killed run, and they run no more."""

from __future__ import annotations

from dataclasses import replace

from gitexp import clock, ids, text
from gitexp.errors import Refused, UsageError
from gitexp.git import objects, refs
from gitexp.git.transport import Options
from gitexp.index import handed
from gitexp.ops.finding import find
from gitexp.ops.recording import recover
from gitexp.ops.recording.recover import Swept
from gitexp.ops.sharing import elsewhere, fetch, push, sync
from gitexp.ops.sharing.elsewhere import Shown
from gitexp.store import journal, remotes, runs
from gitexp.store.live import LiveRun
from gitexp.store.runs import Draft, Run
from gitexp.store.workspace import Workspace

_OF_THE_COMMIT = ("run.json", ".gitattributes")  # written anew


def close(workspace: Workspace, name: str, options: Options, host: str | None = None) -> Swept:
    """End a run whose machine is lost: one that is published, or whose journal another machine wrote here.

    Raises UsageError for a run that has ended or runs here, Refused for one that gave a sign of life a moment ago, by
    the clock of its machine, unless that is `host`.
    """
    run = find.one(workspace, name)
    if isinstance(run, LiveRun):
        return _close_journal(workspace, run)
    if not _is_published(run):
        raise UsageError(f"run {text.safe(run.name)!r} is not running", hint="list what is running: gitexp status")
    return _close_published(workspace, run, options, host)


def _close_journal(workspace: Workspace, run: LiveRun) -> Swept:
    if journal.is_ours(run.start):
        raise UsageError(f"run {text.safe(run.name)!r} runs on this machine", hint=f"gitexp stop {ids.short(run.id)}")
    if run.alive:
        raise _refusal(run.id, run.name, run.last_sign_ms, run.host)
    return recover.sweep(workspace)


def _is_published(run: Run) -> bool:
    return run.ref is not None and run.ref.startswith(sync.LIVE_PREFIX)


def _close_published(workspace: Workspace, run: Run, options: Options, host: str | None) -> Swept:
    """Record what was published last as a killed run, and send it: that takes away what is shown as running."""
    remote = remotes.choose(workspace)
    fetch.fetch(workspace, remote, options=options)  # it may have ended, or have been published again
    run = find.one(workspace, run.id)
    shown = elsewhere.of(workspace, run) if _is_published(run) else None
    if shown is None:
        return Swept()
    if not shown.silent and shown.host != host:
        raise _refusal(shown.id, shown.name, shown.sign_ms, shown.host)
    ended = _record(workspace, run, shown)
    planned = push.plan(workspace, remote, push.Choice((ended.id,)), options)
    push.push(workspace, planned, options=options)
    return Swept(closed=[ended])


def _refusal(run_id: str, name: str, sign_ms: int, host: str) -> Refused:
    ago, short = text.age(sign_ms, clock.now_ms()), ids.short(run_id)
    return Refused(
        f"run {text.safe(name)} ({short}) gave a sign of life {ago} ago",
        hint=f"wait; or, if that machine is surely lost: gitexp recover {short} --host {text.safe(host)}",
    )


def _record(workspace: Workspace, run: Run, shown: Shown) -> Run:
    repo, live_ref, commit = workspace.repo, str(run.ref), str(run.commit)
    record = replace(run.record, status="killed", end_ms=max(shown.sign_ms, run.record.start_ms))
    ref = runs.REF_PREFIX + live_ref.removeprefix(sync.LIVE_PREFIX)
    files = {name: entry for name, entry in run.entries.items() if name not in _OF_THE_COMMIT}
    draft = Draft(ref, record, run.summary, files, objects.read_commit(repo, commit).tree)
    ended = runs.write(workspace, draft)
    handed.give(workspace, ended)
    refs.delete(repo, live_ref, old=commit)
    return ended
