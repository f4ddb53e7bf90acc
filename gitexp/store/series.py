"""Histories as NumPy arrays: the points of a stored run or a live one, read block by block.

Time and memory are linear in the points: 24 bytes a point are kept, all else is that of one block.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gitexp.git import refs
from gitexp.record import arrays, points
from gitexp.record.arrays import Table
from gitexp.record.points import Point
from gitexp.store import events, journal, runs
from gitexp.store import objects as large
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK_BYTES = 16 << 20
_HEADER = points.HEADER.encode()
_BATCH = 100_000  # points that are taken into arrays at once


@dataclass(frozen=True, slots=True)
class Series:
    """One metric's history in the order logged: `steps` and `times_ms` (int64, since the epoch), `values` (float64).

    Steps beyond 64 bits come as Python integers (an array of objects), values beyond all floats as infinities.
    """

    name: str
    steps: Array
    times_ms: Array
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    @property
    def times(self) -> Array:
        """The times in seconds since the epoch (float64)."""
        times: Array = self.times_ms / 1000
        return times


def read(run: Run, names: Collection[str] | None = None) -> dict[str, Series]:
    """Return {metric: its history}, of some names or of all, in the order in which the metrics first appear.

    A name that the run lacks is absent. Raises Damaged where the bytes do not parse or are not here.
    """
    parts: dict[str, list[Series]] = {}
    for chunk in _chunks(run):
        for part in _by_metric(chunk, names):
            parts.setdefault(part.name, []).append(part)
    return {name: _joined(name, parts.pop(name)) for name in list(parts)}


def table(run: Run, names: Collection[str] | None = None) -> Table:
    """Return the points of some metrics, or of all, in the order logged; raises as `read` does."""
    import numpy as np

    known: dict[str, int] = {}
    columns: list[list[Array]] = [[np.empty(0, np.int32)], *([np.empty(0, np.int64)] for _ in range(2)), [np.empty(0)]]
    for chunk in _chunks(run):
        chunk = arrays.only(chunk, names)
        codes = np.array([known.setdefault(name, len(known)) for name in chunk.names], dtype=np.int32)
        for column, more in zip(columns, (codes[chunk.codes], chunk.steps, chunk.times_ms, chunk.values), strict=True):
            column.append(more)
    return Table(tuple(known), *(_concatenated(columns.pop(0)) for _ in range(4)))


def _concatenated(parts: list[Array]) -> Array:
    import numpy as np

    whole: Array = np.concatenate(parts)
    parts.clear()
    return whole


def _by_metric(chunk: Table, names: Collection[str] | None) -> Iterator[Series]:
    import numpy as np

    chunk = arrays.only(chunk, names)
    if len(chunk.names) == 1:
        yield Series(chunk.names[0], chunk.steps, chunk.times_ms, chunk.values)
        return
    order = np.argsort(chunk.codes, kind="stable")
    ends = np.searchsorted(chunk.codes[order], np.arange(len(chunk.names) + 1))
    for code, name in enumerate(chunk.names):
        rows = order[ends[code] : ends[code + 1]]
        yield Series(name, chunk.steps[rows], chunk.times_ms[rows], chunk.values[rows])


def _joined(name: str, parts: list[Series]) -> Series:
    import numpy as np

    steps = np.concatenate([part.steps for part in parts])
    if steps.dtype == object:
        steps = arrays.whole(steps.tolist())
    times, values = [part.times_ms for part in parts], [part.values for part in parts]
    parts.clear()
    return Series(name, steps, _concatenated(times), _concatenated(values))


def _chunks(run: Run) -> Iterator[Table]:
    """Yield all points in parts."""
    if not isinstance(run, LiveRun):
        yield from _stored(run)
        return
    with ExitStack() as stack:
        paths = [run.folder / f"metrics-{writer}.csv" for writer in journal.writers(run.folder)]
        shards = [(path, stack.enter_context(open(path, "rb"))) for path in paths if path.exists()]
        ended = _ended(run)
        if ended is None:
            for path, file in shards:
                yield from _shard(path, file)
        else:
            yield from _stored(ended)


def _ended(run: LiveRun) -> Run | None:
    """Return the stored run that a live one has become meanwhile; its journal may be gone, or half so."""
    tip = refs.get(run.workspace.repo, run.start.ref)
    if tip is not None and tip != run.start.previous:
        return runs.load(run.workspace, tip, run.start.ref)
    return None if (run.folder / "start.json").exists() else runs.by_id(run.workspace, run.start.record.id)


def _stored(run: Run) -> Iterator[Table]:
    if "metrics.csv" not in run.entries:
        return
    with _open(run) as file:
        if file.read(len(_HEADER)) != _HEADER:
            yield from _batches(run.points())
            return
        done = 0
        for block in _blocks(file):
            chunk = arrays.parse(block)
            if chunk is None:  # the whole file tells where it is damaged
                yield from _batches(itertools.islice(run.points(), done, None))
                return
            done += len(chunk)
            yield chunk


def _open(run: Run) -> BinaryIO:
    pointer = run.pointer("metrics.csv")
    path = None if pointer is None else large.path(run.workspace, pointer.sha256)
    return io.BytesIO(run.file("metrics.csv") or b"") if path is None else open(path, "rb")


def _shard(path: Path, file: BinaryIO) -> Iterator[Table]:
    """Yield the points of one writer's file as far as it is written; what follows the last newline was torn."""
    offset = len(_HEADER) if file.read(len(_HEADER)) == _HEADER else 0
    file.seek(offset)
    for block in _blocks(file):
        whole = block.endswith(b"\n")
        if not whole and b"\n" not in block:
            return
        chunk = arrays.parse(block) if whole else None
        if chunk is None:  # damaged lines are passed over
            yield from _batches(events.read_points(path, offset=offset))
            return
        offset += len(block)
        yield chunk


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield whole rows, some megabytes at once, and last what follows the last newline."""
    rest = b""
    while more := file.read(BLOCK_BYTES):
        block = rest + more
        end = _row_end(block)
        if not end and len(block) > 4 * BLOCK_BYTES:
            end = len(block)  # no row is so long: the whole will be looked at
        if end:
            yield block[:end]
        rest = block[end:]
    if rest:
        yield rest


def _row_end(block: bytes) -> int:
    """Return where the last whole row ends, 0 if none does; a quoted name may hold newlines."""
    if b'"' not in block:
        return block.rfind(b"\n") + 1
    import numpy as np

    found = np.frombuffer(block, np.uint8)
    quotes, newlines = np.flatnonzero(found == ord('"')), np.flatnonzero(found == ord("\n"))
    ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    return int(ends[-1]) + 1 if len(ends) else 0


def _batches(rows: Iterable[Point]) -> Iterator[Table]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, _BATCH)):
        yield arrays.of(batch)
