"""Processes that read records beside this one, where there are many to read: one Python reads with one core only."""

from __future__ import annotations

import gc
import marshal
import os
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from gitexp import canonical
from gitexp.git import objects
from gitexp.index import rows
from gitexp.index.rows import Row
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace

FROM = 4000  # runs to read: fewer are read before another process has begun
_MANY = 200  # from which on a faster parser has made up for what loading it takes
MAX_PROCESSES = 8
_BATCH = 200  # runs in one request: two of them fit into a pipe, so that neither side waits for the other
_AHEAD = 2
_SIZE = struct.Struct("<Q")
_CODE = "from gitexp.index import readers; readers.serve()"

Wanted = tuple[str, str]  # ref and commit


class Readers:
    """The processes of one refresh; they start with the first long list of runs to read, and end with the block."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._processes: list[subprocess.Popen[bytes]] = []
        self.unread: list[Wanted] = []  # what the last transaction left to the next one
        self.loose: list[tuple[str, str, str]] = []  # and what it had to say of them in the table `loose`
        self.state: object = None  # of repository and index then
        self._kept: dict[Wanted, Row | None] = {}  # read ahead for somebody who stopped asking

    def __enter__(self) -> Readers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            process.wait()

    def read(self, wanted: Sequence[Wanted]) -> Generator[tuple[Wanted, Row | None], None, None]:
        """Yield the rows of some runs, None for what holds no run."""
        left = [item for item in wanted if item not in self._kept]
        yield from [(item, self._kept.pop(item)) for item in wanted if item in self._kept]
        if len(left) >= _MANY:
            canonical.hasten()
        if not self._processes and len(left) >= FROM:
            self._start()
        if self._processes:
            yield from self._together(left)
        else:
            yield from ((item, rows.stored(self.workspace, *item)) for item in left)

    def _start(self) -> None:
        cores = len(os.sched_getaffinity(0))
        package = str(Path(__file__).resolve().parents[2])
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))}
        for _ in range(min(cores, MAX_PROCESSES) if cores > 1 else 0):
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-P", "-c", _CODE, str(self.workspace.repo.git_dir)],
                    env=env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            )

    def _together(self, wanted: Sequence[Wanted]) -> Generator[tuple[Wanted, Row | None], None, None]:
        batches = deque(wanted[at : at + _BATCH] for at in range(0, len(wanted), _BATCH))
        asked: deque[tuple[subprocess.Popen[bytes], Sequence[Wanted]]] = deque()
        for process in self._processes * _AHEAD:
            self._ask(process, batches, asked)
        try:
            while asked:
                process, batch = asked.popleft()
                found = self._answer(process, batch)
                self._ask(process, batches, asked)
                yield from zip(batch, found, strict=True)
        finally:
            for process, batch in asked:  # each answer must be taken, or the next one is mistaken for it
                self._kept.update(zip(batch, self._answer(process, batch), strict=True))

    def _ask(
        self,
        process: subprocess.Popen[bytes],
        batches: deque[Sequence[Wanted]],
        asked: deque[tuple[subprocess.Popen[bytes], Sequence[Wanted]]],
    ) -> None:
        if batches:
            batch = batches.popleft()
            with suppress(OSError):  # it has ended: its answer will be lacking
                _send(process.stdin, list(batch))
            asked.append((process, batch))

    def _answer(self, process: subprocess.Popen[bytes], batch: Sequence[Wanted]) -> list[Row | None]:
        """Return a batch's rows; this process reads them itself where the other one has ended."""
        try:
            return [None if item is None else Row(*item) for item in _receive(process.stdout)]
        except (OSError, EOFError):
            return [rows.stored(self.workspace, *item) for item in batch]


def serve() -> None:
    """Answer requests for rows until there are no more; this process does nothing else."""
    gc.disable()  # rows have no cycles, and looking for some takes a tenth of the time
    objects.trust()
    canonical.hasten()
    workspace = workspaces.open(sys.argv[1])
    while True:
        try:
            wanted = _receive(sys.stdin.buffer)
        except EOFError:
            return
        found = (rows.stored(workspace, ref, commit) for ref, commit in wanted)
        _send(sys.stdout.buffer, [row and tuple(getattr(row, name) for name in Row.__slots__) for row in found])


def _send(stream: IO[bytes] | None, value: list[Any]) -> None:
    assert stream is not None
    data = marshal.dumps(value)
    stream.write(_SIZE.pack(len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes] | None) -> list[Any]:
    assert stream is not None
    head = stream.read(_SIZE.size)
    data = stream.read(_SIZE.unpack(head)[0]) if len(head) == _SIZE.size else b""
    if not data:
        raise EOFError
    found: list[Any] = marshal.loads(data)
    return found
