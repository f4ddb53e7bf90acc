"""Artifacts under `gitexp:` addresses: files of runs and logged models, kept and found as gitexp keeps all artifacts.

gitexp:/path/to/repo/@/<experiment id>/<run id>/artifacts/…
gitexp:/path/to/repo/@/<experiment id>/models/<model id>/artifacts/…
"""

from __future__ import annotations

import os
import posixpath
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository, verify_artifact_path
from mlflow.utils.file_utils import create_tmp_dir
from mlflow.utils.uri import append_to_uri_path

from gitexp import ids
from gitexp.errors import NotFound
from gitexp.integrations.mlflow import failures, hold, table, uri
from gitexp.ops.files import restore
from gitexp.ops.recording import attach
from gitexp.record import logged, names
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

MARK = "@"  # between the repository's path and what is in it
_INNER = "artifacts"
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address leads: a run, the folder of its artifacts that is meant (`prefix`), and what is below that.

    `run_id` is "" above all runs.
    """

    run_id: str
    prefix: str = ""
    below: str = ""

    @property
    def name(self) -> str:
        """The name of the artifact or folder in its run."""
        return posixpath.join(self.prefix, self.below) if self.below else self.prefix


def root(workspace: Workspace) -> str:
    """Return what the artifact locations of all experiments begin with.

    In a server that keeps the artifacts of its clients in this repository, that is an address which they can reach.
    """
    if os.environ.get("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "").startswith("gitexp:"):
        return "mlflow-artifacts:/"
    return f"{uri.of(workspace)}/{MARK}"


class GitArtifactRepository(ArtifactRepository):  # type: ignore[misc]  # MLflow's classes are not typed
    """What MLflow calls for `gitexp:` addresses."""

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        repository, _, self._below = urllib.parse.urlparse(artifact_uri).path.partition(f"/{MARK}/")
        self._workspace = uri.workspace("gitexp:" + repository.removesuffix(f"/{MARK}"))

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Keep one file."""
        verify_artifact_path(artifact_path)
        name = posixpath.join(artifact_path or "", Path(local_file).name)
        self._keep(Path(local_file), name)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Keep every file of a folder."""
        verify_artifact_path(artifact_path)
        if not Path(local_dir).is_dir():
            raise NotADirectoryError(local_dir)
        self._keep(Path(local_dir), artifact_path or "")

    def _keep(self, source: Path, path: str) -> None:
        source.stat()  # FileNotFoundError is what MLflow's callers know
        place = self._place(path)
        missed: list[tuple[str, str]] = []
        with failures.told(), hold.session(self._workspace, place.run_id) as session:
            work = attach.Work(session, lambda *what: missed.append(what), lambda *_: None)
            _add(work, source, place.name)
            session.writer.drain()
        if missed:
            raise MlflowException(f"not kept: {'; '.join(': '.join(what) for what in missed[:5])}", INTERNAL_ERROR)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """Return the files and folders of one folder; nothing for a file, or for what is not there."""
        place = self._place(_normal(path))
        if not place.run_id:
            return []
        run, folder = self._run(place.run_id), place.name
        found: dict[str, FileInfo] = {}
        for name, size in self._listed(run, place):
            inside = name.removeprefix(folder + "/" if folder else "")
            if folder and inside == name:
                continue
            first, slash, _ = inside.partition("/")
            shown = posixpath.join(_normal(path), first)
            if slash:
                found[first] = FileInfo(shown, True, None)
            elif first:
                found.setdefault(first, FileInfo(shown, size is None, size))
        return sorted(found.values(), key=lambda item: str(item.path))

    def _listed(self, run: Run, place: Place) -> Iterator[tuple[str, int | None]]:
        """Yield names and sizes; None for an empty folder."""
        for item in _meant(run, place):
            yield item.name, item.size_bytes
        for name, facts in run.artifact_facts.items():
            empty = facts.get("empty_folders")
            for below in empty if isinstance(empty, list) else ():
                yield (name if below == "." else f"{name}/{below}"), None

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        """Write a file or folder below `dst_path` (default: a new folder) and return its path there."""
        target, path = Path(_checked(dst_path) if dst_path else create_tmp_dir()), _normal(artifact_path)
        for _ in range(_TRIES):
            with suppress(NotFound):  # the run was committed just now: its files are in Git from here on
                return self._download(path, target)
        with failures.told():
            return self._download(path, target)

    def _download(self, path: str, target: Path) -> str:
        place = self._place(path)
        if not place.run_id and path:
            raise MlflowException(f"No such artifact: '{path}'", error_code=RESOURCE_DOES_NOT_EXIST)
        if not place.run_id:
            return str(target)
        run, name = self._run(place.run_id), place.name
        items = [item for item in _meant(run, place) if not name or names.is_or_below(item.name, name)]
        if not items and not self.list_artifacts(path) and path:
            raise MlflowException(f"No such artifact: '{path}'", error_code=RESOURCE_DOES_NOT_EXIST)
        self._write(run, items, target, name, path)
        for info in self._empty_below(path):
            (target / info).mkdir(parents=True, exist_ok=True)
        return str(target / path) if path else str(target)

    def _empty_below(self, path: str) -> Iterator[str]:
        for info in self.list_artifacts(path):
            if info.is_dir:
                below = list(self._empty_below(info.path))
                yield from below or [info.path]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        """Write one file to a path."""
        path = _normal(remote_file_path)
        place = self._place(path)
        run, name = self._run(place.run_id), place.name
        items = [item for item in run.artifacts if item.name == name]
        if not items:
            raise MlflowException(f"No such artifact: '{path}'", error_code=RESOURCE_DOES_NOT_EXIST)
        with failures.told():
            plan = restore.plan_one(run, name, items, str(local_path))
            restore.execute(self._workspace, plan, force=True)

    def _write(self, run: Run, items: Sequence[Artifact], target: Path, name: str, path: str) -> None:
        """Write what is called `name` in its run, a file or folder, to `path` below the target."""
        plan = restore.plan(run, items, target)
        plan.files = [restore.File(file.item, _moved(file.parts, name, path)) for file in plan.files]
        plan.folders = []
        restore.execute(self._workspace, plan, force=True)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Take a file or folder back; all that is below the address where none is named."""
        place = self._place(_normal(artifact_path))
        if not place.run_id:
            return
        run, name = self._run(place.run_id), place.name
        gone = [item for item in _meant(run, place) if not name or names.is_or_below(item.name, name)]
        if gone:
            with failures.told(), hold.session(self._workspace, place.run_id) as session:
                for item in gone:
                    attach.drop(session, item.name)
                session.writer.drain()

    def _run(self, run_id: str) -> Run:
        return table.run(self._workspace, run_id)

    def _place(self, path: str) -> Place:
        return _place(self._workspace, f"{self._below}/{path}")


