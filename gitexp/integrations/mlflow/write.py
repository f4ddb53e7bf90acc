"""Params, metrics and tags: checked as MLflow's SQL store checks them, written to the run's journal in the call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from gitexp.integrations.mlflow import checks, failures, hold, reading, shown
from gitexp.ops.recording.lifecycle import Session
from gitexp.record import points
from gitexp.store.journal import Row
from gitexp.store.workspace import Workspace


class Logging:
    """The part of the store that writes to runs."""

    workspace: Workspace

    if TYPE_CHECKING:

        def _check_active(self, run_id: str) -> None: ...

        def _told(self, run_id: str) -> shown.Told: ...

        def _say(self, told: shown.Told, tags: dict[str, str], gone: Sequence[str] = ()) -> None: ...

        def _log_model_metrics(self, run_id: str, metrics: Sequence[Metric], experiment_id: str) -> None: ...

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Log one point."""
        checks.metric(metric.key, metric.value, metric.timestamp, metric.step)
        self._check_active(run_id)
        self._log_metrics(run_id, [metric])

    def _log_metrics(self, run_id: str, metrics: Sequence[Metric]) -> None:
        if not metrics:
            return
        rows = [_row(metric) for metric in metrics]
        hold.write(self.workspace, run_id, lambda held: held.writer.put(rows))
        of_models = [metric for metric in metrics if metric.model_id is not None]
        if of_models:
            self._log_model_metrics(run_id, of_models, self._experiment_of(run_id))

    def _experiment_of(self, run_id: str) -> str:
        return str(reading.experiment_id(self.workspace, run_id))

    def log_param(self, run_id: str, param: Param) -> None:
        """Log one param; raises INVALID_PARAMETER_VALUE where it has another value already."""
        param = checks.param(param)
        self._check_active(run_id)
        try:
            self._log_params(run_id, [param])
        except reading.Changed as changed:
            old, new = changed.differing[param.key]
            raise failures.bad(
                f"Changing param values is not allowed. Param with key='{param.key}' was already logged with"
                f" value='{old}' for run ID='{run_id}'. Attempted logging new value '{new}'."
            ) from None

    def _log_params(self, run_id: str, params: Sequence[Param]) -> None:
        values = {param.key: "" if param.value is None else str(param.value) for param in params}
        hold.write(self.workspace, run_id, lambda held: _put_params(held, values))

    def log_batch(
        self, run_id: str, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
    ) -> None:
        """Log several of each; all are looked at before any is written."""
        checks.run_id(run_id)
        metrics, params, tags = checks.batch(metrics, params, tags)
        self._check_active(run_id)
        if params:
            try:
                self._log_params(run_id, params)
            except reading.Changed as changed:
                differing = changed.differing.items()
                said = [{"key": key, "old_value": old, "new_value": new} for key, (old, new) in differing]
                raise failures.bad(
                    f"Changing param values is not allowed. Params were already logged='{said}' for run ID='{run_id}'."
                ) from None
        self._log_metrics(run_id, metrics)
        if tags:
            self._set_tags(run_id, tags)
        elif not metrics and not params:
            self._told(run_id)  # which raises where there is no such run

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """Set a tag, also after the run's end."""
        tag = checks.tag(tag)
        self._check_active(run_id)
        self._set_tags(run_id, [tag])

    def _set_tags(self, run_id: str, tags: Sequence[RunTag]) -> None:
        told = self._told(run_id)
        values = {tag.key: "" if tag.value is None else str(tag.value) for tag in tags}
        name = values.get(MLFLOW_RUN_NAME)
        if name and told.status == "running":
            hold.write(self.workspace, run_id, lambda held: held.writer.event("name", name=hold.plain_name(name)))
        self._say(told, values)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Take a tag away."""
        self._check_active(run_id)
        told = self._told(run_id)
        if key not in shown.tags_of(told):
            raise failures.missing(f"No tag with name: {key} in run with id {run_id}")
        self._say(told, {}, [key])


def _row(metric: Metric) -> Row:
    return points.cell(metric.key), int(metric.step), int(metric.timestamp), float(metric.value)


def _put_params(held: Session, values: dict[str, str]) -> None:
    """Write the params that are new; in one turn, so that no other process writes between the look and the line."""
    with held.writer.turn():
        known = reading.params(held)
        differing = {key: (known[key], value) for key, value in values.items() if known.get(key, value) != value}
        if differing:
            raise reading.Changed(differing)
        new = {key: value for key, value in values.items() if key not in known}
        if new:
            held.writer.event("params", source="sdk", values=new)
