"""The table of `gitexp log --group-by`: a line a group, mean ± std of each metric, its best value and run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from gitexp import ids, text
from gitexp.cli import tables
from gitexp.cli.tables import Cell, Column, Table
from gitexp.ops.finding import goals
from gitexp.ops.finding.columns import Chosen
from gitexp.ops.finding.group import Group, Grouping, Stat
from gitexp.record.numbers import is_number
from gitexp.store.workspace import Workspace


def echo(workspace: Workspace, title: str, found: Grouping, width: int | None) -> None:
    """Print groups as a table."""
    runs = sum(group.runs for group in found.groups)
    click.echo(f"{text.safe(title)}: {text.plural(runs, 'run')} in {text.plural(len(found.groups), 'group')}")
    if not found.groups:
        return
    click.echo()
    dropped = tables.echo(_table(found), width)
    if said := _footer(workspace, found, dropped):
        click.echo()
        tables.echo_words(said, width)


def _table(found: Grouping) -> Table:
    heads = [Column(column.title, right=_is_number(found, at), keep=10) for at, column in enumerate(found.by)]
    heads.append(Column("RUNS", right=True, keep=9))
    best = _best(found)
    for at, column in enumerate(found.metrics):
        heads.append(Column(column.title, right=True, keep=8 - min(at, 3)))
        if best[at]:
            heads += [Column("best", right=True, keep=8 - min(at, 3)), Column("RUN", keep=4, style="id")]
    return Table(tuple(heads), tuple(_row(found, group, best) for group in found.groups))


def _is_number(found: Grouping, at: int) -> bool:
    return all(is_number(group.key[at]) or group.key[at] is None for group in found.groups)


def _best(found: Grouping) -> list[set[float]]:
    """Return for each metric its best values over all groups; empty where no value is better than another."""
    bests: list[set[float]] = []
    for at in range(len(found.metrics)):
        stats = [group.stats[at] for group in found.groups]
        values = [stat.best for stat in stats if stat.best is not None]
        bests.append({max(values) if stats[0].best_is == "max" else min(values)} if values else set())
    return bests


def _row(found: Grouping, group: Group, best: Sequence[set[float]]) -> tuple[str | Cell, ...]:
    cells: list[str | Cell] = [_key(column, item) for column, item in zip(found.by, group.key, strict=True)]
    cells.append(str(group.runs))
    for stat, top in zip(group.stats, best, strict=True):
        cells.append(_mean(stat, group.runs))
        if top:
            cells += [_value(stat, top), ids.short(stat.best_id) or "-"]
    return tuple(cells)


def _key(column: Chosen, item: Any) -> str:
    if item is None:
        return "-"
    return "yes" if column.kind == "tag" and item == "" else text.rounded(item)  # a bare tag


def _mean(stat: Stat, runs: int) -> str:
    """Return 0.9120 ± 0.0131, and in parentheses of how many where not all runs have a number."""
    shown = "-" if stat.mean is None else text.number(stat.mean)
    if stat.std is not None:
        shown += f" ± {_rounded(stat.std, shown)}"
    counts = [str(stat.count)] if 0 < stat.count < runs else []
    counts += [f"{stat.nan} nan"] if stat.nan else []
    return f"{shown} ({', '.join(counts)})" if counts else shown


def _rounded(std: float, mean: str) -> str:
    """Return a deviation with as many decimals as its mean has, or by itself where that says nothing."""
    decimals = 0 if "e" in mean else len(mean.partition(".")[2])
    shown = f"{std:.{decimals}f}"
    return shown if decimals and float(shown) else text.number(std)


def _value(stat: Stat, top: set[float]) -> str | Cell:
    if stat.best is None:
        return "-"
    return Cell("*" + text.number(stat.best), "best") if stat.best in top else text.number(stat.best)


def _footer(workspace: Workspace, found: Grouping, dropped: Sequence[str]) -> str:
    parts = []
    stats = [(stat, group.runs) for group in found.groups for stat in group.stats]
    if any(stat.std is not None for stat, _ in stats):
        parts.append("mean ± standard deviation of the runs (n - 1).")
    if any(stat.count < runs for stat, runs in stats):
        parts.append("(n) where not all runs have a number.")
    if better := goals.sentence(workspace, [column.name for column in found.metrics]):
        parts.append(f"* best: {better}.")
    if dropped:
        parts.append(f"Too narrow for {', '.join(dict.fromkeys(dropped))}.")
    return "  ".join(parts)
