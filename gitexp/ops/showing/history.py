"""Histories as CSV for other programs: a row a point, or a row a step and a column a metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from gitexp.ops.showing import export
from gitexp.record import arrays, points
from gitexp.record.arrays import Wide
from gitexp.store import series
from gitexp.store.runs import Run

_AT_ONCE = 10_000  # rows of one piece


def csv(runs: Iterable[Run]) -> Iterator[str]:
    """Yield the points of runs in the order logged, as metrics.csv has them, the run's id before each."""
    yield "run," + points.HEADER
    for run in runs:
        found = series.points(run)
        while batch := list(islice(found, _AT_ONCE)):
            yield "".join([f"{run.id},{points.line(point)}" for point in batch])


def wide(runs: Sequence[Run]) -> Iterator[str]:
    """Yield a row a run and step, a column a metric that any of the runs has; values as floats, nothing where none is.

    Of several points at a step the latest is taken. Twice over the runs: memory grows with the largest one.
    """
    names = sorted({name for run in runs for name in series.table(run).names})
    yield export.row(["run", "step", *names])
    for run in runs:
        shape = arrays.wide(series.table(run), names)
        for at in range(0, len(shape.steps), _AT_ONCE):
            yield "".join(_rows(run.id, shape, slice(at, at + _AT_ONCE)))


def _rows(run_id: str, shape: Wide, part: slice) -> Iterator[str]:
    for step, values, present in zip(
        shape.steps[part].tolist(), shape.values[part].tolist(), shape.present[part].tolist(), strict=True
    ):
        yield export.row([run_id, step, *(v if logged else None for v, logged in zip(values, present, strict=True))])
