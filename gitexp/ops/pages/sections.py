"""A comparison, and the record of one run, as the sections of a page."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import text
from gitexp.git.compare import FileChange
from gitexp.ops.comparing import diff
from gitexp.ops.comparing.diff import Comparison
from gitexp.ops.comparing.difference import MISSING, Dataset, MetricRow, Row
from gitexp.ops.finding import goals
from gitexp.ops.finding.code import Code, CodeDifference
from gitexp.pages.parts import Cell, Column, Section, Table
from gitexp.record.numbers import float_of, is_nan
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

_FILES = 60  # of the code, by name
_ROWS = 400  # of one table of what differs
_VALUE = 200  # characters of a value


def of(found: Comparison, patch: str = "") -> tuple[Section, ...]:
    """Return what differs between runs, part by part; `patch` is the diff of their code, where it is wanted."""
    labels = diff.labels(len(found.runs))
    sides = _Sides(tuple(_side(label, run) for label, run in zip(labels, found.runs, strict=True)))
    listed = [
        Section("in short", tuple(_short(found))),
        _metrics(found, sides),
        sides.section("params", "param", found.params),
        *_command(found, sides),
        _code(found, labels, patch),
        sides.section("data", "dataset", found.data, _dataset, empty="No dataset was recorded."),
        sides.section("seeds", "seed", found.seeds, empty="No seed was recorded."),
        _packages(found, sides),
        sides.section("machine", "part", found.surroundings),
        sides.section("artifacts", "artifact", found.artifacts, _artifact, equal=found.same_artifacts),
    ]
    return tuple(part for part in listed if part.lines or part.table or part.rest)


def short(found: Comparison) -> tuple[Section, ...]:
    """Return what differs in a few lines, of more runs than tables have room for."""
    where = "What differs run by run is shown of fewer runs; the table has what matters most."
    return (Section("in short", (*_short(found), where)),)


def _side(label: str, run: Run) -> Column:
    return Column(label, note=text.shorten(run.name, 22))


def record(workspace: Workspace, run: Run) -> tuple[Section, ...]:
    """Return params, metrics and artifacts of one run."""
    flat, summary, artifacts = run.flat_params, run.summary, run.artifacts
    params = tuple((Cell(name), Cell(value(item), marks="code whole")) for name, item in list(flat.items())[:_ROWS])
    metrics = tuple(_metric(workspace, name, summary[name]) for name in sorted(summary)[:_ROWS])
    files = tuple((Cell(item.name), Cell(text.size(item.size_bytes), float(item.size_bytes))) for item in artifacts)
    total = text.size(sum(item.size_bytes for item in artifacts))
    heads = (Column("metric"), *(Column(title, number=True) for title in ("last", "best", "at step", "first")))
    listed = [
        Section(f"metrics ({len(summary)})", (), Table(heads, metrics)) if summary else None,
        Section(f"params ({len(flat)})", (), Table((Column("param"), Column("value")), params)) if flat else None,
        Section(
            f"artifacts ({len(artifacts)}, {total})", (), Table((Column("name"), Column("size", True)), files[:_ROWS])
        )
        if artifacts
        else None,
    ]
    return tuple(part for part in listed if part is not None)


def _metric(workspace: Workspace, name: str, aggregate: Any) -> tuple[Cell, ...]:
    goal = goals.of(workspace, name)
    best, step = "–", "–"
    if goal.best and aggregate.count:
        best = text.number(aggregate.max if goal.best == "max" else aggregate.min)
        step = str(aggregate.max_step if goal.best == "max" else aggregate.min_step)
    first = text.number(aggregate.first) if aggregate.count else "–"
    note = goal.words
    return (Cell(name, note=note), Cell(text.number(aggregate.value)), Cell(best), Cell(step), Cell(first))


def value(item: Any) -> str:
    """Return a param in a cell, cut where it is very long."""
    return "–" if item is MISSING else text.shorten(text.value(item), _VALUE)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The headings of the runs, and the tables that have a column for each."""

    columns: tuple[Column, ...]

    def section(
        self,
        title: str,
        noun: str,
        rows: Sequence[Row],
        show: Callable[[Any], str] = value,
        *,
        empty: str = "",
        equal: Iterable[str] | None = None,
    ) -> Section:
        """Return what differs as a table, what is equal (all that `equal` names, else what has one value) folded."""
        same = {row.name for row in rows if row.equal and not row.alias} if equal is None else set(equal)
        apart = [row for row in rows if row.name not in same]
        alike = [row for row in rows if row.name in same]
        return Section(
            title,
            () if rows or not empty else (empty,),
            self.table(noun, apart, show) if apart else None,
            _equal(len(alike), len(rows)),
            _values(noun, alike, show) if alike else None,
        )

    def table(self, noun: str, rows: Sequence[Row], show: Callable[[Any], str] = value) -> Table:
        """Return a row for each name, a column for each run."""
        found = tuple(
            (Cell(row.name, note=self._other_names(row)), *(_cell(item, show) for item in row.values))
            for row in rows[:_ROWS]
        )
        return Table((Column(noun), *self.columns), found)

    def _other_names(self, row: Row) -> str:
        """Say under which other names runs have a param, and how that is known."""
        listed = zip(self.columns, row.names, strict=False)
        named = [f"{name} in {column.title}" for column, name in listed if name and name != row.name]
        return f"{', '.join(named)} ({row.alias})" if named else ""


