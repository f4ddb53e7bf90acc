"""What tests build on: real Git, real processes, the command line, and a check that the user's tree is untouched."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
IN_CI = bool(os.environ.get("CI"))  # read before the seal removes it
TIMEOUT_SECONDS = 120


def git(path: Path | str, *args: str, check: bool = True, env: Mapping[str, str] | None = None, input: str = "") -> str:
    """Run `git ARGS` in `path` and return what it printed to stdout, stripped of the white space at its end."""
    done = subprocess.run(
        ["git", *args],
        cwd=path,
        env={**os.environ, **(env or {})},
        input=input,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=TIMEOUT_SECONDS,
    )
    if check and done.returncode:
        raise AssertionError(f"git {' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.rstrip()


def python(
    path: Path | str,
    code: str | Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    input: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a child interpreter in `path` on a piece of code (str) or a script (Path); gitexp can be imported there."""
    what = [str(code)] if isinstance(code, Path) else ["-c", code]
    return execute(path, sys.executable, *what, *args, env=env, check=check, input=input)


def execute(
    path: Path | str, *command: str, env: Mapping[str, str] | None = None, check: bool = True, input: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command in `path`; with `check` an exit code other than 0 fails the test with its output."""
    done = subprocess.run(
        command,
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        input=input,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=TIMEOUT_SECONDS,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@dataclass(frozen=True, slots=True)
class Result:
    """What a command of gitexp printed, and how it ended."""

    stdout: str
    stderr: str
    code: int

    @property
    def json(self) -> Any:
        """Return stdout as JSON."""
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[str]:
        """Return the lines of stdout."""
        return self.stdout.splitlines()


def gitexp(*args: str, expect: int | None = 0, input: str | None = None) -> Result:
    """Run `gitexp ARGS` in this process; an exit code other than `expect` (None: any) fails the test."""
    from click.testing import CliRunner

    main = importlib.import_module("gitexp.cli.main").main
    with CliRunner().isolation(input=input) as streams:
        try:
            code = main(list(args)) or 0
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        stdout, stderr = (stream.getvalue().decode("utf-8", "replace") for stream in streams[:2])
    if expect is not None and code != expect:
        raise AssertionError(f"gitexp {' '.join(args)} ended with {code}, not {expect}:\n{stdout}{stderr}")
    return Result(stdout, stderr, code)


def process(path: Path | str, *args: str, env: Mapping[str, str] | None = None, expect: int | None = 0) -> Result:
    """Run `gitexp ARGS` in `path` as a process of its own."""
    done = execute(path, sys.executable, "-m", "gitexp", *args, env=env, check=False)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"gitexp {' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Result(done.stdout, done.stderr, done.returncode)


def commit(path: Path | str, message: str = "change", **files: str) -> str:
    """Write `files` (keys: names, `__` stands for a dot, or use `write` before), commit everything, return the id."""
    for name, text in files.items():
        write(Path(path) / name.replace("__", "."), text)
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(path, "rev-parse", "HEAD")


def write(path: Path | str, text: str | bytes) -> Path:
    """Write a file, making its folders, and return its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def run_refs(path: Path | str) -> dict[str, str]:
    """Return the refs of runs in `path` with their commits, as plain Git lists them."""
    lines = git(path, "for-each-ref", "--format=%(refname) %(objectname)", "refs/experiments/").splitlines()
    return dict(line.split() for line in lines)


def record(path: Path | str, revision: str, name: str = "run.json") -> Any:
    """Return one JSON file of the record of a run, as plain Git shows it."""
    return json.loads(git(path, "show", f"{revision}:.gitexp/{name}"))


def state(path: Path | str) -> dict[str, Any]:
    """Return everything of a repository that recording must not change: HEAD, branches, index, status, files."""
    path = Path(path)
    git_dir = Path(git(path, "rev-parse", "--absolute-git-dir"))
    bare = git(path, "rev-parse", "--is-bare-repository") == "true"
    index = git_dir / "index"
    return {
        "HEAD": (git_dir / "HEAD").read_bytes(),
        "refs": git(path, "for-each-ref", "refs/heads/", "refs/tags/", "refs/remotes/", "refs/stash"),
        "index": index.read_bytes() if index.exists() else None,
        "files": {} if bare else files(Path(git(path, "rev-parse", "--show-toplevel"))),
        "status": "" if bare else git(path, "status", "--porcelain", env={"GIT_OPTIONAL_LOCKS": "0"}),
    }


def files(path: Path | str) -> dict[str, tuple[int, bytes | str]]:
    """Return mode and content of every file under `path` but those of Git."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            file = Path(folder, name)
            content = str(file.readlink()) if file.is_symlink() else file.read_bytes() if file.is_file() else ""
            found[str(file.relative_to(path))] = (file.lstat().st_mode, content)
    return found


@contextmanager
def untouched(path: Path | str) -> Iterator[None]:
    """Check at the end of the block that `git fsck --strict` is content and nothing of the user's has changed."""
    before = state(path)
    yield
    after = state(path)
    for part in before:
        assert after[part] == before[part], f"{part} of {path} has changed"
    git(path, "fsck", "--strict")


def needs(program: str) -> None:
    """Skip the test where a system program is missing; where `CI` is set, fail it."""
    if shutil.which(program) is None:
        (pytest.fail if IN_CI else pytest.skip)(f"{program} is not installed")


def children() -> dict[int, str]:
    """Return the state of each child of this process, as /proc has it, Z for one that nobody has waited for."""
    found = {}
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            for pid in file.read_text().split():
                found[int(pid)] = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
    return found


def zombies() -> list[int]:
    """Return the children of this process that have ended and that nobody has waited for."""
    return [pid for pid, state in children().items() if state == "Z"]


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """Mount a file system of its own that is soon full; skips where that is not allowed."""
    path.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True
    ).returncode:
        pytest.skip("a small file system cannot be mounted here: not root")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
