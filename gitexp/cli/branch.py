"""gitexp branch: a branch at the code of a run."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("branch")
@click.argument("run", metavar="RUN", shell_complete=context.complete_runs)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("-s", "--switch", is_flag=True, help="Switch to it too, as git switch -c does.")
def command(run: str, name: str | None, switch: bool) -> None:
    """Create a branch at the exact code of a run.

    It is called NAME, else like the run. Uncommitted edits that ran are its last commit.
    """
    from gitexp import ids, text
    from gitexp.ops import branch, find

    workspace = context.workspace()
    found = find.one(workspace, run)
    made = branch.create(workspace, found, name, switch=switch)
    at = f'{made.commit[:7]} "{made.subject}"' if not made.base else f"{made.commit[:7]}, the edits on {made.base[:7]}"
    context.out(f"branch {made.name} at {at}: the code of {text.safe(found.name)} ({ids.short(found.id)})")
    if not made.whole:
        context.say("not all of its edits were recorded: this is not exactly what ran")
    if not made.switched:
        context.say(f"switch to it: git switch {made.name}")
