"""A branch at the exact code of a run."""

from __future__ import annotations

from dataclasses import dataclass

from gitexp import ids, text
from gitexp.errors import NotFound, UsageError
from gitexp.git import branches, objects
from gitexp.ops import code
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that was made; `whole` says that it has all the code that ran."""

    name: str
    commit: str
    base: str | None  # the user's own commit, where the branch is at a snapshot of edits on top of it
    subject: str
    switched: bool
    whole: bool


def create(workspace: Workspace, run: Run, name: str | None = None, *, switch: bool = False) -> Branch:
    """Create a branch at RUN^; without `name` it is called like the run."""
    side = code.of(run)
    if side.revision is None:
        raise NotFound(
            f"run {ids.short(run.id)} has no code commit: it ran before the first one",
            hint=f"see what it kept: gitexp show {ids.short(run.id)}",
        )
    if not objects.exists(workspace.repo, side.revision):
        raise NotFound(
            f"the code of run {ids.short(run.id)}, commit {side.revision[:7]}, is not in this clone",
            hint="git fetch --unshallow   or: gitexp fetch",
        )
    if switch and workspace.repo.is_bare:
        raise UsageError("a bare repository has no files to switch", hint=f"gitexp branch {ids.short(run.id)}")
    name = branches.check(workspace.repo, name) if name is not None else _free_name(workspace, run)
    branches.create(workspace.repo, name, side.revision, switch=switch)
    subject = objects.read_commit(workspace.repo, side.revision).message.partition("\n")[0]
    base = side.commit if side.revision != side.commit else None
    return Branch(name, side.revision, base, text.safe(subject), switch, side.kept)


def _free_name(workspace: Workspace, run: Run) -> str:
    """Return the run's own name as a branch, with its id where that name is taken."""
    name = branches.check(workspace.repo, ids.slug(run.name))
    return f"{name}-{ids.short(run.id)}" if branches.exists(workspace.repo, name) else name
