"""What the hooks around a commit and a push look at: uncommitted code, staged files, runs that would leave."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitexp import text
from gitexp.errors import DirtyTree, GitexpError, Refused, Unconfirmed
from gitexp.git import command, objects, transport
from gitexp.git.transport import Options
from gitexp.ops import dirty
from gitexp.ops.sharing import push
from gitexp.record import pointer
from gitexp.store import remotes, runs
from gitexp.store.runs import Head
from gitexp.store.workspace import Workspace

_LISTED = 20  # paths or runs named in one message
_ANCESTORS = 5  # processes between a hook and its git: its shell, those of other tools
_NOBODY = "0" * 40


def clean_tree(workspace: Workspace) -> None:
    """Raise DirtyTree where a run that starts now would be dirty."""
    found = dirty.status(workspace)
    if found.dirty:
        raise DirtyTree("uncommitted changes", hint="commit them: git commit -a", paths=found.paths)


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged file that HEAD does not have so: `is_new` where HEAD has none of that path."""

    path: str
    oid: str
    mode: int
    is_new: bool


def check_staged(workspace: Workspace) -> None:
    """Raise Refused where run records are staged, or files that belong in artifacts."""
    found = _staged(workspace)
    records = [item.path for item in found if item.path == runs.FOLDER or item.path.startswith(runs.FOLDER + "/")]
    if records:
        raise Refused(
            "commit refused: run records are staged, and only gitexp writes those, into the commit of their run"
            + _lines(records),
            hint=f"git restore --staged {runs.FOLDER}   (with --worktree to undo the edits too)",
        )
    _check_artifacts(workspace, found)


def _check_artifacts(workspace: Workspace, found: Sequence[Staged]) -> None:
    limit = workspace.settings.size_bytes("commitLimit")
    endings = tuple(ending.lower() for ending in workspace.settings.items("artifactSuffixes"))
    misplaced = []
    for item in found:
        size = objects.size_of(workspace.repo, item.oid)
        by_name = item.is_new and bool(endings) and item.path.lower().endswith(endings)
        if (by_name or size > limit) and not _is_pointer(workspace, item.oid, size):
            misplaced.append((item.path, size))
    allowed = _matching(workspace, [path for path, _ in misplaced])
    listed = [f"{text.size(size):>10}  {path}" for path, size in misplaced if path not in allowed]
    if listed:
        first = next(path for path, _ in misplaced if path not in allowed)
        raise Refused(
            f"commit refused: {text.plural(len(listed), 'staged file')} would be in Git's history for ever, and "
            f"{'belongs' if len(listed) == 1 else 'belong'} in the artifacts of a run" + _lines(listed),
            hint=f'git restore --staged "{first}"   then in the script: run.log_artifact("{first}")\n'
            f'or allow it: git config --add gitexp.artifactIgnore "{first}"',
        )


def _is_pointer(workspace: Workspace, oid: str, size: int) -> bool:
    return size <= pointer.MAX_BYTES and pointer.decode(objects.read_blob(workspace.repo, oid)) is not None


def _staged(workspace: Workspace) -> list[Staged]:
    """Return the files that the commit in the making would change; in a merge, those that no parent has so."""
    head = workspace.repo.head().commit
    found = _against(workspace, head or objects.EMPTY_TREE)
    for commit in _merged(workspace):
        theirs = {item.path for item in _against(workspace, commit)}
        found = [item for item in found if item.path in theirs]
    return found


def _merged(workspace: Workspace) -> list[str]:
    try:
        return (workspace.repo.git_dir / "MERGE_HEAD").read_text().split()
    except FileNotFoundError:
        return []


def _against(workspace: Workspace, tree: str, specs: Sequence[str] = ()) -> list[Staged]:
    """Return the staged files that differ from a tree: git is asked, since a commit may have an index of its own."""
    options = ("--cached", "--raw", "-z", "--no-renames", "--diff-filter=AMT", "--ignore-submodules=all")
    output = command.run(workspace.repo, "diff-index", *options, tree, "--", *specs).stdout
    fields = output.decode("utf-8", "surrogateescape").split("\0")[:-1]
    found = []
    for about, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, oid, status = about.split(" ")
        if int(mode, 8) in (objects.FILE, objects.EXECUTABLE):
            found.append(Staged(path, oid, int(mode, 8), status == "A"))
    return found


def _matching(workspace: Workspace, paths: Sequence[str]) -> set[str]:
    """Return those of the staged paths that gitexp.artifactIgnore matches."""
    specs = workspace.settings.items("artifactIgnore")
    if not specs or not paths:
        return set()
    return {item.path for item in _against(workspace, objects.EMPTY_TREE, specs)}


