"""What counts as uncommitted code in a workspace, by its settings."""

from __future__ import annotations

from pathlib import Path

from gitexp import files
from gitexp.git import source, worktree
from gitexp.git.worktree import Rules, Status
from gitexp.store.workspace import Workspace

MAX_OUTPUTS = 1000
_CODE = (".py", ".pyx", ".ipynb", ".sh", ".sql", ".r", ".R", ".jl", ".cu", ".c", ".cc", ".cpp", ".h", ".rs", ".go")


def rules(workspace: Workspace) -> Rules:
    """Return the rules that the settings make."""
    settings = workspace.settings
    return Rules(
        suffixes=(*source.SUFFIXES, *settings.items("sourceSuffixes")),
        ignore=settings.items("dirtyIgnore"),
        outputs=frozenset(outputs(workspace)),
        take=settings.choice("snapshot"),
    )


def outputs(workspace: Workspace) -> list[str]:
    """Return the untracked paths that runs wrote here: as dirt they would refuse every second run."""
    try:
        return (workspace.home / "outputs").read_text("utf-8", "surrogateescape").split("\0")[:-1]
    except FileNotFoundError:
        return []


def note_outputs(workspace: Workspace, start_ms: int) -> None:
    """Remember what the run that began at `start_ms` wrote: untracked data of that time. Code is never an output."""
    repo = workspace.repo
    if repo.work_tree is None:
        return
    known = outputs(workspace)
    new = [path for path in worktree.status(repo, rules(workspace)).untracked if not path.endswith(_CODE)]
    new = [path for path in new if _changed_ms(repo.work_tree / path) >= start_ms]
    if new:
        kept = [path for path in known if (repo.work_tree / path).exists()]
        text = "".join(f"{path}\0" for path in [*kept, *new][-MAX_OUTPUTS:])
        files.write(workspace.home / "outputs", text.encode("utf-8", "surrogateescape"))


def _changed_ms(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns // 1_000_000
    except FileNotFoundError:
        return 0


def status(workspace: Workspace) -> Status:
    """Return what differs from HEAD; nothing does in a bare repository."""
    return Status() if workspace.repo.is_bare else worktree.status(workspace.repo, rules(workspace))
