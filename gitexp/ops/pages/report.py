"""A report of runs: what a page or a Markdown document says of one run, or of several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from gitexp import clock, ids, text
from gitexp.index import database, search
from gitexp.ops.comparing import diff, difference
from gitexp.ops.comparing.difference import MISSING
from gitexp.ops.finding import code, find
from gitexp.ops.pages import curves, drawings, factsheet, pictures, sections
from gitexp.pages import parts
from gitexp.pages.parts import Cell, Column, Report, Table
from gitexp.record.facts import State
from gitexp.record.numbers import float_of, is_nan, is_number
from gitexp.store import annotations as annotated
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

MANY = 60  # runs: of more, curves and what differs run by run would be no page
_METRICS, _PARAMS = 6, 12  # columns of the table of runs
_PATCH_BYTES = 300_000
WAYS = {"max": "↑ better", "min": "↓ better", "": ""}


@dataclass(frozen=True, slots=True)
class Options:
    """What is wanted on a page beside what is always there."""

    title: str = ""
    metrics: Sequence[str] = ()  # names or globs: the curves, and the first columns
    main: str = ""  # the metric that goes before all others
    patch: bool = False  # the whole diff of the code of two runs
    images: bool = True
    charts: bool = True
    sink: pictures.Sink = field(default=pictures.inline)
    home: str = ""


def build(workspace: Workspace, runs: Sequence[Run], options: Options | None = None) -> Report:
    """Return the report of one run or more."""
    options = options or Options()
    states = [annotated.state(workspace, run) for run in runs]
    names = _named(workspace, runs, states)
    found = diff.compare(workspace, runs) if len(runs) > 1 else None
    drawn = (
        curves.gather(workspace, runs[:MANY], options.metrics, options.main)
        if options.charts
        else curves.Curves((), ())
    )
    images = _images(workspace, runs, options)
    patch = _patch(workspace, runs) if options.patch and found is not None else ""
    return Report(
        title=options.title or _title(names),
        subtitle=tuple(_subtitle(runs, names)),
        warnings=tuple(_warnings(runs, found)),
        runs=tuple(names),
        table=_table(workspace, found, names, (options.main, *options.metrics)) if found is not None else None,
        charts=drawn.charts,
        charts_left_out=(*drawn.left_out, *_too_many(runs)),
        compared=found is not None,
        sections=_sections(workspace, runs, found, patch),
        pictures=images.shown,
        pictures_left_out=images.left_out,
        notes=tuple(_notes(states)),
        sheets=tuple(
            factsheet.sheet(workspace, run, at, states[at], lists=len(runs) <= MANY) for at, run in enumerate(runs)
        ),
        made=moment(clock.now_ms()),
        home=options.home,
    )


def _images(workspace: Workspace, runs: Sequence[Run], options: Options) -> pictures.Pictures:
    """Return the figures of evaluations, then the images that were logged."""
    if not options.images:
        return pictures.Pictures((), ())
    drawn = drawings.gather(workspace, runs[:MANY], options.sink)
    logged = pictures.gather(workspace, runs, options.sink)
    return pictures.Pictures(drawn.shown + logged.shown, drawn.left_out + logged.left_out)


def _sections(
    workspace: Workspace, runs: Sequence[Run], found: diff.Comparison | None, patch: str
) -> tuple[parts.Section, ...]:
    if found is None:
        return sections.record(workspace, runs[0])
    return sections.of(found, patch) if len(runs) <= MANY else sections.short(found)


def _too_many(runs: Sequence[Run]) -> Iterator[str]:
    if len(runs) > MANY:
        yield f"Curves of the first {MANY} of {len(runs)} runs."


def moment(time_ms: int) -> str:
    """Return a time as pages say it, in UTC: readers are anywhere."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _named(workspace: Workspace, runs: Sequence[Run], states: Sequence[State]) -> list[parts.Run]:
    """Return what a page says wherever it names a run; experiments are called what they are called now."""
    index, found = database.of(workspace), []
    for label, run, state in zip(diff.labels(len(runs)), runs, states, strict=True):
        entry = search.get(index, run.id)
        experiment = run.experiment if entry is None else entry.experiment
        name = state.title or run.name
        found.append(parts.Run(label, run.id, ids.short(run.id), name, experiment, run.status))
    return found


def _warnings(runs: Sequence[Run], found: diff.Comparison | None) -> Iterator[str]:
    """Yield what a reader must know before believing the numbers."""
    lost = [label for label, run in zip(diff.labels(len(runs)), runs, strict=True) if not code.of(run).kept]
    if lost:
        who = "" if len(runs) == 1 else f" of {', '.join(lost)}"
        yield f"Not all of the code{who} is recorded: uncommitted edits were left out."
    edited = [label for label, run in zip(diff.labels(len(runs)), runs, strict=True) if run.record.code.get("edited")]
    if edited:
        who = "" if len(runs) == 1 else f" in {', '.join(edited)}"
        yield f"Files changed while the process ran{who}: what ran may be older than what is recorded."
    yield from found.unread if found is not None else ()