@dataclass(frozen=True, slots=True)
class Update:
    """One line that Git gives a pre-push hook; `new` is None where the ref is deleted at the remote."""

    local: str
    new: str | None
    ref: str


def updates(lines: Iterable[str]) -> list[Update]:
    """Read what Git gives a pre-push hook: local ref, local oid, remote ref, remote oid."""
    found = []
    for line in lines:
        words = line.split()
        if len(words) == 4:
            found.append(Update(words[0], None if words[1] == _NOBODY else words[1], words[2]))
    return found


def check_pushed(workspace: Workspace, pushed: Iterable[Update]) -> None:
    """Raise Refused where a run of a dirty tree is pushed and gitexp.pushDirty is refuse."""
    if workspace.settings.choice("pushDirty") == "refuse":
        origin = workspace.settings.origin("pushDirty")[1]
        refuse_dirty(workspace, pushed, f"gitexp.pushDirty is refuse, from {origin}")


def refuse_dirty(workspace: Workspace, pushed: Iterable[Update], why: str) -> None:
    """Raise Refused where a run of a dirty tree is among what is pushed."""
    found = [
        head
        for item in pushed
        if item.new is not None and item.ref.startswith(runs.REF_PREFIX)
        if (head := runs.head(workspace, item.ref, item.new)) is not None and head.dirty
    ]
    if found:
        raise _dirty_refusal(found, why)


def _dirty_refusal(found: Sequence[Head], why: str) -> Refused:
    return Refused(
        f"push refused: {text.plural(len(found), 'run')} with uncommitted edits ({why})"
        + _lines([head.ref for head in found]),
        hint="push the others: gitexp push --clean   or run them again on a clean tree",
    )


def check_framework_push(workspace: Workspace) -> None:
    """Raise Refused where the push that the pre-commit framework tells of would send runs of dirty trees.

    The framework names one ref of a push, however many there are: when that is a run, every run that the remote is
    not known to hold may be among them. gitexp's own push checks each itself and says so by GITEXP_PUSHING.
    """
    ref, oid = os.environ.get("PRE_COMMIT_REMOTE_BRANCH", ""), os.environ.get("PRE_COMMIT_TO_REF", "")
    if not ref.startswith(runs.REF_PREFIX):
        return
    pushed = [Update("", oid or None, ref)]
    if transport.PUSHING not in os.environ:
        held = remotes.seen(workspace, remotes.choose(workspace, os.environ.get("PRE_COMMIT_REMOTE_NAME")))
        known = runs.listing(workspace).items()
        pushed += [Update("", commit, name) for name, commit in known if held.get(name) != commit and name != ref]
    refuse_dirty(workspace, pushed, "gitexp-no-dirty-runs")


def push_along(workspace: Workspace, remote: str, pushed: Sequence[Update]) -> str:
    """Push experiments to the remote of a `git push` of branches, where gitexp.pushWithGit; return what it came to.

    Asks nothing and raises nothing: the user's own push goes on whatever becomes of it.
    """
    if not _goes_along(workspace, remote, pushed):
        return ""
    options = Options(auto=True)
    try:
        chosen = remotes.choose(workspace, remote)
        planned = push.plan(workspace, chosen, push.Choice(), options)
        done = push.push(workspace, planned, options=options)
    except Unconfirmed:
        return f"gitexp: runs stay here until you agree to send them, once: gitexp push {remote}"
    except GitexpError as error:
        return f"gitexp: no runs were pushed along: {error.message}; try: gitexp push {remote}"
    return f"gitexp: pushed along: {text.plural(len(done.sent), 'run')}" if done.sent else ""


def _goes_along(workspace: Workspace, remote: str, pushed: Sequence[Update]) -> bool:
    if transport.PUSHING in os.environ or not workspace.settings.flag("pushWithGit"):
        return False
    if not any(item.new and item.ref.startswith("refs/heads/") for item in pushed):
        return False
    return workspace.repo.config(f"remote.{remote}.url") is not None and not _is_dry_run()


def _is_dry_run() -> bool:
    """Say whether the `git push` that runs this hook only pretends: it runs hooks all the same, and does not tell."""
    import psutil

    try:
        for ancestor in psutil.Process().parents()[:_ANCESTORS]:
            words = ancestor.cmdline()
            if words and Path(words[0]).name == "git" and "push" in words:
                return any(word in ("-n", "--dry-run") for word in words)
    except psutil.Error:
        return False
    return False


def _lines(items: Sequence[str]) -> str:
    shown = [f"\n  {item}" for item in items[:_LISTED]]
    more = [f"\n  and {len(items) - _LISTED} more"] if len(items) > _LISTED else []
    return "".join([*shown, *more])
