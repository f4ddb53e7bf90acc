"""What a session's thread captures of the machine: the environment once, the system metrics regularly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from gitexp import canonical, files
from gitexp.capture import environment, gpu, machine, scheduler, system
from gitexp.ops import publish
from gitexp.ops.background import Keeper
from gitexp.ops.lifecycle import Session


def keep(
    session: Session,
    trouble: Callable[[Exception], None],
    *,
    command: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
    pid: int | None = None,
) -> Keeper:
    """Start the thread of a session.

    For a wrapped command its own interpreter is looked at, and `pid` is the process whose use of the machine is
    sampled. Only the main process of a run captures; the others only write.
    """
    settings = session.workspace.settings
    regular: list[tuple[float, Callable[[], None]]] = []
    if session.is_main and settings.flag("publish"):
        run_id, every = session.id, settings.duration_seconds("publishEvery")
        regular.append((every, lambda: publish.spawn_live(session.workspace, run_id)))
    if session.is_main and settings.flag("systemMetrics"):
        sampler = system.Sampler(pid=pid)
        regular.append((settings.duration_seconds("systemInterval"), lambda: _sample(session, sampler)))
    first = (lambda: _capture(session, command, environ)) if session.is_main else None
    return Keeper(session, trouble, first, tuple(regular))


def _capture(session: Session, command: tuple[str, ...], environ: Mapping[str, str] | None) -> None:
    """Write environment.json and requirements.txt into the journal."""
    names = session.workspace.settings.items("env")
    if command:
        document = environment.capture_for(command, environ, variables=names, cwd=Path.cwd())
    else:
        document = environment.capture(variables=names)
    found = {**document, **machine.capture(), **gpu.capture(), **scheduler.capture()}
    if "host" in session.workspace.settings.items("privacy"):
        found.pop("hostname", None)
    files.write(session.folder / "requirements.txt", environment.requirements(document))
    files.write(session.folder / "environment.json", canonical.dumps(found))


def _sample(session: Session, sampler: system.Sampler) -> None:
    session.writer.system(sampler.sample())
