"""gitexp config: the settings, their values and where those come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, tables
from gitexp.cli.tables import Column, Table
from gitexp.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from gitexp.ops.settings import Value

_VALUE_WIDTH = 30  # on a terminal; a pipe gets values whole


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from gitexp.store.config import SETTINGS

    found = [item for item in SETTINGS.values() if item.name.lower().startswith(incomplete.lower())]
    return [CompletionItem(item.name, help=item.doc) for item in found]


@click.command("config")
@click.argument("name", required=False, shell_complete=_complete)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Take NAME out of git config.")
@click.option("--global", "everywhere", is_flag=True, help="In the user's git config, for all repositories.")
@click.option("--show-origin", is_flag=True, help="Say where each value comes from.")
@context.json_option
def command(
    name: str | None, value: str | None, unset: bool, everywhere: bool, show_origin: bool, as_json: bool
) -> None:
    """Show or change settings.

    Without NAME all of them; with VALUE it is set in the repository's git config. What holds is, strongest first:
    the command line, GITEXP_… variables, the repository's git config, gitexp.toml, the user's git config.
    """
    from gitexp.ops import settings

    workspace = context.workspace()
    if name is None:
        if unset:
            raise UsageError("--unset needs a NAME", hint="gitexp config --unset gitexp.dirty")
        _echo_all(settings.listing(workspace), show_origin=show_origin, as_json=as_json)
        return
    if unset:
        found = settings.unset(workspace, name, everywhere=everywhere)
    elif value is not None:
        found = settings.put(workspace, name, value, everywhere=everywhere)
    else:
        _echo(settings.get(workspace, name), show_origin=show_origin, as_json=as_json)
        return
    if value is not None and found.value != value and found.setting.kind != "map":  # a map's places add up
        context.say(f"gitexp: {found.setting.name} stays {text.safe(found.value)!r}: {found.origin} is stronger")


def _echo(found: Value, *, show_origin: bool, as_json: bool) -> None:
    from gitexp.ops import settings

    if as_json:
        context.print_json(settings.describe(found))
    else:
        context.out(text.safe(found.value) + (f"  ({text.safe(found.origin)})" if show_origin else ""))


def _echo_all(found: list[Value], *, show_origin: bool, as_json: bool) -> None:
    from gitexp.ops import settings

    if as_json:
        context.print_json([settings.describe(item) for item in found])
        return
    width = context.terminal_width()
    heads = [Column("SETTING", keep=10), Column("VALUE", keep=9)]
    rows = [[item.setting.name, _shown(item.value, width)] for item in found]
    if show_origin:
        heads.append(Column("FROM", keep=8))
        rows = [[*row, text.safe(item.origin)] for row, item in zip(rows, found, strict=True)]
    heads.append(Column("WHAT IT DOES", keep=1, fold=18))
    rows = [[*row, item.setting.doc] for row, item in zip(rows, found, strict=True)]
    dropped = tables.echo(Table(tuple(heads), tuple(map(tuple, rows))), width)
    if dropped:
        context.out(f"Too narrow for {', '.join(dropped)}.")


def _shown(value: str, width: int | None) -> str:
    return (text.safe(value) if width is None else text.shorten(text.safe(value), _VALUE_WIDTH)) or "-"
