"""Runs as points, lines through their params, groups and cells: what figures of tables are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gitexp import text
from gitexp.errors import NotFound, UsageError
from gitexp.index import values
from gitexp.ops.finding import columns, goals
from gitexp.ops.finding.columns import Chosen
from gitexp.ops.plots import figure
from gitexp.ops.plots.figure import Figure, Request
from gitexp.plots.curves import LARGEST
from gitexp.plots.groups import Group, Groups
from gitexp.plots.heatmap import Cell, Heatmap
from gitexp.plots.parallel import MAX_AXES, MAX_RUNS, Axis, Parallel
from gitexp.plots.scatter import MAX_NAMED, Scatter, Value
from gitexp.record.numbers import float_of, is_number
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry

MAX_BARS = 60
_BINS, _MAX_CELLS = 10, 100
_DISTINCT = 24  # values of a numeric param that have a row or column each in a heatmap; of more, bins


def gather(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    """Return the drawing of one kind; raises NotFound where no run has what is asked for."""
    makers: dict[str, Callable[[Workspace, Sequence[Entry], Request], Figure]] = {
        "scatter": _scatter, "parallel": _parallel, "bar": _groups, "box": _groups, "heatmap": _heatmap
    }  # fmt: skip
    return makers[request.kind](workspace, runs, request)


def metric(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Chosen:
    """Return the metric that is drawn: --y or --metric, else the one that matters most."""
    name = request.y or next(iter(request.metrics), "")
    if name:
        return figure.column(workspace, runs, name, first="metric")
    known = {name: 1 for run in runs for name in run.summary}
    if not known:
        raise NotFound("no run here has a metric", hint="log some: run.log({'loss': 0.5})")
    return columns.metric(workspace, columns.mattering(workspace, known)[0])


def _param(workspace: Workspace, runs: Sequence[Entry], name: str, option: str, taken: Sequence[Chosen] = ()) -> Chosen:
    """Return the column of a name, else the param that differs most and is not taken."""
    if name:
        return figure.column(workspace, runs, name)
    found = [param for param in columns.differing(runs) if param not in [column.name for column in taken]]
    if not found:
        what = "only one param of these runs differs" if taken else "the params of these runs do not differ"
        raise UsageError(what, hint=f"say what to draw over: {option} params.lr")
    return Chosen(found[0])


def plain(column: Chosen, runs: Sequence[Entry]) -> list[Value | None]:
    """Return what runs have in a column: numbers, also those that texts spell where all of them do, or words."""
    found = [columns.value(run, column) for run in runs]
    texts = [item for item in found if isinstance(item, str)]
    spelled = {item: values.spelled(item) for item in set(texts)}
    as_numbers = all(number is not None for number in spelled.values())
    return [_plain(spelled[item] if isinstance(item, str) and as_numbers else item) for item in found]


def _plain(item: Any) -> Value | None:
    if item is None or isinstance(item, str):
        return item
    return float_of(item) if is_number(item) else text.value(item)


def _mixed(found: Sequence[Value | None]) -> list[Value | None]:
    """Return words for all where some are words: one axis has one kind."""
    if all(item is None or isinstance(item, float) for item in found):
        return list(found)
    return [text.number(item) if isinstance(item, float) else item for item in found]


def _scatter(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    y = metric(workspace, runs, request)
    x = _param(workspace, runs, request.x, "--x")
    colour = figure.column(workspace, runs, request.colour) if request.colour else None
    xs, ys = _mixed(plain(x, runs)), _mixed(plain(y, runs))
    for axis, column, found in (("x", x, xs), ("y", y, ys)):
        if axis in request.log and any(isinstance(item, str) for item in found):
            raise UsageError(f"{column.title} has words: they have no logarithm", hint=f"leave --log {axis} out")
    kept = [
        at for at in range(len(runs)) if _is_drawn(xs[at], "x" in request.log) and _is_drawn(ys[at], "y" in request.log)
    ]
    if not kept:
        raise NotFound(f"no run has {x.title} and {y.title} to draw", hint="gitexp log --columns all")
    notes = _left_out(len(runs) - len(kept), f"no {x.title} or {y.title} that can be drawn")
    order = sorted(kept, key=lambda at: figure.natural(xs[at]))
    shades = _mixed(plain(colour, runs)) if colour is not None else []
    drawn = [runs[at] for at in order]
    names = figure.labels(drawn).of if colour is None and len(drawn) <= MAX_NAMED else {}
    drawing = Scatter(
        x.title, y.title, tuple(v for at in order if (v := xs[at]) is not None),
        tuple(v for at in order if (v := ys[at]) is not None), tuple(run.id for run in drawn),
        names=tuple(names[run.id] for run in drawn) if names else (),
        colour_label=colour.title if colour is not None else "",
        colour=tuple(shades[at] for at in order) if colour is not None else (), log=request.log,
    )  # fmt: skip
    return Figure(drawing, figure.stem("scatter", x.name, y.name), notes)


def _is_drawn(item: Value | None, log: bool) -> bool:
    if item is None or isinstance(item, str):
        return item is not None
    return abs(item) <= LARGEST and (item > 0 or not log)


def _left_out(count: int, why: str) -> tuple[str, ...]:
    return (f"{text.plural(count, 'run')} left out: {why}",) if count else ()


def _parallel(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    last = metric(workspace, runs, request)
    known = [run for run in runs if _number(columns.value(run, last)) is not None]
    if not known:
        raise NotFound(f"no run has the metric {last.title}", hint="gitexp log --columns all")
    found = [figure.column(workspace, runs, name) for name in columns.split(request.x)]
    found = found or [Chosen(name) for name in columns.differing(known)]
    if not found:
        raise UsageError("the params of these runs do not differ", hint="say which: --x params.lr,params.depth")
    notes = _left_out(len(runs) - len(known), f"no {last.title} that can be drawn")
    if len(found) >= MAX_AXES:
        notes += (f"the first {MAX_AXES - 1} of {len(found)} params are drawn; say which: --x lr,depth",)
    if len(known) > MAX_RUNS:
        notes += (f"{MAX_RUNS:,} of {len(known):,} runs are drawn, evenly chosen over {last.title}",)
        known = sorted(known, key=lambda run: _number(columns.value(run, last)) or 0.0)
        known = [known[at * len(known) // MAX_RUNS] for at in range(MAX_RUNS)]
    axes = [Axis(column.title, tuple(_mixed(plain(column, known)))) for column in [*found[: MAX_AXES - 1], last]]
    drawing = Parallel(tuple(axes), tuple(run.id for run in known), goals.of(workspace, last.name).best)
    return Figure(drawing, figure.stem("parallel", last.name), notes)


def _number(item: Any) -> float | None:
    """Return a number that can be drawn as a float, None for all else."""
    found = _plain(item)
    return found if isinstance(found, float) and abs(found) <= LARGEST else None


def _groups(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    column = metric(workspace, runs, request)
    known = [run for run in runs if _number(columns.value(run, column)) is not None]
    if not known:
        raise NotFound(f"no run has the metric {column.title}", hint="gitexp log --columns all")
    notes = _left_out(len(runs) - len(known), f"no {column.title} that can be drawn")
    boxes, by, title = request.kind == "box", "", ""
    if request.group_by:
        key = figure.column(workspace, runs, request.group_by)
        found, by, title = _by(known, key, column), key.title, key.title
    elif boxes:
        found = [_group("all", known, column)]
        by = "all runs"
    else:
        found, title = _each(workspace, known, column)
    count = len(found) if request.group_by or boxes else len(known)
    if count > MAX_BARS:
        notes += (f"the first {MAX_BARS} of {count:,} rows are drawn; choose runs with --where",)
    if request.log and not all(value > 0 for group in found[:MAX_BARS] for value in group.values):
        raise UsageError(f"{column.title} is not above 0 everywhere", hint="leave --log out")
    drawing = Groups(tuple(found[:MAX_BARS]), column.title, by, title, boxes, request.log)
    return Figure(drawing, figure.stem(request.kind, column.name, request.group_by), notes)


def _group(label: str, runs: Sequence[Entry], column: Chosen) -> Group:
    known = tuple(number for run in runs if (number := _number(columns.value(run, column))) is not None)
    return Group(label, known, tuple(run.id for run in runs))


def _by(runs: Sequence[Entry], key: Chosen, column: Chosen) -> list[Group]:
    """Return a group for each value, in the order of the values."""
    found: dict[Any, list[Entry]] = {}
    for run in runs:
        found.setdefault(figure.natural(columns.value(run, key)), []).append(run)
    return [_group(_said(columns.value(found[rank][0], key)), found[rank], column) for rank in sorted(found)]


def _said(value: Any) -> str:
    return "none" if value is None else text.value(value)


def _each(workspace: Workspace, runs: Sequence[Entry], column: Chosen) -> tuple[list[Group], str]:
    """Return the best runs, each on its own and the best first, and what their labels are the values of."""
    best = goals.of(workspace, column.name).best
    ranked = sorted(runs, key=lambda run: _number(columns.value(run, column)) or 0.0, reverse=best != "min")[:MAX_BARS]
    labels = figure.labels(ranked)
    return [_group(labels.of[run.id], [run], column) for run in ranked], labels.title


def _heatmap(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    # Here x and y are the params and the metric is the shade.
    shade = metric(workspace, runs, Request(metrics=request.metrics))
    x = _param(workspace, runs, request.x, "--x")
    y = _param(workspace, runs, request.y, "--y", (x,))
    best = goals.of(workspace, shade.name).best
    if request.stat == "best" and not best:
        raise UsageError(
            f"which is better of {shade.title} is not known", hint=f"git config gitexp.maximize {shade.name}"
        )
    known = [run for run in runs if _number(columns.value(run, shade)) is not None]
    known = [run for run in known if columns.value(run, x) is not None and columns.value(run, y) is not None]
    if not known:
        raise NotFound(f"no run has {x.title}, {y.title} and {shade.title}", hint="gitexp log --columns all")
    across, up = _scale(x, known), _scale(y, known)
    cells = _cells(known, shade, across, up, request.stat if request.stat == "mean" else best)
    several = any(cell is not None and cell[1] > 1 for row in cells for cell in row)
    title = f"{request.stat} {shade.title}" if several else shade.title
    drawing = Heatmap(x.title, y.title, title, across.names, up.names, cells)
    notes = _left_out(len(runs) - len(known), f"no {x.title}, no {y.title} or no {shade.title}")
    binned = [column.title for column, scale in ((x, across), (y, up)) if scale.binned]
    notes += tuple(f"{title} has many values: they are in {_BINS} bins" for title in binned)
    return Figure(drawing, figure.stem("heatmap", x.name, y.name, shade.name), notes)


@dataclass(frozen=True, slots=True)
class _Scale:
    """The rows or columns of a heatmap, and in which each run is."""

    names: tuple[str, ...]
    of: dict[str, int]
    binned: bool = False


def _scale(column: Chosen, runs: Sequence[Entry]) -> _Scale:
    found = [item for item in _mixed(plain(column, runs)) if item is not None]
    distinct = sorted(set(found), key=figure.natural)
    numbers = [item for item in found if isinstance(item, float) and math.isfinite(item)]
    if len(distinct) > _DISTINCT and len(numbers) == len(found):
        return _binned(numbers, runs)
    if len(distinct) > _MAX_CELLS:
        raise UsageError(f"{column.title} has {len(distinct):,} values", hint="choose runs with --where")
    place = {item: at for at, item in enumerate(distinct)}
    names = tuple(f"{item:.6g}" if isinstance(item, float) else item for item in distinct)
    return _Scale(names, {run.id: place[item] for run, item in zip(runs, found, strict=True)})


def _binned(numbers: Sequence[float], runs: Sequence[Entry]) -> _Scale:
    """Return equal bins; of equal ratio where the values span two powers of ten or more."""
    import numpy as np

    low, high = min(numbers), max(numbers)
    spaced = np.geomspace if low > 0 and high / low >= 100 else np.linspace
    edges = spaced(low, high, _BINS + 1)
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, _BINS - 1)
    names = tuple(f"{one:.3g} – {other:.3g}" for one, other in pairwise(edges))
    return _Scale(names, {run.id: int(at) for run, at in zip(runs, place, strict=True)}, binned=True)


def _cells(
    runs: Sequence[Entry], shade: Chosen, across: _Scale, up: _Scale, stat: str
) -> tuple[tuple[Cell | None, ...], ...]:
    found: dict[tuple[int, int], list[float]] = {}
    for run in runs:
        number = _number(columns.value(run, shade))
        if number is not None:
            found.setdefault((up.of[run.id], across.of[run.id]), []).append(number)
    chosen: Callable[[list[float]], float] = {"min": min, "max": max}.get(stat, fmean)
    return tuple(
        tuple((chosen(cell), len(cell)) if (cell := found.get((y, x))) else None for x in range(len(across.names)))
        for y in range(len(up.names))
    )
