"""Versions of models from Python: `gitexp.models.get("churn@production").path()` (docs/howto-registry.md)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from gitexp.errors import UsageError
from gitexp.ops.registry import models as named
from gitexp.ops.registry import register as registering
from gitexp.ops.registry import serve
from gitexp.record.model import Model, Version
from gitexp.sdk import flavours, kept, schema
from gitexp.sdk.kept import RecordedArtifact
from gitexp.sdk.recorded import RecordedRun
from gitexp.sdk.run import Run
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace

__all__ = ["ModelVersion", "get", "names", "register", "serving_metadata", "signature", "versions"]


class ModelVersion:
    """A version of a model, as the registry had it when it was asked for."""

    def __init__(self, workspace: Workspace, model: Model, version: Version) -> None:
        self._workspace, self._model, self._version = workspace, model, version

    def __repr__(self) -> str:
        return f"<gitexp.ModelVersion {self.name}:{self.number} {self.stage} {self.sha256[:12]}>"

    @property
    def name(self) -> str:
        """The name of the model."""
        return self._model.name

    @property
    def number(self) -> int:
        """The number of the version; it may still move until it is pushed."""
        return self._version.number

    @property
    def id(self) -> str:
        """The event that registered it (40 hex digits); it never changes."""
        return self._version.id

    @property
    def stage(self) -> str:
        """The stage it is in; `none` for none."""
        return self._version.stage

    @property
    def aliases(self) -> list[str]:
        """The names that point to it now."""
        return self._model.aliases_of(self._version)

    @property
    def tags(self) -> dict[str, str]:
        """Its tags; a bare one has the value ""."""
        return dict(self._version.tags)

    @property
    def description(self) -> str:
        """What is said of it."""
        return self._version.description

    @property
    def deprecated(self) -> str | None:
        """Why it is not to be promoted any more ("" where no reason was given); None where it may be."""
        return self._version.deprecated.text if self._version.deprecated is not None else None

    @property
    def sha256(self) -> str:
        """The hash of its bytes; of a folder that of all that is in it."""
        return self._version.sha256

    @property
    def size_bytes(self) -> int:
        """How many bytes it has."""
        return self._version.size

    @property
    def framework(self) -> str:
        """What it is made with, and which version of that: `lightgbm 4.5.0`; "" where nobody said."""
        return str(self._version.details.get("framework") or "")

    @property
    def signature(self) -> dict[str, Any] | None:
        """The schema of its inputs and outputs, None where nobody said."""
        found = self._version.details.get("signature")
        return found if isinstance(found, dict) else None

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers of its run when it was registered."""
        return named.numbers(self._version)

    @property
    def record(self) -> dict[str, Any]:
        """Everything as `gitexp model show --json` prints it, but for the history."""
        return named.describe_version(named.known(self._workspace, self._model), self._version)

    @cached_property
    def run(self) -> RecordedRun:
        """The run that made it; raises NotFound where it is not in this clone."""
        return RecordedRun(self._workspace, serve.recorded(self._workspace, self._model, self._version))

    @cached_property
    def artifact(self) -> RecordedArtifact:
        """Its file or folder: held against the hash that was registered. Raises NotFound and Damaged."""
        return kept.made(serve.content(self._workspace, self._model, self._version))

    def path(self) -> Path:
        """Return its file or folder, to be read and never written; missing bytes are brought from a remote.

        Raises NotFound and RemoteError where they cannot be had, Damaged where they are not what was registered.
        """
        return self.artifact.path()

    def get(self, to: str | os.PathLike[str] = "./", *, force: bool = False) -> Path:
        """Write a copy, as `gitexp model get` does, and return where it is. Raises what `path` raises, and Conflict."""
        return self.artifact.get(to, force=force)

    def load(self, *, trust: str = "") -> Any:
        """Return the model, loaded by its framework: a Booster, a state dict, an estimator, …

        trust: "pickle" lets files run code, as pickles do: only for what comes from people you trust. Without it such
        a file is refused, and nothing in it is run. Raises Refused, Unsupported where the framework is not installed,
        UsageError for a framework that gitexp does not know: then load `path()` yourself.
        """
        return flavours.load(self.path(), self.framework, trust=trust, label=f"{self.name}:{self.number}")


def get(version: str, *, repo: str | os.PathLike[str] | None = None) -> ModelVersion:
    """Return a version by NAME:3, NAME:latest, NAME@STAGE or NAME@ALIAS.

    Raises NotFound with what there is, UsageError where it names a model alone.
    """
    workspace = workspaces.open(repo)
    return ModelVersion(workspace, *named.version(workspace, version))


def versions(name: str, *, stage: str = "", repo: str | os.PathLike[str] | None = None) -> list[ModelVersion]:
    """Return the versions of a model, the newest first; those in one stage where it is named."""
    workspace = workspaces.open(repo)
    model = named.one(workspace, name)
    return [ModelVersion(workspace, model, item) for item in named.versions(model, stage=stage)]


def names(*, repo: str | os.PathLike[str] | None = None) -> list[str]:
    """Return the names of all models, sorted."""
    return [item.model.name for item in named.every(workspaces.open(repo))]


def register(
    run: RecordedRun | Run | str,
    artifact: str,
    name: str,
    *,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    framework: str = "",
    signature: Mapping[str, Any] | None = None,
    again: bool = False,
    repo: str | os.PathLike[str] | None = None,
) -> ModelVersion:
    """Make an artifact of a recorded run a new version of a model, which is made where there is none; return it.

    run: what `get_run` takes, or a run that has ended. artifact: its name, a folder's too; "" where the run kept one
    file, or one that is a model. framework, signature: what the files do not tell. The same bytes of the same run are
    one version, unless `again`. Raises NotFound, UsageError, Refused for a run that has not ended.
    """
    workspace = run._workspace if isinstance(run, RecordedRun) else workspaces.open(repo)
    run_id = run if isinstance(run, str) else run.id
    if not isinstance(artifact, str):
        raise UsageError(f"an artifact is named by a text, not {artifact!r}", hint='"model.txt"')
    options = registering.Options(
        description=description, tags=dict(tags or {}), framework=framework, signature=signature, again=again
    )
    done = registering.register(workspace, f"{run_id}:{artifact}" if artifact else run_id, name, options)
    return ModelVersion(workspace, done.model, done.version)


def serving_metadata(version: str, *, repo: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Return what an endpoint says of the version that it serves: model, version, stage, run, code_commit, sha256 …

    Plain values of JSON; the same keys for each version (docs/scripting.md). Raises what `get` raises.
    """
    workspace = workspaces.open(repo)
    return serve.metadata(*named.version(workspace, version))


def signature(inputs: Any, outputs: Any = None) -> dict[str, Any]:
    """Return the schema of examples: DataFrames, Series, arrays, or mappings of them.

    In the form that MLflow writes: a list of {"name", "type"} for columns, {"type": "tensor", "tensor-spec"} for arrays
    (the first dimension, that of samples, is -1). Raises UsageError for what has no schema.
    """
    found = {"inputs": schema.of(inputs), "outputs": schema.of(outputs) if outputs is not None else None}
    return {key: value for key, value in found.items() if value is not None}
