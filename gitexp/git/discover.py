"""Finding the repository, in plain Python: nothing heavy is loaded, and nothing misreads a format it does not know."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from gitexp.errors import NoRepository, Unsupported
from gitexp.git.repo import Repo


def find(path: str | os.PathLike[str] | None = None) -> Repo:
    """Return the repository that `path` (default: GIT_DIR, else the current folder) lies in.

    Raises NoRepository, and Unsupported for reftable and SHA-256 repositories.
    """
    if path is None and os.environ.get("GIT_DIR"):
        return _from_environment()
    start = Path(path or os.curdir).resolve()
    if not start.is_dir():
        start = start.parent
    ceilings = {Path(item) for item in os.environ.get("GIT_CEILING_DIRECTORIES", "").split(os.pathsep) if item}
    for folder in (start, *start.parents):
        if folder in ceilings and folder != start:
            break
        if (git_dir := _git_dir_in(folder)) is not None:
            return _repo(git_dir, folder)
        if _is_git_dir(folder):
            return _repo(folder, None, start=start)
    raise NoRepository(
        f"{start} is not in a Git repository", hint="make it one with: git init   or name one: --repo PATH"
    )


def at(path: Path) -> Repo | None:
    """Return the repository that a path names, as Git looks for one there: `path/.git`, `path`, `path.git`."""
    for folder in (path, Path(f"{path}.git")):
        if (git_dir := _git_dir_in(folder)) is not None:
            return _repo(git_dir, folder)
        if _is_git_dir(folder):
            return _repo(folder, None)
    return None


def _from_environment() -> Repo:
    git_dir = Path(os.environ["GIT_DIR"]).resolve()
    if not _is_git_dir(git_dir):
        raise NoRepository(f"GIT_DIR={git_dir} is not a Git repository", hint="unset GIT_DIR, or correct it")
    named = os.environ.get("GIT_WORK_TREE")
    common = _common_dir(git_dir)
    if named:
        return _repo(git_dir, Path(named).resolve())
    # Git's own rule: with GIT_DIR alone the current folder is the top of the work tree.
    bare = _core(common, "bare") == "true"
    return _repo(git_dir, None if bare else Path.cwd())


def _git_dir_in(folder: Path) -> Path | None:
    """Return the git folder that `folder/.git` is or points to (linked worktrees, submodules)."""
    dot_git = folder / ".git"
    if dot_git.is_file():
        text = dot_git.read_text(errors="replace")
        if not text.startswith("gitdir:"):
            return None
        target = Path(os.path.normpath(folder / text[len("gitdir:") :].strip()))
        return target if _is_git_dir(target) else None
    return dot_git if _is_git_dir(dot_git) else None


def _is_git_dir(folder: Path) -> bool:
    return (folder / "HEAD").exists() and (
        (folder / "commondir").exists() or ((folder / "objects").is_dir() and (folder / "refs").is_dir())
    )


def _common_dir(git_dir: Path) -> Path:
    try:
        named = (git_dir / "commondir").read_text().strip()
    except FileNotFoundError:
        return git_dir
    return Path(os.path.normpath(git_dir / named))


def _repo(git_dir: Path, work_tree: Path | None, start: Path | None = None) -> Repo:
    common = _common_dir(git_dir)
    _refuse_unknown_formats(common)
    if start is not None and _core(common, "bare") != "true" and git_dir.name == ".git":
        work_tree = git_dir.parent  # a command given inside .git itself
    elif (
        work_tree is not None
        and (named := _core(git_dir, "worktree") or _core(common, "worktree"))
        and git_dir == common
    ):
        work_tree = Path(os.path.normpath(git_dir / named))
    here = Path.cwd()
    prefix = ""
    if work_tree is not None and here != work_tree and here.is_relative_to(work_tree):
        prefix = here.relative_to(work_tree).as_posix() + "/"
    return Repo(git_dir, common, work_tree, prefix)


def _refuse_unknown_formats(common: Path) -> None:
    extensions = _section(common / "config", "extensions")
    if extensions.get("refstorage", "files") != "files":
        raise Unsupported(
            f"{common} keeps its refs as {extensions['refstorage']}, which gitexp cannot read yet",
            hint="git refs migrate --ref-format=files",
        )
    if extensions.get("objectformat", "sha1") != "sha1":
        raise Unsupported(
            f"{common} uses {extensions['objectformat']} object names, which gitexp cannot read yet",
            hint="record into another repository: gitexp --repo PATH run …",
        )


def _core(folder: Path, key: str) -> str:
    value = _section(folder / "config", "core").get(key, "")
    return value.strip('"') if key == "worktree" else value.lower()


_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9.-]+)(?:\s+\"[^\"]*\")?\s*\](.*)")
_ENTRY = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*?))?\s*(?:[#;].*)?$")


def _section(config: Path, wanted: str) -> dict[str, str]:
    """Return one section of a repository's own config file; keys in lower case. Includes cannot carry these keys."""
    try:
        found = config.stat()
    except FileNotFoundError:
        return {}
    return _sections(config, found.st_mtime_ns, found.st_size).get(wanted, {})


@lru_cache(maxsize=8)
def _sections(config: Path, mtime_ns: int, size_bytes: int) -> dict[str, dict[str, str]]:
    """Return all sections of a config file that has not changed since it had this time and size."""
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in config.read_text(errors="replace").splitlines():
        if header := _HEADER.match(line):
            section, line = header[1].lower(), header[2]
        if entry := _ENTRY.match(line):
            found.setdefault(section, {})[entry[1].lower()] = "true" if entry[2] is None else entry[2]
    return found
