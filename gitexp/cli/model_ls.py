"""gitexp model ls: all models, or the versions of one."""

from __future__ import annotations

import click

from gitexp.cli import context, model

_ROWS = 50


@click.command("ls")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=model.complete)
@click.option("-s", "--stage", default="", metavar="STAGE", help="Only versions in this stage, of all models.")
@click.option("-n", "--limit", type=click.IntRange(0), help=f"Show so many versions ({_ROWS}; all as JSON).")
@click.option("-a", "--all", "every", is_flag=True, help="All of them; those that were removed, too.")
@context.json_option
def ls(name: str | None, stage: str, limit: int | None, every: bool, as_json: bool) -> None:
    """List models, or the versions of one, newest first."""
    from gitexp.cli import model_table
    from gitexp.ops.registry import models

    workspace = context.workspace()
    for line in models.damaged(workspace) if name is None else ():
        context.say(f"gitexp: {line}")
    if name is None and not stage:
        found = models.every(workspace, removed=every)
        if as_json:
            context.print_json([models.describe(item) for item in found])
        else:
            model_table.models(found, context.terminal_width())
        return
    chosen = [models.known(workspace, models.one(workspace, name, removed=every))] if name else models.every(workspace)
    rows = [(item, row) for item in chosen for row in models.versions(item.model, removed=every, stage=stage)]
    if as_json:
        context.print_json([models.describe_version(*row) for row in rows[:limit]])
        return
    shown = rows[: limit if limit is not None else None if every else _ROWS]
    title = chosen[0] if name else None
    model_table.versions(workspace, shown, len(rows), title=title, stage=stage, width=context.terminal_width())
