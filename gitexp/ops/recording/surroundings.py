"""What a session's thread captures of the machine: the environment once, the system metrics regularly."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from gitexp import canonical, files
from gitexp.capture import environment, gpu, system
from gitexp.ops.recording.background import Keeper
from gitexp.ops.recording.lifecycle import Session
from gitexp.ops.sharing import publish


def keep(
    session: Session,
    trouble: Callable[[Exception], None],
    *,
    warn: Callable[[str], None] | None = None,
    command: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
    pid: int | None = None,
) -> Keeper:
    """Start the thread of a session.

    For a wrapped command its own interpreter is looked at, and `pid` is the process whose use of the machine is
    sampled. Only the main process of a run captures; the others only write.
    """
    if not session.is_main:
        return Keeper(session, trouble, warn=warn)
    settings = session.workspace.settings
    environ = os.environ if environ is None else environ
    regular = None
    if (seconds := publish.every_seconds(session.workspace)) is not None:
        regular = (seconds, lambda: publish.spawn_live(session.workspace, session.id))
    return Keeper(
        session,
        trouble,
        warn=warn,
        first=lambda: _capture(session, command, environ),
        meter=system.Meter(pid=pid, environ=environ) if settings.flag("systemMetrics") else None,
        meter_seconds=settings.duration_seconds("systemInterval"),
        regular=regular,
    )


def _capture(session: Session, command: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """Write environment.json and requirements.txt into the journal."""
    names = session.workspace.settings.items("env")
    if command:
        document = environment.capture_for(command, environ, variables=names)
    else:
        document = environment.capture(variables=names, environ=environ)
    content, packages = _encoded({**document, **gpu.capture(environ)})
    files.write(session.folder / "requirements.txt", packages)
    files.write(session.folder / "environment.json", content)


_last: tuple[dict[str, Any], tuple[bytes, bytes]] | None = None


def _encoded(document: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return environment.json and requirements.txt; the runs of one process mostly have the same."""
    global _last
    if _last is None or _last[0] != document:
        _last = document, (canonical.dumps(document), environment.requirements(document))
    return _last[1]
