"""gitexp stop: ask a live run to stop."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("stop")
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=context.complete_runs)
@click.option("--wait", "seconds", type=click.FloatRange(0), default=10.0, show_default=True, help="Seconds to wait.")
def command(names: tuple[str, ...], seconds: float) -> None:
    """Ask a running run to stop, with SIGTERM; it is recorded as killed.

    Only on the machine where it runs. A script may take its time, or finish its epoch: the run ends when it does.
    """
    from gitexp import text
    from gitexp.errors import Conflict
    from gitexp.ops.finding import find
    from gitexp.ops.recording import stop

    workspace = context.workspace()
    late = []
    for run in find.many(workspace, names):
        named = run.label
        if any(name.startswith("@") for name in names):
            context.say(f"gitexp: stopping {named}")
        pid = stop.ask(run)
        ended = stop.wait(workspace, run, seconds)
        if ended is not None:
            context.out(f"{named} {ended.status} after {text.duration(ended.record.duration_seconds)}")
        else:
            late.append(pid)
            context.out(f"{named} was asked to stop and still runs (process {pid})")
    if late:
        raise Conflict(f"not ended after {seconds:g} s", hint="if it must: kill -9 " + " ".join(map(str, late)))
