"""Histories as NumPy arrays: the points of a stored run or a live one, read block by block.

Time and memory are linear in the points: 24 bytes a point are kept, about 60 are needed while they are read.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sized
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar

from gitexp.git import refs
from gitexp.record import arrays
from gitexp.record import points as csv
from gitexp.record.arrays import Table
from gitexp.record.points import Point
from gitexp.store import events, journal, runs
from gitexp.store import objects as large
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Part = TypeVar("Part", bound=Sized)
BLOCK_BYTES = 8 << 20
_HEADER = csv.HEADER.encode()
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
    return arrays.together(arrays.only(chunk, names) for chunk in _chunks(run))


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
    return Series(name, steps, arrays.joined(times), arrays.joined(values))


def points(run: Run) -> Iterator[Point]:
    """Yield the points as `run.points()` does, with a block of them in memory at a time."""
    for batch in _parts(run, _POINTS):
        yield from batch


@dataclass(frozen=True, slots=True)
class _Form(Generic[Part]):
    """In which form points are wanted: from a block of whole rows (None where one does not parse), or from points."""

    parse: Callable[[bytes], Part | None]
    of: Callable[[list[Point]], Part]


_ARRAYS = _Form(arrays.parse, arrays.of)
_POINTS: _Form[list[Point]] = _Form(arrays.parse_points, list)


def _chunks(run: Run) -> Iterator[Table]:
    return _parts(run, _ARRAYS)


def _parts(run: Run, form: _Form[Part]) -> Iterator[Part]:
    """Yield all points in parts."""
    if not isinstance(run, LiveRun):
        yield from _stored(run, form)
        return
    with ExitStack() as stack:
        paths = [run.folder / f"metrics-{writer}.csv" for writer in journal.writers(run.folder)]
        shards = [(path, stack.enter_context(open(path, "rb"))) for path in paths if path.exists()]
        ended = _ended(run)
        if ended is None:
            for path, file in shards:
                yield from _shard(path, file, form)
        else:
            yield from _stored(ended, form)


def _ended(run: LiveRun) -> Run | None:
    """Return the stored run that a live one has become meanwhile; its journal may be gone, or half so."""
    tip = refs.get(run.workspace.repo, run.named.ref)
    if tip is not None and tip != run.start.previous:
        return runs.load(run.workspace, tip, run.named.ref)
    return None if (run.folder / "start.json").exists() else runs.by_id(run.workspace, run.start.record.id)


def _stored(run: Run, form: _Form[Part]) -> Iterator[Part]:
    if "metrics.csv" not in run.entries:
        return
    with _open(run) as file:
        if file.read(len(_HEADER)) != _HEADER:
            yield from _batches(run.points(), form)
            return
        done = 0
        for block in _blocks(file):
            part = form.parse(block)
            if part is None:  # the whole file tells where it is damaged
                yield from _batches(itertools.islice(run.points(), done, None), form)
                return
            done += len(part)
            yield part


def _open(run: Run) -> BinaryIO:
    pointer = run.pointer("metrics.csv")
    path = None if pointer is None else large.path(run.workspace, pointer.sha256)
    return io.BytesIO(run.file("metrics.csv") or b"") if path is None else open(path, "rb")


def _shard(path: Path, file: BinaryIO, form: _Form[Part]) -> Iterator[Part]:
    """Yield the points of one writer's file as far as it is written; what follows the last newline was torn."""
    offset = len(_HEADER) if file.read(len(_HEADER)) == _HEADER else 0
    file.seek(offset)
    for block in _blocks(file):
        whole = block.endswith(b"\n")
        if not whole and b"\n" not in block:
            return
        part = form.parse(block) if whole else None
        if part is None:  # damaged lines are passed over
            yield from _batches(events.read_points(path, offset=offset), form)
            return
        offset += len(block)
        yield part


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


def _batches(rows: Iterable[Point], form: _Form[Part]) -> Iterator[Part]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, _BATCH)):
        yield form.of(batch)
