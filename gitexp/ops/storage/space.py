"""What takes the space: the objects and records of runs, each counted once, and all else that gitexp keeps."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import ids
from gitexp.errors import Damaged, GitexpError
from gitexp.git import disk
from gitexp.ops.storage import verify
from gitexp.record import names
from gitexp.record.pointer import Pointer
from gitexp.store import live, runs
from gitexp.store import objects as large
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

EXPERIMENT, RUN, ARTIFACT = "experiment", "run", "artifact"
_PARTS = {
    "live": "journals",
    "tmp": "unfinished",
    "used": "brought out",
    "damaged": "damaged",
    "quarantine": "damaged",
}
_OTHERS = "index and the like"


@dataclass(frozen=True, slots=True)
class Use:
    """One file of a record: its name, and the Git object and large object (sha256) that hold it."""

    name: str
    oid: str = ""
    sha256: str = ""
    size_bytes: int = 0


@dataclass(slots=True)
class Held:
    """A run and all that it needs."""

    run_id: str
    name: str
    experiment: str
    uses: list[Use] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """What an experiment, a run or an artifact takes here: large files and records in Git, each object once.

    `shared_bytes` are those of its large files that another row has too; `elsewhere_bytes` are of large files that are
    not here.
    """

    name: str
    run_id: str = ""
    runs: int = 1
    files: int = 0
    file_bytes: int = 0
    record_bytes: int = 0
    shared_bytes: int = 0
    elsewhere_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """All that it takes here."""
        return self.file_bytes + self.record_bytes

    def to_json(self) -> dict[str, Any]:
        """Return one row of `gitexp du --json`."""
        return {
            "name": self.name,
            "id": self.run_id or None,
            "runs": self.runs,
            "files": self.files,
            "size": self.size_bytes,
            "file_bytes": self.file_bytes,
            "record_bytes": self.record_bytes,
            "shared": self.shared_bytes,
            "elsewhere": self.elsewhere_bytes,
        }


@dataclass(slots=True)
class Report:
    """The rows, the greatest first; and in all: large files and records of runs, large files of none, other parts."""

    by: str
    rows: list[Row] = field(default_factory=list)
    files: int = 0
    file_bytes: int = 0
    record_bytes: int = 0
    unnamed: int = 0
    unnamed_bytes: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.file_bytes + self.record_bytes + self.unnamed_bytes + sum(self.parts.values())

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp du --json` prints."""
        return {
            "by": self.by,
            "rows": [row.to_json() for row in self.rows],
            "total": self.total_bytes,
            "files": self.files,
            "file_bytes": self.file_bytes,
            "record_bytes": self.record_bytes,
            "unnamed": self.unnamed,
            "unnamed_bytes": self.unnamed_bytes,
            "parts": self.parts,
            "unread": self.unread,
        }


def measure(workspace: Workspace, by: str = EXPERIMENT) -> Report:
    """Measure everything; runs that cannot be read are named in `unread`, and their bytes count as nobody's."""
    report = Report(by)
    held = [*_recorded(workspace, report), *_running(workspace)]
    here = _stored(workspace)
    wanted = {use.sha256: 0 for item in held for use in item.uses if use.sha256}
    in_git = disk.sizes(workspace.repo, (use.oid for item in held for use in item.uses if use.oid))
    report.rows = _rows(held, by, here, in_git)
    report.files = sum(1 for sha256 in here if sha256 in wanted)
    report.file_bytes = sum(size for sha256, size in here.items() if sha256 in wanted)
    report.record_bytes = sum(in_git.values())
    report.unnamed = len(here) - report.files
    report.unnamed_bytes = sum(here.values()) - report.file_bytes
    report.parts = _parts(workspace)
    return report


def _recorded(workspace: Workspace, report: Report) -> Iterator[Held]:
    known: dict[str, Pointer | None] = {}  # blob: what it points at
    for run in runs.every(workspace):
        try:
            yield _held(workspace, run, known)
        except GitexpError as error:
            report.unread.append(f"{run.ref}: {error.message}")


