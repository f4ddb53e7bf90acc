"""What counts as uncommitted code in a workspace, by its settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gitexp import files
from gitexp.git import source, worktree
from gitexp.git.worktree import Rules, Status
from gitexp.store.workspace import Workspace

MAX_OUTPUTS = 1000
MAX_SESSIONS = 100
MAX_SESSIONS_BYTES = 32_000
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


def note_session(workspace: Workspace, start_ms: int, end_ms: int) -> None:
    """Remember when a run was running here: data that is as old as that is its output."""
    path = workspace.home / "sessions"
    with open(path, "ab") as file:
        file.write(b"%d %d\n" % (start_ms, end_ms))
        is_long = file.tell() > MAX_SESSIONS_BYTES
    if is_long:
        files.write(path, "".join(line + "\n" for line in _lines(path)[-MAX_SESSIONS:]).encode())


def learn_outputs(workspace: Workspace, paths: Sequence[str]) -> bool:
    """Take untracked data that was written while a run was running for its output; say whether there is any new.

    Code is never an output: people edit it while they wait.
    """
    top = workspace.repo.work_tree
    found = [path for path in paths if not path.endswith(_CODE)]
    if top is None or not found:
        return False
    lines = _lines(workspace.home / "sessions")[-MAX_SESSIONS:]
    sessions = [tuple(map(int, line.split())) for line in lines]
    times = {path: _changed_ms(top / path) for path in found}
    new = [path for path, time in times.items() if any(start <= time <= end for start, end in sessions)]
    if new:
        _note(workspace, top, new)
    return bool(new)


def note_outputs(workspace: Workspace, paths: Sequence[Path]) -> None:
    """Remember that these files were written by gitexp itself: they are nobody's uncommitted code."""
    top = workspace.repo.work_tree
    if top is not None:
        whole, inside = top.resolve(), [path.resolve() for path in paths]
        names = [path.relative_to(whole).as_posix() for path in inside if path.is_relative_to(whole)]
        if new := sorted(set(names) - set(outputs(workspace))):
            _note(workspace, top, new)


def _note(workspace: Workspace, top: Path, new: Sequence[str]) -> None:
    kept = [path for path in outputs(workspace) if (top / path).exists()]
    text = "".join(f"{path}\0" for path in [*kept, *new][-MAX_OUTPUTS:])
    files.write(workspace.home / "outputs", text.encode("utf-8", "surrogateescape"))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []


def _changed_ms(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns // 1_000_000
    except FileNotFoundError:
        return 0


def status(workspace: Workspace) -> Status:
    """Return what differs from HEAD; nothing does in a bare repository."""
    return Status() if workspace.repo.is_bare else worktree.status(workspace.repo, rules(workspace))
