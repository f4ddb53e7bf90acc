"""How `gitexp artifact` shows files: a list with where they are, and what differs between those of two runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, tables
from gitexp.cli.tables import Cell, Column, Table

if TYPE_CHECKING:
    from gitexp.ops.files.artifacts import Row
    from gitexp.ops.files.contents import Change, Difference
    from gitexp.ops.files.contents import Table as Known

_LINES = 40  # of one file's diff, where no file was named
_LETTERS = 300  # of a line, likewise
_COLUMNS = 8  # of a table that are named
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def listing(rows: Sequence[Row], width: int | None) -> None:
    """Print files and folders."""
    columns = (
        Column("NAME", keep=10),
        Column("SIZE", right=True),
        Column("SHA256", keep=7),
        Column("TYPE", keep=6),
        Column("WHERE", keep=8),
    )
    cells = tuple(
        (
            text.safe(row.name),
            "-" if row.size_bytes is None else text.size(row.size_bytes),
            (row.sha256 or "")[:12],
            text.plural(row.files, "file") if row.name.endswith("/") else text.safe(row.kind),
            Cell(where(row), "" if row.here or row.uri else "dim"),
        )
        for row in rows
    )
    if cells:
        tables.echo(Table(columns, cells), width)


def where(row: Row) -> str:
    """Say where the bytes are."""
    if row.uri:
        return text.safe(row.uri)
    seen = ", ".join(row.remotes)
    if row.here:
        return f"here, {seen}" if seen else "here"
    return seen or "not here"


def difference(found: Difference, *, whole: bool) -> None:
    """Print what differs; with `whole` all lines of the files."""
    for change in found.changes:
        context.out(_headline(change))
        for line in _details(change, whole=whole):
            context.out("  " + line)
    if found.equal or not found.changes:
        context.out(f"{text.plural(found.equal, 'file')} equal")


def _headline(change: Change) -> str:
    a, b = (None if side is None else text.size(side.size_bytes) for side in change.sides)
    name = text.safe(change.name)
    if a is None or b is None:
        mark, colour = ("+", "green") if a is None else ("-", "red")
        return f"{click.style(f'{mark} {name}', fg=colour)}  {b or a}"
    return f"* {name}  {a if a == b else f'{a} -> {b}'}"


def _details(change: Change, *, whole: bool) -> Iterator[str]:
    if change.mode and change.sides[0] is not None and change.sides[1] is not None:
        yield "executable now" if change.sides[1].mode & 0o100 else "not executable any more"
    if change.why:
        yield text.safe(change.why)
    if change.images:
        a, b = (f"{side[0]} x {side[1]} {side[2]}" for side in change.images)
        yield f"{a} -> {b}" if a != b else f"{a}, other pixels"
    if change.tables:
        yield from _tables(*change.tables)
    lines = change.lines.splitlines()
    shown = lines if whole else lines[:_LINES]
    for line in shown:
        yield click.style(text.safe_lines(line if whole else _cut(line)), fg=_COLOURS.get(line[:1]))
    if len(lines) > len(shown):
        yield f"… {len(lines) - len(shown)} more lines: name the file to see them"


def _cut(line: str) -> str:
    return line if len(line) <= _LETTERS else f"{line[:_LETTERS]}…  ({len(line) - 1:,} characters)"


def _tables(old: Known, new: Known) -> Iterator[str]:
    rows = [("?" if side.rows is None else f"{side.rows:,}") + " rows" for side in (old, new)]
    yield rows[0] if rows[0] == rows[1] else f"{rows[0]} -> {rows[1]}"
    if old.columns != new.columns:
        yield f"{old.columns:,} columns -> {new.columns:,}"
    for word, names in (
        ("columns added", [name for name in new.schema if name not in old.schema]),
        ("columns removed", [name for name in old.schema if name not in new.schema]),
    ):
        if names:
            yield f"{word}: {text.some([text.safe(name) for name in names], _COLUMNS)}"
    for name, dtype in old.schema.items():
        if new.schema.get(name, dtype) != dtype:
            yield f"{text.safe(name)}: {text.safe(dtype)} -> {text.safe(new.schema[name])}"
