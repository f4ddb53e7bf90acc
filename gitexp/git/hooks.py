"""Where Git looks for hooks in a repository, and running one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitexp.git import command
from gitexp.git.command import Output
from gitexp.git.repo import Repo

_HOOK_RUN = (2, 36)  # the first git that has `git hook run`


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of the hooks; `shared` where other repositories use it too: core.hooksPath is set for them all."""

    path: Path
    shared: bool = False


def folder(repo: Repo) -> Folder:
    """Return the folder where Git looks for hooks: core.hooksPath, else `hooks` beside the refs."""
    found = [entry for entry in repo.settings if entry.name == "core.hookspath"]
    if not found or not found[-1].value:
        return Folder(repo.common_dir / "hooks")
    return Folder(_below(repo, found[-1].value), shared=not any(entry.own for entry in found))


def _below(repo: Repo, named: str) -> Path:
    """Return a folder named relative to where hooks run: the top of the work tree, or a bare repository itself."""
    path = Path(named).expanduser()
    return Path(os.path.normpath((repo.work_tree or repo.git_dir) / path))


def find(repo: Repo, name: str) -> Path | None:
    """Return the executable hook of a name, None where Git would run none."""
    path = folder(repo).path / name
    return path if os.access(path, os.X_OK) and path.is_file() else None


def run(
    repo: Repo, path: Path, env: Mapping[str, str], *, args: Sequence[str] = (), input: bytes | None = None
) -> Output:
    """Run a hook as Git runs one, by `git hook run` where Git has it and finds it there, and nothing is said to it."""
    usual = path.parent == folder(repo).path and not args and input is None
    if command.available() and command.version() >= _HOOK_RUN and usual:
        return command.run(repo, "hook", "run", "--ignore-missing", path.name, env=env, check=False)
    done = subprocess.run(
        [*([str(path)] if os.access(path, os.X_OK) else ["sh", "-e", str(path)]), *args],
        cwd=repo.work_tree or repo.git_dir,
        env=command.environment(repo, env),
        input=input or b"",
        capture_output=True,
    )
    return Output(done.stdout, done.stderr.decode("utf-8", "replace"), done.returncode)
