"""The tracking store: experiments, runs and models of one repository, put together from their parts."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mlflow.store.tracking.abstract_store import AbstractStore

from gitexp.errors import GitexpError
from gitexp.integrations.mlflow import failures, refused, uri
from gitexp.integrations.mlflow.experiments import Experiments, Register
from gitexp.integrations.mlflow.inputs import Inputs
from gitexp.integrations.mlflow.metrics import Metrics
from gitexp.integrations.mlflow.models import LoggedModels
from gitexp.integrations.mlflow.runs import Runs
from gitexp.integrations.mlflow.search import Search
from gitexp.integrations.mlflow.write import Logging
from gitexp.ops.recording import recover
from gitexp.store.workspace import Workspace

Class = TypeVar("Class", bound=type)
_PARTS = (Experiments, Runs, Logging, Metrics, Search, Inputs, LoggedModels)
_CALLED = ("_search_runs", "_hard_delete_run", "_hard_delete_experiment", "_get_deleted_runs", "_search_datasets")
_SWEEP_SECONDS = 30.0


def _told(store: Class) -> Class:
    """Let every method of ours raise gitexp's errors as MLflow's."""
    for part in _PARTS:
        for name, function in vars(part).items():
            if callable(function) and (not name.startswith("_") or name in _CALLED):
                setattr(store, name, _telling(function))
    return store


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(store: GitStore, *args: Any, **kwargs: Any) -> Any:
        try:
            store.settle()
            return function(store, *args, **kwargs)
        except GitexpError as error:
            raise failures.of(error) from error

    return call


@refused.guard
@_told
class GitStore(Experiments, Runs, Logging, Metrics, Search, Inputs, LoggedModels, AbstractStore):  # type: ignore[misc]
    """What MLflow calls for `gitexp:` tracking URIs."""

    def __init__(self, place: uri.Place) -> None:
        super().__init__()
        self._place = place
        self._take(place.workspace)

    def _take(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.register = Register(workspace)
        self._swept = 0.0
        self._sweep()

    def settle(self) -> None:
        """Go where a relative address leads now."""
        workspace = self._place.settle()
        if workspace is not self.workspace:
            self._take(workspace)

    def _sweep(self) -> None:
        """Close runs whose process was lost, commit what came late to others; at most twice a minute."""
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            self._swept = time.monotonic()
            recover.sweep(self.workspace)

    def search_runs(self, *args: Any, **kwargs: Any) -> Any:
        """Return the runs that a filter is true of."""
        self._sweep()
        return super().search_runs(*args, **kwargs)


def of(address: str) -> GitStore:
    """Return the store of an address."""
    with failures.told():
        store = GitStore(uri.Place(address))
        store.settle()
        return store
