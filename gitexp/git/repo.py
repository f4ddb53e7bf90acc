"""One repository: its folders, its HEAD, and libgit2's handle, opened once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.git import config as settings
from gitexp.git import reffiles

if TYPE_CHECKING:
    import pygit2


@dataclass(frozen=True, slots=True)
class Head:
    """What HEAD names: a commit (None before the first one) and a branch (None when detached)."""

    commit: str | None
    branch: str | None


class Repo:
    """A Git repository on disk.

    `git_dir` is this work tree's own folder, `common_dir` what all linked worktrees share, `work_tree` is None in a
    bare repository, `prefix` the current folder below the work tree ("" or "sub/dir/").
    """

    def __init__(self, git_dir: Path, common_dir: Path, work_tree: Path | None, prefix: str = "") -> None:
        self.git_dir = git_dir
        self.common_dir = common_dir
        self.work_tree = work_tree
        self.prefix = prefix

    def __repr__(self) -> str:
        return f"Repo({str(self.work_tree or self.git_dir)!r})"

    @cached_property
    def raw(self) -> pygit2.Repository:
        """libgit2's handle; a new one costs up to 20 ms, so there is one."""
        import pygit2

        # What finish() names must be on the disk before it returns.
        pygit2.settings.enable_fsync_gitdir(True)
        try:
            repo = pygit2.Repository(str(self.git_dir))
            if self.work_tree is not None and self.git_dir == self.common_dir and not repo.is_bare:
                current = Path(repo.workdir or "")
                if current != self.work_tree:
                    repo.workdir = str(self.work_tree)
        except pygit2.GitError as error:
            raise settings.unopened(self.git_dir, self.work_tree or self.git_dir, error) from error
        return repo

    def head(self) -> Head:
        """Read HEAD anew: the user may commit or switch at any time."""
        content = (self.git_dir / "HEAD").read_text("utf-8", "surrogateescape").strip()
        if not content.startswith("ref:"):
            return Head(content, None)
        ref, commit = reffiles.follow(self.common_dir, content[4:].strip())
        return Head(commit, ref.removeprefix("refs/heads/"))

    def config(self, key: str) -> str | None:
        """Return the last value of a git setting, from all its files."""
        wanted = settings.normal(key)
        found = [entry.value for entry in self.settings if entry.name == wanted]
        return found[-1] if found else None

    @property
    def settings(self) -> tuple[settings.Entry, ...]:
        """All values of Git's configuration, the strongest last."""
        return settings.entries(self.git_dir, self.common_dir)

    @property
    def remotes(self) -> list[str]:
        """The names of the configured remotes."""
        found = (re.fullmatch(r"remote\.(.+)\.(?:push)?url", entry.name) for entry in self.settings)
        return sorted({match[1] for match in found if match})

    @property
    def is_bare(self) -> bool:
        """No work tree: there is no code on disk that could be dirty."""
        return self.work_tree is None

    @property
    def has_remotes(self) -> bool:
        """There is somewhere to push to."""
        return bool(self.remotes)

    @property
    def is_shallow(self) -> bool:
        """History is cut off somewhere."""
        return (self.common_dir / "shallow").exists()

    @cached_property
    def is_partial(self) -> bool:
        """Objects may be missing here and promised by a remote."""
        return any(
            entry.value in (None, "true")
            for entry in self.settings
            if re.fullmatch(r"remote\..*\.promisor", entry.name)
        )

    @property
    def is_sparse(self) -> bool:
        """Not all tracked files are in the work tree."""
        return self.config("core.sparseCheckout") == "true"


def create_bare(path: Path) -> None:
    """Make a bare repository."""
    import pygit2

    pygit2.init_repository(str(path), bare=True)
