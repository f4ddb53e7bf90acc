"""The git command: what only it can do (network, filters, signing), with the user's own settings."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from gitexp.errors import GitexpError, Unsupported


class Place(Protocol):
    """What a command needs to know of a repository."""

    @property
    def git_dir(self) -> Path: ...
    @property
    def work_tree(self) -> Path | None: ...


INSTALL = "install git: apt-get install git, apk add git, or https://git-scm.com"


class GitFailed(GitexpError):
    """A git command failed; `output` is all it said."""

    def __init__(self, message: str, output: Output, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.output = output


@dataclass(frozen=True, slots=True)
class Output:
    """What a command wrote and its exit code."""

    stdout: bytes
    stderr: str
    code: int


@lru_cache(maxsize=1)
def _executable(path: str) -> str | None:
    return shutil.which("git", path=path)


def available() -> bool:
    """Say whether there is a git command."""
    return _executable(os.environ.get("PATH", os.defpath)) is not None


@lru_cache(maxsize=1)
def version() -> tuple[int, ...]:
    """Return the version of the git command, () where there is none."""
    if not available():
        return ()
    found = re.search(rb"(\d+)\.(\d+)\.(\d+)", run(None, "version").stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def environment(repo: Place | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a git command in `repo`.

    GIT_OPTIONAL_LOCKS=0 keeps `git status` from rewriting the user's index.
    """
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}
    if repo is not None:
        env["GIT_DIR"] = str(repo.git_dir)
        if repo.work_tree is not None:
            env["GIT_WORK_TREE"] = str(repo.work_tree)
        env.pop("GIT_PREFIX", None)
    env.update(extra or {})
    return env


def missing(what: str) -> Unsupported:
    """Return the error for what only the git command can do, where there is none."""
    return Unsupported(f"this needs `{what}`, and there is no git command on the PATH", hint=INSTALL)


def run(
    repo: Place | None,
    *args: str,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout_seconds: float | None = None,
) -> Output:
    """Run `git ARGS` at the top of the work tree (in the git folder of a bare repository).

    Raises GitFailed, unless `check` is off, and Unsupported where there is no git command.
    """
    import subprocess  # 7 ms that most commands can do without

    cwd = None if repo is None else repo.work_tree or repo.git_dir
    try:
        # input=None would inherit the user's stdin; an empty one is what a command without input gets.
        done = subprocess.run(
            ["git", *args],
            cwd=cwd,
            env=environment(repo, env),
            capture_output=True,
            timeout=timeout_seconds,
            input=input or b"",
        )
    except FileNotFoundError as error:
        if available():
            raise
        raise missing(f"git {args[0]}") from error
    output = Output(done.stdout, done.stderr.decode("utf-8", "replace"), done.returncode)
    if check and output.code:
        said = output.stderr.strip().splitlines() or [f"exit {output.code}"]
        raise GitFailed(f"git {args[0]} failed: {said[-1]}", output)
    return output
