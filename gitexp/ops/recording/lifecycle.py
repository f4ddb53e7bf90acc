"""The life of a run in one process: start, join, finish."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gitexp import clock, ids, redact, text
from gitexp.capture import code
from gitexp.capture.code import CodeState
from gitexp.errors import Conflict, DirtyTree, NotFound, Refused, WriteFailed
from gitexp.git import objects, refs, signing
from gitexp.index import handed
from gitexp.ops import dirty, hooks
from gitexp.ops.comparing import conform, conventions
from gitexp.ops.recording import failures, maintain, naming, recover
from gitexp.ops.recording.losses import Losses
from gitexp.ops.sharing import publish
from gitexp.record import message, params
from gitexp.record.reasons import Reason
from gitexp.record.run import RunRecord
from gitexp.store import experiments, journal, live, runs, seal
from gitexp.store import workspace as workspaces
from gitexp.store.experiments import Experiment
from gitexp.store.journal import Start, Writer
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(slots=True)
class Request:
    """What is asked of a new run; params by their source (arguments, file, sdk).

    `spooled` is the code that it says it runs, where that is not the one here; `elsewhere`: it runs on another machine.
    """

    experiment: str | None = None
    name: str | None = None
    derived_name: str | None = None
    params: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    parent: str | None = None
    resume: str | None = None
    forked_from: str | None = None
    seeds: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    run_id: str | None = None
    verify: bool = True
    owned: bool = True
    imported: bool = False
    spooled: str | None = None
    shared: bool = False
    elsewhere: bool = False
    start_ms: int | None = None


@dataclass(slots=True)
class Session:
    """One process's hold on a run: the journal's folder and this process's own files in it."""

    workspace: Workspace
    start: Start
    folder: Path
    writer: Writer
    losses: Losses = field(init=False)

    def __post_init__(self) -> None:
        self.losses = Losses(self.workspace, self.writer.summary)

    @property
    def id(self) -> str:
        """The run's id."""
        return self.start.record.id

    @property
    def is_main(self) -> bool:
        """Whether this process commits the run at its end."""
        return self.writer.name == journal.MAIN


def start(workspace: Workspace, request: Request) -> Session:
    """Fix the code, open the journal, and return this process's hold on the new run.

    Raises DirtyTree and Refused before anything is written, UsageError for names and params that cannot be.
    """
    previous = _previous(workspace, request)
    run_id = previous.id if previous else request.run_id or ids.new_run_id()
    failures.rules(workspace)  # a rule that is not understood is said now, not when the run has failed
    if workspace.settings.flag("sign"):
        signing.require(workspace.repo)  # likewise
    experiment = experiments.resolve(
        workspace, request.experiment or workspaces.default_experiment(workspace), new=True
    )
    record = _conforming(workspace, request, _record(workspace, request, run_id, experiment), previous)
    told = hooks.pre_run(
        workspace, name=record.name, experiment=record.experiment, command=record.command, verify=request.verify
    )
    if told:
        print(told, file=sys.stderr)
    state = _code(workspace, request)
    record = replace(record, code=state.to_json() | ({"commit": request.spooled} if request.spooled else {}))
    commit = state.parent
    begun = Start(
        record=record,
        code_tree=objects.read_commit(workspace.repo, commit).tree if commit else None,
        code_commit=commit,
        ref=str(previous.ref) if previous else ids.run_ref(experiment.path, record.name, record.id),
        pid=os.getpid(),
        boot=journal.boot(),
        owned=request.owned,
        previous=previous.commit if previous else None,
        fixed=[key for key in ("experiment", "name") if getattr(request, key) and not request.shared],
        shared=request.shared,
    )
    try:
        folder = journal.create(workspace.live, begun)
    except OSError as error:
        raise WriteFailed(
            f"cannot write into {workspace.home}: {error.strerror}",
            hint="free some space, or record elsewhere: GITEXP_SPOOL=DIR (then: gitexp import-spool DIR)",
        ) from error
    if state.snapshot is not None:
        recover.keep_code(workspace, run_id, state.snapshot)
    session = Session(workspace, begun, folder, Writer(folder, journal.MAIN, shared=request.shared))
    for source, values in request.params.items():
        if values:
            session.writer.event("params", source=source, values=values)
    if request.owned and not request.shared and (counted := failures.before_death()):
        session.writer.event("kills", **counted)
    return session