def _title(names: Sequence[parts.Run]) -> str:
    if len(names) == 1:
        return names[0].name
    experiments = {item.experiment for item in names}
    where = experiments.pop() if len(experiments) == 1 else text.plural(len(experiments), "experiment")
    return f"{where}: {names[0].name} and {names[1].name}" if len(names) == 2 else f"{where}: {len(names)} runs"


def _subtitle(runs: Sequence[Run], names: Sequence[parts.Run]) -> Iterator[str]:
    if len(runs) == 1:
        took = "" if runs[0].record.end_ms is None else f" in {factsheet.took(runs[0])}"
        yield f"{names[0].experiment}, run {names[0].short}"
        yield f"{runs[0].status}{took}"
        yield factsheet.when(runs[0])
        yield f"code {code.of(runs[0]).cell}, {factsheet.edits(runs[0])}"
        return
    dirty = sum(code.of(run).dirty for run in runs)
    yield text.plural(len(runs), "run")
    for status in ("running", "failed", "killed"):
        if count := sum(run.status == status for run in runs):
            yield f"{count} {status}"
    yield f"{dirty} with uncommitted edits (+)" if dirty else "none with uncommitted edits"


def _table(workspace: Workspace, found: diff.Comparison, names: Sequence[parts.Run], wanted: Sequence[str]) -> Table:
    """Return a row a run: who, what came out, and what was different."""
    known = {row.name: row for row in found.metrics}
    ordered = [known[name] for name in _first(curves.by_weight(workspace, known), wanted) if not known[name].equal]
    metrics = [row for row in ordered if row.goal.best or _is_wanted(row.name, wanted)][:_METRICS] or ordered[:2]
    params = sorted(diff.differing(found.params), key=lambda row: MISSING in row.values)[:_PARAMS]
    heads = [Column("run"), Column("status")]
    heads += [Column(row.label, True, WAYS[row.goal.best]) for row in metrics]
    heads += [Column(row.name, _all_numbers(row)) for row in params]
    heads += [Column("took", True), Column("started"), Column("code")]
    cells = [list(sections.metric_cells(row)) for row in metrics]
    rows = []
    for at, (run, item) in enumerate(zip(found.runs, names, strict=True)):
        row = [Cell(f"{item.label}  {item.name}", item.name, note=item.short, run=at), status(run)]
        row += [column[at] for column in cells]
        row += [param(value.values[at]) for value in params]
        rows.append((*row, *origin(run)))
    return Table(tuple(heads), tuple(rows))


def _first(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return metrics, the first one wanted before those wanted, before the others."""
    return sorted(names, key=lambda name: (name != wanted[0], not _is_wanted(name, wanted)))


def _is_wanted(name: str, wanted: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in wanted)


def status(run: Run) -> Cell:
    """Return the status of a run in a cell."""
    nan = run.status == "failed" and any(is_nan(item.last) for item in run.summary.values() if item.count)
    return Cell(f"{run.status} nan" if nan else run.status, run.status, marks=run.status)


def param(value: object) -> Cell:
    """Return a param in a cell, sorted as a number where it is one."""
    if value is MISSING:
        return Cell("–", marks="faint")
    shown = sections.value(value)
    return Cell(shown, float_of(value) if is_number(value) and not is_nan(value) else shown)


def _all_numbers(row: difference.Row) -> bool:
    return all(value is MISSING or is_number(value) for value in row.values)


def origin(run: Run) -> tuple[Cell, Cell, Cell]:
    """Return how long a run took, when it began, and its code."""
    seconds, shown = run.record.duration_seconds, code.of(run).cell
    return (
        Cell(factsheet.took(run), seconds),
        Cell(moment(run.record.start_ms).removesuffix(" UTC"), float(run.record.start_ms)),
        Cell(shown, shown, marks="code"),
    )


def _notes(states: Sequence[State]) -> Iterator[parts.Note]:
    for at, state in enumerate(states):
        for note in state.notes:
            yield parts.Note(at, note.author.name or note.author.email, moment(note.time_ms), note.text)


def _patch(workspace: Workspace, runs: Sequence[Run]) -> str:
    data = diff.show_code(workspace, runs, ["--no-color", "--no-ext-diff"], terminal=False)
    shown = data[:_PATCH_BYTES].decode("utf-8", "replace").rstrip("\n")
    left = len(data) - _PATCH_BYTES
    return shown + (f"\n… {text.size(left)} more: git exp diff --code" if left > 0 else "")


def pick(workspace: Workspace, names: Sequence[str]) -> list[Run]:
    """Return the runs of a report: those named, else the newest recorded here."""
    return find.many(workspace, names or ("@",))
