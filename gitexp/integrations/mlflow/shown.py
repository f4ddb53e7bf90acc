"""A run as MLflow shows it, from a journal or a row of the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow.entities import LifecycleStage, Metric, Param, RunData, RunInfo, RunInputs, RunOutputs, RunTag
from mlflow.entities import Run as Entity
from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
    MLFLOW_SOURCE_NAME,
    MLFLOW_USER,
)

from gitexp.index import functions, values
from gitexp.record import params as nested
from gitexp.record.facts import State
from gitexp.store import runs
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run

NOTE = "mlflow.note.content"  # what gitexp calls the description
STATUSES = {"running": "RUNNING", "completed": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
OF_MLFLOW = {"RUNNING": "running", "SCHEDULED": "running"} | {name: key for key, name in STATUSES.items()}


@dataclass(slots=True)
class Told:
    """What is known of a run, before it is put into MLflow's words; `tags` are the record's as facts leave them."""

    id: str
    path: str
    name: str
    status: str
    start_ms: int
    end_ms: int | None
    removed: bool
    title: str | None = None
    author: str | None = None
    description: str | None = None
    parent: str | None = None
    code_commit: str | None = None
    command: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


def of(run: LiveRun, state: State) -> Told:
    """Return what a journal says, over what the run's earlier record has and under what is said of the run."""
    record = run.record
    first = record if run.before is None else run.before.record
    return Told(
        id=record.id,
        path=run.start.ref.removeprefix(runs.REF_PREFIX).rpartition("/")[0],
        name=first.name,
        status=record.status,
        start_ms=first.start_ms,
        end_ms=None if record.status == "running" else record.end_ms,
        removed=state.removed,
        title=state.title,
        author=str(record.user.get("name") or ""),
        description=state.description or record.description or first.description or None,
        parent=record.parent or first.parent,
        code_commit=record.code.get("commit"),
        command=" ".join(record.command) or None,
        params=params_of(run.params),
        metrics=_metrics(run),
        tags=state.tags_over(run.tags_over(first.tags)),
    )


def params_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Return params as MLflow has them: flat, and every value a text."""
    return {key_of(path): text(values.encode(value)) for path, value in nested.flatten(found).items()}


def key_of(path: str) -> str:
    """Return MLflow's key of a param's path: a dot in a key is a dot."""
    return ".".join(nested.split(path)) if "\\" in path else path


def text(stored: Any) -> str:
    """Return a param's value as a text, as the record has it: 0.1, true, [64, 64]."""
    found = functions.written(stored)
    return ("null" if found is None else found).removeprefix('"').removesuffix('"') if _is_json(stored) else str(found)


def _is_json(stored: Any) -> bool:
    return isinstance(stored, bytes)


def _metrics(run: Run) -> list[Metric]:
    found = []
    for name, item in run.summary.items():
        time_ms = item.last_time_ms or run.record.end_ms or run.record.start_ms
        found.append(Metric(name, float(item.value), time_ms, item.last_step))
    return found


def entity(told: Told, experiment_id: str, artifact_uri: str, inputs: RunInputs, outputs: RunOutputs) -> Entity:
    """Return MLflow's run."""
    tags = tags_of(told)
    info = RunInfo(
        run_id=told.id,
        experiment_id=experiment_id,
        user_id=tags.get(MLFLOW_USER) or told.author or "",
        status=STATUSES.get(told.status, "FAILED"),
        start_time=told.start_ms,
        end_time=told.end_ms,
        lifecycle_stage=LifecycleStage.DELETED if told.removed else LifecycleStage.ACTIVE,
        artifact_uri=artifact_uri,
        run_name=tags.get(MLFLOW_RUN_NAME) or told.name,
    )
    data = RunData(told.metrics, _pairs(Param, told.params), _pairs(RunTag, tags))
    return Entity(info, data, inputs, outputs)


def _pairs(kind: type, found: Mapping[str, str]) -> Sequence[Any]:
    return [kind(key, value) for key, value in found.items()]


def tags_of(told: Told) -> dict[str, str]:
    """Return the tags as MLflow shows them: its own words for what gitexp keeps elsewhere are among them."""
    tags = dict(told.tags)
    if MLFLOW_RUN_NAME not in tags:  # recorded by gitexp
        own = {MLFLOW_USER: told.author, MLFLOW_SOURCE_NAME: told.command, MLFLOW_GIT_COMMIT: told.code_commit}
        tags = {key: value for key, value in own.items() if value} | {MLFLOW_RUN_NAME: told.name} | tags
    if told.title:
        tags[MLFLOW_RUN_NAME] = told.title
    if told.description:
        tags[NOTE] = told.description
    if told.parent:
        tags.setdefault(MLFLOW_PARENT_RUN_ID, told.parent)
    return tags
