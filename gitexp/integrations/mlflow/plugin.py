"""What MLflow's entry points name.

`import mlflow` imports this module, so it imports nothing of MLflow, and of gitexp only when an address asks for it.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any

_SERVED, _DESTINATION = "_MLFLOW_SERVER_FILE_STORE", "_MLFLOW_SERVER_ARTIFACT_DESTINATION"


def tracking_store(store_uri: str | None = None, artifact_uri: str | None = None) -> Any:
    """Return the tracking store of a repository; `mlflow.tracking_store`."""
    from gitexp.integrations.mlflow import store

    return store.of(str(store_uri))


def artifact_repository(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """Return the artifacts of an address; `mlflow.artifact_repository`."""
    from gitexp.integrations.mlflow import artifacts

    return artifacts.GitArtifactRepository(artifact_uri, tracking_uri, registry_uri)


def model_registry_store(store_uri: str | None = None, tracking_uri: str | None = None) -> Any:
    """Return the model registry of a repository; `mlflow.model_registry_store`."""
    from gitexp.integrations.mlflow import registry

    return registry.GitRegistry(store_uri, tracking_uri)


def _serve() -> None:
    """Let a server of a repository take the artifacts of its clients into that repository, if nobody chose a place.

    Each of its processes reads this variable, whichever of them a client reaches first.
    """
    if os.environ.get(_SERVED, "").startswith("gitexp:") and os.environ.get(_DESTINATION) == "./mlartifacts":
        os.environ[_DESTINATION] = os.environ[_SERVED]


_serve()


def _at_exit() -> None:
    """Commit what came late to runs that had ended; runs that are still active stay so.

    Registered before MLflow's own, so it comes after: that one ends the runs which the script left open.
    """
    hold = sys.modules.get("gitexp.integrations.mlflow.hold")
    if hold is not None:
        hold.leave_all()


atexit.register(_at_exit)
