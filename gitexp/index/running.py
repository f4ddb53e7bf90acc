"""Runs that are running here: their points are read on from where the index stopped, however many there are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gitexp.index import rows
from gitexp.index.rows import Row
from gitexp.record import points
from gitexp.record import summary as summaries
from gitexp.record.points import Point
from gitexp.record.summary import Aggregate
from gitexp.store import events, journal
from gitexp.store.journal import Start
from gitexp.store.live import LiveRun
from gitexp.store.workspace import Workspace

_BLOCK_BYTES = 8 << 20  # of a shard in memory at once
_TAIL_BYTES = 64  # before the offset: they tell whether a shard is still the one that was read
_OPEN_ROW_BYTES = 16 * points.MAX_NAME  # a row whose quotes are still open after so many is a damaged one


def read(workspace: Workspace, folder: Path, state: str | None) -> tuple[Row, str, str]:
    """Return a running run's row, its ref, and the state to go on from; raises Damaged or OSError."""
    run = LiveRun(workspace, folder, Start.read(folder))
    shards: dict[str, Any] = json.loads(state) if state else {}
    kept, summary = {}, run.summary_before
    for writer in journal.writers(folder):
        name = f"metrics-{writer}.csv"
        if (folder / name).exists():
            shard = Shard(folder / name, shards.get(name))
            shard.read_on()
            kept[name] = shard.to_json()
            for metric, aggregate in shard.summary.items():
                summary.setdefault(metric, Aggregate()).join(aggregate)
    found = events.with_set(summary, run.set_values)
    return rows.live(run, found), run.named.ref, json.dumps(kept)


class Shard:
    """One writer's points as far as they were read."""

    def __init__(self, path: Path, state: dict[str, Any] | None) -> None:
        self.path = path
        state = state or {"offset": 0, "inode": 0, "tail": "", "summary": {}}
        self.offset, self.inode, self.tail = int(state["offset"]), int(state["inode"]), str(state["tail"])
        self.summary = {name: _aggregate(values) for name, values in state["summary"].items()}

    def to_json(self) -> dict[str, Any]:
        """Return the state to go on from."""
        summary = {name: [getattr(value, key) for key in Aggregate.__slots__] for name, value in self.summary.items()}
        return {"offset": self.offset, "inode": self.inode, "tail": self.tail, "summary": summary}

    def read_on(self) -> None:
        """Take in what was written since; all of it where the file is another one, or was cut off."""
        with open(self.path, "rb") as file:
            found = os.fstat(file.fileno())
            at = max(0, self.offset - _TAIL_BYTES)
            file.seek(at)
            if found.st_ino != self.inode or file.read(self.offset - at).hex() != self.tail:
                self.offset, self.inode, self.summary = 0, found.st_ino, {}
            file.seek(self.offset)
            left = b""
            while block := file.read(_BLOCK_BYTES):
                data = left + block
                end = _whole_rows(data)
                self._take(data[:end])
                left = data[end:]
                self.offset += end
            at = max(0, self.offset - _TAIL_BYTES)
            file.seek(at)
            self.tail = file.read(self.offset - at).hex()

    def _take(self, data: bytes) -> None:
        summaries.take(self.summary, _points(data.decode("utf-8", "replace")))


def _whole_rows(data: bytes) -> int:
    """Return where the last whole row of a part of a CSV ends: a name may hold newlines, in quotes."""
    last = end = data.rfind(b"\n") + 1
    while data.count(b'"', 0, end) % 2:
        opened = data.rfind(b'"', 0, end)
        if last - opened > _OPEN_ROW_BYTES:
            return last  # it never became a row: what reads it counts it as lost
        end = data.rfind(b"\n", 0, opened) + 1
    return end


def _points(text: str) -> Iterable[Point]:
    """Return the points of whole rows: the quick way, where nothing is quoted or damaged."""
    if not any(mark in text for mark in '"\r\0'):
        lines = text.removeprefix(points.HEADER).split("\n")
        try:
            return [points.parse(line.split(",")) for line in lines[:-1]]
        except ValueError:
            pass
    return events.points_in(text)


def _aggregate(values: list[Any]) -> Aggregate:
    found = Aggregate()
    for key, value in zip(Aggregate.__slots__, values, strict=True):
        setattr(found, key, value)
    return found
