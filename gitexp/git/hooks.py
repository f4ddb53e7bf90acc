"""Where Git looks for hooks in a repository, and running one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitexp.git import command
from gitexp.git.command import Output
from gitexp.git.repo import Repo

_HOOK_RUN = (2, 36)  # the first git that has `git hook run`
_ELSEWHERE = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS")
_LOCAL_LEVEL = 5  # libgit2's number of the repository's own config; what comes after is nearer still


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of the hooks; `shared` where other repositories use it too: core.hooksPath is set for them all."""

    path: Path
    shared: bool = False


def folder(repo: Repo) -> Folder:
    """Return the folder where Git looks for hooks: core.hooksPath, else `hooks` beside the refs."""
    if any(name in os.environ for name in _ELSEWHERE) and command.available():
        return _ask_git(repo)  # libgit2 does not look at configuration from these
    found = list(repo.raw.config.get_multivar("core.hooksPath"))
    if not found or not found[-1]:
        return Folder(repo.common_dir / "hooks")
    own = any(entry.name == "core.hookspath" and entry.level >= _LOCAL_LEVEL for entry in repo.raw.config)
    return Folder(_below(repo, found[-1]), shared=not own)


def _ask_git(repo: Repo) -> Folder:
    named = command.run(repo, "rev-parse", "--git-path", "hooks").stdout.decode("utf-8", "surrogateescape")
    own = command.run(repo, "config", "--local", "core.hooksPath", check=False)
    anywhere = command.run(repo, "config", "core.hooksPath", check=False)
    return Folder(_below(repo, named.removesuffix("\n")), shared=bool(anywhere.stdout) and not own.stdout)


def _below(repo: Repo, named: str) -> Path:
    """Return a folder named relative to where hooks run: the top of the work tree, or a bare repository itself."""
    path = Path(named).expanduser()
    return Path(os.path.normpath((repo.work_tree or repo.git_dir) / path))


def find(repo: Repo, name: str) -> Path | None:
    """Return the executable hook of a name, None where Git would run none."""
    path = folder(repo).path / name
    return path if os.access(path, os.X_OK) and path.is_file() else None


def run(repo: Repo, path: Path, env: Mapping[str, str]) -> Output:
    """Run a hook as Git runs one, by `git hook run` where Git has it and finds it there."""
    if command.available() and command.version() >= _HOOK_RUN and path.parent == folder(repo).path:
        return command.run(repo, "hook", "run", "--ignore-missing", path.name, env=env, check=False)
    done = subprocess.run(
        [str(path)] if os.access(path, os.X_OK) else ["sh", "-e", str(path)],
        cwd=repo.work_tree or repo.git_dir,
        env=command.environment(repo, env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    return Output(done.stdout, done.stderr.decode("utf-8", "replace"), done.returncode)
