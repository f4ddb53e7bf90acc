"""`gitexp run -- COMMAND`: an unmodified command as a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitexp.capture import arguments, output
from gitexp.ops.recording import collect, failures, lifecycle, surroundings
from gitexp.ops.recording.background import Keeper
from gitexp.ops.recording.collect import Begin, Collected, Wanted
from gitexp.ops.recording.lifecycle import Request, Session
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_KILLED = {128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)}


@dataclass(frozen=True, slots=True)
class Wrapped:
    """How a wrapped command ended: the run, the command's own exit code, and what was kept of what it left behind."""

    run: Run
    exit_code: int
    collected: Collected | None = None


def request(argv: Sequence[str], params_file: Path | None = None) -> Request:
    """Return what a command line asks for: params from its arguments and from a file, and a name made of them."""
    found = arguments.params(argv)
    given: dict[str, Mapping[str, Any]] = {"arguments": found}
    if params_file is not None:
        given["file"] = arguments.from_file(params_file)
    return Request(params=given, derived_name=arguments.name(found), command=tuple(argv))


def run(
    workspace: Workspace,
    argv: Sequence[str],
    asked: Request,
    wanted: Wanted | None = None,
    progress: AbstractContextManager[Begin] | None = None,
) -> Wrapped:
    """Run a command and record it; its output passes through unchanged. `wanted` are files to keep at its end.

    Raises DirtyTree and Refused before the command starts. What goes wrong with recording does not end the command.
    """
    session = lifecycle.start(workspace, asked)
    environ = _environment(session, asked)
    keeping: list[Keeper] = []

    watched: list[failures.Watched] = []

    def begin(pid: int) -> None:
        watched.append(failures.Watched(pid))
        keeping.append(surroundings.keep(session, _ignore, command=tuple(argv), environ=environ, pid=pid))

    log = None if "output" in workspace.settings.items("privacy") else session.folder / "output.log"
    limit = workspace.settings.size_bytes("outputLimit")
    try:
        code = output.run(argv, log=log, environ=environ, limit_bytes=limit, on_start=begin)
    except BaseException:
        _stop(keeping)
        if keeping:
            lifecycle.finish(session, "killed")
        else:  # the command never began: there is nothing to record
            lifecycle.abandon(session)
        raise
    _stop(keeping)
    status = "completed" if code == 0 else "killed" if code in _KILLED else "failed"
    collected = None
    if wanted is not None and wanted.patterns:
        with progress or nullcontext() as shown:
            collected = collect.collect(session, wanted, shown)
    reasons = failures.of_command(workspace, code, log, watched[0].kills)
    recorded = lifecycle.finish(session, status, exit_code=code, reasons=reasons)
    assert recorded is not None  # this process is the main one
    return Wrapped(recorded, code, collected)


def _environment(session: Session, asked: Request) -> dict[str, str]:
    """Return the command's environment: its own first start_run joins this run, wherever it is called."""
    repo, seed = session.workspace.repo, asked.seeds.get("seed")
    given = {} if seed is None else {"GITEXP_SEED": str(seed)}
    given |= {"GITEXP_RUN_ID": session.id, "GITEXP_REPO": str(repo.work_tree or repo.git_dir)}
    return {**os.environ, **given}


def _stop(keeping: Sequence[Keeper]) -> None:
    for keeper in keeping:
        keeper.stop()


def _ignore(error: Exception) -> None:
    """Take trouble of the background silently: the record lacks what could not be captured, the command goes on."""
