"""Git bundles: one file that holds refs with all their history (man gitformat-bundle)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gitexp import files
from gitexp.errors import Damaged, Unsupported, WriteFailed
from gitexp.git import command, objects, outgoing

if TYPE_CHECKING:
    from gitexp.git.incoming import Write
    from gitexp.git.repo import Repo

HEADER = b"# v2 git bundle\n"
_HEADERS = (HEADER, b"# v3 git bundle\n")
_LINE = re.compile(rb"(-?)([0-9a-f]{40})(?: (.*))?\n", re.DOTALL)
_MAX_LINE_BYTES = 1 << 16


def write(repo: Repo, refs: Mapping[str, str], target: BinaryIO) -> None:
    """Write a git bundle of these refs with all their history; its names need not be refs here."""
    lines = (f"{oid} {ref}\n" for ref, oid in sorted(refs.items()))
    target.write(HEADER + "".join(lines).encode("utf-8", "surrogateescape") + b"\n")
    target.flush()
    wanted = sorted(set(refs.values()))
    if command.available():
        _pack(repo, wanted, target)
    else:
        outgoing.write(repo, outgoing.lacking(repo, wanted, ()), target.write)


def _pack(repo: Repo, wanted: Sequence[str], target: BinaryIO) -> None:
    args = ["git", "pack-objects", "--stdout", "--revs", "--delta-base-offset", "--quiet"]
    done = subprocess.run(
        args,
        cwd=repo.work_tree or repo.git_dir,
        env=command.environment(repo),
        input="".join(f"{oid}\n" for oid in wanted).encode(),
        stdout=target,
        stderr=subprocess.PIPE,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise WriteFailed(f"git pack-objects failed: {said[-300:]}", hint="git fsck; df -h .")


def verify(repo: Repo, path: Path) -> None:
    """Raise Damaged where a file is no git bundle, or builds on commits that are not here."""
    if not command.available():
        lacking = [oid for oid in read(path).needs if not objects.exists(repo, oid)]
        if lacking:
            raise Damaged(f"the git bundle builds on {lacking[0]}, which is not here", hint="ask for the file again")
        return
    out = command.run(repo, "bundle", "verify", "--quiet", str(path), check=False)
    if out.code:
        said = " ".join(out.stderr.split())[:300]
        raise Damaged(f"the git bundle does not verify: {said}", hint="ask for the file again")


@dataclass(slots=True)
class Bundle:
    """A bundle that is read: what it holds, what it builds on, and where its pack begins."""

    path: Path
    refs: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    at: int = 0
    said: list[str] = field(default_factory=list)

    def listing(self, prefixes: Sequence[str]) -> dict[str, str]:
        """Return the refs that begin so."""
        return {ref: oid for ref, oid in self.refs.items() if ref.startswith(tuple(prefixes))}

    def fetch(self, choose: Callable[[dict[str, str]], tuple[list[str], list[str]]], write: Write) -> None:
        """Write the whole pack where `choose(refs)` wants something of it."""
        if not choose(self.refs)[0]:
            return
        with open(self.path, "rb") as file:
            file.seek(self.at)
            while block := file.read(files.BLOCK_BYTES):
                write(block)

    def push(self, decide: Callable[[dict[str, str]], Mapping[str, str | None]]) -> dict[str, str]:
        """Refuse: a bundle is written once."""
        raise Unsupported(f"{self.path} is a bundle, to which nothing can be pushed", hint="gitexp bundle FILE")


def is_one(path: Path) -> bool:
    """Say whether a file begins like a bundle."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.readline(_MAX_LINE_BYTES) in _HEADERS


def read(path: Path) -> Bundle:
    """Return what a bundle says of itself; raises Damaged where it is none."""
    found = Bundle(path)
    with open(path, "rb") as file:
        if file.readline(_MAX_LINE_BYTES) not in _HEADERS:
            raise Damaged(f"{path.name} is no git bundle", hint="ask for the file again")
        while (line := file.readline(_MAX_LINE_BYTES)) != b"\n":
            if line.startswith(b"@"):
                _check_capability(line)
                continue
            match = _LINE.fullmatch(line)
            if match is None:
                raise Damaged(f"the head of the git bundle {path.name} does not parse", hint="ask for the file again")
            if match[1]:
                found.needs.append(match[2].decode())
            else:
                found.refs[(match[3] or b"").decode("utf-8", "surrogateescape")] = match[2].decode()
        found.at = file.tell()
    return found


def _check_capability(line: bytes) -> None:
    if line != b"@object-format=sha1\n":
        said = line.decode("ascii", "replace").strip()
        raise Unsupported(f"the git bundle wants {said!r}", hint="install git, or make the bundle without it")
