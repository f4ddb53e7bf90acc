"""gitexp leaderboard: the runs of a project's ranking, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp.cli import context
from gitexp.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from contextlib import suppress

    from click.shell_completion import CompletionItem

    with suppress(Exception):  # completion must never print into a half-typed command
        from gitexp.ops.comparing import boards

        names = boards.names(context.workspace(sweep=False))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return []


@click.command("leaderboard")
@click.argument("name", required=False, shell_complete=_complete)
@click.option("-n", "--limit", type=click.IntRange(1), help="Show so many runs (else the limit of the file, else 20).")
@click.option("-a", "--all", "every", is_flag=True, help="Show all runs.")
@click.option("--columns", metavar="NAMES", help="Params and metrics to show: lr,val_auc,loss:last, or all.")
@click.option("--md", "as_markdown", is_flag=True, help="Print Markdown.")
@context.json_option
def command(
    name: str | None, limit: int | None, every: bool, columns: str | None, as_markdown: bool, as_json: bool
) -> None:
    """Rank runs as the project's gitexp.toml defines it.

    NAME is that of a table [leaderboard.NAME] there; without it they are listed. Runs that do not meet a floor stand
    below the others, with why.
    """
    from gitexp.cli import leaderboard_page
    from gitexp.ops.comparing import boards, leaderboard
    from gitexp.ops.finding import columns as chosen

    workspace = context.workspace()
    if name is None:
        if limit or every or columns:
            raise UsageError("--limit, --all and --columns need a NAME", hint="gitexp leaderboard")
        leaderboard_page.echo_names(workspace, as_markdown=as_markdown, as_json=as_json)
        return
    board = boards.get(workspace, name)
    wanted = chosen.split(columns or "")
    rows = None if every else limit or board.limit or (None if as_json else leaderboard.DEFAULT_ROWS)
    found = leaderboard.rank(workspace, board, limit=rows, wanted=wanted)
    if as_json:
        context.print_json(leaderboard.describe(found))
    elif as_markdown:
        leaderboard_page.echo_markdown(found)
    else:
        leaderboard_page.echo(found, context.terminal_width())
    for line in found.warnings:
        context.say(f"gitexp: {line}")
