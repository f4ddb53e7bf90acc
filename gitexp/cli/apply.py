"""gitexp apply: the edits of a run, here."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("apply")
@click.argument("run", metavar="RUN", required=False, shell_complete=context.complete_runs)
@click.option("--all", "every", is_flag=True, help="All that its code has and HEAD has not, commits too.")
@click.option("--merge", "markers", is_flag=True, help="Write conflict markers where both changed the same lines.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--undo", is_flag=True, help="Take back what was applied last, exactly.")
def command(run: str | None, every: bool, markers: bool, dry_run: bool, undo: bool) -> None:
    """Merge the uncommitted edits of a run into the files here.

    A three-way merge: HEAD may have moved on. Files with uncommitted changes are never written over, and either all
    is applied or nothing. Nothing is staged or committed.
    """
    from gitexp import errors, text
    from gitexp.ops import apply
    from gitexp.ops.finding import find

    if undo == (run is not None) or (undo and (every or markers or dry_run)):
        raise errors.UsageError("name the run whose edits to apply, or --undo alone", hint="gitexp apply RUN")
    workspace = context.workspace()
    if run is None:
        back = apply.undo(workspace)
        context.out(f"took back the edits of {text.safe(back.title)}: {text.plural(len(back.files), 'file')} as before")
        return
    plan = apply.plan(workspace, find.one(workspace, run), every=every, markers=markers)
    for path in plan.submodules:
        context.say(f"left alone: {text.safe(path)} (a submodule)")
    if not plan.changes:
        context.out(f"nothing to do: the edits of {plan.title} are here already")
        return
    if not dry_run:
        apply.execute(workspace, plan)
    done = "would apply" if dry_run else "applied"
    context.out(f"{done} the edits of {plan.title}: {text.plural(len(plan.changes), 'file')}, nothing staged")
    for change in plan.changes:
        letter = "A" if change.old is None else "D" if change.new is None else "M"
        mark = "   resolve the conflict markers" if change.path in plan.marked else ""
        context.out(f"  {letter} {text.safe(change.path)}{mark}")
    if not dry_run:
        context.say("take it back: gitexp apply --undo")
