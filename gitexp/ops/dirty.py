"""What counts as uncommitted code in a workspace, by its settings."""

from __future__ import annotations

from gitexp.git import source, worktree
from gitexp.git.worktree import Rules, Status
from gitexp.store.workspace import Workspace


def rules(workspace: Workspace) -> Rules:
    """Return the rules that the settings make."""
    settings = workspace.settings
    return Rules(
        suffixes=(*source.SUFFIXES, *settings.items("sourceSuffixes")),
        ignore=settings.items("dirtyIgnore"),
        take=settings.choice("snapshot"),
    )


def status(workspace: Workspace) -> Status:
    """Return what differs from HEAD; nothing does in a bare repository."""
    return Status() if workspace.repo.is_bare else worktree.status(workspace.repo, rules(workspace))
