"""The table of `gitexp diff` for more than two runs: a column a run, in blocks where they do not fit side by side."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import click

from gitexp import text
from gitexp.cli import diff_parts, tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops.comparing import diff
from gitexp.ops.comparing.diff import Comparison
from gitexp.ops.comparing.difference import MISSING, MetricRow, Row

_FOLDED = 100  # columns of a line below the table, in a pipe
_LONGEST = 24  # columns of a value on a terminal; a pipe gets it whole
Cells = tuple[str | Cell, ...]


def echo(found: Comparison, every: bool, width: int | None) -> None:
    """Print what differs between several runs, and below it what the marks mean."""
    rows = list(_rows(found, every))
    if not rows:
        click.echo("nothing differs.")
        return
    whole = Table(
        (Column("", keep=10), *(Column(label, right=True) for label in diff.labels(len(found.runs)))), (*rows,)
    )
    shown, cut = _cut(whole) if width is not None else (whole, 0)
    for number, block in enumerate(_blocks(shown, width)):
        if number:
            click.echo()
        tables.echo(block, width)
    click.echo()
    for line in _below(found, cut):
        for folded in textwrap.wrap(line, width or _FOLDED, break_long_words=False, break_on_hyphens=False):
            click.echo(folded)


def table(found: Comparison, every: bool) -> Table:
    """Return all of it as one table; of two runs with how the metrics changed."""
    heads = [Column(""), *(Column(label, right=True) for label in diff.labels(len(found.runs)))]
    rows = list(_rows(found, every))
    if len(found.runs) == 2:
        changes = {text.safe(row.label): _change(row) for row in found.metrics}
        heads.append(Column("change"))
        rows = [(*row, changes.get(tables.cell_text(row[0]).strip(), "")) for row in rows]
    return Table(tuple(heads), tuple(rows))


def _change(row: MetricRow) -> str:
    said = (diff_parts.signed(row), text.percent(row.percent), diff_parts.comment(row))
    return " ".join(" ".join(said).split())


def _rows(found: Comparison, every: bool) -> Iterator[Cells]:
    """Yield the rows of all sections; a section of several rows has a title of its own."""
    count = len(found.runs)
    shown, more = diff_parts.metrics(found, every)
    metrics = [*(_metric(row) for row in shown), *([(more, *[""] * count)] if more else [])]
    yield from _section("metrics", metrics, sum(row.equal for row in found.metrics), count)
    params = [row for row in found.params if every or row.alias or not row.equal]
    yield from _section("params", _cells(params), sum(row.equal for row in found.params), count)
    if every or diff.command_differs(found):
        yield ("command", *_commands(found))
    if every or not found.code.equal:
        yield ("code", *(side.cell for side in found.code.sides))
    data = [row for row in found.data if every or not row.equal]
    yield from _section("data", [cells for row in data for cells in _dataset(row)], len(found.data) - len(data), count)
    seeds = [row for row in found.seeds if every or not row.equal]
    yield from _section("seed", _cells(seeds), sum(row.equal for row in found.seeds), count)
    around = (*found.packages, *found.surroundings)
    listed = [row for row in around if every or not row.equal]
    yield from _section("environment", _cells(listed), sum(row.equal for row in around), count)
    files = [row for row in found.artifacts if every or row.name not in found.same_artifacts]
    sizes = [cells for row in files for cells in _artifact(row)]
    yield from _section("artifacts", sizes, len(found.same_artifacts), count)


def _commands(found: Comparison) -> Iterator[str]:
    """Yield what each command has that not all have, "…" standing for the rest."""
    common = set.intersection(*(set(words) for words in found.command.values))
    for words in found.command.values:
        own = [word for word in words if word not in common]
        yield text.safe(" ".join(["…"] * (len(own) < len(words)) + [shlex.join(own)] * bool(own))) or "-"


def _dataset(row: Row) -> Iterator[Cells]:
    """Yield a dataset's hash, and on a row of its own how many rows it has where that differs."""
    name = f"  {text.safe(row.name)}"
    counts = ["-" if item is MISSING or item.rows is None else f"{item.rows:,}" for item in row.values]
    yield (name, *("-" if item is MISSING else diff_parts.dataset_key(item) for item in row.values))
    if len(set(counts)) > 1:
        yield (f"{name}, rows", *counts)


def _artifact(row: Row) -> Iterator[Cells]:
    """Yield an artifact's size, and on a row of its own its hash where equal sizes hide that the bytes differ."""
    name, there = f"  {text.safe(row.name)}", [item for item in row.values if item is not MISSING]
    hashes = [diff_parts.artifact_hash(item) for item in row.values]
    yield (name, *("-" if item is MISSING else text.size(item.size_bytes) for item in row.values))
    if len({text.size(item.size_bytes) for item in there}) < len(set(hashes) - {"-"}):
        yield (f"{name}, hash", *hashes)


def _section(title: str, rows: Sequence[Cells], equal: int, runs: int) -> Iterator[Cells]:
    if rows:
        yield (Cell(f"{title}, {equal} equal" if equal else title, "title"), *[""] * runs)
        yield from rows


def _metric(row: MetricRow) -> Cells:
    numbers = diff_parts.numbers(row)
    cells = [Cell(f"*{number}", "best") if at == row.best else number for at, number in enumerate(numbers)]
    return (f"  {text.safe(row.label)}", *cells)


def _cells(rows: Iterable[Row]) -> list[Cells]:
    return [(f"  {text.safe(row.name)}", *map(diff_parts.value, row.values)) for row in rows]


def _cut(whole: Table) -> tuple[Table, int]:
    """Return the table with long values shortened, and how many are."""
    cut, rows = 0, []
    for name, *cells in whole.rows:
        short = [text.shorten(cell, _LONGEST) if isinstance(cell, str) else cell for cell in cells]
        cut += sum(one != other for one, other in zip(short, cells, strict=True))
        rows.append((name, *short))
    return Table(whole.columns, tuple(rows)), cut


def _blocks(whole: Table, width: int | None) -> Iterator[Table]:
    """Yield the table in parts of as many runs as fit, each with the names; in a pipe it is one."""
    widths = tables.widths(whole)
    at, count = 1, len(whole.columns)
    while at < count:
        end, used = at, widths[0]
        while end < count and (end == at or width is None or used + len(tables.GAP) + widths[end] <= width):
            used, end = used + len(tables.GAP) + widths[end], end + 1
        yield Table(
            (whole.columns[0], *whole.columns[at:end]), tuple((row[0], *row[at:end]) for row in whole.rows)
        )  # fmt: skip
        at = end


def _below(found: Comparison, cut: int) -> Iterator[str]:
    """Yield what is better and why that is known, other names of params, what was shortened, and the causes."""
    if known := list(goals(found.metrics)):
        yield f"* best: {'; '.join(known)}."
    for row in found.params:
        if row.alias:
            yield f"{text.safe(row.name)}: {diff_parts.other_names(row)}"
    if cut:
        yield f"{text.plural(cut, 'value')} shortened; whole in a pipe, and with --json"
    yield diff_parts.verdict(found)


def goals(rows: Iterable[MetricRow]) -> Iterator[str]:
    """Yield what differs by which way is better, and where that is known from: higher auc (guessed from the name)."""
    named: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.equal or not row.goal.best:
            continue
        way = "higher" if row.goal.best == "max" else "lower"
        named.setdefault((way, row.goal.why), []).append(text.safe(row.name))
    for (way, why), names in named.items():
        yield f"{way} {', '.join(names)} ({why})"
