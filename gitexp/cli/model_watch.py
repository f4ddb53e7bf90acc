"""gitexp model watch: tell commands and webhooks of registrations, approvals and transitions."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, model

if TYPE_CHECKING:
    from types import FrameType

    from gitexp.errors import GitexpError
    from gitexp.ops.registry.receivers import Receiver
    from gitexp.ops.registry.tell import Told
    from gitexp.store.workspace import Workspace


@click.command("watch")
@click.argument("names", metavar="[NAME|GLOB]...", nargs=-1, shell_complete=model.complete)
@click.option("--exec", "lines", multiple=True, metavar="CMD", help="Run this in a shell for each event.")
@click.option("--event", "ops", multiple=True, metavar="OP", help="With --exec: only these (register, transition, …).")
@click.option("--as", "called", default="", metavar="NAME", help="With --exec: what it is known by, if CMD changes.")
@click.option("--timeout", default="", metavar="DURATION", help="With --exec: end the command after so long.")
@click.option("--once", is_flag=True, help="Tell what is new now, then end.")
@click.option("--all", "everything", is_flag=True, help="At its first start tell of all that ever happened, too.")
@click.option("--interval", default="10s", metavar="DURATION", help="How often to look (10s).")
@click.option("--fetch", "remote", metavar="REMOTE", help="Fetch from there before each look.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be told; tell nobody.")
@context.json_option
def watch(
    names: tuple[str, ...],
    lines: tuple[str, ...],
    ops: tuple[str, ...],
    called: str,
    timeout: str,
    once: bool,
    everything: bool,
    interval: str,
    remote: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Tell commands or webhooks of registrations, approvals and transitions.

    With --exec a command of yours is run for each event: it finds GITEXP_EVENT_MODEL, _VERSION, _STAGE, _OP and more in
    its environment, and the event as JSON on its stdin. Without it the addresses in [[registry.webhooks]] are told.
    Told are events that count and that a remote holds; where there is no remote, all. What was told is remembered:
    after a restart it goes on where it was.
    """
    from gitexp.ops.registry import tell
    from gitexp.ops.registry import watchers as choosing

    chosen = choosing.Choice(names, lines, ops, called, choosing.seconds(timeout) if timeout else None)
    pace = tell.Pace(interval_seconds=choosing.seconds(interval))

    def renew() -> tuple[Workspace, Sequence[Receiver]]:
        return choosing.renew(context.options().repo, chosen, remote)

    def report(told: Told) -> None:
        _report(told, as_json=as_json)

    workspace, receivers = renew()
    if dry_run:
        for name, notice in tell.waiting(workspace, receivers, everything=everything):
            context.out(f"{text.safe(notice.label)}  {notice.what}  -> {text.safe(name)}")
    elif once:
        with tell.Teller(workspace, receivers, pace, everything=everything) as teller:
            tell.once(workspace, teller, report)
    else:
        stop = _stopping()
        context.say(f"telling {text.safe(', '.join(item.name for item in receivers))}; Ctrl-C ends it")
        tell.watch(renew, pace, tell.Listener(report, _trouble), stop, everything=everything)


def _report(told: Told, *, as_json: bool) -> None:
    if as_json:
        from gitexp import canonical

        context.out(text.safe_json(canonical.line(told.to_json()).decode()))
        return
    event = f"{text.safe(told.notice.label)}  {told.notice.what}"
    line = f"{event}  -> {text.safe(told.receiver)}: {text.safe(told.outcome.word)}"
    if told.outcome.good:
        context.out(line)
    else:
        context.say(line + (", given up" if told.outcome.done else f", tried {told.tries}x"))


def _trouble(error: GitexpError) -> None:
    context.say(f"gitexp: {text.safe_lines(error.message)}; going on")


def _stopping() -> threading.Event:
    """Return what the first Ctrl-C or SIGTERM sets: what is being told is told to the end; a second one ends that."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop
