"""The objects that the stock git-lfs client keeps in a repository: shared with it, and never all there is of a byte.

`git lfs prune` deletes what no branch names, so ours are second names of files of our own store (hard links).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.record.pointer import Pointer

if TYPE_CHECKING:
    from gitexp.git.repo import Repo


def place(repo: Repo, sha256: str) -> Path:
    """Return where git-lfs has an object, or would have it."""
    storage = repo.common_dir / (repo.config("lfs.storage") or "lfs")
    return storage / "objects" / sha256[:2] / sha256[2:4] / sha256


def in_use(repo: Repo) -> bool:
    """Say whether git-lfs is set up for this repository."""
    return any(entry.name.startswith("filter.lfs.") for entry in repo.settings)


def lend(repo: Repo, item: Pointer, source: Path) -> bool:
    """Show a read-only object to git-lfs, where it is in use, so that `git lfs push` and `fsck` find it.

    Returns whether it is there now; where the file system has no links it is not: a copy would take the space twice.
    """
    if not in_use(repo):
        return False
    target = place(repo, item.sha256)
    if target.is_file() and target.stat().st_size == item.size_bytes:
        return True
    aside = target.with_name(f"{item.sha256[:16]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, aside)
        aside.replace(target)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            aside.unlink()
    return True


def take_back(repo: Repo, sha256: str) -> None:
    """Take an object away from git-lfs: where its bytes have to go, both names do."""
    with suppress(FileNotFoundError):
        place(repo, sha256).unlink()
