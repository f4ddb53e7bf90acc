"""gitexp recover: complete runs whose process was lost."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("recover")
@click.option("--host", metavar="NAME", help="Close the silent runs of this host now, however new their last sign.")
@context.json_option
def command(host: str | None, as_json: bool) -> None:
    """Complete runs whose process was lost.

    Lost refs are put back too.

    Every command does it by itself for runs of this machine. Runs of another machine are closed after
    gitexp.deadAfter of silence, or at once with --host.
    """
    from gitexp.ops import recover

    swept = recover.sweep(context.workspace(sweep=False), host=host)
    if as_json:
        context.print_json(swept.to_json())
        return
    context.out(swept.line() or "nothing to recover")
