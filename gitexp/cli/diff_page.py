"""The page of `gitexp diff`: two runs in sections, more of them as a table of what differs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

import click

from gitexp import clock, ids, text
from gitexp.cli import diff_parts, diff_table, tables
from gitexp.cli.tables import Column, Table
from gitexp.ops.comparing import diff
from gitexp.ops.comparing.diff import Comparison
from gitexp.ops.comparing.difference import MISSING, MetricRow, Row
from gitexp.ops.finding import code

PIPE_WIDTH = 100  # what lines are folded at in a pipe
_LABEL, _VALUE = 21, 9  # columns of a section's name and, at least, of a value
_CHANGE = 23  # columns of how a metric changed, with the gaps around
_WIDE = 26  # a longer value gets a line of its own
_LONGEST, _AROUND = 500, 60  # characters of a value, and of it before the first difference


def echo(found: Comparison, *, every: bool, width: int | None) -> None:
    """Print a comparison; `every` shows what is equal too."""
    for line in heads(found):
        click.echo(line)
    click.echo()
    if len(found.runs) == 2:
        _echo_two(found, every, width)
    else:
        diff_table.echo(found, every, width)
    for line in found.unread:
        click.echo(text.safe(line))


def heads(found: Comparison) -> Iterator[str]:
    """Yield a line a run: its label, id, name, age and code."""
    now, rows = clock.now_ms(), []
    for label, run in zip(diff.labels(len(found.runs)), found.runs, strict=True):
        status = "" if run.status == "completed" else run.status
        began = f"{text.age(run.record.start_ms, now)} ago"
        name = f"{text.safe(run.experiment)}/{text.safe(run.name)}"
        rows.append((f"{label} {ids.short(run.id)}", name, began, code_of(code.of(run)), status))
    yield from tables.plain(Table(tuple(Column("") for _ in range(5)), tuple(rows)))


def code_of(side: code.Code) -> str:
    """Return a run's code in words: its commit, and whether there were edits."""
    commit = side.commit[:7] if side.commit else "no commit yet"
    return f"{commit} + uncommitted edits" if side.dirty else commit


def _echo_two(found: Comparison, every: bool, width: int | None) -> None:
    for line in _table(found, every, width):
        click.echo(line)
    for title, items in diff_parts.sections(found, every):
        for line in section(title, items, width or PIPE_WIDTH):
            click.echo(line)
    click.echo(diff_parts.verdict(found))


def _table(found: Comparison, every: bool, width: int | None) -> Iterator[str]:
    """Yield metrics and params: both have a value on each side, so they share their columns."""
    metrics, more = diff_parts.metrics(found, every)
    params = [row for row in found.params if every or row.alias or not row.equal]
    shown = [(f"  {text.safe(row.label)}", diff_parts.numbers(row)) for row in metrics]
    values = {row.name: tuple(diff_parts.value(value) for value in row.values) for row in params}
    short = {name: pair for name, pair in values.items() if max(map(tables.cell_width, pair)) <= _WIDE}
    named = [(f"  {text.safe(name)}", pair) for name, pair in short.items()]
    left = max([_LABEL, *(tables.cell_width(name) + 1 for name, _ in shown + named)])
    wide = max([_VALUE, *(tables.cell_width(cell) for _, pair in shown + named for cell in pair)])
    narrow = width is not None and width < left + 2 * wide + _CHANGE + max(map(_comment_width, metrics), default=0)
    yield from _metric_lines(found, metrics, left, wide, narrow=narrow)
    yield from _goals(metrics, width) if width is not None and narrow else ()
    yield from [more] if more else []
    equal = _equal(len(found.params) - len([row for row in found.params if not row.equal]), len(found.params), "param")
    yield _pad("params", left) + equal
    for row in params:
        if row.name in short:
            yield _pad(f"  {text.safe(row.name)}", left) + _pair(short[row.name], wide) + _remark(row)
        else:
            yield from _long(row, values[row.name], left)


def _metric_lines(
    found: Comparison, metrics: Sequence[MetricRow], left: int, wide: int, *, narrow: bool
) -> Iterator[str]:
    """Yield the metrics; on a narrow terminal without why a change is better."""
    total, equal = len(found.metrics), sum(row.equal for row in found.metrics)
    if not metrics:
        yield _pad("metrics", left) + _equal(equal, total, "metric")
        return
    yield _pad("metrics", left) + _pair(("A", "B"), wide) + f"  {'change':>9}"
    for row in metrics:
        style = tables.STYLES.get(row.verdict)
        comment = diff_parts.comment(row, whole=not narrow)
        tail = f"  {diff_parts.signed(row):>9}  {text.percent(row.percent):>7}  {click.style(comment, fg=style)}"
        yield (_pad(f"  {text.safe(row.label)}", left) + _pair(diff_parts.numbers(row), wide) + tail).rstrip()
    if equal and len(metrics) < total:
        yield f"  {text.plural(equal, 'metric')} more {'is' if equal == 1 else 'are'} equal"


def _comment_width(row: MetricRow) -> int:
    return tables.cell_width(diff_parts.comment(row))


def _goals(rows: Sequence[MetricRow], width: int) -> list[str]:
    """Return, once for all metrics, which way is better and how that is known."""
    known = "; ".join(diff_table.goals(rows))
    return textwrap.wrap(f"better: {known}", width, initial_indent="  ", subsequent_indent="  ") if known else []


def _equal(equal: int, total: int, noun: str) -> str:
    return f"{equal} equal" if total else f"no {noun}s recorded"


def _pair(pair: Sequence[str], wide: int) -> str:
    return " ".join(" " * (wide - tables.cell_width(cell)) + cell for cell in pair)


def _pad(label: str, left: int) -> str:
    return label + " " * max(left - tables.cell_width(label), 1)


def _remark(row: Row) -> str:
    """Return what is said beside a param: only in B; learning_rate in B (gitexp.aliases)."""
    if row.alias:
        return f"   {diff_parts.other_names(row)}"
    if MISSING not in row.values:
        return ""
    return "   only in B" if row.values[0] is MISSING else "   only in A"


def _long(row: Row, pair: Sequence[str], left: int) -> Iterator[str]:
    """Yield a long value's sides on lines of their own; of very long ones what lies around the first difference."""
    yield f"  {text.safe(row.name)}"
    apart = next((i for i, (a, b) in enumerate(zip(*pair, strict=False)) if a != b), min(map(len, pair)))
    start = max(apart - _AROUND, 0) if max(map(len, pair)) > _LONGEST else 0
    for label, value in zip(diff.labels(2), pair, strict=True):
        part = value[start : start + _LONGEST]
        more = f"…   ({len(value):,} characters: --json)" if start + _LONGEST < len(value) else ""
        yield " " * (left - 2) + f"{label} {'…' if start else ''}{part}{more}"


def section(title: str, items: Iterable[str], width: int) -> Iterator[str]:
    """Yield a section's lines: items are joined by "; " and folded between them, never cut; one that ends with a new
    line ends the line."""
    line = ""
    for item in items:
        whole, ends = item.rstrip("\n"), item.endswith("\n")
        if line and _LABEL + tables.cell_width(line) + 2 + tables.cell_width(whole) > width:
            yield _pad(title, _LABEL) + line + ";"
            title, line = "", ""
        line = f"{line}; {whole}" if line else whole
        if ends:
            yield _pad(title, _LABEL) + line
            title, line = "", ""
    if line:
        yield _pad(title, _LABEL) + line
