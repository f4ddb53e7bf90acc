"""gitexp model diff: what differs between two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitexp.ops.registry.vary import Variation
    from gitexp.store.workspace import Workspace


@click.command("diff")
@click.argument("words", metavar="VERSION VERSION", nargs=-1, required=True, shell_complete=model.complete)
@click.option("-a", "--all", "every", is_flag=True, help="Show what is equal of the runs too.")
@context.json_option
def diff(words: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Compare two versions, and the runs that made them.

    churn:2 churn:3, or churn 2 3; churn 3 alone is held against the one in production, churn alone the last two.
    """
    from gitexp.ops.registry import models, vary

    workspace = context.workspace()
    found = vary.compare(workspace, *models.pair(workspace, words))
    if as_json:
        context.print_json(found.to_json())
        return
    for line in _lines(workspace, found):
        context.out(line)
    if found.runs is not None:
        from gitexp.cli import diff_page

        context.out()
        diff_page.echo(found.runs, every=every, width=context.terminal_width())


def _lines(workspace: Workspace, found: Variation) -> Iterator[str]:
    from gitexp import clock
    from gitexp.cli import model_table, tables
    from gitexp.cli.tables import Column, Table

    now = clock.now_ms()
    heads = tuple(
        (
            f"{mark} {text.safe(known.model.name)}:{known.number(version)}",
            model_table.stage(version).text,
            f"{text.age(version.time_ms, now)} ago",
            f"run {text.safe(version.run)[:7]}" if version.run else "",
        )
        for mark, (known, version) in zip("AB", found.sides, strict=True)
    )
    yield from tables.plain(Table(tuple(Column("") for _ in range(4)), heads))
    yield ""
    rows = [(name, *(text.safe(value) or "-" for value in pair)) for name, pair in found.facts]
    if rows:
        columns = (Column("version"), Column("A"), Column("B"))
        yield from tables.plain(Table(columns, tuple((f"  {name}", one, two) for name, one, two in rows)))
    yield from _schema(found)
    if found.same_bytes:
        yield "the same bytes"
    if found.runs is None:
        yield from _metrics(workspace, found)
        yield text.safe(found.why)


def _schema(found: Variation) -> Iterator[str]:
    for change in found.columns:
        old, new = (text.safe(kind) for kind in change.types)
        name = f"{change.part} {text.safe(change.name)}"
        if not old:
            yield click.style(f"  + {name}: {new}", fg="green")
        elif not new:
            yield click.style(f"  - {name}: {old}", fg="red")
        else:
            yield f"  * {name}: {old} -> {new}"


def _metrics(workspace: Workspace, found: Variation) -> Iterator[str]:
    """Yield the numbers that the versions were registered with: their runs are not here to be compared."""
    from gitexp.cli import tables
    from gitexp.cli.tables import Column, Table
    from gitexp.ops.finding import goals

    rows = []
    for name, (old, new) in found.metrics.items():
        if old == new:
            continue
        shown = ["-" if value is None else text.number(value) for value in (old, new)]
        goal = goals.of(workspace, name)
        verdict = ""
        if old is not None and new is not None and goal.best:
            verdict = f"{'better' if goal.better(new, old) else 'worse'} ({goal.words})"
        rows.append((f"  {text.safe(name)}", *shown, verdict))
    if rows:
        columns = (Column("metrics"), Column("A", right=True), Column("B", right=True), Column(""))
        yield from tables.plain(Table(columns, tuple(rows)))
