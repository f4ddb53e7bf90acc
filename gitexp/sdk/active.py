"""Which run is active, and how runs begin: alone, inside `gitexp run`, in one of many ranks, resumed, nested."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any

from gitexp import ids
from gitexp.capture import arguments, seeds
from gitexp.errors import Conflict, NoRepository, UsageError
from gitexp.ops.finding import find
from gitexp.ops.recording import failures, lifecycle, surroundings
from gitexp.ops.recording import spool as spools
from gitexp.ops.recording.background import Keeper
from gitexp.ops.recording.lifecycle import Request, Session
from gitexp.record import values
from gitexp.sdk.outcome import outcome
from gitexp.sdk.run import Run
from gitexp.store import live
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run as StoredRun
from gitexp.store.workspace import Workspace

RANK_WAIT_SECONDS = 10.0
_RANKS = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
_GROUP = (
    "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT",
    "SLURM_JOB_ID", "SLURM_STEP_ID", "PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "PBS_JOBID",
)  # fmt: skip

_current: ContextVar[Run | None] = ContextVar("gitexp_run", default=None)
_open: list[Run] = []
_joined: dict[str, str | None] = {}  # runs of other processes that this one joined: the experiment that it named
_handled: dict[int, Any] = {}


def start_run(
    experiment: str | None = None,
    *,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
    parent: Run | str | None = None,
    resume: str | None = None,
    seed: int | None = None,
    repo: str | os.PathLike[str] | None = None,
    log_all_ranks: bool | None = None,
) -> Run:
    """Begin a run and return it; use it as a context manager, or call `finish`.

    experiment: a hypothesis or approach, slashes allowed (`vision/resnet`); default: GITEXP_EXPERIMENT, the
    configuration, the branch. name: what people call the run; default: from a template or the command, else two words.
    params: choices made before training, nested as they are. tags: facts such as {"owner": "ana"}. parent: the run
    that this one is a part of. resume: a run to go on with, by any of its names. seed: recorded, and set as by
    `seed_everything`. repo: record into this repository instead of the current one. log_all_ranks: in a job of several
    processes, whether ranks other than 0 log too, as `rank1/loss`.

    Inside `gitexp run` the first call joins the wrapped run, each further one is a child of it.
    Raises NoRepository, DirtyTree where the project refuses runs of uncommitted code, Refused where it refuses those
    that do not keep the conventions of their experiment, UsageError for names that cannot be, NotFound for a run to
    resume that does not exist.
    """
    rank = _rank()
    workspace = _workspace(repo)
    all_ranks = workspace.settings.flag("logAllRanks") if log_all_ranks is None else log_all_ranks
    if rank and not all_ranks and not os.environ.get("GITEXP_RUN_ID"):
        return _began(Run(None))
    _finish_forgotten_in_notebook()
    converted, exact = values.plain(params or {})
    if not isinstance(converted, dict):
        raise UsageError(f"params are a mapping, not {values.short_repr(params)}", hint='params={"lr": 0.1}')
    request = Request(
        experiment=experiment,
        name=name,
        derived_name=arguments.name(arguments.params([sys.executable, *sys.argv])),
        params={"sdk": converted} if converted else {},
        tags={key: str(value) for key, value in (tags or {}).items()},
        description=description or "",
        parent=_parent_id(workspace, parent),
        resume=None if resume is None else find.one(workspace, resume).id,
        seeds=seeds.seed_everything(seed) if seed is not None else {},
        run_id=_shared_id(rank is not None and all_ranks),
        imported=True,
        spooled=spools.commit_named() if workspace.repo.git_dir.name == spools.FOLDER else None,
    )
    return _recording(workspace, request, rank, all_ranks=all_ranks, exact=exact)


def begin_fork(origin: StoredRun, name: str | None, params: Mapping[str, Any]) -> Run:
    """Begin a run that is forked from another, in its experiment."""
    converted, exact = values.plain(params)
    request = Request(
        experiment=origin.experiment, name=name, params={"sdk": converted}, forked_from=origin.id, imported=True
    )
    return _recording(origin.workspace, request, None, all_ranks=False, exact=exact)


def _recording(workspace: Workspace, request: Request, rank: int | None, *, all_ranks: bool, exact: bool) -> Run:
    session = _session(workspace, request, rank)
    run = Run(
        session,
        keeper=_keeper,
        prefix=f"rank{rank}/" if rank and all_ranks else "",
        on_finish=_ended,
        quiet=workspace.settings.flag("quiet") or not session.is_main,
        wait_seconds=RANK_WAIT_SECONDS if rank is not None and all_ranks else 0.0,
    )
    run._params = dict(request.params.get("sdk", {}))
    if not exact:
        run._warn("params", "some params are recorded as their repr only")
    return _began(run)


def _workspace(repo: str | os.PathLike[str] | None) -> Workspace:
    """Return where to record: the repository, or the spool where there is none or it cannot be written to."""
    folder = os.environ.get("GITEXP_SPOOL")
    try:
        found = workspaces.open(repo)
    except NoRepository:
        if not folder:
            raise
        return spools.workspace(Path(folder))
    if folder and not os.access(found.repo.common_dir, os.W_OK):
        return spools.workspace(Path(folder))
    return found


def _session(workspace: Workspace, request: Request, rank: int | None) -> Session:
    """Start the run, or join it where another process has: the wrapper, or rank 0."""
    shared = request.run_id
    if shared is None or request.resume is not None:
        return lifecycle.start(workspace, request)
    if shared in _joined:
        request.run_id, request.parent = None, request.parent or shared
        request.experiment = request.experiment or _experiment_of(workspace, shared)
        return lifecycle.start(workspace, request)
    _joined[shared] = request.experiment
    if live.by_id(workspace, shared) is None and not rank:
        try:
            return lifecycle.start(workspace, request)
        except Conflict:
            pass  # another process of the job was first
    return _join(workspace, request, shared, rank)


def _experiment_of(workspace: Workspace, run_id: str) -> str | None:
    """Return the experiment of the run that was joined: a child belongs there too."""
    found = live.by_id(workspace, run_id)
    if found is None:
        return _joined[run_id]
    said = None if "experiment" in found.start.fixed else _joined[run_id]
    return said or found.record.experiment


def _join(workspace: Workspace, request: Request, run_id: str, rank: int | None) -> Session:
    name = f"rank{rank}" if rank is not None else f"pid{os.getpid()}"
    session = lifecycle.join_when_there(workspace, run_id, f"{name}-{os.urandom(3).hex()}", RANK_WAIT_SECONDS)
    writer = session.writer
    if request.experiment or request.name:
        writer.event("name", experiment=request.experiment, name=request.name)
    for source, mapping in request.params.items():
        writer.event("params", source=source, values=mapping)
    for op, given in (("tags", request.tags), ("seeds", request.seeds)):
        if given:
            writer.event(op, values=dict(given))
    if request.description:
        writer.event("description", text=request.description)
    if rank is None and (request.experiment or request.name):
        lifecycle.check_joined(session)
    return session


def _shared_id(in_group: bool) -> str | None:
    """Return the id that several processes share: GITEXP_RUN_ID (any text), or what the launcher tells all ranks."""
    named = os.environ.get("GITEXP_RUN_ID", "")
    if named:
        return named if ids.is_run_id(named) else ids.from_text(named)
    if not in_group:
        return None
    told = [f"{key}={os.environ[key]}" for key in _GROUP if os.environ.get(key)]
    if not any(key.startswith(("SLURM", "PMIX", "PBS")) for key in told):
        told.append(f"parent={os.getppid()}")  # one machine: the launcher's own process
    return ids.from_text("\n".join(told))


def _rank() -> int | None:
    for key in _RANKS:
        if os.environ.get(key, "").isdigit():
            return int(os.environ[key])
    return None


def _parent_id(workspace: Workspace, parent: Run | str | None) -> str | None:
    if parent is None:
        return None
    return parent.id if isinstance(parent, Run) else find.one(workspace, parent).id


def _keeper(run: Run) -> Keeper:
    session = run._session
    assert session is not None
    return surroundings.keep(session, run._trouble, warn=run._alarm)


def _finish_forgotten_in_notebook() -> None:
    """In a notebook a cell that is run again would leave the run of the last time open."""
    shell = sys.modules.get("IPython")
    if shell is None or shell.get_ipython() is None:
        return
    for run in [item for item in _open if not item._entered]:
        run.finish()


def _began(run: Run) -> Run:
    _current.set(run)
    _open.append(run)
    if len(_open) == 1:
        _handle_signals()
    return run


def _ended(run: Run) -> None:
    if run in _open:
        _open.remove(run)
    if _current.get() is run:
        _current.set(_open[-1] if _open else None)
    if not _open:
        _release_signals()


def active_run() -> Run | None:
    """Return the run that is active here: the innermost one begun in this context, else the newest that is open."""
    run = _current.get()
    if run is not None and not run.is_finished:
        return run
    return next((other for other in reversed(_open) if not other.is_finished), None)


def needed() -> Run:
    """Return the active run; raises UsageError where there is none."""
    run = active_run()
    if run is None:
        raise UsageError("no run is active", hint="begin one: with gitexp.start_run() as run:")
    return run


def log(metrics: Mapping[str, Any], step: int | None = None) -> None:
    """Log several metrics of the active run; see `Run.log`."""
    needed().log(metrics, step)


def log_metric(name: str, value: Any, step: int | None = None, time: Any = None) -> None:
    """Log one point of the active run; see `Run.log_metric`."""
    needed().log_metric(name, value, step, time)


def log_params(mapping: Mapping[str, Any]) -> None:
    """Log params of the active run; see `Run.log_params`."""
    needed().log_params(mapping)


def log_param(name: str, value: Any) -> None:
    """Log one param of the active run."""
    needed().log_param(name, value)


def tag(*bare: str, **named: Any) -> None:
    """Tag the active run; see `Run.tag`."""
    needed().tag(*bare, **named)


def note(said: str) -> None:
    """Add a note to the active run."""
    needed().note(said)


def end_run(status: str = "completed") -> None:
    """Finish the active run."""
    needed().finish(status)


def seed_everything(seed: int) -> dict[str, Any]:
    """Seed Python's, NumPy's and torch's random numbers, and record that in the active run.

    seed: 0 to 2**32 - 1. Returns what was seeded, {"python": seed, …}; libraries imported later are not.
    """
    done = seeds.seed_everything(seed)
    run = active_run()
    if run is not None:
        run._event("seeds", values=done)
    return done


def _handle_signals() -> None:
    """End runs as killed on SIGTERM and SIGHUP; a handler the user set is left to the user."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            _handled[number] = signal.signal(number, _killed)


def _release_signals() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for number, before in list(_handled.items()):
        if signal.getsignal(number) is _killed:
            signal.signal(number, before)
        del _handled[number]


def _killed(number: int, frame: FrameType | None) -> None:
    """Finish what is open, then die of the signal, as without us."""
    for run in reversed(_open[:]):
        run._finish("killed", None, None, failures.of_signal(number))
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _at_exit() -> None:
    """Finish forgotten runs: an uncaught exception has failed them."""
    error = getattr(sys, "last_value", None)
    status, code = outcome(error)
    for run in reversed(_open[:]):
        run._finish(status, code, error)


def _in_child() -> None:
    _handled.clear()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is _killed:
            signal.signal(number, signal.SIG_DFL)
    for run in _open:
        run._forked()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_child)
