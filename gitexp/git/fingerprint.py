"""What a work tree looked like when it was last examined, so that a sweep examines an unchanged tree once.

A cache in <common dir>/gitexp/seen, one file an entry, so that any number of processes can write; it can be deleted at
any time. The key covers everything an answer depends on: HEAD, the rules, the files that rule Git, and inode, size and
times of the index and of every path that may differ.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gitexp import files
from gitexp.git import index
from gitexp.git.repo import Repo

VERSION = 1
KEPT = 200
_TICK_NS = 20_000_000  # file times move in steps of up to 10 ms
_SECOND_NS = 1_000_000_000


def of(repo: Repo, head: str | None, rules: object, candidates: Iterable[tuple[str, str]]) -> str | None:
    """Return the key of a tree with these (state, path) candidates.

    None where a file was changed so recently that another change would leave no trace in its times, or where the
    repository cannot be written to.
    """
    rows: list[object] = [VERSION, str(repo.work_tree), head, repr(rules)]
    newest = 0
    for place in (index.path(repo), *_ruling(repo)):
        row, changed_ns = _look(str(place))
        rows.append(row)
        newest = max(newest, changed_ns)
    for state, path in sorted(candidates):
        row, changed_ns = _look(f"{repo.work_tree}/{path}")
        rows.append((state, path, row))
        newest = max(newest, changed_ns)
    now = _file_time_ns(repo)
    if now is None or newest >= now - (_SECOND_NS if newest % _SECOND_NS == 0 else _TICK_NS):
        return None
    return hashlib.sha256(repr(rows).encode("utf-8", "backslashreplace")).hexdigest()[:40]


def known(repo: Repo, kind: str, key: str) -> Any:
    """Return what was remembered under a key, None where nothing (readable) was."""
    try:
        return json.loads((_folder(repo) / f"{kind}-{key}.json").read_bytes())
    except (OSError, ValueError):
        return None


def remember(repo: Repo, kind: str, key: str, value: object) -> None:
    """Remember a value; a cache that cannot be written is no error."""
    with suppress(OSError):
        files.write(_folder(repo) / f"{kind}-{key}.json", json.dumps(value).encode())
        _forget_old(_folder(repo))


def _folder(repo: Repo) -> Path:
    return repo.common_dir / "gitexp" / "seen"


def _ruling(repo: Repo) -> tuple[Path, ...]:
    """Return the files outside the tree that decide what Git sees in it."""
    user = Path(os.environ.get("GIT_CONFIG_GLOBAL") or "~/.gitconfig").expanduser()
    common = repo.common_dir
    return (
        common / "config",
        repo.git_dir / "config.worktree",
        common / "info/exclude",
        common / "info/attributes",
        repo.git_dir / "info/sparse-checkout",
        user,
    )


def _look(path: str) -> tuple[object, int]:
    try:
        stat = os.lstat(path)
    except OSError:
        return None, 0
    row = (stat.st_mode, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return row, max(stat.st_mtime_ns, stat.st_ctime_ns)


def _file_time_ns(repo: Repo) -> int | None:
    """Return the time as the file system tells it: that of a network share is not this machine's."""
    folder = index.temporary(repo)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def _forget_old(folder: Path) -> None:
    entries = list(os.scandir(folder))
    if len(entries) > KEPT:
        entries.sort(key=_time_of)
        for entry in entries[: len(entries) // 2]:
            with suppress(FileNotFoundError):
                Path(entry).unlink()


def _time_of(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0
