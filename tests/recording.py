"""Runs recorded as a script records them, but with the environment, data and id that a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gitexp import canonical, clock, files
from gitexp.ops.recording import attach, lifecycle
from gitexp.ops.recording.lifecycle import Request, Session
from gitexp.record import points
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run

ENVIRONMENT: dict[str, Any] = {
    "python": {"implementation": "CPython", "version": "3.11.9"},
    "packages": {name: {"version": "1.0", "origin": "index"} for name in ("numpy", "pandas", "scipy")},
    "platform": {"system": "Linux", "machine": "x86_64"},
    "gpus": [{"index": 0, "name": "H100 80GB"}],
}


def start(
    path: Path | str,
    name: str,
    *,
    run_id: str | None = None,
    experiment: str = "churn",
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Sequence[float]] | None = None,
    environment: Mapping[str, Any] | None = ENVIRONMENT,
    data: Sequence[Mapping[str, Any]] = (),
    seeds: Mapping[str, Any] | None = None,
    artifacts: Mapping[str, bytes] | None = None,
    command: tuple[str, ...] = ("python", "train.py"),
    settings: Mapping[str, str] | None = None,
) -> Session:
    """Begin a run and log all of it; it is live until it is finished."""
    workspace = workspaces.open(path, {"host": "gpu01", **(settings or {})})
    session = lifecycle.start(
        workspace,
        Request(
            experiment=experiment,
            name=name,
            params={"sdk": params or {}},
            seeds=seeds or {},
            command=command,
            run_id=run_id,
        ),
    )
    for metric, values in (metrics or {}).items():
        for step, value in enumerate(values):
            session.writer.rows.append((points.cell(metric), step, clock.now_ms(), value))
    for artifact, content in (artifacts or {}).items():
        source = session.folder.parent.parent / "tmp" / "given"
        files.write(source, content)
        attach.add(attach.Work(session, _refuse, _refuse), source, artifact)
        source.unlink()
    if environment is not None:
        files.write(session.folder / "environment.json", canonical.dumps(dict(environment)))
    if data:
        files.write(session.folder / "data.json", canonical.dumps(list(data)))
    return session


def _refuse(*said: object) -> None:
    raise AssertionError(said)


def record(path: Path | str, name: str, *, status: str = "completed", **what: Any) -> Run:
    """Record a whole run and return it."""
    run = lifecycle.finish(start(path, name, **what), status)
    assert run is not None
    return run
