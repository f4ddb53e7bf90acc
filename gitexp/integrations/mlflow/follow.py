"""Journals of runs that are active, read on as they grow: to ask for a run again and again costs little."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from gitexp.errors import Damaged
from gitexp.index import running
from gitexp.record.summary import Aggregate
from gitexp.store import events, journal, live, seal
from gitexp.store.journal import Start
from gitexp.store.live import LiveRun
from gitexp.store.workspace import Workspace

_MAX_FOLLOWED = 64
_MAIN = f"events-{journal.MAIN}.jsonl"

_followed: OrderedDict[Path, Followed] = OrderedDict()
_guard = threading.Lock()


class Followed:
    """One journal as far as it was read."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self._workspace = workspace
        self._folder = folder
        self._start: Start | None = None
        self._stamp: tuple[int, int] = (0, 0)
        self._inode = 0
        self._offset = 0
        self._total = events.Sum()
        self._points: running.Shard | None = None
        self.lock = threading.Lock()

    def run(self) -> LiveRun | None:
        """Return the run as it is now; None where it is not active any more."""
        try:
            start = self._read_start()
            is_alone = journal.writers(self._folder) == [journal.MAIN]
            if is_alone:
                self._read_events()
            found = LiveRun(self._workspace, self._folder, start)
            if is_alone:
                found.__dict__["_total"] = self._total
                found.__dict__["summary"] = events.with_set(self._summary(found), self._total.summary)
            return found
        except FileNotFoundError:
            return None

    def _read_start(self) -> Start:
        found = (self._folder / "start.json").stat()
        stamp = found.st_mtime_ns, found.st_ino
        if self._start is None or stamp != self._stamp:
            if (self._folder / seal.LATE).exists():
                raise FileNotFoundError(self._folder)
            self._start, self._stamp = Start.read(self._folder), stamp
        return self._start

    def _read_events(self) -> None:
        path = self._folder / _MAIN
        found = path.stat()
        if found.st_ino != self._inode or found.st_size < self._offset:
            self._inode, self._offset, self._total = found.st_ino, 0, events.Sum()
        if found.st_size > self._offset:
            self._offset = events.read_on(self._folder, self._total, self._offset)

    def _summary(self, run: LiveRun) -> dict[str, Aggregate]:
        found = run.summary_before
        if not found:
            return self._read_points()
        for name, aggregate in self._read_points().items():
            found.setdefault(name, Aggregate()).join(aggregate)
        return found

    def _read_points(self) -> dict[str, Aggregate]:
        path = self._folder / f"metrics-{journal.MAIN}.csv"
        if not path.exists():
            return {}
        if self._points is None:
            self._points = running.Shard(path, None)
        self._points.read_on()
        return self._points.summary


def run(workspace: Workspace, run_id: str) -> LiveRun | None:
    """Return an active run, None where none has this id."""
    folder = workspace.live / run_id
    with _guard:
        followed = _followed.pop(folder, None) or Followed(workspace, folder)
        _followed[folder] = followed
        while len(_followed) > _MAX_FOLLOWED:
            _followed.popitem(last=False)
    with followed.lock:
        try:
            found = followed.run()
        except Damaged:
            found = live.by_id(workspace, run_id)
    if found is None:
        with _guard:
            _followed.pop(folder, None)
    return found