def _equal(equal: int, total: int) -> str:
    """Say how much is equal."""
    if equal < total or not equal:
        return f"{equal} equal" if equal else ""
    return "the same" if total == 1 else f"all {total} equal"


def _cell(item: Any, show: Callable[[Any], str]) -> Cell:
    return Cell("–", marks="faint") if item is MISSING else Cell(show(item), marks="code")


def _values(noun: str, rows: Sequence[Row], show: Callable[[Any], str]) -> Table:
    found = tuple((Cell(row.name), Cell(show(row.values[0]), marks="code whole")) for row in rows[:_ROWS])
    return Table((Column(noun), Column("value")), found)


def _short(found: Comparison) -> Iterator[str]:
    """Yield who is best by the metrics whose direction is known, and what may be the cause."""
    for row in [row for row in found.metrics if row.goal.best and not row.equal][:3]:
        if len(found.runs) == 2 and row.verdict in ("better", "worse"):
            change = ", ".join(part for part in (signed(row), text.percent(row.percent)) if part)
            yield f"{row.label}: B is {row.verdict} than A, {change} ({row.goal.words})"
        elif row.best is not None:
            label = diff.labels(len(found.runs))[row.best]
            yield f"{row.label}: {label} is best, {number(row.values[row.best])} ({row.goal.words})"
    yield causes(found)


def causes(found: Comparison) -> str:
    """Say how many things differ that may be why the metrics do."""
    listed = diff.causes(found)
    if not listed:
        return (
            "No cause is recorded: chance, or something that is not recorded."
            if diff.names(found)
            else "Nothing differs."
        )
    counts: dict[str, int] = {}
    for cause in listed:
        counts[cause.kind] = counts.get(cause.kind, 0) + 1
    named = ", ".join(
        kind if kind in ("command", "code", "seed") else text.plural(n, kind) for kind, n in counts.items()
    )
    if len(listed) == 1:
        return f"1 cause possible: {listed[0].kind}{'' if listed[0].kind == listed[0].name else ' ' + listed[0].name}."
    return f"{len(listed)} causes possible ({named}): rerun with one changed to know which."


def number(item: int | float | None) -> str:
    """Return a metric's value in a cell."""
    return "–" if item is None else text.number(item)


def signed(row: MetricRow) -> str:
    """Return the change of a metric with its sign."""
    if not row.change:
        return "–" if row.change is None else "0"
    return ("+" if row.change > 0 else "") + text.number(row.change)


def metric_cells(row: MetricRow) -> Iterator[Cell]:
    """Yield a metric's value in each run, the best one marked."""
    for place, item in enumerate(row.values):
        sort = None if item is None or is_nan(item) else float_of(item)
        yield Cell(number(item), sort, marks="best" if place == row.best else "")


