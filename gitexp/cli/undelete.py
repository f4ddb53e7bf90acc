"""gitexp undelete: bring removed runs back."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("undelete")
@click.argument("names", metavar="RUN|PATTERN...", nargs=-1, required=True)
@click.option("-n", "--dry-run", is_flag=True, help="Only show which runs these are.")
@context.json_option
def command(names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Bring removed runs back.

    gitexp log --removed lists them. What was purged cannot come back.
    """
    from gitexp.ops import annotate

    workspace = context.workspace()
    runs = annotate.removed(workspace, names)
    if not dry_run:
        annotate.undelete(workspace, runs)
    if as_json:
        context.print_json({"undeleted": [run.id for run in runs], "dry_run": dry_run})
        return
    for run in runs:
        context.out(f"{'would bring back' if dry_run else 'brought back'} {run.label}")
