"""The edits of a run, merged into the files of the work tree; index and HEAD stay as they are."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitexp import ids, locks, text
from gitexp.errors import Conflict, DirtyTree, NotFound, Refused, UsageError, WriteFailed
from gitexp.git import compare, merge, objects
from gitexp.git.merge import Change, Clash
from gitexp.git.objects import Entry
from gitexp.ops import applied
from gitexp.ops.applied import Application, File
from gitexp.ops.finding import code
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying a run would do: files to write or remove, those with conflict markers, those left alone."""

    run: Run
    title: str
    changes: tuple[Change, ...]
    marked: tuple[str, ...]
    already: tuple[str, ...]  # as the run has them, before anything is done
    submodules: tuple[str, ...]


def plan(workspace: Workspace, run: Run, *, every: bool = False, markers: bool = False) -> Plan:
    """Merge the edits of a run with the work tree, in memory.

    With `every` all that its code has beside the common history, commits too. Raises Conflict where both sides changed
    the same lines (unless `markers`), DirtyTree where a file has uncommitted changes.
    """
    repo = workspace.repo
    if repo.work_tree is None:
        raise UsageError("a bare repository has no files to apply edits to", hint="gitexp -C PATH apply RUN")
    title = f"{text.safe(run.name)} ({ids.short(run.id)})"
    base, theirs = _edits(workspace, run, every)
    merged = merge.trees(repo, _tree(workspace, base), _tree(workspace, repo.head().commit), _tree(workspace, theirs))
    if merged.clashes and not markers:
        raise _conflict([clash.path for clash in merged.clashes], title, run)
    marked = _marked(workspace, merged.clashes, title)
    changes = (*merged.changes, *marked)
    submodules = tuple(item.path for item in changes if _is_submodule(item))
    return _checked(workspace, Plan(run, title, changes, tuple(item.path for item in marked), (), submodules))


def _edits(workspace: Workspace, run: Run, every: bool) -> tuple[str | None, str]:
    """Return the commits that the edits of a run lie between."""
    side, short = code.of(run), ids.short(run.id)
    if side.revision is None:
        raise NotFound(f"run {short} has no code commit: it ran before the first one", hint=f"gitexp show {short}")
    if every:
        head = workspace.repo.head().commit
        base = compare.merge_base(workspace.repo, head, side.revision) if head else None
        if head and base is None:
            raise Refused(f"the code of run {short} has no history in common with HEAD", hint=f"gitexp branch {short}")
        return base, side.revision
    if side.revision != side.commit:
        return side.commit, side.revision
    if side.dirty:
        raise Refused(
            f"the edits of run {short} were not recorded", hint="record them: git config gitexp.dirty snapshot"
        )
    raise UsageError(
        f"run {short} has no edits of its own: its code is commit {side.revision[:7]}",
        hint=f"all that HEAD has not: gitexp apply --all {short}   one commit: git cherry-pick {side.revision[:7]}",
    )


def _tree(workspace: Workspace, commit: str | None) -> str:
    if commit is None:
        return objects.write_entries(workspace.repo, [])  # the empty tree, which must be there to be merged
    return objects.read_commit(workspace.repo, commit).tree


def _conflict(paths: Sequence[str], title: str, run: Run) -> Conflict:
    listed = "".join(f"\n  {path}" for path in paths)
    return Conflict(
        f"the edits of {title} conflict with the code here, so nothing was applied:{listed}",
        hint=f"write them with conflict markers: gitexp apply --merge {ids.short(run.id)}",
    )


def _marked(workspace: Workspace, clashes: Sequence[Clash], title: str) -> list[Change]:
    """Return the clashes as files with conflict markers; raises Conflict for those that cannot be."""
    found, without = [], []
    with _aside(workspace) as folder:
        for clash in clashes:
            entry = merge.with_markers(workspace.repo, clash, "here", title, folder)
            if entry is None:
                without.append(clash.path)
            else:
                found.append(Change(clash.path, clash.ours, entry))
    if without:
        listed = "".join(f"\n  {path}" for path in without)
        raise Conflict(
            f"the edits of {title} conflict where there can be no markers (deleted, or not text):{listed}",
            hint="take its code as a branch: gitexp branch RUN",
        )
    return found


def _is_submodule(change: Change) -> bool:
    return any(side is not None and side.mode == objects.SUBMODULE for side in (change.old, change.new))


