"""The user's index: read for what it hides, copied for work of our own, never written."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from gitexp.errors import WriteFailed
from gitexp.git import command
from gitexp.git.repo import Repo

_ASSUME_UNCHANGED, _EXTENDED, _NAME = 0x8000, 0x4000, 0x0FFF
_SKIP_WORKTREE = 0x4000
_STALE_SECONDS = 86400


def path(repo: Repo) -> Path:
    """Return the index file of this work tree (whatever GIT_INDEX_FILE a hook has set for itself)."""
    return repo.git_dir / "index"


def temporary(repo: Repo) -> Path:
    """Return the folder for files that live as long as one call."""
    return repo.common_dir / "gitexp" / "tmp"


@contextmanager
def private(repo: Repo, *, empty: bool = False) -> Iterator[Path]:
    """Yield a copy of the index to stage in (or the place for a new one), gone with its lock afterwards.

    The copy has the original's time: Git takes an entry as old as its index for possibly changed, and a younger copy
    would hide an edit made in the same moment.
    """
    folder = temporary(repo)
    copy = folder / f"index-{os.getpid()}-{os.urandom(6).hex()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        if not empty:
            with suppress(FileNotFoundError):  # nothing was ever staged
                shutil.copy2(path(repo), copy)
                copy.chmod(0o600)
    except OSError as error:
        raise WriteFailed(f"cannot write in {folder}: {error.strerror}", hint=f"ls -ld {folder}; df -h .") from error
    try:
        yield copy
    finally:
        for left in (copy, copy.with_name(copy.name + ".lock")):
            left.unlink(missing_ok=True)


# No hook runs for our index, no part of it is written beside the user's, and what is stored outlives a power cut.
SETTINGS = (
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "core.splitIndex=false"),
    *("-c", "core.safecrlf=false"),
    *("-c", "core.fsync=committed"),
)


def stage(repo: Repo, index_file: Path, *options: str, given: Iterable[bytes]) -> None:
    """Run `git update-index` on a private index with NUL-terminated rows; raises GitFailed."""
    env = {"GIT_INDEX_FILE": str(index_file)}
    last = () if "--index-info" in options else ("--stdin",)
    output = command.run(
        repo, *SETTINGS, "update-index", "-z", *options, *last, input=b"".join(given), env=env, check=False
    )
    if output.code:
        said = output.stderr.strip().splitlines() or [f"exit {output.code}"]
        raise command.GitFailed(f"git update-index failed: {said[0]}", output)


def unhide(repo: Repo, index_file: Path, names: Iterable[str]) -> None:
    """Make Git look at files in a private index that the user's index hides."""
    rows = [os.fsencode(name) + b"\0" for name in names]
    # One mark a call: git honours only one of several.
    stage(repo, index_file, "--no-assume-unchanged", given=rows)
    stage(repo, index_file, "--no-skip-worktree", given=rows)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left."""
    before = time.time() - _STALE_SECONDS
    for entry in os.scandir(folder):
        with suppress(OSError):
            if entry.name.startswith("index-") and entry.stat().st_mtime < before and _made_before(entry, before):
                Path(entry).unlink()


def _made_before(entry: os.DirEntry[str], before: float) -> bool:
    return entry.stat().st_ctime < before  # a copy has its original's mtime, but a ctime of its own


def hidden(repo: Repo) -> tuple[str, ...]:
    """Return the tracked files marked assume-unchanged or skip-worktree that are there all the same.

    `git status` does not look at them, but a run reads them.
    """
    index = path(repo)
    try:
        stat = index.stat()
    except FileNotFoundError:
        return ()
    flagged = _flagged_in(str(index), (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    if flagged is None:
        flagged = _flagged_by_git(repo) if command.available() else ()
    top = str(repo.work_tree)
    return tuple(name for name in flagged if os.path.lexists(f"{top}/{name}"))


@lru_cache(maxsize=8)
def _flagged_in(index: str, _identity: tuple[int, ...]) -> tuple[str, ...] | None:
    """Parse an index file (git's index-format); None where part of it lies elsewhere or it is of another kind."""
    data = Path(index).read_bytes()
    version, count, end = int.from_bytes(data[4:8]), int.from_bytes(data[8:12]), len(data) - 20
    if data[:4] != b"DIRC" or version not in (2, 3, 4):
        return None
    found, at, name = [], 12, b""
    try:
        for _ in range(count):
            flags, start = (data[at + 60] << 8) | data[at + 61], at
            at += 62
            more = 0
            if flags & _EXTENDED:
                more = (data[at] << 8) | data[at + 1]
                at += 2
            if version == 4:
                cut, at = _varint(data, at)
                stop = data.index(b"\0", at)
                name = name[: len(name) - cut] + data[at:stop]
                at = stop + 1
            else:
                stop = at + (flags & _NAME) if flags & _NAME < _NAME else data.index(b"\0", at)
                name, at = data[at:stop], start + ((stop - start + 8) & ~7)
            if flags & _ASSUME_UNCHANGED or more & _SKIP_WORKTREE:
                found.append(os.fsdecode(name))
    except (IndexError, ValueError):
        return None
    while at + 8 <= end:
        if data[at : at + 4] in (b"link", b"sdir"):
            return None
        at += 8 + int.from_bytes(data[at + 4 : at + 8])
    return tuple(found)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    value = byte & 127
    while byte & 128:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 127)
    return value, at + 1


def _flagged_by_git(repo: Repo) -> tuple[str, ...]:
    output = command.run(repo, "ls-files", "-v", "-z", env={"GIT_INDEX_FILE": str(path(repo))})
    rows = output.stdout.split(b"\0")
    return tuple(os.fsdecode(row[2:]) for row in rows if row and (row[:1] == b"S" or row[:1].islower()))
