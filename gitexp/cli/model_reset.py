"""gitexp model reset: take back own events that no remote holds."""

from __future__ import annotations

import click

from gitexp import text
from gitexp.cli import context, model


@click.command("reset")
@model.named
@click.argument("remote", required=False, metavar="[REMOTE]")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def reset(name: str, remote: str | None, yes: bool) -> None:
    """Take back your events of a model that REMOTE does not hold.

    For a server that does not take them: what was pushed stays as it is. The remote is gitexp.remote, else the one that
    `git push` would take.
    """
    from gitexp import errors
    from gitexp.git import transport
    from gitexp.ops.registry import models, retract
    from gitexp.store import remotes

    workspace = context.workspace()
    chosen = remotes.choose(workspace, remote)
    made = retract.plan(workspace, models.one(workspace, name, removed=True), chosen, transport.interactive())
    for entry in made.events:
        context.say(f"{entry.id[:7]} {entry.event.op} by {text.safe(entry.person)}")
    if not yes and not context.confirm(f"Take back {text.plural(len(made.events), 'event')} of {text.safe(name)}?"):
        raise errors.Unconfirmed("nothing taken back", hint=f"say yes with: gitexp model reset --yes {name}")
    retract.execute(workspace, made)
    context.out(f"{text.plural(len(made.events), 'event')} taken back; the last one was {made.before[:12]}")
