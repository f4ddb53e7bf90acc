"""Which remote was seen to hold which large bytes, and which bytes here came from one.

`.git/gitexp/remotes/<name>.bytes` has the address and the label of the remote, then, append-only, a line for each
change: `+<sha256>` it has them, `-<sha256>` it has not, `<<sha256>` they came from there. What was seen once tells
people where to look; whoever deletes bytes looks again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.git import transport
from gitexp.store import remotes
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

_LINE = 66  # characters of one, its end included


@dataclass(slots=True)
class Seen:
    """What is known of one remote: sha256 of what it was last seen to have, and of what came from there."""

    label: str = ""
    has: set[str] = field(default_factory=set)
    lacks: set[str] = field(default_factory=set)
    came: set[str] = field(default_factory=set)


def saw(workspace: Workspace, remote: Remote, has: Iterable[str], lacks: Iterable[str] = ()) -> None:
    """Remember what a remote was seen to have and not to have; only what is news is written."""
    known = _read(_file(workspace, remote), remote.url)
    marked = [f"+{item}" for item in has if item not in known.has]
    _append(workspace, remote, known, [*marked, *(f"-{item}" for item in lacks if item not in known.lacks)])


def came(workspace: Workspace, remote: Remote, found: Iterable[str]) -> None:
    """Remember bytes that came from a remote: it has them, and here they may go when space is short."""
    known, every = _read(_file(workspace, remote), remote.url), list(found)
    marked = [f"+{item}" for item in every if item not in known.has]
    _append(workspace, remote, known, [*marked, *(f"<{item}" for item in every if item not in known.came)])


def holders(workspace: Workspace) -> dict[str, list[str]]:
    """Return {sha256: the labels of the remotes that were last seen to have it}."""
    found: dict[str, list[str]] = {}
    for seen in _every(workspace):
        for sha256 in seen.has:
            found.setdefault(sha256, []).append(seen.label)
    return found


def brought(workspace: Workspace) -> set[str]:
    """Return the sha256 of all that ever came from a remote."""
    return set[str]().union(*(seen.came for seen in _every(workspace)))


def _every(workspace: Workspace) -> list[Seen]:
    """Return what is known of each remote that is configured, or was named by an address that nothing contradicts."""
    folder = workspace.home / "remotes"
    paths = sorted(folder.glob("*.bytes")) if folder.is_dir() else []
    if not paths:
        return []
    urls = {remotes.key(Remote(name, url)): url for name, url in transport.names(workspace.repo).items()}
    return [_read(path, urls.get(path.stem)) for path in paths]


def _read(path: Path, url: str | None) -> Seen:
    """Read what is known; nothing where the remote is at another address now."""
    try:
        lines = path.read_text("utf-8", "surrogateescape").split("\n")
    except FileNotFoundError:
        return Seen()
    if len(lines) < 3 or (url is not None and lines[0] != remotes.address_line(url)):
        return Seen()
    found = Seen(lines[1])
    for line in lines[2:-1]:  # the last line is empty, or one that a crash tore
        mark, sha256 = line[:1], line[1:]
        if len(line) != _LINE - 1:
            continue
        if mark == "<":
            found.came.add(sha256)
        elif mark in "+-":
            into, out_of = (found.has, found.lacks) if mark == "+" else (found.lacks, found.has)
            into.add(sha256)
            out_of.discard(sha256)
    return found


def _append(workspace: Workspace, remote: Remote, known: Seen, lines: list[str]) -> None:
    if not lines:
        return
    path = _file(workspace, remote)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = [] if known.label else [remotes.address_line(remote.url), remote.label]
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if head else os.O_APPEND)
    descriptor = os.open(path, flags, 0o644)
    try:
        os.write(descriptor, ("\n".join([*head, *lines]) + "\n").encode("utf-8", "surrogateescape"))
    finally:
        os.close(descriptor)


def _file(workspace: Workspace, remote: Remote) -> Path:
    return workspace.home / "remotes" / f"{remotes.key(remote)}.bytes"
