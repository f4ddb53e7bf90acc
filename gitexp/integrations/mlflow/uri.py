"""Addresses of repositories: `gitexp:.`, `gitexp:/path/to/repo`; they mean the repository that holds the folder."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path

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


def tell_children(address: str, workspace: Workspace) -> None:
    """Make a relative tracking URI absolute where MLflow keeps it: it is inherited by processes in other folders."""
    if os.environ.get("MLFLOW_TRACKING_URI") != address or Path(path(address) or ".").is_absolute():
        return
    from mlflow.tracking._tracking_service import utils

    os.environ["MLFLOW_TRACKING_URI"] = of(workspace)
    if getattr(utils, "_tracking_uri", None) == address:
        utils._tracking_uri = of(workspace)
