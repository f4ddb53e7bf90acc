"""gitexp du: what takes the space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.cli.tables import Table
    from gitexp.ops.storage.space import Report, Row


@click.command("du")
@click.option(
    "--by",
    type=click.Choice(["experiment", "run", "artifact"]),
    default="experiment",
    show_default=True,
    help="What a row stands for.",
)
@click.option("-n", "--limit", type=click.IntRange(0), default=30, show_default=True, help="Rows shown; 0: all.")
@context.json_option
def command(by: str, limit: int, as_json: bool) -> None:
    """Show what takes the space: by experiment, run or artifact.

    Large files are counted once, however many runs have them; a row counts what others have too, and says so under
    SHARED. ELSEWHERE are files that are not in this clone.
    """
    from gitexp.cli import tables
    from gitexp.ops.storage import space

    report = space.measure(context.workspace(), by)
    if as_json:
        context.print_json(report.to_json())
        return
    rows = space.greatest(report.rows, limit)
    if rows:
        tables.echo(_table(rows, by), context.terminal_width())
    if len(rows) < len(report.rows):
        context.out(f"{len(report.rows) - len(rows):,} more, all smaller (-n 0)")
    for line in _summary(report):
        context.out(line)
    for fault in report.unread:
        context.say(f"not counted: {text.safe(fault)}")


def _table(rows: list[Row], by: str) -> Table:
    from gitexp.cli.tables import Column, Table

    columns = [
        Column(by.upper(), keep=10),
        Column("RUNS", right=True, keep=4),
        Column("FILES", right=True, keep=5),
        Column("SIZE", right=True, keep=9),
        Column("SHARED", right=True, keep=7),
        Column("RECORDS", right=True, keep=6),
        Column("ELSEWHERE", right=True, keep=8),
    ]
    cells = [
        (
            text.safe(row.name),
            f"{row.runs:,}",
            f"{row.files:,}",
            text.size(row.size_bytes),
            text.size(row.shared_bytes) if row.shared_bytes else "-",
            text.size(row.record_bytes) if row.record_bytes else "-",
            text.size(row.elsewhere_bytes) if row.elsewhere_bytes else "-",
        )
        for row in rows
    ]
    return Table(tuple(columns), tuple(cells))


def _summary(report: Report) -> list[str]:
    parts = [
        f"{text.plural(report.files, 'large file')} {text.size(report.file_bytes)}",
        f"records in Git {text.size(report.record_bytes)}",
        *(f"{name} {text.size(size)}" for name, size in report.parts.items()),
    ]
    lines = [f"total {text.size(report.total_bytes)}: {', '.join(parts)}"]
    if report.unnamed:
        lines.append(f"{text.plural(report.unnamed, 'large file')} ({text.size(report.unnamed_bytes)}) of no run here")
    return lines
