"""Git's configuration as Git itself reads it, for one repository, without loading libgit2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gitexp.errors import Unsupported
from gitexp.git import command

if TYPE_CHECKING:
    import pygit2

_OWN = ("local", "worktree", "command")  # scopes nearer than the user's and the machine's files
_SYSTEM_LEVELS, _GLOBAL_LEVELS = (1, 2), (3, 4)
_LOCAL_LEVEL = 5  # libgit2: 1 programdata, 2 system, 3 xdg, 4 global, 5 local, 6 worktree, 7 application
_Stamp = tuple[int, int, int]


class Place(command.Place, Protocol):
    """What of a repository its settings are written into."""

    @property
    def common_dir(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One value: `name` with section and key in lower case, `value` None where only the key stands (which means true).

    `own` tells the repository's values (and those of `git -c`) from the user's and the machine's.
    """

    name: str
    value: str | None
    own: bool


def entries(git_dir: Path, common_dir: Path) -> tuple[Entry, ...]:
    """Return all values of a repository, the strongest last.

    Git is asked, which knows includes, GIT_CONFIG_* and `git -c`; libgit2 only where there is no git command, or one
    older than 2.26. The answer is kept while none of its files changes; one with includes is not kept.
    """
    stamps = tuple((path, _stamp(path)) for path in _files(git_dir, common_dir))
    found = _listed(git_dir, _environment(), stamps)
    if any(entry.name.startswith(("include.", "includeif.")) for entry in found):
        _listed.cache_clear()  # what is included lies anywhere, and may depend on the branch
    return found


def normal(key: str) -> str:
    """Return a key as entries name it: what stands between the first and the last dot keeps its case."""
    section, dot, rest = key.partition(".")
    middle, dot2, name = rest.rpartition(".")
    return f"{section.lower()}{dot}{middle}{dot2}{name.lower()}"


def _files(git_dir: Path, common_dir: Path) -> Iterator[str]:
    """Yield the files that Git reads for a repository, but for those that these include."""
    yield f"{common_dir}/config"
    yield f"{git_dir}/config.worktree"
    home = os.environ.get("HOME") or ""
    yield os.environ.get("GIT_CONFIG_GLOBAL") or f"{home}/.gitconfig"
    yield f"{os.environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/git/config"
    yield os.environ.get("GIT_CONFIG_SYSTEM") or "/etc/gitconfig"


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # this is asked some ten times in each command: a Path costs as much again
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino  # Git writes a new file and renames it


_VARIABLES = ("PATH", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_CONFIG_NOSYSTEM")


def _environment() -> tuple[str | None, ...]:
    """Return what of the environment decides over the answer, beside the files; all of it would take longer to read."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    given = range(min(int(count), 1000)) if count.isascii() and count.isdigit() else range(0)
    pairs = (f"GIT_CONFIG_{part}_{number}" for number in given for part in ("KEY", "VALUE"))
    return tuple(os.environ.get(name) for name in (*_VARIABLES, *pairs))


@lru_cache(maxsize=8)
def _listed(
    git_dir: Path, environment: tuple[str | None, ...], stamps: tuple[tuple[str, _Stamp | None], ...]
) -> tuple[Entry, ...]:
    """Ask Git, once for files that look like this."""
    if not command.available():
        return _by_libgit2(git_dir)
    done = command.run(None, f"--git-dir={git_dir}", "config", "--list", "-z", "--show-scope", check=False)
    if done.code:
        return _by_libgit2(git_dir)
    words = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return tuple(_entry(scope, item) for scope, item in zip(words[::2], words[1::2], strict=False))


def _entry(scope: str, item: str) -> Entry:
    name, newline, value = item.partition("\n")
    return Entry(name, value if newline else None, scope in _OWN)


def _by_libgit2(git_dir: Path) -> tuple[Entry, ...]:
    """Read the values by libgit2, which knows includes, but not the variables that stand for files and values."""
    import pygit2

    try:
        found = pygit2.Repository(str(git_dir)).config
    except pygit2.GitError as error:
        raise unopened(git_dir, git_dir.parent if git_dir.name == ".git" else git_dir, error) from error
    rows = [(int(entry.level), entry.name, entry.value) for entry in found]
    for variable, levels in (("GIT_CONFIG_SYSTEM", _SYSTEM_LEVELS), ("GIT_CONFIG_GLOBAL", _GLOBAL_LEVELS)):
        if (named := os.environ.get(variable)) is not None:
            rows = [row for row in rows if row[0] not in levels]
            rows += [(levels[-1], entry.name, entry.value) for entry in _file_config(Path(named))]
    if os.environ.get("GIT_CONFIG_NOSYSTEM", "").lower() in ("1", "true", "yes", "on"):
        rows = [row for row in rows if row[0] not in _SYSTEM_LEVELS]
    rows.sort(key=lambda row: row[0])  # the nearer is the stronger
    return (*(Entry(name, value, level >= _LOCAL_LEVEL) for level, name, value in rows), *_given())


def unopened(git_dir: Path, place: Path, error: Exception) -> Unsupported:
    """Return the error for a repository that libgit2 does not open: one that somebody else owns, or a damaged one."""
    hint = f"git config --global --add safe.directory {place}"
    if not command.available():
        hint = f"printf '[safe]\\n\\tdirectory = {place}\\n' >> ~/.gitconfig"
    return Unsupported(f"cannot open {git_dir}: {error}", hint=hint if "own" in str(error) else "git fsck")


def _file_config(path: Path) -> pygit2.Config:
    import pygit2

    return pygit2.Config(str(path)) if path.is_file() else pygit2.Config()


def _given() -> Iterator[Entry]:
    """Yield the values that stand in the environment: GIT_CONFIG_COUNT, _KEY_<n> and _VALUE_<n>."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    for number in range(int(count) if count.isascii() and count.isdigit() else 0):
        if key := os.environ.get(f"GIT_CONFIG_KEY_{number}"):
            yield Entry(normal(key), os.environ.get(f"GIT_CONFIG_VALUE_{number}", ""), True)


def put(repo: Place, name: str, value: str, *, everywhere: bool = False) -> None:
    """Set a value in the repository's own file, or in the user's, in place of all it has there."""
    if command.available():
        command.run(repo, "config", "--global" if everywhere else "--local", "--replace-all", name, value)
        return
    path = _users() if everywhere else repo.common_dir / "config"
    path.touch()
    _file_config(path).set_multivar(name, ".*", value)


def unset(repo: Place, name: str, *, everywhere: bool = False) -> bool:
    """Take all values of a name out of the repository's own file, or the user's; False where it has none there."""
    if command.available():
        where = "--global" if everywhere else "--local"
        return not command.run(repo, "config", where, "--unset-all", name, check=False).code
    config = _file_config(_users() if everywhere else repo.common_dir / "config")
    if name not in config:
        return False
    config.delete_multivar(name, ".*")
    return True


def _users() -> Path:
    """Return the file that `git config --global` writes."""
    if named := os.environ.get("GIT_CONFIG_GLOBAL"):
        return Path(named)
    usual, other = Path.home() / ".gitconfig", Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return other / "git/config" if not usual.exists() and (other / "git/config").exists() else usual
