"""gitexp watch: the metrics of a live run, as they come."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from gitexp import clock, ids, text
from gitexp.cli import context, tables
from gitexp.cli.tables import Column, Table

if TYPE_CHECKING:
    from gitexp.ops.showing.watch import Curve, Feed
    from gitexp.record.summary import Aggregate
    from gitexp.store.live import LiveRun
    from gitexp.store.runs import Run
    from gitexp.store.workspace import Workspace

_CURVE_WIDTH = 40


@click.command("watch")
@click.argument("name", metavar="[RUN]", required=False, shell_complete=context.complete_runs)
@click.option("--interval", type=click.FloatRange(0.1), default=1.0, show_default=True, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Look once.")
def command(name: str | None, interval: float, once: bool) -> None:
    """Watch a running run: its latest metrics, and a small curve of each.

    The newest that is running here, if none is named. Ends with the run; Ctrl-C leaves it running. In a pipe it
    prints a line whenever something was logged.
    """
    from gitexp.ops.showing import watch
    from gitexp.store.live import LiveRun

    workspace = context.workspace()
    run = watch.choose(workspace, name)
    if not isinstance(run, LiveRun):
        _echo(workspace, run.summary, watch.whole(run))
        return
    feed = watch.Feed(run)
    if once:
        while feed.read():
            pass
        _echo(workspace, feed.summary, feed.curves)
        return
    try:
        ended = _on_terminal(workspace, feed, interval) if sys.stdout.isatty() else _in_pipe(workspace, feed, interval)
    except KeyboardInterrupt:
        context.say(f"gitexp: {_title(run)} goes on")
        return
    took = text.duration(ended.record.duration_seconds)
    context.out(f"{run.label} {ended.status} in {took}")


def _on_terminal(workspace: Workspace, feed: Feed, interval: float) -> Run:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from gitexp.ops.showing import watch

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False, transient=False) as screen:
        while True:
            feed.read()
            took = text.duration((clock.now_ms() - feed.run.start.record.start_ms) / 1000)
            head = f"{_title(feed.run)}  running {took}, last sign of life "
            head += text.age(feed.run.last_sign_ms, clock.now_ms()) + " ago"
            rows = console.height - 3
            lines = tables.plain(tables.fit(_table(workspace, feed.summary, feed.curves), console.width)[0])
            more = [f"and {len(lines) - rows} more: the terminal is too low"] if len(lines) > rows else []
            screen.update(Group(Text(head, "bold"), *(Text(line) for line in lines[:rows] + more)), refresh=True)
            if (ended := watch.ended(workspace, feed.run)) is not None:
                return ended
            time.sleep(interval)


def _in_pipe(workspace: Workspace, feed: Feed, interval: float) -> Run:
    from gitexp.ops.showing import watch

    while True:
        ended = watch.ended(workspace, feed.run)  # before the last look: what came until then is read
        if feed.read():
            values = "  ".join(f"{text.safe(name)} {text.number(item.last)}" for name, item in feed.summary.items())
            step = max(item.last_step for item in feed.summary.values())
            click.echo(f"{time.strftime('%H:%M:%S')}  step {step}  {values}")
            sys.stdout.flush()
        elif ended is not None:
            return ended
        else:
            time.sleep(interval)


def _title(run: LiveRun) -> str:
    return f"{ids.short(run.start.record.id)} {text.safe(f'{run.experiment}/{run.name}')}"


def _echo(workspace: Workspace, summary: Mapping[str, Aggregate], curves: Mapping[str, Curve]) -> None:
    if not summary:
        context.out("no metrics yet")
        return
    from gitexp.ops.finding import goals

    tables.echo(_table(workspace, summary, curves), context.terminal_width())
    if better := goals.sentence(workspace, summary):
        context.out(f"best: {better}")


def _table(workspace: Workspace, summary: Mapping[str, Aggregate], curves: Mapping[str, Curve]) -> Table:
    heads = (
        Column("metric", keep=10), Column("last", right=True, keep=9), Column("best", right=True, keep=6),
        Column("step", right=True, keep=5), Column("curve", keep=8),
    )  # fmt: skip
    return Table(heads, tuple(_row(workspace, name, item, curves.get(name)) for name, item in summary.items()))


def _row(workspace: Workspace, name: str, item: Aggregate, curve: Curve | None) -> tuple[str, ...]:
    from gitexp.ops.finding import goals
    from gitexp.ops.showing import watch

    goal = goals.of(workspace, name)
    best = text.number(item.max if goal.best == "max" else item.min) if goal.best and item.count else "-"
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    drawn = watch.draw(curve.values, _CURVE_WIDTH, ascii_only=ascii_only) if curve else ""
    return text.safe(name), text.number(item.value), best, str(item.last_step), drawn
