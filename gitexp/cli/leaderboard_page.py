"""The page of `gitexp leaderboard`: a line on what is ranked, the runs, those below a floor, and who is not ranked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from gitexp import clock, ids, text
from gitexp.cli import context, tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.index.entry import Entry
from gitexp.ops.comparing import leaderboard
from gitexp.ops.comparing.boards import Board
from gitexp.ops.comparing.leaderboard import Failing, Leaderboard
from gitexp.ops.finding import columns, terms
from gitexp.ops.finding.columns import Chosen
from gitexp.store.workspace import Workspace

_NAME_WIDTHS = (40, 28, 20, 14)  # on a terminal: the first that leaves room for all columns


def echo_names(workspace: Workspace, *, as_markdown: bool, as_json: bool) -> None:
    """Print the leaderboards that there are."""
    from gitexp.ops.comparing import boards

    if as_json:
        context.print_json(leaderboard.listing(workspace))
        return
    found = [boards.get(workspace, name) for name in boards.names(workspace)]
    if not found:
        example = '[leaderboard.main]  metric = "val_auc"'
        context.say(f"gitexp: no leaderboard is defined; write in {workspace.settings.file}:  {example}")
        return
    heads = (Column("NAME"), Column("RANKED BY"), Column("DIRECTION"), Column("RUNS"), Column("FLOORS"))
    rows = [(text.safe(board.name), text.safe(board.title), board.goal.words, _whose(board), _floors(board))
            for board in found]  # fmt: skip
    table = Table(heads, tuple(rows))
    if as_markdown:
        _echo_lines(tables.markdown(table))
    else:
        tables.echo(table, context.terminal_width())


def _whose(board: Board) -> str:
    said = [f"of {board.experiment}"] if board.experiment else []
    return text.safe(", ".join([*said, *([board.where.text] if board.where else [])])) or "all"


def _floors(board: Board) -> str:
    return text.safe("; ".join(floor.text for floor in board.floors)) or "-"


def echo(found: Leaderboard, width: int | None) -> None:
    """Print a leaderboard."""
    _echo_lines(_folded([_head(found)], width))
    dropped: list[str] = []
    if found.ranked:
        context.out()
        dropped = tables.echo(_fitted(found, width), width)
    if found.failing:
        context.out()
        context.out(_below(found))
        tables.echo(_failing(found), width)
    context.out()
    _echo_lines(_folded([_foot(found, dropped)], width))


def echo_markdown(found: Leaderboard) -> None:
    """Print a leaderboard as Markdown."""
    context.out(f"### {tables.markdown_text(found.board.name)}")
    context.out()
    _echo_lines([tables.markdown_text(_head(found)), ""])
    if found.ranked:
        _echo_lines([*tables.markdown(_table(found, None)), ""])
    if found.failing:
        _echo_lines([tables.markdown_text(_below(found)), "", *tables.markdown(_failing(found)), ""])
    context.out(tables.markdown_text(_foot(found, [])))


def _echo_lines(lines: Sequence[str]) -> None:
    for line in lines:
        context.out(line)


def _folded(lines: Sequence[str], width: int | None) -> list[str]:
    if width is None:
        return list(lines)
    return [part for line in lines for part in textwrap.wrap(line, width, break_on_hyphens=False)]


def _head(found: Leaderboard) -> str:
    """Return what is ranked, and by what: main: 12 runs of churn by val_auc:max (higher: gitexp.toml)."""
    board = found.board
    line = f"{text.safe(board.name)}: {text.plural(found.total, 'run')}"
    if board.experiment:
        line += f" of {text.safe(board.experiment)}"
    line += f" by {text.safe(board.title)} ({board.goal.words})"
    if board.where:
        line += f", where {text.safe(board.where.text)}"
    if board.floors:
        line += f"; {'floor' if len(board.floors) == 1 else 'floors'} {_floors(board)}"
    return line


def _below(found: Leaderboard) -> str:
    return f"below a floor: {text.plural(found.failing_total, 'run')}"


def _foot(found: Leaderboard, dropped: Sequence[str]) -> str:
    """Return the last line: how many are shown, what marks mean, and which runs are not ranked and why."""
    parts = []
    if len(found.ranked) < found.total:
        parts.append(f"{len(found.ranked)} of {found.total} (-n 50, --all).")
    else:
        parts.append(f"{text.plural(found.total, 'run')}.")
    if any(item.run.dirty for item in found.ranked):
        parts.append("+ uncommitted edits.")
    metric = text.safe(found.board.metric)
    left = ((found.running, "running"), (found.without, f"without {metric}"), (found.nan, f"with NaN for {metric}"))
    if any(count for count, _ in left):
        parts.append(f"Not ranked: {', '.join(f'{count} {what}' for count, what in left if count)}.")
    if dropped:
        parts.append(f"Too narrow for {', '.join(dropped)}.")
    return "  ".join(parts)


def _fitted(found: Leaderboard, width: int | None) -> Table:
    """Return the table with names as long as the width allows."""
    for name_width in _NAME_WIDTHS if width is not None else (None,):
        table = _table(found, name_width)
        if not tables.fit(table, width)[1]:
            break
    return table


def _table(found: Leaderboard, name_width: int | None) -> Table:
    now, who = clock.now_ms(), len({item.run.author for item in found.ranked}) > 1
    paths = len({item.run.path for item in found.ranked}) > 1
    heads = [Column("RANK", right=True, keep=10), Column("ID", keep=10, style="id"), Column("NAME", keep=10)]
    heads += [Column("WHO", keep=3)] if who else []
    heads += [
        Column(column.title, right=column.is_number, keep=10 if i == 0 else 8 if column.is_number else 5)
        for i, column in enumerate(found.columns)
    ]
    heads += [Column("AGE", right=True, keep=4), Column("CODE", keep=2, style="dim")]
    rows = []
    for item in found.ranked:
        run, name = item.run, _name(item.run, paths)
        cells: list[str | Cell] = [str(item.rank), ids.short(run.id)]
        cells.append(name if name_width is None else text.shorten(name, name_width))
        cells += [text.safe(run.author or "")] if who else []
        cells += [_value(run, column, best=item.rank == 1 and i == 0) for i, column in enumerate(found.columns)]
        rows.append((*cells, text.age(run.start_ms, now), columns.code(run)))
    return Table(tuple(heads), tuple(rows))


def _failing(found: Leaderboard) -> Table:
    paths = len({item.run.path for item in found.failing}) > 1
    heads = (Column("ID", keep=10, style="id"), Column("NAME", keep=10),
             Column(found.columns[0].title, right=True, keep=10), Column("FLOOR", keep=9))  # fmt: skip
    rows = [
        (ids.short(item.run.id), _name(item.run, paths), text.number(item.value), "; ".join(_missed(item)))
        for item in found.failing
    ]
    more = found.failing_total - len(found.failing)
    return Table(heads, (*rows, *([("…", f"and {more} more", "", "")] if more else [])))


def _missed(item: Failing) -> Iterator[str]:
    """Yield each floor that a run does not meet, with what it has: metrics.precision >= 0.8 (it has 0.7)."""
    for condition, values in item.floors:
        told = [terms.shown(name, value) for name, value in values.items()]
        if len(told) > 1:
            told = [f"{name} {value}" for name, value in zip(values, told, strict=True)]
        yield text.safe(f"{condition.text} (it has {', '.join(told)})" if told else condition.text)


def _name(run: Entry, paths: bool) -> str:
    return text.safe((f"{run.experiment}/" if paths else "") + (run.title or run.name))


def _value(run: Entry, column: Chosen, *, best: bool) -> str | Cell:
    item = columns.value(run, column)
    if item is None:
        return "-"
    if not column.is_number or not isinstance(item, int | float):
        return text.value(item)
    return Cell("*" + text.number(item), "best") if best else text.number(item)