def _held(workspace: Workspace, run: Run, known: dict[str, Pointer | None]) -> Held:
    found = Held(run.id, f"{run.experiment}/{run.name}", run.experiment, [Use("", oid=str(run.commit))])
    for path, entry in runs.record_entries(run).items():
        if not entry.is_file:
            continue
        if entry.oid not in known:
            known[entry.oid] = _points_at(workspace, entry.oid)
        stored = path.removeprefix("artifacts/")
        name = "" if stored == path else names.read(stored, run.record.names.get(stored)) or stored
        meant = known[entry.oid]
        found.uses.append(Use(name, entry.oid, *((meant.sha256, meant.size_bytes) if meant else ())))
    return found


def _points_at(workspace: Workspace, oid: str) -> Pointer | None:
    try:
        return runs.pointer_in(workspace, oid)
    except Damaged:  # a partial clone: what is not here takes nothing
        return None


def _running(workspace: Workspace) -> Iterator[Held]:
    for run in live.listing(workspace):
        uses = [Use(item.name, sha256=item.sha256 or "", size_bytes=item.size_bytes) for item in run.artifacts]
        yield Held(run.id, f"{run.experiment}/{run.name}", run.experiment, uses)


def _stored(workspace: Workspace) -> dict[str, int]:
    """Return {sha256: bytes on the disk} of the objects that are here: sparse ones take less than they are long."""
    return {sha256: _on_disk(large.place(workspace, sha256)) for sha256 in verify.here(workspace)}


def _on_disk(path: Path) -> int:
    try:
        seen = path.lstat()
    except FileNotFoundError:  # a cache goes at any time
        return 0
    return min(seen.st_size, seen.st_blocks * 512) if seen.st_blocks else seen.st_size


def _rows(held: Sequence[Held], by: str, here: dict[str, int], in_git: dict[str, int]) -> list[Row]:
    groups: dict[str, list[tuple[Held, Use]]] = {}
    label: Callable[[Held, Use], str] = {
        EXPERIMENT: lambda item, use: item.experiment,
        RUN: lambda item, use: item.run_id,
        ARTIFACT: lambda item, use: f"{item.run_id}:{use.name}" if use.name else "",
    }[by]
    for item in held:
        for use in item.uses:
            groups.setdefault(label(item, use), []).append((item, use))
    groups.pop("", None)
    users = Counter(sha256 for group in groups.values() for sha256 in {use.sha256 for _, use in group} if sha256)
    rows = [_row(by, group, users, here, in_git) for group in groups.values()]
    return sorted(rows, key=lambda row: (-row.size_bytes, row.name))


def _row(
    by: str, group: Sequence[tuple[Held, Use]], users: Counter[str], here: dict[str, int], in_git: dict[str, int]
) -> Row:
    first, use = group[0]
    named = {EXPERIMENT: first.experiment, RUN: first.name, ARTIFACT: f"{ids.short(first.run_id)}:{use.name}"}
    row = Row(named[by], "" if by == EXPERIMENT else first.run_id, len({item.run_id for item, _ in group}))
    files = {use.sha256 for _, use in group if use.sha256}
    row.files = sum(1 for sha256 in files if sha256 in here)
    row.file_bytes = sum(here.get(sha256, 0) for sha256 in files)
    row.shared_bytes = sum(here.get(sha256, 0) for sha256 in files if users[sha256] > 1)
    absent = {use.sha256: use.size_bytes for _, use in group if use.sha256 and use.sha256 not in here}
    row.elsewhere_bytes = sum(absent.values())
    row.record_bytes = sum(in_git.get(oid, 0) for oid in {use.oid for _, use in group if use.oid})
    return row


def _parts(workspace: Workspace) -> dict[str, int]:
    """Return {what: bytes} of all that gitexp keeps beside the objects."""
    found: dict[str, int] = {}
    for path in workspace.home.iterdir() if workspace.home.is_dir() else ():
        if path != workspace.objects:
            name = _PARTS.get(path.name, _OTHERS)
            found[name] = found.get(name, 0) + _below(path)
    return {name: size for name, size in sorted(found.items()) if size}


def _below(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        return _on_disk(path)
    return sum(_on_disk(Path(folder, name)) for folder, _, names in os.walk(path) for name in names)


def greatest(rows: Iterable[Row], limit: int) -> list[Row]:
    """Return the first rows; all where the limit is 0."""
    found = list(rows)
    return found[:limit] if limit else found
