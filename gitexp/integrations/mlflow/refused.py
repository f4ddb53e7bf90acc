"""What this store does not keep: traces, prompts' traces, evaluation datasets, gateways and the like.

MLflow's base class raises a bare NotImplementedError there; over REST that becomes a 500, which clients repeat for
minutes. `guard` turns all of them into MLflow's own NOT_IMPLEMENTED (501), those of later versions too. Searches
find nothing, which is so, and keeps the pages of `mlflow ui` quiet.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import NOT_IMPLEMENTED
from mlflow.store.entities.paged_list import PagedList

Class = TypeVar("Class", bound=type)


class Refusal(MlflowException, NotImplementedError):  # type: ignore[misc]  # MLflow's classes are not typed
    """NOT_IMPLEMENTED over REST; a NotImplementedError for code of MLflow that goes another way then."""

    def __init__(self, what: str) -> None:
        message = f"{what}: gitexp keeps experiments, runs, artifacts and models, not this. Another tracking URI can."
        super().__init__(message, NOT_IMPLEMENTED)


class Unknown(Refusal, AttributeError):
    """What no store of ours has, asked for by name: `hasattr` says no, a handler that calls it answers 501."""


# Searches and listings, and what they return where there is nothing.
_EMPTY: dict[str, Callable[[], Any]] = {
    "search_traces": lambda: ([], None),
    "find_completed_sessions": list,
    "batch_get_traces": list,
    "batch_get_trace_infos": list,
    "search_issues": lambda: PagedList([], None),
    "search_datasets": lambda: PagedList([], None),
    "get_dataset_experiment_ids": list,
    "_load_dataset_records": lambda: ([], None),
    "list_scorers": list,
    "list_scorers_across_experiments": list,
    "get_online_scoring_configs": list,
    "get_active_online_scorers": list,
    "list_label_schemas": lambda: PagedList([], None),
    "list_review_queues": lambda: PagedList([], None),
    "list_secret_infos": list,
    "list_gateway_model_definitions": list,
    "list_gateway_endpoints": list,
    "list_endpoint_bindings": list,
    "list_budget_policies": lambda: PagedList([], None),
    "list_gateway_guardrails": lambda: PagedList([], None),
    "search_mcp_servers": lambda: PagedList([], None),
    "search_skills": lambda: PagedList([], None),  # since 3.18
    "search_skill_versions": lambda: PagedList([], None),
    "query_trace_metrics": lambda: PagedList([], None),
    "list_webhooks": lambda: PagedList([], None),
    "list_webhooks_by_event": lambda: PagedList([], None),
}
_SILENT = ("link_traces_to_run",)  # the base class does nothing there, and says nothing


def guard(store: Class) -> Class:
    """Give a store that inherits methods which nobody implemented ones that say so."""
    store.__getattr__ = _unknown  # type: ignore[attr-defined]  # handlers call methods that only MLflow's SQL store has
    for name, function in inspect.getmembers(store, inspect.isfunction):
        if name.startswith("__") or not function.__module__.startswith("mlflow."):
            continue
        if isinstance(inspect.getattr_static(store, name), staticmethod):
            continue  # it has no store to ask
        if name in _EMPTY:
            setattr(store, name, _empty(function, _EMPTY[name]))
        elif name in _SILENT:
            setattr(store, name, _refusing(function))
        elif inspect.iscoroutinefunction(function):
            setattr(store, name, _guarded_async(function))
        else:
            setattr(store, name, _guarded(function))
    return store


def _unknown(store: Any, name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    raise Unknown(name)


def _empty(function: Callable[..., Any], result: Callable[[], Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def nothing(*args: Any, **kwargs: Any) -> Any:
        return result()

    return nothing


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise Refusal(function.__name__)

    return refuse


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except NotImplementedError as error:
            raise (error if isinstance(error, MlflowException) else Refusal(function.__name__)) from None

    return call


def _guarded_async(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except NotImplementedError as error:
            raise (error if isinstance(error, MlflowException) else Refusal(function.__name__)) from None

    return call
