"""gitexp recover: complete runs whose process was lost."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("recover")
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("--host", metavar="NAME", help="Close the silent runs of this host now, however new their last sign.")
@context.json_option
def command(names: tuple[str, ...], host: str | None, as_json: bool) -> None:
    """Complete runs whose process was lost.

    Lost refs are put back too.

    Every command does it by itself for runs of this machine. Runs of another machine are closed after
    gitexp.deadAfter of silence, or at once with --host.

    RUN says that the machine of a run which others publish, and which has been silent for that long, is lost: what was
    published last is recorded as a killed run and pushed, and the run is shown as running no more; with --host at once.
    """
    from gitexp.git import transport
    from gitexp.ops.recording import lost, recover

    workspace = context.workspace(sweep=False)
    swept = recover.sweep(workspace, host=host)
    for name in names:
        swept.add(lost.close(workspace, name, transport.interactive(), host))
    if as_json:
        context.print_json(swept.to_json())
        return
    context.out(swept.line() or "nothing to recover")
