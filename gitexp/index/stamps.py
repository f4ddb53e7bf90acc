"""What tells that something changed: stats of the files below .git that lists depend on."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

from gitexp.git import reffiles
from gitexp.store.workspace import Workspace

# A list that finds nothing new imports no more than this.
RUNS_PREFIX = "refs/experiments/"
MODELS = "refs/models"
PUBLISHED_PREFIX = "refs/experiments-live/"  # runs that are running on other machines, as last fetched
_YOUNG_NS = 2_500_000_000  # what changed so short before the look may change once more and keep its time

Stamp = list[int]  # time of the last change in ns (0: not to be trusted), size, inode; [] where there is nothing


@dataclass(frozen=True, slots=True)
class Stamps:
    """One look: at packed refs, folders of refs, the tip of the facts, the log, what remotes hold, journals, models."""

    packed: Stamp = field(default_factory=list)
    folders: dict[str, Stamp] = field(default_factory=dict)
    facts: str | None = None
    log: Stamp = field(default_factory=list)
    remotes: dict[str, Stamp] = field(default_factory=dict)
    journals: dict[str, dict[str, Stamp]] = field(default_factory=dict)
    models: Stamp = field(default_factory=list)
    looked_ns: int = field(default=0, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return what the index keeps: of young stamps the time is kept as 0, which is that of no file."""
        return {
            "packed": self._kept(self.packed),
            "folders": {name: self._kept(stamp) for name, stamp in self.folders.items()},
            "facts": self.facts,
            "log": self.log,
            "remotes": {name: self._kept(stamp) for name, stamp in self.remotes.items()},
            "journals": {
                name: {file: self._kept(stamp) if len(stamp) == 3 else stamp for file, stamp in files.items()}
                for name, files in self.journals.items()
            },
            "models": self._kept(self.models),
        }

    def _kept(self, stamp: Stamp) -> Stamp:
        return [0, *stamp[1:]] if stamp and self.looked_ns - stamp[0] < _YOUNG_NS else stamp


def look(workspace: Workspace, known: Stamps) -> Stamps:
    """Return the stamps of now; folders of refs are looked for only in those that changed since `known`."""
    looked_ns = time.time_ns()  # before the first stat: what changes after it is younger
    common, home = str(workspace.repo.common_dir), str(workspace.home)
    return Stamps(
        packed=_stamp(common + "/packed-refs"),
        folders=_folders(common, known),
        facts=reffiles.get(workspace.repo.common_dir, reffiles.NOTES),
        log=_stamp(home + "/refs.log")[1:],
        remotes=_remotes(common, home + "/remotes"),
        journals=_journals(str(workspace.live)),
        models=_stamp(f"{common}/{MODELS}"),
        looked_ns=looked_ns,
    )


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path for each of some thousand folders would take most of the time
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def _folders(common: str, known: Stamps) -> dict[str, Stamp]:
    found: dict[str, Stamp] = {}
    waiting = [RUNS_PREFIX, PUBLISHED_PREFIX, *known.folders]
    while waiting:
        name = waiting.pop()
        if name in found or not (stamp := _stamp(f"{common}/{name}")):
            continue
        found[name] = stamp
        if stamp != known.folders.get(name):
            waiting += [f"{name}{inner}/" for inner in _inner(f"{common}/{name}")]
    return found


def _inner(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remotes(common: str, folder: str) -> dict[str, Stamp]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".refs"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {name: _stamp(f"{folder}/{name}") for name in names}
    # Which remotes count, and at which address, stands in the configuration.
    return found | {"config": _stamp(common + "/config")} if found else {}


def _journals(live: str) -> dict[str, dict[str, Stamp]]:
    try:
        with os.scandir(live) as entries:
            folders = [entry for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {folder.name: _journal(folder.path) for folder in folders if ".dead." not in folder.name}  # being recovered


def _journal(folder: str) -> dict[str, Stamp]:
    found = {}
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith((".", "system-")))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    for name in names:
        if name.endswith((".jsonl", ".csv")):
            found[name] = _stamp(f"{folder}/{name}")[1:]  # they only grow; a new time alone is a sign of life
        elif name.endswith(".json"):
            found[name] = _stamp(f"{folder}/{name}")
    return found
