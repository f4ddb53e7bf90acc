"""gitexp status: what is running, what needs help, what is not pushed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gitexp import clock, ids, text
from gitexp.cli import context, tables

if TYPE_CHECKING:
    from gitexp.ops.showing.status import Alive, Status


@click.command("status")
@click.option("-s", "--short", is_flag=True, help="One line for each thing.")
@click.option("--porcelain", is_flag=True, help="Lines that stay the same for scripts (docs/scripting.md).")
@context.json_option
def command(short: bool, porcelain: bool, as_json: bool) -> None:
    """Show what is running, what needs help, and what each remote lacks.

    A run of this machine is alive while its process holds its journal; of one elsewhere only the last sign of life is
    known. Dead runs of this machine are closed by whatever gitexp command comes next, this one too.
    """
    from gitexp.ops.showing import status

    workspace = context.workspace()
    found = status.look(workspace)
    if as_json:
        context.print_json(status.describe(workspace, found))
    elif porcelain:
        for line in status.porcelain(found):
            context.out(line)
    else:
        for line in _short(found) if short else _long(found):
            context.out(line)


def _short(found: Status) -> Iterator[str]:
    marks = {"running": "R", "silent": "?", "unowned": "U"}
    for item in found.live:
        yield f"{marks[item.state]} {ids.short(item.run.id)} {_name(item)} {_took(item)}"
    for _, shown in found.elsewhere:
        yield f"E {ids.short(shown.id)} {text.safe(f'{shown.experiment}/{shown.name}')}"
    for path in found.damaged:
        yield f"! {text.safe(path)}"
    for ref in found.missing:
        yield f"- {text.safe(ref)}"
    for lack in found.lacks:
        if lack.runs:
            yield f"> {text.safe(lack.remote)} lacks {lack.runs}"


def _long(found: Status) -> Iterator[str]:
    yield from _live(found)
    if found.elsewhere:
        yield f"{text.plural(len(found.elsewhere), 'run')} running elsewhere, as last fetched"
        for _, shown in found.elsewhere:
            yield f"  {shown.line()}"
        yield from (f"  {shown.hint()}" for _, shown in found.elsewhere if shown.silent)
    yield from _trouble(found)
    for lack in found.lacks:
        if lack.runs:
            own = "" if lack.own == lack.runs else f", {lack.own or 'none'} of them recorded here"
            verb = "gitexp push" if lack.own else "gitexp push --all"
            yield f"{text.safe(lack.remote)} lacks {text.plural(lack.runs, 'run')}{own} ({verb})"
        else:
            yield f"{text.safe(lack.remote)} has all runs"
        if lack.models:
            yield f"{text.safe(lack.remote)} lacks events of {text.plural(lack.models, 'model')} (gitexp push)"
    for lack in found.lacks:
        if lack.owed:
            why = lack.told or f"gitexp push {lack.remote} sends them"
            yield f"{text.safe(lack.remote)} has {text.plural(lack.owed, 'run')} without large files ({text.safe(why)})"
    if found.newest is not None and not found.newest.live:
        run = found.newest
        ago = text.age(run.record.start_ms, clock.now_ms())
        yield f"newest here: {ids.short(run.id)} {text.safe(f'{run.experiment}/{run.name}')}, {run.status}, {ago} ago"
    elif found.newest is None:
        yield "no run was recorded here yet (gitexp run -- python train.py)"


def _live(found: Status) -> Iterator[str]:
    groups = {"running": "running", "silent": "silent", "unowned": "open, with no process of their own"}
    if not any(item.state == "running" for item in found.live):
        yield "nothing is running"
    for state, words in groups.items():
        items = [item for item in found.live if item.state == state]
        if not items:
            continue
        yield f"{text.plural(len(items), 'run')} {words}"
        rows = tuple(
            (f"  {ids.short(item.run.id)}", _name(item), _took(item), _sign(item), _process(item)) for item in items
        )
        heads = (tables.Column(""), tables.Column(""), tables.Column("", right=True), *[tables.Column("")] * 2)
        yield from tables.plain(tables.Table(heads, rows))
    for host in sorted({item.run.host for item in found.live if item.state == "silent"}):
        yield f"  if {text.safe(host)} is lost: gitexp recover --host {text.safe(host)}"


def _name(item: Alive) -> str:
    return text.safe(f"{item.experiment}/{item.run.name}")


def _took(item: Alive) -> str:
    return text.duration((clock.now_ms() - item.run.record.start_ms) / 1000)


def _sign(item: Alive) -> str:
    return f"last sign of life {text.age(item.run.last_sign_ms, clock.now_ms())} ago"


def _process(item: Alive) -> str:
    return f"process {item.run.pid} on {text.safe(item.run.host)}" if item.state != "unowned" else ""


def _trouble(found: Status) -> Iterator[str]:
    if found.damaged:
        yield f"{text.plural(len(found.damaged), 'journal')} cannot be read; nothing in them is lost"
        for path in found.damaged:
            yield f"  {text.safe(path)}"
    if found.missing:
        yield f"{text.plural(len(found.missing), 'run')} gone from this clone, commits too (gitexp fetch)"
        for ref in found.missing:
            yield f"  {text.safe(ref)}"
    for remote, refspec in found.pruning:
        yield f"git fetch --prune {text.safe(remote)} deletes unpushed runs ({text.safe(refspec)}); take it away:"
        yield f"  git config --unset --fixed-value remote.{text.safe(remote)}.fetch '{text.safe(refspec)}'"
    if found.crash:
        yield f"gitexp crashed: {text.safe(found.crash)}"
