"""Pushes that nobody waits for: after each run, and of a run while it runs. They can fail no run and slow none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gitexp import canonical, clock, files, ids, locks, text
from gitexp.errors import Conflict, GitexpError, Refused
from gitexp.git import objects, transport
from gitexp.git.objects import Commit, Signature
from gitexp.git.transport import Options
from gitexp.ops.sharing import exposure, push, runsbranch, sync
from gitexp.record import message, params, points, summary
from gitexp.record import run as run_json
from gitexp.record.run import Parent
from gitexp.store import live, remotes, runs
from gitexp.store.live import LiveRun
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

_LOG_BYTES = 1 << 20
_OF_THE_RUN = ("GITEXP_RUN_ID", "GITEXP_REPO")  # a push is about the whole clone
_AUTO = Options(auto=True, skip_lfs=True)


def spawn_auto(workspace: Workspace) -> None:
    """Push what is new in a process of its own where gitexp.autoPush is on; returns at once and never raises."""
    if _is_on(workspace, "autoPush"):
        _spawn_quietly(workspace)


def after_run(workspace: Workspace, run_id: str, *, lost: bool = False) -> None:
    """Do what is due when a run has ended: push it, or take away what was published of it; never raises.

    Of a `lost` one nobody knows any more whether it wanted to be published: what the remote was seen to hold tells.
    """
    if _is_on(workspace, "autoPush"):
        spawn_auto(workspace)  # takes away what was published too
    elif _is_published(workspace) or (lost and _was_published(workspace, run_id)):
        spawn_end_live(workspace, run_id)


def every_seconds(workspace: Workspace) -> float | None:
    """Return how often a running run is published, None where it is not: who says how often wants it to be."""
    settings = workspace.settings
    chosen = settings.origin("publish")[1] != "default"
    on = settings.flag("publish") if chosen else settings.origin("publishEvery")[1] != "default"
    return (settings.duration_seconds("publishEvery") or None) if on else None


def _is_published(workspace: Workspace) -> bool:
    try:
        return every_seconds(workspace) is not None
    except GitexpError as error:
        _log(workspace, error.message)
        return False


def _is_on(workspace: Workspace, key: str) -> bool:
    try:
        return workspace.settings.flag(key)
    except GitexpError as error:
        _log(workspace, error.message)
        return False


def _was_published(workspace: Workspace, run_id: str) -> bool:
    try:
        return any(_is_live(ref, run_id) for ref in remotes.seen(workspace, remotes.choose(workspace)))
    except GitexpError:  # there is no remote, or several
        return False


def obstacle(workspace: Workspace) -> str:
    """Return why running runs would not be published, and what to type; "" where nothing is in the way."""
    try:
        remote = remotes.choose(workspace)
        agreed = exposure.RUNS in exposure.approved(workspace, remote)
    except GitexpError as error:
        return f"{error.message}; {error.hint}"
    if runsbranch.ref(workspace) is not None:
        return "running runs do not go through gitexp.runsBranch"
    return "" if agreed else f"nobody agreed to it yet; gitexp push, or: git config gitexp.push.{remote.name} approved"


def spawn_live(workspace: Workspace, run_id: str) -> None:
    """Publish a running run as it is now in a process of its own; returns at once and never raises."""
    _spawn_quietly(workspace, "--live", run_id)


def spawn_end_live(workspace: Workspace, run_id: str) -> None:
    """Take a published run away from the remote in a process of its own; returns at once and never raises."""
    _spawn_quietly(workspace, "--end-live", run_id)


def _spawn_quietly(workspace: Workspace, *args: str) -> None:
    try:
        _spawn(workspace, "--auto", *args)
    except (OSError, subprocess.SubprocessError) as error:
        _log(workspace, f"not started: {error}")


def _spawn(workspace: Workspace, *args: str) -> None:
    """Start `gitexp push ARGS` in a session of its own; the shell between ends at once, so that nobody has to wait."""
    repo = workspace.repo
    place = str(repo.work_tree or repo.git_dir)
    words = [sys.executable, "-P", "-m", "gitexp", "--repo", place, "push", *args]
    env = {name: value for name, value in os.environ.items() if name not in _OF_THE_RUN}
    package = str(Path(__file__).resolve().parents[2])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (env.get("PYTHONPATH"), package)))
    workspace.home.mkdir(parents=True, exist_ok=True)
    with open(workspace.home / "push.log", "ab") as log:
        subprocess.run(
            ["/bin/sh", "-c", 'nice -n 10 "$@" &', "sh", *words],
            cwd=place,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=False,
        )


def auto(workspace: Workspace, name: str | None = None) -> None:
    """Push what was agreed to, one process at a time; whoever comes meanwhile leaves word, and is done."""
    word = workspace.home / "push.again"
    files.write(word, b"")
    while word.exists():
        with _alone(workspace) as alone:
            if not alone:
                return  # the one that is pushing looks for the word once more after it let go
            while word.exists():
                word.unlink(missing_ok=True)
                _logged(workspace, lambda: _push(workspace, name))


@contextmanager
def _alone(workspace: Workspace) -> Iterator[bool]:
    try:
        with locks.hold(workspace.home / "push.lock", timeout_seconds=0):
            yield True
    except Conflict:
        yield False


def _push(workspace: Workspace, name: str | None) -> str:
    remote = remotes.choose(workspace, name)
    planned = push.plan(workspace, remote, push.Choice(), _AUTO)
    done = push.push(workspace, planned, options=_AUTO)
    left = f"; {done.left.why}" if done.which else ""
    return f"{remote.label}: {text.plural(len(done.sent), 'run')} sent{', facts too' if done.facts else ''}{left}"


def push_live(workspace: Workspace, run: LiveRun) -> str:
    """Publish a running run: replaces what was published of it before. Returns a line for the log."""
    remote = remotes.choose(workspace)
    if runsbranch.ref(workspace) is not None:
        return f"{remote.label}: running runs are not published through a branch"
    ref = live_ref(run)
    commit = _commit(workspace, run)
    _check(workspace, remote, ref, commit)
    _replace(workspace, remote, ref, commit)
    for before in [held for held in remotes.seen(workspace, remote) if _is_live(held, run.id) and held != ref]:
        _replace(workspace, remote, before, None)  # its script has given it another name since
    return f"{remote.label}: published {ref}"


def end_live(workspace: Workspace, run_id: str) -> str:
    """Take a published run away from the remote; one that was never published is fine."""
    remote = remotes.choose(workspace)
    ended = [ref for ref in remotes.seen(workspace, remote) if _is_live(ref, run_id)]
    for ref in ended:
        _replace(workspace, remote, ref, None)
    return f"{remote.label}: {text.plural(len(ended), 'published run')} taken away"


def live_by_id(workspace: Workspace, run_id: str) -> str:
    """Publish the running run of this id, if it still runs."""
    run = live.by_id(workspace, run_id)
    return f"run {run_id} is not running" if run is None else push_live(workspace, run)


def logged_live(workspace: Workspace, run_id: str) -> None:
    """Publish a run; what goes wrong is in push.log."""
    _logged(workspace, lambda: live_by_id(workspace, run_id))


def logged_end_live(workspace: Workspace, run_id: str) -> None:
    """Take a published run away; what goes wrong is in push.log."""
    _logged(workspace, lambda: end_live(workspace, run_id))


def live_ref(run: LiveRun) -> str:
    """Return the ref under which a running run is published."""
    return sync.LIVE_PREFIX + run.named.ref.removeprefix(runs.REF_PREFIX)


def _is_live(ref: str, run_id: str) -> bool:
    return ref.startswith(sync.LIVE_PREFIX) and ref.endswith("-" + ids.short(run_id))


def _check(workspace: Workspace, remote: Remote, ref: str, commit: str) -> None:
    head = runs.head(workspace, ref, commit)
    if head is not None and head.dirty and workspace.settings.choice("pushDirty") == "refuse":
        hint = "commit the edits and run again"
        raise Refused(f"{ref} runs with uncommitted edits (gitexp.pushDirty is refuse)", hint=hint)
    if head is not None and not exposure.approved(workspace, remote) >= exposure.kinds(workspace, remote):
        held = [oid for name, oid in remotes.seen(workspace, remote).items() if name.startswith(runs.REF_PREFIX)]
        exposure.check(workspace, remote, exposure.measure(workspace, remote, [head], held))


def _replace(workspace: Workspace, remote: Remote, ref: str, new: str | None) -> None:
    """Set or delete a ref of a running run, where it is as we left it; looks again once where it is not."""
    results: list[transport.Result] = []
    for held in (remotes.seen, lambda where, which: sync.look(where, which, _AUTO)):
        before = held(workspace, remote).get(ref)
        if new is None and before is None:
            return
        leases = {ref: before or ""}
        results = transport.push(workspace.repo, remote.name, [f"{new or ''}:{ref}"], leases=leases, options=_AUTO)
        if all(item.status != transport.REJECTED for item in results):
            remotes.remember(workspace, remote, {ref: new})
            return
    raise sync.refusal(remote, [item for item in results if item.status == transport.REJECTED])


def _commit(workspace: Workspace, run: LiveRun) -> str:
    """Store a running run as far as it is; no ref of ours points there."""
    repo, start = workspace.repo, run.start
    parents = (Parent("code", start.code_commit),) if start.code_commit else ()
    record = replace(run.record, status="running", end_ms=None, parents=parents)
    content = {
        "run.json": run_json.encode(record),
        "params.json": params.encode(run.params),
        "summary.json": summary.encode(run.summary),
        "metrics.csv": _curves(workspace, run),
        ".gitattributes": runs.ATTRIBUTES,
    }
    blobs = {name: (objects.FILE, objects.write_blob(repo, data)) for name, data in content.items()}
    tree = objects.graft(repo, start.code_tree, runs.FOLDER, objects.write_tree(repo, blobs))
    user = record.user
    person = Signature(str(user.get("name", "")), str(user.get("email", "")), record.start_ms // 1000)
    now = replace(person, time_s=clock.now_ms() // 1000)
    words = message.encode(record, run.summary)
    return objects.write_commit(repo, Commit(tree, tuple(item.commit for item in parents), person, now, words))


def _curves(workspace: Workspace, run: LiveRun) -> bytes:
    """Return metrics.csv so far, thinned evenly to what stands in Git itself."""
    limit = workspace.settings.size_bytes("metricsInlineLimit")
    so_far = list(run.points())
    data = points.encode(so_far)
    return data if len(data) <= limit else points.encode(so_far[:: len(data) // limit + 1])


def _logged(workspace: Workspace, work: Callable[[], str]) -> None:
    try:
        _log(workspace, work())
    except GitexpError as error:
        plan = getattr(error, "plan", ())
        _log(workspace, " ".join([*(line.strip() for line in plan), error.message + ".", error.hint]))


def _log(workspace: Workspace, line: str) -> None:
    """Add a line to push.log, which is begun anew when it is large."""
    path = workspace.home / "push.log"
    try:
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_name("push.log.1"))
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{canonical.iso(clock.now_ms())} {line}\n")
    except OSError as error:
        sys.stderr.write(f"gitexp: {path}: {error}\n")
