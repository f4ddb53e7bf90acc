"""A live run as it goes: what it has logged since the last look, and a curve of each metric in bounded memory."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.errors import NotFound
from gitexp.ops.finding import find
from gitexp.ops.recording import recover
from gitexp.record import points
from gitexp.record.points import Point
from gitexp.record.summary import Aggregate
from gitexp.store import journal, live, runs
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_LOOK_BYTES = 4 << 20
_MAX_POINTS = 2048  # of a curve; when it is full, every second one goes
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-=*#"
_LARGEST = 1e300  # what can be drawn; beyond, even differences overflow


@dataclass(slots=True)
class Curve:
    """The values of one metric, thinned out evenly once there are many; a terminal has few columns."""

    values: list[float] = field(default_factory=list)
    every: int = 1
    count: int = 0

    def add(self, value: float) -> None:
        """Take one more value in."""
        if self.count % self.every == 0:
            self.values.append(value)
            if len(self.values) >= _MAX_POINTS:
                del self.values[1::2]
                self.every *= 2
        self.count += 1


@dataclass(slots=True)
class Feed:
    """What a live run has logged, read on from where the last look ended."""

    run: LiveRun
    summary: dict[str, Aggregate] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)

    def read(self) -> int:
        """Take in some of what is new (at most a few MB from each writer) and return how many points that was."""
        return sum(self._read(self.run.folder / f"metrics-{writer}.csv") for writer in journal.writers(self.run.folder))

    def _read(self, path: Path) -> int:
        start, count = self.offsets.get(path.name, 0), 0
        try:
            with open(path, "rb") as file:
                file.seek(start)
                data = file.read(_LOOK_BYTES)
        except FileNotFoundError:
            return 0
        end = data.rfind(b"\n") + 1  # the line after it is still being written
        self.offsets[path.name] = start + end
        for metric, step, time_ms, value in _points(data[:end].decode("utf-8", "replace")):
            self.summary.setdefault(metric, Aggregate()).add(step, time_ms, value)
            self.curves.setdefault(metric, Curve()).add(value)
            count += 1
        return count


def _points(written: str) -> Iterator[Point]:
    """Yield the points in a piece of a journal; what is damaged is passed over here and counted when the run ends."""
    for line in io.StringIO(written, newline=""):
        try:
            yield points.parse(next(points.rows(line)))
        except (ValueError, StopIteration, points.Error):
            continue


def choose(workspace: Workspace, name: str | None) -> Run:
    """Return the run to watch: the one named, else the newest that is running here; raises NotFound for none."""
    if name is not None:
        return find.one(workspace, name)
    running = live.listing(workspace)
    if not running:
        raise NotFound("nothing is running here", hint="show the newest run with: gitexp show")
    return running[-1]


def ended(workspace: Workspace, run: LiveRun) -> Run | None:
    """Return the run once it has ended and is recorded, a run whose process was lost too; None while it runs."""
    if (run.folder / "start.json").exists():
        if run.alive:
            return None
        recover.sweep(workspace)
    return runs.by_id(workspace, run.id)


def whole(run: Run) -> dict[str, Curve]:
    """Return the curves of a run that has ended."""
    found: dict[str, Curve] = {}
    for point in run.points():
        found.setdefault(point.metric, Curve()).add(point.value)
    return found


def draw(values: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Return a curve on one line, the mean of each column as a block; a gap where there are only NaN or infinities."""
    marks = _ASCII if ascii_only else _BLOCKS
    columns = _columns(values, width)
    known = [value for value in columns if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    height = len(marks) - 1
    return "".join(
        " " if value is None else marks[round((value - low) / span * height) if span else height // 2]
        for value in columns
    )


def _columns(values: Sequence[float], width: int) -> list[float | None]:
    count = min(width, len(values))
    found: list[float | None] = []
    for at in range(count):
        part = values[at * len(values) // count : (at + 1) * len(values) // count]
        finite = [value for value in part if -_LARGEST <= value <= _LARGEST]
        found.append(math.fsum(finite) / len(finite) if finite else None)
    return found
