"""Datasets and logged models as inputs and outputs of runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    RunInputs,
    RunOutputs,
    _DatasetSummary,
)
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from gitexp import redact
from gitexp.index import rows
from gitexp.integrations.mlflow import checks, hold, table
from gitexp.integrations.mlflow.table import Line
from gitexp.record import dataset
from gitexp.record.dataset import Column
from gitexp.store import annotations as said_of
from gitexp.store.live import LiveRun
from gitexp.store.workspace import Workspace

MAX_SUMMARIES = 1000
_TEXTS = ("name", "digest", "source_type", "source", "schema", "profile")


class Inputs:
    """The part of the store that knows what runs read and put out."""

    if TYPE_CHECKING:
        workspace: Workspace

        def _check_active(self, run_id: str) -> None: ...

    def log_inputs(
        self,
        run_id: str,
        datasets: list[DatasetInput] | None = None,
        models: list[LoggedModelInput] | None = None,
    ) -> None:
        """Record which datasets and models a run read; of one name and digest what was said first."""
        checks.run_id(run_id)
        if datasets is not None:
            if not isinstance(datasets, list):
                raise TypeError(f"Argument 'datasets' should be a list, got '{type(datasets)}'")
            checks.dataset_inputs(datasets)
        self._check_active(run_id)
        run = table.run(self.workspace, run_id)
        known = {(said.get("name"), said.get("digest")): item.name for item, said in _described(run.data)}
        taken = {item.name for item in dataset.read(run.data)}
        with hold.session(self.workspace, run_id) as session:
            for given in datasets or ():
                key = given.dataset.name, given.dataset.digest
                if key not in known:
                    known[key] = _free(taken, *key)
                    entry = _entry(self.workspace, known[key], given, len(known))
                    session.writer.event("dataset", entry=entry.to_json())
            for model in models or ():
                session.writer.event("logged", input=model.model_id)

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        """Record which models a run put out, and at which steps."""
        self._check_active(run_id)
        with hold.session(self.workspace, run_id) as session:
            for model in models:
                session.writer.event("logged", output=model.model_id, step=int(model.step))

    def _inputs_outputs(self, run_ids: Sequence[str]) -> dict[str, tuple[RunInputs, RunOutputs]]:
        """Return what runs read and put out."""
        return {run_id: _read(lines) for run_id, lines in table.said(self.workspace, run_ids).items()}

    def _said_by(self, run: LiveRun) -> tuple[RunInputs, RunOutputs]:
        """Return what an active run read and put out so far."""
        return _read(
            [Line(run.id, kind, key, json.loads(body)) for kind, key, body in rows.logged_of(run.logged, run.data)]
        )

    def _search_datasets(self, experiment_ids: list[str]) -> list[_DatasetSummary]:
        """Return which datasets the runs of experiments read, each once."""
        found: dict[tuple[str, str, str, str | None], None] = {}
        known: dict[str, str] = {}
        for path, said in table.datasets(self.workspace):
            if path not in known:
                known[path] = said_of.experiment_of(self.workspace, path)
            if known[path] in experiment_ids:
                context = said.get("tags", {}).get(MLFLOW_DATASET_CONTEXT)
                found[known[path], str(said.get("name")), str(said.get("digest")), context] = None
        return [_DatasetSummary(*key) for key in list(found)[:MAX_SUMMARIES]]


def _described(entries: Sequence[Mapping[str, Any]]) -> list[tuple[dataset.Dataset, Mapping[str, Any]]]:
    """Return the datasets that MLflow described, and how."""
    found = [(item, item.metadata.get("mlflow")) for item in dataset.read(entries)]
    return [(item, said) for item, said in found if isinstance(said, Mapping)]


def _free(taken: set[str], name: str, digest: str) -> str:
    """Return what a dataset is called in the record, where a run may read several of one name."""
    short = name[: dataset.MAX_NAME - len(digest) - 1]
    found = name if name not in taken and len(name) <= dataset.MAX_NAME else f"{short}-{digest}"
    taken.add(found)
    return found


def _entry(workspace: Workspace, name: str, given: DatasetInput, place: int) -> dataset.Dataset:
    """Return the entry of data.json: as much of it as MLflow's own words tell, and these.

    `place` is its place among those that MLflow described: the record has them in the order of their names.
    """
    tags = {tag.key: tag.value for tag in given.tags or ()}
    said = {key: value for key in _TEXTS if (value := getattr(given.dataset, key)) is not None}
    source, profile = _object(given.dataset.source), _object(given.dataset.profile)
    count = profile.get("num_rows")
    columns = _columns(_object(given.dataset.schema))
    return dataset.Dataset(
        name,
        role=tags.get(MLFLOW_DATASET_CONTEXT, ""),
        uri=_uri(workspace, source),
        rows=count if isinstance(count, int) and not isinstance(count, bool) else None,
        schema=columns[: dataset.MAX_COLUMNS],
        columns=len(columns) if len(columns) > dataset.MAX_COLUMNS else None,
        source={"kind": given.dataset.source_type},
        metadata={"mlflow": {**said, "place": place, **({"tags": tags} if tags else {})}},
        unread="MLflow described it",
    )


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _columns(schema: Mapping[str, Any]) -> tuple[Column, ...]:
    listed = schema.get("mlflow_colspec")
    found = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return tuple(Column(str(row.get("name", "")), str(row.get("type", ""))) for row in found)


def _uri(workspace: Workspace, source: Mapping[str, Any]) -> str:
    """Return where data lies: a path from the top of the work tree, or an address."""
    said = next((str(source[key]) for key in ("uri", "url", "path") if source.get(key)), "")
    top = workspace.repo.work_tree
    path = said.removeprefix("file://")
    if top is not None and Path(path).is_relative_to(top):
        return str(Path(path).relative_to(top))
    return redact.url(said) if said else ""


def _read(lines: Sequence[Line]) -> tuple[RunInputs, RunOutputs]:
    datasets = [_input(body) for body in sorted((line.body for line in lines if line.kind == "dataset"), key=_place)]
    models = [LoggedModelInput(model_id=line.id) for line in lines if line.kind == "input"]
    outputs = [LoggedModelOutput(model_id=line.id, step=line.body["step"]) for line in lines if line.kind == "output"]
    return RunInputs(dataset_inputs=datasets, model_inputs=models), RunOutputs(model_outputs=outputs)


def _place(said: Mapping[str, Any]) -> int:
    found = said.get("place")
    return found if isinstance(found, int) else 0


def _input(said: Mapping[str, Any]) -> DatasetInput:
    tags = [InputTag(key, str(value)) for key, value in said.get("tags", {}).items()]
    return DatasetInput(Dataset(*(said.get(key) for key in _TEXTS)), tags)
