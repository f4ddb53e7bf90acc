"""The table of `gitexp log`: a line on the experiment, the runs, and what the table leaves out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import click

from gitexp import clock, ids, text
from gitexp.cli import tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops import columns, listing
from gitexp.ops.columns import Choice, Chosen
from gitexp.ops.listing import Listing, Row
from gitexp.record.summary import is_nan
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

# How wide names may be on a terminal, and whether a failure's reason is told: the first that leaves room for the
# columns that matter. A pipe gets names whole.
_ROOM = ((40, True), (28, True), (20, True), (20, False), (14, False))
_MATTERS = 6


def echo(workspace: Workspace, found: Listing, wanted: Sequence[str], width: int | None) -> None:
    """Print a list of runs as a table."""
    for line in header(found):
        click.echo(line)
    if not found.rows:
        return
    loaded = [listing.read(workspace, row)[0] for row in found.rows]
    choice = columns.choose(workspace, [run for run in loaded if run is not None], wanted)
    click.echo()
    dropped = tables.echo(_fitted(workspace, found, loaded, choice, width), width)
    click.echo()
    said = footer(found, loaded, choice, dropped)
    for line in [said] if width is None else textwrap.wrap(said, width, break_long_words=False, break_on_hyphens=False):
        click.echo(line)


def _fitted(
    workspace: Workspace, found: Listing, loaded: Sequence[Run | None], choice: Choice, width: int | None
) -> Table:
    for name_width, reasons in _ROOM if width is not None else ((None, True),):
        table = _table(workspace, found, loaded, choice, name_width, reasons)
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
    if not found.rows:
        lines.append("no run matches" if found.total else "record one with: gitexp run -- python train.py")
    return lines


def footer(found: Listing, loaded: Sequence[Run | None], choice: Choice, dropped: Sequence[str]) -> str:
    """Return the line below the table: how many there are, what marks mean, and all that is not shown."""
    parts = []
    if len(found.rows) < found.matched:
        parts.append(f"{len(found.rows)} of {found.matched} (-n 50, --all).")
    else:
        parts.append(f"{text.plural(found.matched, 'run')}.")
    if any(run is not None and run.record.code.get("dirty") for run in loaded):
        parts.append("+ uncommitted edits.")
    hidden = [("param", choice.hidden_params), ("metric", choice.hidden_metrics)]
    if any(count for _, count in hidden):
        counts = ", ".join(text.plural(count, noun) for noun, count in hidden if count)
        parts.append(f"{counts} not shown (--columns all).")
    if unreadable := sum(run is None for run in loaded):
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


def _table(
    workspace: Workspace,
    found: Listing,
    loaded: Sequence[Run | None],
    choice: Choice,
    name_width: int | None,
    reasons: bool,
) -> Table:
    readable = [run for run in loaded if run is not None]
    best = [columns.best(workspace, readable, column) for column in choice.columns]
    several = len({row.author for row in found.rows}) > 1
    paths = len({row.place.path for row in found.rows}) > 1
    rows = []
    for row, run in zip(found.rows, loaded, strict=True):
        name = (f"{row.experiment}/" if paths else "") + (row.state.title or row.name)
        cells = [("@ " if found.newest and row.id.startswith(found.newest) else "  ") + ids.short(row.id)]
        cells.append(text.safe(name) if name_width is None else text.shorten(text.safe(name), name_width))
        who = [text.safe(row.author.partition(" <")[0])] if several else []
        values = [_value(run, column, top) for column, top in zip(choice.columns, best, strict=True)]
        rows.append((*cells, *_course(row, run, reasons), *who, *values, _code(run)))
    return Table(_heads(choice, several), tuple(rows))


def _heads(choice: Choice, several: bool) -> tuple[Column, ...]:
    who = [Column("WHO", keep=3)] if several else []
    chosen = [
        Column(column.title, right=bool(column.aggregate), keep=_keep(column, at))
        for at, column in enumerate(choice.columns)
    ]
    return (
        Column("  ID", keep=10, style="id"), Column("NAME", keep=10), Column("STATUS", keep=9),
        Column("AGE", right=True, keep=6), Column("TIME", right=True, keep=4),
        *who, *chosen, Column("CODE", keep=2, style="dim"),
    )  # fmt: skip


def _keep(column: Chosen, at: int) -> int:
    """Return how long a column stays: the first metric longest, one that is neither better nor worse not long."""
    if column.aggregate in ("", "last"):
        return 5 if not column.aggregate else 2
    return 8 if at == 0 else 7


def _course(row: Row, run: Run | None, reasons: bool) -> tuple[str | Cell, ...]:
    """Return status, age and duration of a run."""
    now = clock.now_ms()
    age = text.age(row.start_ms, now)
    if run is None:
        return Cell("unreadable", "failed"), age, "-"
    record = run.record
    took = (now if record.end_ms is None else record.end_ms) - record.start_ms
    return Cell(status(run) if reasons else run.status, run.status), age, text.duration(took / 1000)


def status(run: Run) -> str:
    """Return how a run stands, and in a word why it failed: `failed nan`, `failed ValueError`, `failed exit 2`."""
    if run.status != "failed":
        return run.status
    if any(is_nan(aggregate.last) for aggregate in run.summary.values() if aggregate.count):
        return "failed nan"
    error = run.record.error or {}
    if error.get("type"):
        return "failed " + text.shorten(text.safe(str(error["type"]).rpartition(".")[2]), 24)
    return f"failed exit {run.record.exit_code}" if run.record.exit_code else "failed"


def _value(run: Run | None, column: Chosen, best: float | None) -> str | Cell:
    item = columns.value(run, column) if run is not None else None
    if item is None:
        return "-"
    if not column.aggregate:
        return text.value(item)
    return Cell("*" + text.number(item), "best") if best is not None and item == best else text.number(item)


def _code(run: Run | None) -> str:
    code = run.record.code if run is not None else {}
    return (text.safe(str(code.get("commit") or ""))[:7] or "-") + ("+" if code.get("dirty") else "")