def place(workspace: Workspace, address: str) -> Place | None:
    """Return where an address leads in this repository; None for one that leads elsewhere."""
    base = root(workspace).rstrip("/") + "/"
    if not address.startswith(base):
        return None
    found = _place(workspace, address.removeprefix(base))
    return found if found.run_id else None


def address(workspace: Workspace, run_id: str, name: str) -> str:
    """Return the address of an artifact of a run."""
    run = table.run(workspace, run_id)
    record = run.record
    experiment = record.experiment_id or ids.experiment_id(record.experiment)
    folder, _, model_id = name.partition("/")
    if folder == logged.FOLDER and model_id in run.logged.models:
        return str(append_to_uri_path(root(workspace), experiment, logged.FOLDER, model_id, _INNER))
    return str(append_to_uri_path(root(workspace), experiment, run_id, _INNER, name)).rstrip("/")


def _place(workspace: Workspace, path: str) -> Place:
    match [part for part in path.split("/") if part]:
        case [_, logged.FOLDER, model_id, inner, *rest] if inner == _INNER:
            return Place(table.owner(workspace, model_id), f"{logged.FOLDER}/{model_id}", "/".join(rest))
        case [_, run_id, inner, *rest] if inner == _INNER and ids.is_run_id(run_id):
            return Place(run_id, "", "/".join(rest))
        case _:
            return Place("")


def _meant(run: Run, place: Place) -> Iterator[Artifact]:
    """Yield the artifacts that a place may mean: those of logged models have addresses of their own."""
    hidden = tuple(f"{logged.FOLDER}/{model_id}/" for model_id in run.logged.models)
    at_top = not place.name.startswith(f"{logged.FOLDER}/")
    return (item for item in run.artifacts if not (at_top and hidden and item.name.startswith(hidden)))


def _moved(parts: tuple[str, ...], name: str, path: str) -> tuple[str, ...]:
    """Return where a file that is called `name`, or is below that, goes when that goes to `path`."""
    below = parts[name.count("/") + 1 :] if name else parts
    return (*(part for part in path.split("/") if part), *below) or parts[-1:]


def _add(work: attach.Work, source: Path, name: str) -> None:
    if name or not source.is_dir():
        attach.add(work, source, name)
        return
    for item in sorted(source.iterdir()):  # the top of a run has no name
        attach.add(work, item, item.name)


def _normal(path: str | None) -> str:
    """Return a path below the address as names are; raises MlflowException for one that leads out of it."""
    normal = posixpath.normpath(path).strip("/") if path else ""
    if normal.split("/")[0] == ".." or posixpath.isabs(path or ""):
        raise MlflowException("Invalid path", error_code=INVALID_PARAMETER_VALUE)
    return "" if normal == "." else normal


def _checked(path: str) -> str:
    """Return a folder to write to, as MLflow checks it."""
    whole = Path(path).absolute()
    if not whole.exists():
        message = f"The destination path for downloaded artifacts does not exist! Destination path: {whole}"
        raise MlflowException(message, error_code=RESOURCE_DOES_NOT_EXIST)
    if not whole.is_dir():
        message = f"The destination path for downloaded artifacts must be a directory! Destination path: {whole}"
        raise MlflowException(message, error_code=INVALID_PARAMETER_VALUE)
    return str(whole)