def _conforming(workspace: Workspace, request: Request, record: RunRecord, previous: Run | None) -> RunRecord:
    """Hold a run that begins against the conventions of its experiment; raises Refused."""
    given: dict[str, Any] = {}
    for values in request.params.values():
        given = params.merge(given, values)
    subject = replace(conform.begun(workspace, record, given, previous), command=request.command)
    violations, said = conform.at_start(workspace, subject, later=request.shared or not request.owned)
    _warn(workspace, said)
    return replace(record, violations=tuple(item.to_json() for item in violations))


def _warn(workspace: Workspace, said: str) -> None:
    if said and not workspace.settings.flag("quiet"):
        print(said, file=sys.stderr)


def check_joined(session: Session) -> None:
    """Hold a run that another process began against the conventions again, where this one has renamed it."""
    workspace, start = session.workspace, session.start
    subject = conform.running(workspace, session.folder, start)
    if (subject.experiment, subject.name) == (start.record.experiment, start.record.name):
        return
    try:
        violations, said = conform.at_start(workspace, subject)
    except Refused:
        session.writer.close()
        raise
    _warn(workspace, said)
    session.writer.event("violations", violations=[item.to_json() for item in violations])


def _code(workspace: Workspace, request: Request) -> CodeState:
    """Fix the code; data that earlier runs wrote is told from dirt when it first stands in the way."""
    if request.elsewhere:
        return code.elsewhere(workspace.repo, request.spooled or "")
    policy, origin = workspace.settings.choice("dirty"), workspace.settings.origin("dirty")[1]
    while True:
        rules = dirty.rules(workspace)
        try:
            state = code.capture(workspace.repo, policy=policy, origin=origin, rules=rules, imported=request.imported)
        except DirtyTree as error:
            if dirty.learn_outputs(workspace, [path for status, path in error.paths if status == "??"]):
                continue
            raise
        if not dirty.learn_outputs(workspace, state.untracked):
            return state


def join(workspace: Workspace, run_id: str, name: str) -> Session:
    """Return this process's hold on a run that another process owns; `name` is that of its journal files.

    Raises NotFound where no such run is live.
    """
    found = live.by_id(workspace, run_id)
    if found is None:
        raise NotFound(f"no live run {run_id}", hint="gitexp status")
    return Session(workspace, found.start, found.folder, Writer(found.folder, name))


def join_when_there(workspace: Workspace, run_id: str, name: str, wait_seconds: float) -> Session:
    """Join a run that another process of the same job may be about to start; raises NotFound after the wait."""
    deadline = time.monotonic() + wait_seconds
    while live.by_id(workspace, run_id) is None and time.monotonic() < deadline:
        ended = runs.by_id(workspace, run_id)
        if ended is not None:
            return _join_ended(workspace, ended, name)
        time.sleep(0.02)
    return join(workspace, run_id, name)


def _join_ended(workspace: Workspace, run: Run, name: str) -> Session:
    """Log into a run that its main process has ended already: what comes late becomes one more commit."""
    folder = workspace.live / run.id
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(folder, name)
    return Session(workspace, _late(folder, run), folder, writer)


def enter(workspace: Workspace, run_id: str) -> Session | None:
    """Return this process's hold on a shared run, as one of those who append to it; None where it is not live.

    What is written may come after the run's end: then Conflict is raised, and `enter_late` is the way.
    """
    found = live.by_id(workspace, run_id)
    if found is None:
        return None
    if not found.start.shared:
        return join(workspace, run_id, f"pid{os.getpid()}-{os.urandom(3).hex()}")
    return _entered(workspace, found.folder, found.start)


def enter_late(workspace: Workspace, run: Run) -> Session | None:
    """Return the hold on what comes late to a run that has ended; None where it was committed a moment ago: try again.

    Its journal becomes one more commit by `recover.complete_late`, or by the next command.
    """
    folder = workspace.live / run.id
    folder.mkdir(parents=True, exist_ok=True)
    return _entered(workspace, folder, _late(folder, run, shared=True))


