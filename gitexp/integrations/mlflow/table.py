"""What runs say of logged models and datasets, found over all runs: by the index, and in late journals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlflow.exceptions import MlflowException

from gitexp.errors import Damaged
from gitexp.index import database, rows
from gitexp.integrations.mlflow import failures
from gitexp.record import logged
from gitexp.record.logged import Measured, Model
from gitexp.record.points import Point
from gitexp.store import live, runs, seal
from gitexp.store.journal import Start
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

HOLDER = "mlflow.loggedModel"  # tag of a run that only holds a model that was logged without one
PURGED = "mlflow.purged"  # tag of a logged model that `mlflow gc` has deleted for good

_SELECT = (
    "SELECT run.id, logged_model.kind, logged_model.id, logged_model.body"
    " FROM logged_model JOIN run ON run.key = logged_model.run"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a run says: `kind` is model, metrics, input, output or dataset, `id` of what, and the rest."""

    run_id: str
    kind: str
    id: str
    body: Mapping[str, Any]


@dataclass(slots=True)
class Found:
    """A logged model, the run that has it, and what all runs measured of it: (run id, metric …, point)."""

    run_id: str
    model: Model
    measured: list[tuple[str, Measured, Point]] = field(default_factory=list)


def run(workspace: Workspace, run_id: str) -> Run:
    """Return a run, with what was written since its end; raises MlflowException where there is none."""
    running = live.by_id(workspace, run_id)
    if running is not None:
        return running
    query = "SELECT ref, commit_oid FROM run WHERE id = ? AND ref IS NOT NULL"
    found = database.of(workspace).rows(query, (run_id,))
    if not found:
        raise failures.missing(f"Run with id={run_id} not found")
    stored = runs.load(workspace, found[0][1], found[0][0])
    return _late(workspace, stored) or stored


def _late(workspace: Workspace, stored: Run) -> LiveRun | None:
    """Return a run with what its journal has that came after its end, None where nothing did."""
    folder = workspace.live / stored.id
    try:
        if not (folder / seal.LATE).exists():
            return None
        return LiveRun(workspace, folder, replace(Start.read(folder), previous=stored.commit))
    except Damaged:
        return None


def said(workspace: Workspace, run_ids: Sequence[str]) -> dict[str, list[Line]]:
    """Return what runs say, by run."""
    marks = ", ".join("?" * len(run_ids))
    found: dict[str, list[Line]] = {run_id: [] for run_id in run_ids}
    for line in _lines(workspace, f"run.id IN ({marks})", run_ids, set(run_ids)):
        found[line.run_id].append(line)
    return found


def one(workspace: Workspace, model_id: str) -> Found | None:
    """Return a logged model, None where no run has it."""
    return _gather(_lines(workspace, "logged_model.id = ?", (model_id,)), model_id).get(model_id)


def every(workspace: Workspace) -> list[Found]:
    """Return all logged models."""
    kinds = "logged_model.kind IN ('model', 'metrics')"
    return list(_gather(_lines(workspace, kinds, ())).values())


def owner(workspace: Workspace, model_id: str) -> str:
    """Return the run that has a logged model; raises MlflowException where there is none."""
    found = one(workspace, model_id)
    if found is None:
        raise missing(model_id)
    return found.run_id


def missing(model_id: str) -> MlflowException:
    """Return what MLflow says of a model that is not there."""
    return failures.missing(f"Logged model with ID '{model_id}' not found.")


def datasets(workspace: Workspace) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the experiment's id of each dataset that MLflow described, and what it said."""
    query = (
        "SELECT run.path, run.first_experiment, logged_model.body FROM logged_model"
        " JOIN run ON run.key = logged_model.run WHERE kind = 'dataset' AND NOT run.removed"
    )
    for path, _, body in database.of(workspace).rows(query):
        yield path, json.loads(body)


def _gather(lines: Iterable[Line], wanted: str = "") -> dict[str, Found]:
    """Put together what runs say of models; what is measured of one that nobody has is left out."""
    found: dict[str, Found] = {}
    measured: list[Line] = []
    for line in lines:
        if wanted and line.id != wanted:
            continue
        if line.kind == "model":
            found[line.id] = Found(line.run_id, Model.from_json(line.id, line.body))
        elif line.kind == "metrics":
            measured.append(line)
    for line in measured:
        if line.id in found:
            for key, points in logged.from_json({"metrics": [line.body]}).metrics.items():
                found[line.id].measured += [(line.run_id, key, point) for point in points]
    return {key: item for key, item in found.items() if PURGED not in item.model.tags}


def _lines(
    workspace: Workspace, where: str, parameters: Sequence[str], wanted: set[str] | None = None
) -> Iterator[Line]:
    """Yield what the index finds, but for runs with a late journal: what these say now."""
    late = {item.id: item for item in _all_late(workspace) if wanted is None or item.id in wanted}
    for run_id, kind, key, body in database.of(workspace).rows(f"{_SELECT} WHERE {where}", parameters):
        if run_id not in late:
            yield Line(run_id, kind, key, json.loads(body))
    for run_id, item in late.items():
        for kind, key, body in rows.logged_of(item.logged, item.data):
            yield Line(run_id, kind, key, json.loads(body))


def _all_late(workspace: Workspace) -> Iterator[LiveRun]:
    for folder in live.folders(workspace):
        if (folder / seal.LATE).exists():
            stored = runs.by_id(workspace, folder.name.partition(".")[0])
            found = _late(workspace, stored) if stored is not None else None
            if found is not None:
                yield found
