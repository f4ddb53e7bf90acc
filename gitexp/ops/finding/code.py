"""The code of runs: which commit it is, and what lies between that of one and that of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitexp.errors import Damaged, GitexpError
from gitexp.git import compare, objects
from gitexp.git.compare import FileChange
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Code:
    """The code of one run: `commit` is the user's own, `revision` what ran (RUN^: a snapshot, where there were edits).

    Both are None for a run before the first commit. `kept` says that `revision` is all the code that ran.
    """

    commit: str | None
    revision: str | None
    dirty: bool
    kept: bool

    @property
    def cell(self) -> str:
        """The commit in a cell of a table, with a `+` for uncommitted edits."""
        return (self.commit[:7] if self.commit else "none") + "+" * self.dirty


@dataclass(frozen=True, slots=True)
class CodeDifference:
    """The code of several runs; what lies between the first and the last.

    `apart` is how many commits only the first and only the last have, `files` what differs from the first to the
    last; both are None where it cannot be known here, `why` then says why.
    """

    sides: tuple[Code, ...]
    equal: bool
    apart: tuple[int, int] | None
    files: tuple[FileChange, ...] | None
    why: str = ""

    @property
    def same_commit(self) -> bool:
        """Whether all began from the same commit."""
        return len({side.commit for side in self.sides}) == 1


def of(run: Run) -> Code:
    """Return the code of a run."""
    record, said = run.record, run.record.code
    commit = _oid(said.get("commit"))
    parent = next((parent.commit for parent in record.parents if parent.role == "code"), None)
    revision = parent or _oid(said.get("snapshot")) or commit
    dirty = bool(said.get("dirty"))
    whole = bool(said.get("complete", True)) and (not dirty or revision != commit)
    return Code(commit, revision, dirty, whole)


def subject(workspace: Workspace, commit: str | None) -> str:
    """Return the first line of a commit's message, "" where there is none."""
    try:
        return objects.read_commit(workspace.repo, commit).message.partition("\n")[0] if commit else ""
    except Damaged:  # a shallow clone does not have it
        return ""


def _oid(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) == 40 else None


def difference(workspace: Workspace, runs: Sequence[Run]) -> CodeDifference:
    """Compare the code of runs."""
    sides = tuple(of(run) for run in runs)
    first, last = sides[0], sides[-1]
    repo = workspace.repo
    apart = compare.apart(repo, first.commit, last.commit) if first.commit and last.commit else None
    try:
        trees = {_tree(workspace, side.revision) for side in sides}
        equal = len(trees) == 1 and all(side.kept for side in sides)
        files = tuple(compare.files(repo, first.revision, last.revision)) if len(trees) > 1 else ()
        return CodeDifference(sides, equal, apart, files)
    except GitexpError as error:  # a shallow or partial clone, or no git command
        equal = len({side.revision for side in sides}) == 1 and all(side.kept for side in sides)
        return CodeDifference(sides, equal, apart, () if equal else None, error.message)


def _tree(workspace: Workspace, revision: str | None) -> str:
    """Return the tree of a revision, without the record that a commit of the user's may hold."""
    repo = workspace.repo
    tree = objects.read_commit(repo, revision).tree if revision else objects.EMPTY_TREE
    if any(entry.name == compare.RECORD.rstrip("/") for entry in objects.entries(repo, tree)) if revision else False:
        return objects.graft(repo, tree, compare.RECORD.rstrip("/"), None)
    return tree
