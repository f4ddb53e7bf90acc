"""The page that lists all runs of a site: its columns, its rows, and what is best of each metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gitexp import ids, text
from gitexp.index.entry import Entry
from gitexp.ops.comparing import difference
from gitexp.ops.finding import columns, goals
from gitexp.ops.pages import report, sections
from gitexp.pages.parts import Cell, Column, Index, Table
from gitexp.record.numbers import float_of, is_nan, is_number
from gitexp.store.workspace import Workspace

_SAID = 20  # of the runs that cannot be read
Link = Callable[[Entry], str]  # where the page of a run is, "" where it has none


@dataclass(slots=True)
class Overview:
    """What the index shows: its columns, with the best of each metric, and how new the newest run is."""

    chosen: list[columns.Chosen]
    sample: list[Entry]
    ways: dict[columns.Chosen, str]
    best: dict[columns.Chosen, float] = field(default_factory=dict)
    newest_ms: int = 0
    dirty: int = 0
    total: int = 0

    def see(self, entry: Entry) -> None:
        """Take one more run in."""
        self.total += 1
        self.dirty += entry.dirty
        self.newest_ms = max(self.newest_ms, entry.end_ms or entry.start_ms)
        for item, way in self.ways.items():
            value = columns.value(entry, item)
            if way and value is not None and not is_nan(value):
                pick = max if way == "max" else min
                self.best[item] = pick(self.best.get(item, value), value)


def choose(workspace: Workspace, sample: list[Entry]) -> Overview:
    """Choose the columns of the index by its newest runs: the metrics and params that differ and matter."""
    chosen = list(columns.choose(workspace, sample).columns) if sample else []
    ways = {item: str(goals.of(workspace, item.name).best) for item in chosen if item.aggregate}
    return Overview(chosen, sample, ways)


def page(path: str, overview: Overview, entries: Iterable[Entry], link: Link, damaged: Sequence[str]) -> Index:
    """Return the page of all runs; its rows come one by one."""
    sample = overview.sample
    heads = [Column("run"), Column("status")]
    for item in overview.chosen:
        numeric = _is_numeric(sample, item)
        heads.append(Column(item.title, numeric, report.WAYS[overview.ways.get(item, "")]))
    heads += [Column("took", True), Column("started"), Column("code"), Column("by")]
    names = {entry.experiment for entry in sample if entry.path == path}
    return Index(
        title=names.pop() if len(names) == 1 else path or "all experiments",
        subtitle=tuple(_subtitle(overview)),
        warnings=tuple(f"Not readable: {line}" for line in damaged[:_SAID]),
        table=Table(tuple(heads), (_row(entry, overview, link(entry)) for entry in entries)),
        made=f"newest run {report.moment(overview.newest_ms)}" if overview.newest_ms else "",
    )


def _subtitle(overview: Overview) -> Iterator[str]:
    yield text.plural(overview.total, "run")
    if any(overview.ways.values()):
        yield "best in bold"
    if overview.dirty:
        yield f"+ uncommitted edits ({overview.dirty})"


def _is_numeric(sample: list[Entry], item: columns.Chosen) -> bool:
    known = [value for entry in sample if (value := columns.value(entry, item)) is not None]
    return all(is_number(value) for value in known)


def _row(entry: Entry, overview: Overview, link: str) -> tuple[Cell, ...]:
    said, status = entry.title or entry.name, text.shorten(text.safe(entry.standing), 32)
    cells = [Cell(said, said, link=link, note=ids.short(entry.id))]
    cells.append(Cell(status, entry.status, marks=entry.status))
    cells += [_value(entry, item, overview) for item in overview.chosen]
    seconds = None if entry.end_ms is None else max(entry.end_ms - entry.start_ms, 0) / 1000
    started = report.moment(entry.start_ms).removesuffix(" UTC")
    code = (entry.code_commit or "")[:7] + "+" * entry.dirty
    cells += [Cell(text.duration(seconds), seconds), Cell(started, float(entry.start_ms))]
    return (*cells, Cell(code, code, marks="code"), Cell(entry.author or "", entry.author or ""))


def _value(entry: Entry, item: columns.Chosen, overview: Overview) -> Cell:
    value = columns.value(entry, item)
    if not item.aggregate:
        return report.param(difference.MISSING if value is None else value)
    sort = None if value is None or is_nan(value) else float_of(value)
    best = value is not None and overview.best.get(item) == value
    return Cell(sections.number(value), sort, marks="best" if best else "")
