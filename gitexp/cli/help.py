"""gitexp help: the help of gitexp or of one command."""

from __future__ import annotations

import click

from gitexp.cli import main, verbs


@click.command("help")
@click.argument("names", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of gitexp or of one command."""
    found: click.Command = main.cli
    shown = click.Context(found, info_name="gitexp", **found.context_settings)
    for name in names:
        known = found.list_commands(shown) if isinstance(found, click.Group) else []
        inner = found.get_command(shown, name) if isinstance(found, click.Group) else None
        if inner is None:
            raise verbs.unknown(name, known, path=shown.command_path)
        found, shown = inner, click.Context(inner, info_name=name, parent=shown)
    click.echo(found.get_help(shown))
