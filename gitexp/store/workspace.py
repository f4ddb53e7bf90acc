"""The workspace: a repository, gitexp's own folder in it, and the settings. First argument of all that follows."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import ids
from gitexp.git import discover
from gitexp.git.repo import Repo
from gitexp.store.config import Settings


@dataclass(frozen=True, slots=True)
class Workspace:
    """A repository and what gitexp keeps in it, `home` (.git/gitexp, shared by linked worktrees)."""

    repo: Repo
    home: Path
    settings: Settings = field(repr=False)

    @property
    def live(self) -> Path:
        """Where the journals of running runs are, a folder each."""
        return self.home / "live"

    @property
    def objects(self) -> Path:
        """Where large bytes are, by sha256."""
        return self.home / "objects"

    @property
    def tmp(self) -> Path:
        """Where what is being written stays until it is renamed: on the file system of `objects`."""
        return self.home / "tmp"


def default_experiment(workspace: Workspace) -> str:
    """Return the experiment of a run that names none: the setting, else the branch unless it is the default one."""
    named = workspace.settings.text("experiment")
    if named:
        return ids.check_experiment(named)
    branch = workspace.repo.head().branch
    if branch is None or branch in _default_branches(workspace.repo):
        return ids.DEFAULT_EXPERIMENT
    return ids.check_experiment(branch)


def _default_branches(repo: Repo) -> set[str]:
    remote = repo.common_dir / "refs/remotes/origin/HEAD"
    try:
        named = remote.read_text().strip().removeprefix("ref: refs/remotes/origin/")
    except (FileNotFoundError, NotADirectoryError):
        named = ""
    return {"main", "master", named, repo.config("init.defaultBranch") or ""}


def user(workspace: Workspace) -> dict[str, Any]:
    """Return who records: {name, email, source}; without `user.name` (a container) the login at this host."""
    name = os.environ.get("GIT_AUTHOR_NAME") or workspace.repo.config("user.name")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or workspace.repo.config("user.email")
    if name and email:
        return {"name": name, "email": email, "source": "git"}
    login = _login()
    return {"name": name or login, "email": email or f"{login}@{os.uname().nodename}", "source": "fallback"}


def _login() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container with an arbitrary uid
        return os.environ.get("USER") or f"uid{os.getuid()}"


def open(path: str | os.PathLike[str] | None = None, overrides: Mapping[str, str] | None = None) -> Workspace:
    """Return the workspace of `path`, else of GITEXP_REPO, else of where we are.

    `overrides` are the settings of this call. Raises NoRepository or Unsupported.
    """
    repo = discover.find(path or os.environ.get("GITEXP_REPO") or None)
    lowered = {key.lower(): value for key, value in (overrides or {}).items()}
    return Workspace(repo, repo.common_dir / "gitexp", Settings(repo, lowered))
