"""The table of `gitexp log`: a line on the experiment, the runs, and what the table leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitexp import clock, ids, text
from gitexp.cli import tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops.finding import columns, goals
from gitexp.ops.finding.columns import Choice, Chosen
from gitexp.ops.finding.listing import Listing
from gitexp.ops.sharing import elsewhere
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry

# How wide names may be on a terminal, and whether a failure's reason is told: the first that leaves room for the
# columns that matter. A pipe gets names whole.
_ROOM = ((40, True), (28, True), (20, True), (20, False), (14, False))
_MATTERS = 6


def echo(workspace: Workspace, found: Listing, choice: Choice, width: int | None) -> None:
    """Print a list of runs as a table."""
    for line in header(found):
        click.echo(line)
    if not found.rows:
        return
    click.echo()
    dropped = tables.echo(_fitted(workspace, found, choice, width), width)
    click.echo()
    tables.echo_words(footer(workspace, found, choice, dropped), width)


def _fitted(workspace: Workspace, found: Listing, choice: Choice, width: int | None) -> Table:
    for name_width, reasons in _ROOM if width is not None else ((None, True),):
        table = _table(workspace, found, choice, name_width, reasons)
        kept = {column.title for column in tables.fit(table, width)[0].columns}
        if all(column.title in kept for column in table.columns if column.keep >= _MATTERS):
            break
    return table


def header(found: Listing) -> list[str]:
    """Return the lines above the table: churn: 214 runs, 3 running, 9 failed; 12 not pushed. best val_auc: kqzvmxr."""
    said = [text.plural(found.total, "run")]
    said += [f"{count} {what}" for count, what in ((found.running, "running"), (found.failed, "failed")) if count]
    line = f"{text.safe(found.title)}: {', '.join(said)}"
    if found.unpushed:
        line += f"; {found.unpushed} not pushed"
    if found.best is not None:
        line += f". best {text.safe(found.best[0])}: {ids.short(found.best[1])}"
    lines = [line]
    if not found.total:
        lines.append("record one with: gitexp run -- python train.py")
    elif not found.rows:
        lines.append(f"0 of {found.matched} (-n 50, --all)" if found.matched else "no run matches")
    return lines


def footer(workspace: Workspace, found: Listing, choice: Choice, dropped: Sequence[str]) -> str:
    """Return the line below the table: how many there are, what marks mean, and all that is not shown."""
    parts = []
    if len(found.rows) < found.matched:
        parts.append(f"{len(found.rows)} of {found.matched} (-n 50, --all).")
    else:
        parts.append(f"{text.plural(found.matched, 'run')}.")
    if any(row.dirty for row in found.rows):
        parts.append("+ uncommitted edits.")
    marked = [column.name for column in choice.columns if columns.best(workspace, found.rows, column) is not None]
    if better := goals.sentence(workspace, dict.fromkeys([*marked, *([found.best[0]] if found.best else [])])):
        parts.append(f"* best: {better}." if marked else f"Best: {better}.")
    if _shows_via(found):
        parts.append("VIA: by what the code is in that history.")
    hidden = [("param", choice.hidden_params), ("metric", choice.hidden_metrics)]
    if any(count for _, count in hidden):
        counts = ", ".join(text.plural(count, noun) for noun, count in hidden if count)
        parts.append(f"{counts} not shown (--columns all).")
    if unreadable := sum(row.damaged is not None for row in found.rows):
        parts.append(f"{unreadable} unreadable (gitexp show ID says why).")
    if found.strange:
        parts.append(f"{text.plural(found.strange, 'ref')} without a run (gitexp fsck).")
    if dropped:
        parts.append(f"Too narrow for {', '.join(dropped)}.")
    if found.archived:
        parts.append(f"{found.archived} archived (--all).")
    if found.other_experiments:
        parts.append(f"{text.plural(found.other_experiments, 'other experiment')} (--all).")
    return "  ".join(parts)


def _table(workspace: Workspace, found: Listing, choice: Choice, name_width: int | None, reasons: bool) -> Table:
    best = [columns.best(workspace, found.rows, column) for column in choice.columns]
    via = _shows_via(found)
    several = len({(row.author, row.email) for row in found.rows}) > 1
    paths = len({row.path for row in found.rows}) > 1
    rows = []
    for row in found.rows:
        name = (f"{row.experiment}/" if paths else "") + (row.title or row.name)
        cells = [("@ " if row.id == found.newest else "  ") + ids.short(row.id)]
        cells.append(text.safe(name) if name_width is None else text.shorten(text.safe(name), name_width))
        who = [text.safe(row.author or row.email or "-")] if several else []
        values = [_value(row, column, top) for column, top in zip(choice.columns, best, strict=True)]
        course = _course(workspace, row, reasons)
        rows.append((*cells, *course, *who, *values, columns.code(row), *_tail(found, row, via)))
    heads = (*_heads(choice, several), *_tail_heads(found, via))
    return Table(heads, tuple(rows))


def _tail_heads(found: Listing, via: bool) -> list[Column]:
    models = [Column("MODEL", keep=4)] if found.versions else []
    return [*models, *([Column("VIA", keep=3, style="dim")] if via else [])]


def _tail(found: Listing, row: Entry, via: bool) -> list[str]:
    models = [_versions(found, row)] if found.versions else []
    return [*models, *([found.via[row.id]] if via else [])]


def _versions(found: Listing, row: Entry) -> str:
    """Return the versions of models that a run has: the newest of each, and how many more."""
    known = found.versions.get(row.id, ())
    newest = dict(reversed(known))
    shown = ", ".join(f"{text.safe(name)}:{number}" for name, number in sorted(newest.items()))
    return f"{shown} +{len(known) - len(newest)}" if len(known) > len(newest) else shown or "-"


def _shows_via(found: Listing) -> bool:
    """Say whether some code is in the history asked for by other means than its own commit."""
    return any(how != "commit" for how in found.via.values())


def _heads(choice: Choice, several: bool) -> tuple[Column, ...]:
    who = [Column("WHO", keep=3)] if several else []
    chosen = [
        Column(column.title, right=column.is_number, keep=_keep(column, at)) for at, column in enumerate(choice.columns)
    ]
    return (
        Column("  ID", keep=10, style="id"), Column("NAME", keep=10), Column("STATUS", keep=9),
        Column("AGE", right=True, keep=6), Column("TIME", right=True, keep=4),
        *who, *chosen, Column("CODE", keep=2, style="dim"),
    )  # fmt: skip


def _keep(column: Chosen, at: int) -> int:
    """Return how long a column stays: the first metric longest, one that is neither better nor worse not long."""
    if column.kind != "metric":
        return 5
    return 2 if column.aggregate == "last" else 8 if at == 0 else 7


def _course(workspace: Workspace, row: Entry, reasons: bool) -> tuple[str | Cell, ...]:
    """Return status, age and duration of a run."""
    now = clock.now_ms()
    age = text.age(row.start_ms, now)
    if row.damaged is not None:
        return Cell("unreadable", "failed"), age, "-"
    took = (now if row.end_ms is None else row.end_ms) - row.start_ms
    words = _published(workspace, row, now) or (status(row) if reasons else row.status)
    return Cell(words, row.status), age, text.duration(took / 1000)


def _published(workspace: Workspace, row: Entry, now_ms: int) -> str:
    """Return how a run stands that somebody publishes from another machine, "" for all others."""
    sign_ms = elsewhere.sign_ms(workspace, row.commit) if row.live and row.commit else None
    if sign_ms is None:
        return ""
    return f"{'silent' if elsewhere.is_silent(workspace, sign_ms) else 'running'} {text.age(sign_ms, now_ms)}"


def status(row: Entry) -> str:
    """Return how a run stands, and in a word why it failed: `failed nan`, `failed ValueError`, `failed exit 2`."""
    if row.status != "failed" or row.standing != row.status:
        return text.shorten(text.safe(row.standing), 32)
    if row.error:
        return "failed " + text.shorten(text.safe(row.error.rpartition(".")[2]), 24)
    return f"failed exit {row.exit_code}" if row.exit_code else "failed"


def _value(row: Entry, column: Chosen, best: float | None) -> str | Cell:
    item = columns.value(row, column)
    if item is None:
        return "-"
    if column.kind == "tag" and item == "":
        return "yes"  # a bare tag
    if not column.is_number or not isinstance(item, int | float):
        return text.rounded(item)
    return Cell("*" + text.number(item), "best") if best is not None and item == best else text.number(item)