def _checked(workspace: Workspace, wanted: Plan) -> Plan:
    """Leave out what is there already; raises DirtyTree where a file to be written has uncommitted changes."""
    repo = workspace.repo
    changes = [change for change in wanted.changes if not _is_submodule(change)]
    to_do = merge.differing(repo, {change.path: change.new for change in changes})
    local = merge.differing(repo, {change.path: change.old for change in changes if change.path in to_do})
    local |= merge.staged(repo, to_do)
    left = tuple(change for change in changes if change.path in to_do)
    local |= _blocked(workspace, left)
    if local:
        raise _touched(workspace, wanted.title, changes, local)
    already = tuple(change.path for change in changes if change.path not in to_do)
    return Plan(wanted.run, wanted.title, left, wanted.marked, already, wanted.submodules)


def _touched(workspace: Workspace, title: str, changes: Sequence[Change], local: set[str]) -> DirtyTree:
    """Return the error that names the files with uncommitted changes, as `git status` would."""
    top = Path(str(workspace.repo.work_tree))
    ours = {change.path for change in changes if change.old is not None}
    gone = {path for path in ours & local if not os.path.lexists(top / path)}
    codes = {path: " D" if path in gone else " M" if path in ours else "??" for path in local}
    hint = "commit it, or set it aside: git stash --include-untracked"
    if workspace.repo.is_sparse and gone == local:
        folders = sorted({Path(path).parent.as_posix() for path in gone})
        hint = f"outside the sparse checkout? git sparse-checkout add {shlex.join(folders)}"
    return DirtyTree(
        f"the edits of {title} touch uncommitted work, so nothing was applied:",
        hint=hint,
        paths=[(codes[path], path) for path in sorted(local)],
    )


def _blocked(workspace: Workspace, changes: Sequence[Change]) -> set[str]:
    """Return what stands, or leads elsewhere, where a new file needs a folder."""
    going = {change.path for change in changes if change.new is None}
    found = set()
    for change in changes:
        for parent in Path(change.path).parents if change.new is not None else ():
            name = parent.as_posix()
            if name != "." and name not in going and _is_no_folder(Path(str(workspace.repo.work_tree), parent)):
                found.add(name)
    return found


def _is_no_folder(path: Path) -> bool:
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def _aside(workspace: Workspace) -> Iterator[Path]:
    workspace.tmp.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="apply.", dir=workspace.tmp) as name:
        yield Path(name)


def execute(workspace: Workspace, wanted: Plan) -> Application:
    """Write the files of a plan; all of them or, where that fails, none. `applied.take_back` undoes it."""
    top = Path(str(workspace.repo.work_tree))
    with locks.hold(workspace.home / "applied.lock"), _aside(workspace) as new:
        entries = [Entry(change.path, change.new.mode, change.new.oid) for change in wanted.changes if change.new]
        merge.export(workspace.repo, entries, new)
        made = _prepare(workspace, wanted, new)
        applied.save(workspace, [*applied.listing(workspace), made])
        try:
            _write(top, made, new)
        except OSError as error:
            applied.restore(workspace, made)
            applied.save(workspace, [item for item in applied.listing(workspace) if item.token != made.token])
            raise WriteFailed(
                f"cannot write {error.filename or 'a file'}: {error.strerror}; nothing was applied", hint="df -h ."
            ) from error
    return made


def _prepare(workspace: Workspace, wanted: Plan, new: Path) -> Application:
    """Copy what will be written over, and note what was and what will be."""
    top, token = Path(str(workspace.repo.work_tree)), os.urandom(8).hex()
    copies = applied.folder(workspace, token)
    copies.mkdir(parents=True)
    listed = []
    for number, change in enumerate(wanted.changes):
        path = top / change.path
        before = applied.fingerprint(path)
        if before == "folder":  # since the plan was made
            raise Conflict(f"{change.path} has just become a folder", hint="try again")
        if before is not None:
            shutil.copy2(path, copies / str(number), follow_symlinks=False)
        after = applied.fingerprint(new / change.path) if change.new else None
        listed.append(File(change.path, before, after, None if before is None else str(number)))
    folders = applied.missing_folders(top, [change.path for change in wanted.changes if change.new])
    return Application(token, wanted.run.id, wanted.title, str(top), tuple(listed), tuple(folders))


def _write(top: Path, made: Application, new: Path) -> None:
    for file in made.files:
        if file.after is None:
            applied.remove(top, file.path)
    for file in made.files:
        if file.after is not None:
            (top / file.path).parent.mkdir(parents=True, exist_ok=True)
            applied.put(new / file.path, top / file.path)


def undo(workspace: Workspace) -> Application:
    """Take back what was applied last in this work tree."""
    if workspace.repo.work_tree is None:
        raise UsageError("a bare repository has no files", hint="gitexp -C PATH apply --undo")
    with locks.hold(workspace.home / "applied.lock"):
        return applied.take_back(workspace)
