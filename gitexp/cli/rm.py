"""gitexp rm: hide runs from lists."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("rm")
@click.argument("names", metavar="RUN|PATTERN...", nargs=-1, required=True, shell_complete=context.complete_runs)
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why; it stands in the history.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show which runs these are.")
@context.json_option
def command(names: tuple[str, ...], reason: str, dry_run: bool, as_json: bool) -> None:
    """Hide runs from lists.

    Nothing is deleted: gitexp undelete brings them back, also in other clones. For a real deletion, of a leaked key for
    example: gitexp purge.
    """
    from gitexp import ids
    from gitexp.ops import annotate, find

    workspace = context.workspace()
    runs = find.many(workspace, names)
    for name in names:
        if name.startswith("@"):
            context.say(f"{name} is {annotate.label(find.one(workspace, name))}")
    if not dry_run:
        annotate.remove(workspace, runs, reason)
    if as_json:
        context.print_json({"removed": [run.id for run in runs], "dry_run": dry_run, "reason": reason})
        return
    for run in runs:
        context.out(f"{'would remove' if dry_run else 'removed'} {annotate.label(run)}")
    if not dry_run:
        context.say("bring back with: gitexp undelete " + " ".join(ids.short(run.id) for run in runs[:5]))
