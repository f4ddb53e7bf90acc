"""Git's configuration as Git itself reads it, for one repository, without loading libgit2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gitexp.git import command

_OWN = ("local", "worktree", "command")  # scopes nearer than the user's and the machine's files
_LOCAL_LEVEL = 5  # libgit2: 1 programdata, 2 system, 3 xdg, 4 global, 5 local, 6 worktree, 7 application
_Stamp = tuple[int, int, int]


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
    import pygit2

    config = pygit2.Repository(str(git_dir)).config
    return tuple(Entry(entry.name, entry.value, entry.level >= _LOCAL_LEVEL) for entry in config)
