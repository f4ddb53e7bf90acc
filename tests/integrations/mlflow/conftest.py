"""Tests of the MLflow plugin run where MLflow is installed: in environments that `test_mlflow.py` above makes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("mlflow") is None:
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let warnings of MLflow, and of the frameworks it knows, be warnings: they are not ours to mend."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture
def tracking(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let MLflow track into `project`, and forget all of it at the end; returns the address."""
    import mlflow

    address = f"gitexp:{project}"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(address)
    yield address
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.autolog(disable=True, silent=True)
    forget()


def forget() -> None:
    """Put back what MLflow's modules remember, and close the journals that this process holds."""
    import mlflow
    from mlflow.tracking import fluent
    from mlflow.tracking._tracking_service import utils

    from gitexp.integrations.mlflow import hold

    hold.leave_all()
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)
    for name in ("_active_experiment_id",):
        setattr(fluent, name, None)
    utils._artifact_repos_cache.clear()  # by ids of runs, which copies of one repository share


@pytest.fixture
def client(tracking: str) -> Any:
    """Return a client of `project`."""
    from mlflow import MlflowClient

    return MlflowClient(tracking)