def _entered(workspace: Workspace, folder: Path, start: Start) -> Session | None:
    try:
        return Session(workspace, start, folder, Writer(folder, journal.MAIN, shared=True))
    except FileNotFoundError:
        return None


def _late(folder: Path, run: Run, *, shared: bool = False) -> Start:
    """Make a folder the journal of what comes late to a run that is committed."""
    begun = Start(
        record=run.record,
        code_tree=objects.read_commit(run.workspace.repo, str(run.commit)).tree,
        code_commit=next((parent.commit for parent in run.record.parents if parent.role == "code"), None),
        ref=str(run.ref),
        pid=os.getpid(),
        boot=journal.boot(),
        shared=shared,
    )
    if not (folder / "start.json").exists():
        if shared:
            (folder / f"events-{journal.MAIN}.jsonl").touch()
        seal.expect_late(folder, str(run.commit))
        begun.write(folder)
    return begun


def _come_late(session: Session) -> None:
    """Keep what this process logged where the main one ended the run, and removed the journal, as it joined."""
    events = session.folder / f"events-{session.writer.name}.jsonl"
    deadline = time.monotonic() + 5.0
    while not ((session.folder / "start.json").exists() and events.exists()):
        run = runs.by_id(session.workspace, session.id)
        if run is not None:
            session.writer.rescue()
            _late(session.folder, run)
        elif time.monotonic() > deadline:
            return  # claimed as dead: whoever did it commits these files too
        time.sleep(0.02)


def finish(
    session: Session,
    status: str,
    *,
    exit_code: int | None = None,
    error: Mapping[str, Any] | None = None,
    reasons: Sequence[Reason] = (),
    wait_seconds: float = 0.0,
    end_ms: int | None = None,
) -> Run | None:
    """Write the end into the journal and, in the main process, commit the run; None in the others.

    `reasons` are why it failed. Other writers of the run get `wait_seconds` to end first; what they write later becomes
    one more commit.
    """
    writer = session.writer
    if not session.is_main:
        _come_late(session)
    writer.drain()
    if writer.trouble is not None:
        raise writer.trouble
    look_at_losses(session)
    if not session.is_main:
        if error is not None:
            writer.event("error", error=dict(error))
        _say_why(session, reasons)
        writer.close()
        recover.complete_late(session.workspace, session.folder)
        return None
    if not session.start.shared and not (session.folder / "start.json").exists():
        _take_back(session)
    end_ms = clock.now_ms() if end_ms is None else end_ms
    _say_why(session, reasons)
    writer.event("end", status=status, end=end_ms, exit_code=exit_code, error=None if error is None else dict(error))
    _wait_for_others(session.folder, wait_seconds)
    _judge_end(session)
    began_ms = _began_ms(session)
    run = seal.seal(session.workspace, session.folder, writer.summary if writer.wrote_all else None)
    writer.close()
    workspace = session.workspace
    handed.give(workspace, run)
    dirty.note_session(workspace, began_ms, clock.now_ms())
    if session.start.record.code.get("snapshot"):
        recover.drop_code_ref(workspace, session.id)
    maintain.after_run(workspace)
    publish.after_run(workspace, session.id)
    return run


def _judge_end(session: Session) -> None:
    """Record what the run that ends does not keep of the conventions of its experiment."""
    workspace = session.workspace
    if conventions.are_any(workspace):
        found = conform.at_end(workspace, conform.running(workspace, session.folder, session.start))
        if found is not None:
            session.writer.event("violations", violations=[item.to_json() for item in found])


