"""MLflow's own checks of what it is given: private helpers, which move between versions.

Each is looked for when this module is imported, under all names that it has had; where a version has none of them,
nothing is checked there, and the plugin goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.utils import validation


def named(*names: str) -> Callable[..., Any]:
    """Return the check of the first of these names that MLflow has, else one that lets all pass."""
    found = (getattr(validation, f"_validate_{name}", None) for name in names)
    return next((check for check in found if callable(check)), _pass)


def _pass(*given: Any, **more: Any) -> Any:
    return given[0] if len(given) == 1 else given


run_id = named("run_id")
experiment_name = named("experiment_name")
experiment_tag = named("experiment_tag")
artifact_location_length = named("experiment_artifact_location_length")
metric = named("metric")
alias = named("model_alias_name", "alias_name")
model_name, model_renaming = named("model_name"), named("model_renaming")
model_version, model_version_tag = named("model_version"), named("model_version_tag")
registered_model_tag, tag_name = named("registered_model_tag"), named("tag_name")
logged_model_name, dataset_inputs = named("logged_model_name"), named("dataset_inputs")
alias_reserved = named("model_alias_name_reserved", "alias_name_reserved")
_param, _tag = named("param"), named("tag")
_batch_limits, _unique = named("batch_log_limits"), named("param_keys_unique")


def param(given: Param) -> Param:
    """Return a param as it may be stored: too long a value is cut."""
    found = _param(given.key, given.value)
    return found if isinstance(found, Param) else given


def tag(given: RunTag) -> RunTag:
    """Return a tag as it may be stored: too long a value is cut."""
    found = _tag(given.key, given.value)
    return found if isinstance(found, RunTag) else given


def batch(
    metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
) -> tuple[Sequence[Metric], Sequence[Param], Sequence[RunTag]]:
    """Return what one call logs as it may be stored."""
    metrics, params, tags = named("batch_log_data")(metrics, params, tags)
    _batch_limits(metrics, params, tags)
    _unique(params)
    return metrics, params, tags
