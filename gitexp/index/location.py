"""Where the index of a workspace is: beside the repository, or in the user's cache where that is on a network."""

from __future__ import annotations

import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path

from gitexp.store.workspace import Workspace

# SQLite's shared memory needs one machine, and its locks a file system that has them.
NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
    "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "smb2", "smb3", "smbfs",
    "virtiofs", "wekafs",
})  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


def of(workspace: Workspace) -> Path:
    """Return the path of a workspace's index."""
    common = workspace.repo.common_dir
    if _kind(str(common)) in NETWORK:
        digest = hashlib.sha256(os.fsencode(common)).hexdigest()[:32]
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gitexp" / f"{digest}.sqlite"
    return workspace.home / "index.sqlite"


@lru_cache(maxsize=64)
def _kind(path: str) -> str:
    try:
        return kind(path, Path("/proc/mounts").read_text("utf-8", "surrogateescape"))
    except OSError:
        return ""


def kind(path: str, mounts: str) -> str:
    """Return the type of the file system that a path is on: that of the longest mount point above it, the last one."""
    best = "", ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        where = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), words[1])
        if _is_below(path, where) and len(where) >= len(best[0]):
            best = where, words[2]
    return best[1]


def _is_below(path: str, where: str) -> bool:
    return path == where or path.startswith(where.rstrip("/") + "/")
