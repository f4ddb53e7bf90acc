"""gitexp model show: a model, or a version of it, in full."""

from __future__ import annotations

import click

from gitexp.cli import context, model


@click.command("show")
@click.argument("names", metavar="NAME|VERSION...", nargs=-1, required=True, shell_complete=model.complete)
@context.json_option
def show(names: tuple[str, ...], as_json: bool) -> None:
    """Show a model, or a version of it, in full.

    churn is the model; churn:3, churn:latest, churn@production and churn@champion are versions. With --json one is an
    object, several are a list.
    """
    from gitexp.ops.registry import card

    workspace = context.workspace()
    cards = [card.of(workspace, name) for name in names]
    if as_json:
        values = [item.to_json() for item in cards]
        context.print_json(values[0] if len(values) == 1 else values)
        return
    from gitexp.cli import model_page

    for at, item in enumerate(cards):
        if at:
            context.out()
        model_page.echo(workspace, item, context.terminal_width())
