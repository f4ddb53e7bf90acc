"""Addresses of repositories: `gitexp:.`, `gitexp:/path/to/repo`; they mean the repository that holds the folder."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path

from gitexp.errors import Unsupported
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace

SCHEME = "gitexp"


def workspace(address: str) -> Workspace:
    """Return the workspace that an address means; raises NoRepository or Unsupported."""
    return workspaces.open(path(address) or None)


def path(address: str) -> str:
    """Return the folder that an address names, "" for where we are."""
    parsed = urllib.parse.urlparse(address)
    named = urllib.parse.unquote(parsed.netloc + parsed.path)
    return str(Path(named).expanduser()) if named else ""


def of(workspace: Workspace) -> str:
    """Return the absolute address of a workspace: what child processes are told, wherever they work."""
    return f"{SCHEME}:{urllib.parse.quote(str(root(workspace)))}"


def root(workspace: Workspace) -> Path:
    """Return the top of the work tree, of a repository without one its own folder."""
    return Path(workspace.repo.work_tree or workspace.repo.common_dir)


class Place:
    """Where an address leads from here. MLflow keeps a store for each text, so a relative one is looked at again.

    It means the repository of the folder where the process is; where that is in none, the one before.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._is_relative = not Path(path(address) or ".").is_absolute()
        self._folder = Path.cwd() if self._is_relative else None
        self.workspace = workspace(address)

    def settle(self) -> Workspace:
        """Return the workspace of now, and let child processes know it."""
        if not self._is_relative:
            return self.workspace
        try:
            folder = Path.cwd()
            if folder != self._folder:
                self._folder, self.workspace = folder, workspace(self._address)
        except (FileNotFoundError, Unsupported):  # the folder was removed, or is in no repository
            return self.workspace
        self._tell_children()
        return self.workspace

    def _tell_children(self) -> None:
        """Make the address absolute where MLflow keeps it: it is inherited by processes in other folders."""
        if os.environ.get("MLFLOW_TRACKING_URI") != self._address:
            return
        from mlflow.tracking._tracking_service import utils

        os.environ["MLFLOW_TRACKING_URI"] = of(self.workspace)
        if getattr(utils, "_tracking_uri", None) == self._address:
            utils._tracking_uri = of(self.workspace)