def _began_ms(session: Session) -> int:
    """Return when this session began to write: a start that was told may be that of a run of long ago."""
    told = session.start.record.start_ms
    return max(told, (session.folder / "start.json").stat().st_mtime_ns // 1_000_000) if session.start.shared else told


def _say_why(session: Session, reasons: Sequence[Reason]) -> None:
    if reasons:
        session.writer.event("reasons", reasons=[reason.to_json() for reason in reasons])


def look_at_losses(session: Session) -> str:
    """Tag a run whose loss is no finite number any more, once, and return what there is to say of it; else ""."""
    found = session.losses.look()
    if found is None:
        return ""
    session.writer.post("reasons", reasons=[found.to_json()])
    return f"{text.safe(found.text)}; the run is tagged {found.tag}"


def abandon(session: Session) -> None:
    """Forget a run that never began."""
    session.writer.close()
    journal.remove(session.folder)
    recover.drop_code_ref(session.workspace, session.id)


def _take_back(session: Session) -> None:
    """Go on after another host took this run for dead (a stopped process that woke up): its commit gets a successor."""
    session.writer.rescue()
    named = live.LiveRun(session.workspace, session.folder, session.start).named
    tip = refs.get(session.workspace.repo, named.ref)
    session.start = replace(named if tip else session.start, previous=tip, replaces=tip is not None)
    session.start.write(session.folder)


def _wait_for_others(folder: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(journal.held(folder, name) for name in journal.writers(folder) if name != journal.MAIN):
            return
        time.sleep(0.02)


def _previous(workspace: Workspace, request: Request) -> Run | None:
    if request.resume is None:
        return None
    if live.by_id(workspace, request.resume) is not None:
        raise Conflict(f"run {request.resume} is still running", hint="join it: GITEXP_RUN_ID=" + request.resume)
    found = runs.by_id(workspace, request.resume)
    if found is None:
        raise NotFound(f"no run {request.resume!r} to resume", hint="list the runs with: gitexp log")
    return found


def _record(workspace: Workspace, request: Request, run_id: str, experiment: Experiment) -> RunRecord:
    merged: dict[str, Any] = {}
    for values in request.params.values():
        merged |= values
    privacy = workspace.settings.items("privacy")
    now = clock.now_ms()
    user = {} if "user" in privacy else workspaces.user(workspace)
    return RunRecord(
        id=run_id,
        experiment=experiment.name,
        experiment_id=experiment.id,
        name=naming.choose(request.name, workspace.settings.text("nameTemplate"), merged, request.derived_name, run_id),
        status="running",
        start_ms=now if request.start_ms is None else request.start_ms,
        command=tuple(redact.command(list(request.command or sys.argv))),
        user=user | {"offset_minutes": _offset_minutes(now)},
        host="" if "host" in privacy else workspace.settings.text("host") or os.uname().nodename,
        seeds=dict(request.seeds),
        tags={str(key): str(value) for key, value in request.tags.items()},
        description=request.description,
        parent=request.parent,
        forked_from=request.forked_from,
        extra={} if request.verify else {"verified": False},
    )


def _offset_minutes(time_ms: int) -> int:
    offset = time.localtime(time_ms // 1000).tm_gmtoff
    return round(offset / 60)


def closing(run: Run) -> str:
    """Return the one line that a run says at its end."""
    record = run.record
    lost = sum(record.lost.values())
    said = [f"{text.safe(f'{record.experiment}/{record.name}')} ({ids.short(record.id)}) "]
    said.append(message.ending(record, run.summary) + ".")
    if record.reasons:
        why = [f"{reason.tag}: {text.shorten(text.safe(reason.text), 100)}" for reason in record.reasons]
        said.append(f" Tagged {', '.join(why)}.")
    said.append(conform.summary(record.violations))
    if lost:
        said.append(f" {text.plural(lost, 'value')} could not be recorded.")
    if not run.workspace.settings.flag("autoPush") and run.workspace.repo.has_remotes:
        said.append(" Not pushed.")
    return "".join(said)


def running(session: Session) -> Run:
    """Return the live run of a session, as readers see it."""
    return live.LiveRun(session.workspace, session.folder, session.start)


def before(session: Session) -> Run:
    """Return a resumed run as it was; raises NotFound for one that is new."""
    if session.start.previous is None:
        raise NotFound(f"run {session.id} has no earlier record", hint="gitexp show " + session.id)
    return runs.load(session.workspace, session.start.previous, session.start.ref)
