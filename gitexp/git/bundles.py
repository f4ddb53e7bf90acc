"""Git bundles: one file that holds refs with all their history."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gitexp.errors import Damaged, WriteFailed
from gitexp.git import command

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

HEADER = b"# v2 git bundle\n"


def write(repo: Repo, refs: Mapping[str, str], target: BinaryIO) -> None:
    """Write a git bundle of these refs with all their history; its names need not be refs here."""
    lines = (f"{oid} {ref}\n" for ref, oid in sorted(refs.items()))
    target.write(HEADER + "".join(lines).encode("utf-8", "surrogateescape") + b"\n")
    target.flush()
    wanted = "".join(f"{oid}\n" for oid in sorted(set(refs.values())))
    args = ["git", "pack-objects", "--stdout", "--revs", "--delta-base-offset", "--quiet"]
    done = subprocess.run(
        args,
        cwd=repo.work_tree or repo.git_dir,
        env=command.environment(repo),
        input=wanted.encode(),
        stdout=target,
        stderr=subprocess.PIPE,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise WriteFailed(f"git pack-objects failed: {said[-300:]}", hint="git fsck; df -h .")


def verify(repo: Repo, path: Path) -> None:
    """Raise Damaged where a file is no git bundle, or builds on commits that are not here."""
    out = command.run(repo, "bundle", "verify", "--quiet", str(path), check=False)
    if out.code:
        said = " ".join(out.stderr.split())[:300]
        raise Damaged(f"the git bundle does not verify: {said}", hint="ask for the file again")