def _metrics(found: Comparison, sides: _Sides) -> Section:
    apart = [row for row in found.metrics if not row.equal]
    alike = [row for row in found.metrics if row.equal]
    two = len(found.runs) == 2
    heads = tuple(Column(column.title, True, column.note) for column in sides.columns)
    more = (Column("change", True), Column("", True)) if two else ()
    rows = []
    for row in apart[:_ROWS]:
        said = (signed(row), text.percent(row.percent)) if two else ()
        change = tuple(Cell(words, marks=row.verdict) for words in said)
        rows.append((Cell(row.label, note=row.goal.words), *metric_cells(row), *change))
    lines = () if found.metrics else ("No metric was logged.",)
    rest = tuple((Cell(row.label), Cell(number(row.values[0]))) for row in alike[:_ROWS])
    return Section(
        "metrics",
        lines,
        Table((Column("metric"), *heads, *more), tuple(rows)) if rows else None,
        _equal(len(alike), len(found.metrics)),
        Table((Column("metric"), Column("value", True)), rest) if rest else None,
    )


def _command(found: Comparison, sides: _Sides) -> Iterator[Section]:
    if not diff.command_differs(found):
        return
    rows = [
        (Cell(column.title), Cell(text.shorten(shlex.join(words), 2000), marks="code whole"))
        for column, words in zip(sides.columns, found.command.values, strict=True)
    ]
    yield Section("command", (), Table((Column("run"), Column("command")), tuple(rows)))


def _code(found: Comparison, labels: Sequence[str], patch: str) -> Section:
    files = found.code.files
    lines = [_relation(found.code)]
    lines += _edits(labels, found.code.sides)
    if files is None:
        lines.append(f"The files cannot be compared: {found.code.why}")
        return Section("code", tuple(lines))
    table = None
    if files:
        heads = (Column("file"), Column("added", True), Column("deleted", True))
        table = Table(heads, tuple(_file(item) for item in files[:_FILES]))
        if len(found.runs) > 2:
            lines.append(f"Files from {labels[0]} to {labels[-1]}:")
    if len(files) > _FILES:
        lines.append(f"{len(files)} files differ, {_FILES} are listed.")
    return Section("code", tuple(lines), table, patch=patch)


def _relation(found: CodeDifference) -> str:
    if found.equal:
        return "The same code." if found.same_commit else "The same files, in other commits."
    if found.same_commit:
        return "The same commit, with other edits."
    if len({side.commit for side in found.sides}) > 2 or found.apart is None:
        return f"{len({side.commit for side in found.sides})} commits."
    back, forth = found.apart
    if back and forth:
        return f"{text.plural(back, 'commit')} only in the first, {forth} only in the last."
    return f"{text.plural(back + forth, 'commit')} between."


def _edits(labels: Sequence[str], sides: Sequence[Code]) -> Iterator[str]:
    """Yield who ran with uncommitted edits, and whether they are recorded."""
    said: dict[str, list[str]] = {}
    for label, side in zip(labels, sides, strict=True):
        if side.dirty:
            lost = "which are not recorded" if side.revision == side.commit else "not all of which are recorded"
            words = f"{side.commit[:7] if side.commit else 'no commit'} with uncommitted edits"
            said.setdefault(words if side.kept else f"{words}, {lost}", []).append(label)
    for words, who in said.items():
        yield f"{', '.join(who)}: {words}"


def _file(item: FileChange) -> tuple[Cell, ...]:
    name = f"{item.old_path} → {item.path}" if item.old_path else item.path
    if item.added is None:
        return (Cell(name, marks="code"), Cell("binary", marks="faint"), Cell(""))
    return (Cell(name, marks="code"), Cell(f"+{item.added}"), Cell(f"−{item.deleted}"))


def _dataset(item: Dataset) -> str:
    """Return a dataset in a cell: the beginning of its hash or else its URI, and its rows."""
    key = item.sha256[:12] if item.sha256 else item.key
    return f"{text.shorten(key, _VALUE)}, {text.plural(item.rows, 'row')}" if item.rows is not None else key


def _packages(found: Comparison, sides: _Sides) -> Section:
    lacking = [
        f"{column.title} has no record of its packages."
        for column, has in zip(sides.columns, found.has_environment, strict=True)
        if not has
    ]
    if lacking:
        return Section("packages", tuple(lacking))
    return sides.section("packages", "package", found.packages)


def _artifact(item: Artifact) -> str:
    return f"{text.size(item.size_bytes)} {(item.sha256 or item.oid)[:8]}".rstrip()
