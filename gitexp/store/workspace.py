"""The workspace: a repository, gitexp's own folder in it, and the settings. First argument of all that follows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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


def open(path: str | os.PathLike[str] | None = None, overrides: Mapping[str, str] | None = None) -> Workspace:
    """Return the workspace of `path`, else of GITEXP_REPO, else of where we are.

    `overrides` are the settings of this call. Raises NoRepository or Unsupported.
    """
    repo = discover.find(path or os.environ.get("GITEXP_REPO") or None)
    lowered = {key.lower(): value for key, value in (overrides or {}).items()}
    return Workspace(repo, repo.common_dir / "gitexp", Settings(repo, lowered))
