"""The pages of `gitexp data`: lists, differences, verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from gitexp import clock, ids, text
from gitexp.cli import tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops.showing import datasets
from gitexp.ops.showing.datasets import Difference, Group, Verdict
from gitexp.record.dataset import Dataset
from gitexp.store.runs import Run

_COLUMNS = 20  # of a schema that are shown
_STYLES = {datasets.SAME: "completed", datasets.DIFFERS: "failed", datasets.MISSING: "failed"}


def echo_groups(groups: Sequence[Group], width: int | None) -> None:
    """Print which data stands under which name, and which runs saw it."""
    heads = (
        Column("NAME", keep=10), Column("ROLE", keep=3), Column("SHA256", keep=9), Column("ROWS", right=True, keep=7),
        Column("SIZE", right=True, keep=6), Column("RUNS", right=True, keep=8), Column("NEWEST", keep=8, style="id"),
        Column("AGE", right=True, keep=5), Column("WHERE", keep=4),
    )  # fmt: skip
    now = clock.now_ms()
    rows = [
        (
            text.safe(group.name), text.safe(group.role), text.safe((group.sha256 or "")[:8]) or "-",
            _count(group.rows), _size(group.size_bytes), f"{len(group.runs):,}", ids.short(group.runs[0]),
            text.age(group.newest_ms, now), text.safe(group.uri),
        )
        for group in groups
    ]  # fmt: skip
    dropped = tables.echo(Table(heads, tuple(rows)), width)
    names = [group.name for group in groups]
    several = sorted({name for name in names if names.count(name) > 1})
    if several:
        listed = ", ".join(text.safe(name) for name in several[:5])
        click.echo(f"runs saw different data as: {listed}. Compare: gitexp data diff A B", err=True)
    if dropped:
        click.echo(f"not shown: {', '.join(dropped)} (widen the terminal, or: gitexp data ls --json)", err=True)


def echo_run(run: Run, items: Sequence[Dataset], width: int | None, *, titled: bool) -> None:
    """Print what one run read, with the columns of each table."""
    if titled:
        click.echo(f"{ids.short(run.id)}  {text.safe(run.experiment)}/{text.safe(run.name)}")
    if not items:
        click.echo("no data was recorded", err=True)
    for item in items:
        for line in _item(item):
            click.echo(line)
        if item.schema:
            tables.echo(_schema(item), width)
            if (more := (item.columns or len(item.schema)) - _COLUMNS) > 0:
                click.echo(f"    and {text.plural(more, 'column')} more (--json)")


def _item(item: Dataset) -> Iterator[str]:
    parts = [item.role, f"sha256 {item.sha256[:8]}" if item.sha256 else "", _source(item)]
    parts += [text.plural(item.rows, "row") if item.rows is not None else ""]
    parts += [text.plural(item.files, "file") if item.files not in (None, 1) else "", _size(item.size_bytes, "")]
    said = "  ".join(text.safe(part) for part in (item.uri, *parts) if part)
    yield f"{text.safe(item.name)}  {said}"
    if item.stored:
        yield f"    kept: {text.safe(item.artifact)}"
    if item.unread:
        yield f"    {text.safe(item.unread)}"
    for path in item.changed[:3]:
        yield f"    changed while it was read: {text.safe(path)}"
    for part in item.left_out[:3]:
        yield f"    left out: {text.safe(str(part.get('path')))}, {text.safe(str(part.get('reason')))}"


def _source(item: Dataset) -> str:
    kind = str(item.source.get("kind", ""))
    said = next((f"{key} {item.source[key]}" for key in ("version", "md5", "etag") if item.source.get(key)), "")
    store = str(item.source.get("store", ""))
    return " ".join(part for part in (store or kind, said) if part)


def _schema(item: Dataset) -> Table:
    columns = item.profile.get("columns")
    listed = [part for part in columns if isinstance(part, dict)] if isinstance(columns, list) else []
    profiles = {str(part.get("name")): part for part in listed}
    sampled = "" if "sampled" not in item.profile else f" (of {_count(item.profile.get('rows'))} rows)"
    heads = (
        Column("    COLUMN", keep=10), Column("TYPE"), Column("MISSING", right=True),
        Column(f"DISTINCT{sampled}", right=True), Column("MIN", right=True, keep=6), Column("MEAN", right=True, keep=5),
        Column("MAX", right=True, keep=6), Column("MOST FREQUENT", keep=3),
    )  # fmt: skip
    rows = []
    for column in item.schema[:_COLUMNS]:
        found = profiles.get(column.name, {})
        missing = column.missing if column.missing is not None else found.get("missing")
        more = "+" if found.get("more") else ""
        rows.append(
            (
                f"    {text.safe(column.name)}", text.safe(column.dtype), _count(missing),
                _count(found.get("distinct")) + more, _number(found.get("min")), _number(found.get("mean")),
                _number(found.get("max")), _top(found.get("top")),
            )
        )  # fmt: skip
    return Table(heads, tuple(rows))


def _top(found: Any) -> str:
    pairs = [part for part in found if isinstance(part, list) and len(part) == 2] if isinstance(found, list) else []
    return ", ".join(f"{text.value(value)} ({_count(count)})" for value, count in pairs[:2])


def echo_differences(found: Sequence[Difference], width: int | None) -> None:
    """Print what differs, name by name."""
    for item in found:
        click.echo(f"{text.safe(item.name)}  {_headline(item)}")
        rows = list(_rows(item))
        if rows:
            tables.echo(Table((Column(""), Column(""), Column("A"), Column("B")), tuple(rows)), width)


def _headline(item: Difference) -> str:
    one, other = item.one, item.other
    if one is None or other is None:
        return "only in A" if other is None else "only in B"
    if item.same:
        return f"the same, {text.safe(one.key[:12])}"
    if item.same is None:
        return "nothing tells whether the bytes are the same"
    return f"{text.safe(one.key[:8])} -> {text.safe(other.key[:8])}"


def _rows(item: Difference) -> Iterator[tuple[str, ...]]:
    one, other = item.one, item.other
    if one is None or other is None or item.same:
        return
    for word, before, after in (
        ("rows", _count(one.rows), _count(other.rows)), ("files", _count(one.files), _count(other.files)),
        ("size", _size(one.size_bytes), _size(other.size_bytes)), ("where", text.safe(one.uri), text.safe(other.uri)),
    ):  # fmt: skip
        if before != after:
            yield f"  {word}", "", before or "-", after or "-"
    for column in item.removed:
        yield "  column", text.safe(column.name), text.safe(column.dtype), "-"
    for column in item.added:
        yield "  column", text.safe(column.name), "-", text.safe(column.dtype)
    for before_column, after_column in item.retyped:
        yield "  type", text.safe(before_column.name), text.safe(before_column.dtype), text.safe(after_column.dtype)
    for before_column, after_column in item.missing:
        yield "  missing", text.safe(before_column.name), _count(before_column.missing), _count(after_column.missing)
    for shift in item.shifts:
        for key in ("min", "mean", "max", "distinct"):
            if key in shift:
                yield f"  {key}", text.safe(str(shift["name"])), *(_number(value) for value in shift[key])


def echo_verdicts(verdicts: Sequence[Verdict], width: int | None) -> None:
    """Print what is still what the run saw, and what is not."""
    rows = tuple(
        (
            Cell(verdict.state, _STYLES.get(verdict.state, "dim")),
            text.safe(verdict.entry.name),
            text.safe(verdict.place) or "-",
            text.safe(verdict.why),
        )
        for verdict in verdicts
    )
    tables.echo(Table((Column("", keep=10), Column(""), Column("", keep=8), Column("")), rows), width)


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else "-"


def _size(value: int | None, nothing: str = "-") -> str:
    return nothing if value is None else text.size(value)


def _number(value: Any) -> str:
    if value is None:
        return ""
    return text.number(value) if isinstance(value, int | float) else text.safe(str(value)[:40])
