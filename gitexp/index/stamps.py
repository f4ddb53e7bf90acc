"""What tells that something changed: stats of the files below .git that lists depend on."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

from gitexp.git import notes, refs
from gitexp.index import rows
from gitexp.store import runs
from gitexp.store.workspace import Workspace

ROOTS = (runs.REF_PREFIX, rows.PUBLISHED_PREFIX)
_YOUNG_NS = 2_500_000_000  # a file changed this short before it was looked at may change again without a new time

Stamp = list[int]  # time of the last change in ns (0: not to be trusted), size, inode


@dataclass(frozen=True, slots=True)
class Stamps:
    """The stamps of one look: of packed refs, folders of refs, facts, the log, what remotes hold, and journals."""

    packed: Stamp = field(default_factory=list)
    folders: dict[str, Stamp] = field(default_factory=dict)
    facts: str | None = None
    log: Stamp = field(default_factory=list)
    remotes: dict[str, Stamp] = field(default_factory=dict)
    journals: dict[str, dict[str, Stamp]] = field(default_factory=dict)
    handed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what the index keeps: young stamps are kept as 0, and so never found again."""
        now = time.time_ns()
        return {
            "packed": _kept(self.packed, now),
            "folders": {name: _kept(stamp, now) for name, stamp in self.folders.items()},
            "facts": self.facts,
            "log": self.log,
            "remotes": {name: _kept(stamp, now) for name, stamp in self.remotes.items()},
            "journals": self.journals,
            "handed": 0,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stamps:
        """Read what `to_json` returned."""
        return cls(**value)


def _kept(stamp: Stamp, now_ns: int) -> Stamp:
    return [0, *stamp[1:]] if stamp and now_ns - stamp[0] < _YOUNG_NS else stamp


def look(workspace: Workspace, known: Stamps) -> Stamps:
    """Return the stamps of now; folders of refs are found anew only below those that changed since `known`."""
    common, home = workspace.repo.common_dir, workspace.home
    return Stamps(
        packed=_stamp(common / "packed-refs"),
        folders=_folders(str(common), known),
        facts=refs.get(workspace.repo, notes.REF),
        log=_stamp(home / "refs.log")[1:],
        remotes=_remotes(workspace),
        journals=_journals(str(workspace.live)),
        handed=_size(home / "index.handed"),
    )


def _stamp(path: str | os.PathLike[str]) -> Stamp:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def _size(path: os.PathLike[str]) -> int:
    try:
        return os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _folders(common: str, known: Stamps) -> dict[str, Stamp]:
    found: dict[str, Stamp] = {}
    waiting = [*ROOTS, *(name for name in known.folders if name not in ROOTS)]
    while waiting:
        name = waiting.pop()
        stamp = _stamp(f"{common}/{name}")
        if name in found or not stamp:
            continue
        found[name] = stamp
        if stamp != known.folders.get(name):
            waiting += [name + inner + "/" for inner in _inner(f"{common}/{name}")]
    return found


def _inner(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remotes(workspace: Workspace) -> dict[str, Stamp]:
    folder, found = f"{workspace.home}/remotes", {}
    try:
        for entry in os.scandir(folder):
            if entry.name.endswith(".refs"):
                found[entry.name] = _stamp(entry.path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    if found:  # which remotes count, and at which address, stands in the configuration
        found["config"] = _stamp(workspace.repo.common_dir / "config")
    return found


def _journals(live: str) -> dict[str, dict[str, Stamp]]:
    try:
        folders = [entry for entry in os.scandir(live) if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {folder.name: _journal(folder.path) for folder in folders if ".dead." not in folder.name}


def _journal(folder: str) -> dict[str, Stamp]:
    found = {}
    try:
        for entry in os.scandir(folder):
            name, kind = os.path.splitext(entry.name)
            if name.startswith("."):
                continue
            stamp = _stamp(entry.path)
            if stamp and kind in (".jsonl", ".csv") and not name.startswith("system-"):
                found[entry.name] = stamp[1:]  # they only grow; their time changes as a sign of life
            elif stamp and kind == ".json":
                found[entry.name] = stamp
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return found
