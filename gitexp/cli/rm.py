"""gitexp rm: hide runs from lists."""

from __future__ import annotations

from typing import Any

import click

from gitexp.cli import context, selection


@click.command("rm")
@click.argument("names", metavar="[RUN|PATTERN]...", nargs=-1, shell_complete=context.complete_runs)
@selection.options
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why; it stands in the history.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show which runs these are.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, however many they are.")
@context.json_option
def command(names: tuple[str, ...], reason: str, dry_run: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """Hide runs from lists.

    Nothing is deleted: gitexp undelete brings them back, also in other clones. For a real deletion, of a leaked key for
    example: gitexp purge. --where takes the runs that gitexp log shows with the same options.
    """
    from gitexp import ids
    from gitexp.ops import annotate
    from gitexp.ops.finding import find

    workspace = context.workspace()
    runs = selection.runs(workspace, names, asked)
    for name in names:
        if name.startswith("@"):
            context.say(f"{name} is {find.one(workspace, name).label}")
    if not dry_run:
        selection.confirm("remove", [run.label for run in runs], yes=yes)
        annotate.remove(workspace, runs, reason)
    if as_json:
        context.print_json({"removed": [run.id for run in runs], "dry_run": dry_run, "reason": reason})
        return
    for run in runs:
        context.out(f"{'would remove' if dry_run else 'removed'} {run.label}")
    if not dry_run:
        context.say("bring back with: gitexp undelete " + " ".join(ids.short(run.id) for run in runs[:5]))
