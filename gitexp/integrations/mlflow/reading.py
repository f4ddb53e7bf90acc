"""What a run has so far, for who writes to it: its params, its experiment."""

from __future__ import annotations

from collections.abc import Mapping

from gitexp.errors import Conflict
from gitexp.integrations.mlflow import follow, shown, table
from gitexp.ops.recording.lifecycle import Session
from gitexp.store import annotations as said
from gitexp.store.live import LiveRun
from gitexp.store.workspace import Workspace


class Changed(Exception):
    """Params that have other values already: {key: (old, new)}."""

    def __init__(self, differing: Mapping[str, tuple[str, str]]) -> None:
        super().__init__(f"params have other values: {', '.join(differing)}")
        self.differing = differing


def params(held: Session) -> dict[str, str]:
    """Return all params of a run that somebody holds the turn to write to."""
    active = follow.run(held.workspace, held.id)
    if active is None:
        found = table.run(held.workspace, held.id)
        if not isinstance(found, LiveRun):
            raise Conflict("the run was committed meanwhile", hint="gitexp log")
        active = found
    return shown.params_of(active.params)


def experiment_id(workspace: Workspace, run_id: str) -> str:
    """Return the id of a run's experiment."""
    record = table.run(workspace, run_id).record
    return record.experiment_id or said.experiment_of(workspace, record.experiment)
