"""Logged models: what MLflow 3 keeps of a model beside its run. They stand in the record of the run that made them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlflow.entities import LoggedModel, LoggedModelStatus, Metric
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_MODELS
from mlflow.utils.search_utils import SearchLoggedModelsPaginationToken
from mlflow.utils.uri import append_to_uri_path

from gitexp import clock, ids
from gitexp.integrations.mlflow import checks, failures, hold, select, table
from gitexp.integrations.mlflow.table import Found
from gitexp.ops.recording import naming
from gitexp.record import logged
from gitexp.record.points import Point
from gitexp.store.workspace import Workspace

MAX_RESULTS = 100  # of a search that says no number: MLflow's own default
_DELETED = "deleted"


class LoggedModels:
    """The part of the store that knows logged models."""

    if TYPE_CHECKING:
        workspace: Workspace

        def get_experiment(self, experiment_id: str) -> Any: ...
        def get_run(self, run_id: str) -> Any: ...
        def set_tag(self, run_id: str, tag: Any) -> None: ...
        def _hard_delete_run(self, run_id: str) -> None: ...
        def _check_active(self, run_id: str) -> None: ...
        def _check_experiment_active(self, experiment: Any) -> None: ...

    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: Sequence[Any] | None = None,
        params: Sequence[Any] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """Begin a model: in the record of its run, or in that of a run of its own where no run made it."""
        checks.logged_model_name(name)
        experiment = self.get_experiment(experiment_id)
        self._check_experiment_active(experiment)
        now, model_id = clock.now_ms(), f"m-{ids.new_run_id()}"
        said: dict[str, Any] = {
            "name": name or naming.two_words(ids.new_run_id()),
            "experiment": str(experiment_id),
            "status": str(LoggedModelStatus.PENDING),
            "created": now,
            "updated": now,
        }
        said |= {key: value for key, value in (("type", model_type), ("source", source_run_id)) if value}
        owner = self._model_owner(source_run_id) or self._holder(experiment_id, said["name"], model_id)
        event: dict[str, Any] = {"model": model_id, "set": said}
        event |= {"tags": _texts(tags)} if tags else {}
        event |= {"params": _texts(params)} if params else {}
        with hold.session(self.workspace, owner) as session:
            session.writer.event("logged", **event)
        return self.get_logged_model(model_id)

    def _model_owner(self, source_run_id: str | None) -> str | None:
        """Return the run that made a model, where there is such a run."""
        try:
            return table.run(self.workspace, source_run_id).id if source_run_id else None
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                raise
            return None

    def _holder(self, experiment_id: str, name: str, model_id: str) -> str:
        """Begin a run for a model that no run made; it ends with `finalize_logged_model`."""
        return str(hold.begin(self.workspace, experiment_id, name, tags={table.HOLDER: model_id}))

    def log_logged_model_params(self, model_id: str, params: Sequence[Any]) -> None:
        """Add params to a model; raises MlflowException for one that is there."""
        found = self._found_model(model_id)
        if again := [param.key for param in params if param.key in found.model.params]:
            raise failures.bad(f"Param {again[0]!r} of logged model {model_id!r} is there already")
        self._say_of_model(found, params={param.key: str(param.value) for param in params})

    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> LoggedModel:
        """Return a model; raises MlflowException where there is none, or it is deleted."""
        found = self._found_model(model_id)
        if found.model.deleted and not allow_deleted:
            raise table.missing(model_id)
        return self._logged_model(found)

    def delete_logged_model(self, model_id: str) -> None:
        """Hide a model."""
        self._say_of_model(self._found_model(model_id), deleted=True, updated=clock.now_ms())

    def _hard_delete_logged_model(self, model_id: str) -> None:
        """Forget a model that is hidden; called by `mlflow gc`, after its files."""
        found = self._found_model(model_id)
        if found.run_id == found.model.source:
            self._say_of_model(found, tags={table.PURGED: str(clock.now_ms())})
        else:  # the run has nothing else
            self._hard_delete_run(found.run_id)

    def _get_deleted_logged_models(self, older_than: int = 0) -> list[str]:
        """Return the hidden models that nobody touched for some time (ms)."""
        limit = clock.now_ms() - older_than
        every = table.every(self.workspace)
        return [found.model.id for found in every if found.model.deleted and found.model.updated <= limit]

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        """Say how a model's logging ended."""
        found = self._found_model(model_id)
        self._say_of_model(found, status=str(status), updated=clock.now_ms())
        if found.run_id != found.model.source and LoggedModelStatus.is_finalized(status):
            hold.end(self.workspace, found.run_id, "completed" if status == LoggedModelStatus.READY else "failed")
        return self.get_logged_model(model_id, allow_deleted=True)

    def set_logged_model_tags(self, model_id: str, tags: Sequence[Any]) -> None:
        """Set tags of a model."""
        self._say_of_model(self._found_model(model_id), tags={tag.key: tag.value for tag in tags})

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Take a tag of a model away; raises MlflowException where there is none."""
        found = self._found_model(model_id)
        if key not in found.model.tags:
            raise failures.missing(f"No tag with key {key!r} found for model with ID {model_id!r}.")
        self._say_of_model(found, untag=[key])

    def search_logged_models(
        self,
        experiment_ids: list[str],
        filter_string: str | None = None,
        datasets: list[dict[str, Any]] | None = None,
        max_results: int | None = None,
        order_by: list[dict[str, Any]] | None = None,
        page_token: str | None = None,
    ) -> PagedList[LoggedModel]:
        """Return the models of experiments that fit, a page at a time."""
        if datasets and not all(item.get("dataset_name") for item in datasets):
            raise failures.bad("`dataset_name` in the `datasets` clause must be specified.")
        offset = 0
        if page_token:
            token = SearchLoggedModelsPaginationToken.decode(page_token)
            token.validate(experiment_ids, filter_string, order_by)
            offset = token.offset
        inside = {str(each) for each in experiment_ids}
        every = [item for item in table.every(self.workspace) if item.model.experiment in inside]
        found = select.chosen([item for item in every if not item.model.deleted], filter_string, datasets)
        found = select.ordered(found, order_by)
        end = offset + (max_results or MAX_RESULTS)
        more = SearchLoggedModelsPaginationToken(experiment_ids, filter_string, order_by, end).encode()
        return PagedList([self._logged_model(item) for item in found[offset:end]], more if len(found) > end else None)

    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Add a model to the list that older clients keep in a tag of the run."""
        from mlflow.entities import RunTag
        from mlflow.models import Model as Description

        if not isinstance(mlflow_model, Description):
            raise TypeError(f"Argument 'mlflow_model' should be mlflow.models.Model, got '{type(mlflow_model)}'")
        self._check_active(run_id)
        before = json.loads(self.get_run(run_id).data.tags.get(MLFLOW_LOGGED_MODELS, "[]"))
        self.set_tag(run_id, RunTag(MLFLOW_LOGGED_MODELS, json.dumps([*before, mlflow_model.get_tags_dict()])))

    def _log_model_metrics(self, run_id: str, metrics: Sequence[Metric], experiment_id: str = "") -> None:
        """Record what a run measured of models: the metrics that name one."""
        rows = []
        for number, metric in enumerate(metrics):
            if metric.model_id is not None:
                path = "" if len(metrics) == 1 else f"metrics[{number}]"
                checks.metric(metric.key, metric.value, metric.timestamp, metric.step, path=path)
                point = Point(metric.key, metric.step, metric.timestamp, float(metric.value))
                data = (metric.dataset_name or "", metric.dataset_digest or "")
                rows.append(logged.said(metric.model_id, metric.key, point, data))
        if rows:
            with hold.session(self.workspace, run_id) as session:
                session.writer.event("logged", points=rows)

    def _found_model(self, model_id: str) -> Found:
        found = table.one(self.workspace, model_id)
        if found is None:
            raise table.missing(model_id)
        return found

    def _say_of_model(
        self,
        found: Found,
        *,
        tags: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        untag: list[str] | None = None,
        **fields: Any,
    ) -> None:
        """Say something of a model, in the record of the run that has it."""
        said = {"tags": tags, "params": params, "untag": untag, "set": fields}
        said = {key: value for key, value in said.items() if value}
        with hold.session(self.workspace, found.run_id) as session:
            session.writer.event("logged", model=found.model.id, **said)

    def _logged_model(self, found: Found) -> LoggedModel:
        model = found.model
        location = self.get_experiment(model.experiment).artifact_location
        return LoggedModel(
            experiment_id=model.experiment,
            model_id=model.id,
            name=model.name,
            artifact_location=append_to_uri_path(location, logged.FOLDER, model.id, "artifacts"),
            creation_timestamp=model.created,
            last_updated_timestamp=model.updated,
            model_type=model.type or None,
            source_run_id=model.source or None,
            status=LoggedModelStatus(model.status or "UNSPECIFIED"),
            status_message=model.message or None,
            tags=dict(model.tags),
            params=dict(model.params),
            metrics=_metrics(found) or None,
        )


def _texts(items: Sequence[Any]) -> dict[str, str]:
    return {item.key: item.value for item in items}


def _metrics(found: Found) -> list[Metric]:
    return [
        Metric(
            key=point.metric,
            value=float(point.value),
            timestamp=point.time_ms,
            step=point.step,
            model_id=found.model.id,
            dataset_name=dataset or None,
            dataset_digest=digest or None,
            run_id=run_id,
        )
        for run_id, (_, _, dataset, digest), point in found.measured
    ]
