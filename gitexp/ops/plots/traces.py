"""Curves of runs: which metrics, over what, smoothed, and as groups with their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from gitexp import text
from gitexp.errors import Damaged, GitexpError, NotFound, UsageError
from gitexp.ops.finding import columns, find
from gitexp.ops.plots import figure
from gitexp.ops.plots.figure import Figure, Labels, Request
from gitexp.plots import band, smooth
from gitexp.plots.curves import Curve, Curves, Panel
from gitexp.store import series
from gitexp.store.series import Series
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

    from gitexp.index.entry import Entry

    Array = np.ndarray[Any, Any]

MAX_PANELS = 12
TIMES = ("step", "time", "relative")
_UNITS = ((1.0, "seconds"), (60.0, "minutes"), (3600.0, "hours"), (86400.0, "days"))


@dataclass(slots=True)
class _Work:
    """What is being put together: series by run, x as it is asked for, and what has to be said."""

    workspace: Workspace
    runs: Sequence[Entry]
    request: Request
    x: str
    series: dict[str, dict[str, Series]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unit: tuple[float, str] = _UNITS[0]


def gather(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    """Return the curves that are asked for; raises NotFound where no run has any of the metrics."""
    if not 0 <= request.smooth < 1:
        raise UsageError(f"--smooth is {request.smooth:g}", hint="give a weight from 0 to below 1: --smooth 0.9")
    work = _Work(workspace, runs, request, request.x or "step")
    names = _metrics(work)
    _read(work, names)
    labels = figure.labels(runs)
    if request.group_by:
        groups, title = _groups(work)
    else:
        groups, title = [(labels.of[run.id], [run]) for run in runs], labels.title
    panels = tuple(_panel(work, name, groups, labels) for name in names)
    panels = tuple(panel for panel in panels if panel.curves)
    if not panels:
        raise NotFound(f"there is nothing to draw: {'; '.join(work.notes)}", hint="gitexp show RUN")
    drawing = Curves(
        panels, _x_label(work), dates=work.x == "time", log=_log(work, panels), legend_title=title,
        looks={curve.number: curve.label for panel in panels for curve in panel.curves},
        said=", ".join(_said(request)),
    )  # fmt: skip
    return Figure(drawing, figure.stem(*names[:4]), tuple(dict.fromkeys(work.notes)))


def _said(request: Request) -> list[str]:
    """Return what was done to the values, for the axis."""
    smoothed = [f"smoothed {request.smooth:g}"] if request.smooth else []
    return [*smoothed, "mean ± std"] if request.group_by else smoothed


def _metrics(work: _Work) -> list[str]:
    """Return the metrics to draw: those named, in their order, globs too; else those that matter."""
    known: dict[str, int] = {}
    for run in work.runs:
        for name in run.summary:
            known[name] = known.get(name, 0) + 1
    if not work.request.metrics:
        found = columns.mattering(work.workspace, known)[:MAX_PANELS]
        if not found:
            raise NotFound("no run here has a metric", hint="log some: run.log({'loss': 0.5})")
        return found
    found = []
    for wanted in work.request.metrics:
        matching = [wanted] if wanted in known else sorted(name for name in known if fnmatchcase(name, wanted))
        if not matching:
            raise _unknown(work.workspace, wanted, known)
        found += [name for name in matching if name not in found]
    if len(found) > MAX_PANELS:
        work.notes.append(f"the first {MAX_PANELS} of {len(found):,} metrics are drawn; name others with --metric")
    return found[:MAX_PANELS]


def _unknown(workspace: Workspace, name: str, known: dict[str, int]) -> NotFound:
    import difflib

    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    shown = near or columns.mattering(workspace, known)
    more = f" and {len(known) - len(shown):,} more" if len(known) > len(shown) and not near else ""
    hint = (
        f"{'did you mean' if near else 'they have'}: {', '.join(map(text.safe, shown))}{more}"
        if shown
        else "gitexp log"
    )
    return NotFound(f"none of these runs has the metric {text.safe(name)!r}", hint=hint)


def _read(work: _Work, names: Sequence[str]) -> None:
    """Read the histories of all runs; one that cannot be read is said, all of them are an error."""
    wanted = frozenset(names) | ({work.x} - set(TIMES))
    error: GitexpError | None = None
    for run in work.runs:
        try:
            work.series[run.id] = series.read(find.load(work.workspace, run), wanted)
        except Damaged as trouble:
            error = trouble
            work.notes.append(f"{text.safe(run.name)} is left out: {trouble.message}")
    if error is not None and not work.series:
        raise error
    if work.x not in TIMES and not any(work.x in known for known in work.series.values()):
        raise _unknown(work.workspace, work.x, {name: 1 for run in work.runs for name in run.summary})
    if work.x == "relative":
        work.unit = _unit(work)


def _unit(work: _Work) -> tuple[float, str]:
    """Return the unit in which the longest run has a readable number."""
    longest = 0.0
    for run in work.runs:
        for known in work.series.get(run.id, {}).values():
            longest = max(longest, float(known.times.max()) - run.start_ms / 1000)
    return next(unit for unit in reversed(_UNITS) if longest >= 2 * unit[0] or unit is _UNITS[0])


def _x_label(work: _Work) -> str:
    return {"step": "step", "time": "time", "relative": f"time since the start ({work.unit[1]})"}.get(work.x, work.x)


def _groups(work: _Work) -> tuple[list[tuple[str, list[Entry]]], str]:
    """Return (label, runs) by the values of what groups them, and its name."""
    column = figure.column(work.workspace, work.runs, work.request.group_by)
    found: dict[Any, list[Entry]] = {}
    for run in work.runs:
        found.setdefault(figure.natural(columns.value(run, column)), []).append(run)
    groups = []
    for key in sorted(found):
        value = columns.value(found[key][0], column)
        label = "none" if value is None else text.value(value)
        groups.append((f"{label} (n={len(found[key])})", found[key]))
    return groups, column.title


def _panel(work: _Work, name: str, groups: Sequence[tuple[str, list[Entry]]], labels: Labels) -> Panel:
    lines: dict[str, tuple[Array, Array]] = {}
    lacking = []
    for run in work.runs:
        known = work.series.get(run.id, {}).get(name)
        line = _line(work, run, known) if known is not None else None
        if line is not None and len(line[0]):
            lines[run.id] = line
        elif run.id in work.series:
            lacking.append(labels.full[run.id])
    if lacking:
        who = "; ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        over = f" to draw over {text.safe(work.x)}" if work.x not in TIMES else ""
        work.notes.append(
            f"{text.safe(name)}: {len(lacking)} of {text.plural(len(work.runs), 'run')} have none{over}: {who}"
        )
    _say_hidden(work, name, lines)
    found = [_curve(work, number, label, runs, lines) for number, (label, runs) in enumerate(groups)]
    return Panel(name, tuple(curve for curve in found if curve is not None))


def _line(work: _Work, run: Entry, known: Series) -> tuple[Array, Array] | None:
    """Return x and y of one metric of one run, x rising; points whose x is no number are left out."""
    import numpy as np

    if work.x == "step":
        x, y = floats(known.steps), known.values
    elif work.x == "time":
        x, y = known.times, known.values
    elif work.x == "relative":
        x, y = (known.times_ms - run.start_ms) / (1000 * work.unit[0]), known.values
    else:
        other = work.series[run.id].get(work.x)
        if other is None:
            return None
        x, y = joined(other, known)
    finite = np.isfinite(x)
    x, y = x[finite], y[finite]
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def floats(steps: Array) -> Array:
    """Return steps as floats, those beyond all floats as infinities."""
    import numpy as np

    if steps.dtype != object:
        return steps.astype(np.float64)
    limit = 1 << 1023
    return np.array([float(step) if -limit < step < limit else np.inf for step in steps])


def joined(x: Series, y: Series) -> tuple[Array, Array]:
    """Return the values of two metrics where both have the step; of several x at one step the last counts."""
    import numpy as np

    order = np.argsort(x.steps, kind="stable")
    steps, values = x.steps[order], x.values[order]
    place = np.searchsorted(steps, y.steps, side="right") - 1
    there = (place >= 0) & (steps[np.maximum(place, 0)] == y.steps)
    return values[place[there]], y.values[there]


def _curve(
    work: _Work, number: int, label: str, runs: Sequence[Entry], lines: dict[str, tuple[Array, Array]]
) -> Curve | None:
    """Return the curve of one run, or of a group; smoothing comes before the mean."""
    members = [run.id for run in runs if run.id in lines]
    if not members:
        return None
    weight = work.request.smooth
    if not work.request.group_by:
        x, y = lines[members[0]]
        return Curve(label, number, tuple(members), x, smooth.exponential(y, weight), y if weight else None)
    smoothed = [(lines[member][0], smooth.exponential(lines[member][1], weight)) for member in members]
    x, mean, spread, same = band.of(smoothed)
    if not same:
        over = "times" if work.x in ("time", "relative") else f"values of {text.safe(work.x)}"
        work.notes.append(
            f"the runs of a group have different {over}: {len(x)} common ones; a run counts with its mean around each, "
            "else with what lies between its points"
        )
    return Curve(label, number, tuple(members), x, mean, spread=spread)


def _say_hidden(work: _Work, name: str, lines: dict[str, tuple[Array, Array]]) -> None:
    """Say what a logarithmic axis cannot show."""
    for axis, at in (("x", 0), ("y", 1)):
        if axis in work.request.log:
            hidden = sum(int((line[at] <= 0).sum()) for line in lines.values())
            if hidden:
                what = text.safe(name if axis == "y" else work.x)
                work.notes.append(f"{text.plural(hidden, 'value')} of {what} at or below 0 have no place on a log axis")


def _log(work: _Work, panels: Sequence[Panel]) -> str:
    """Return the axes that are logarithmic; raises UsageError where nothing could be drawn on one."""
    log = work.request.log
    if "x" in log and work.x == "time":
        raise UsageError("dates have no logarithm", hint="--x relative --log x")
    for axis in log:
        if not any((getattr(curve, axis) > 0).any() for panel in panels for curve in panel.curves):
            raise UsageError(f"no value on the {axis} axis is above 0", hint=f"leave --log {log} out")
    return log
