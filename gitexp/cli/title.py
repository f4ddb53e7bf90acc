"""gitexp title: give a run a title, or see the one it has."""

from __future__ import annotations

import click

from gitexp import text
from gitexp.cli import context


@click.command("title")
@click.argument("name", metavar="RUN", shell_complete=context.complete_runs)
@click.argument("words", metavar="[TITLE]...", nargs=-1)
@click.option("-d", "--delete", is_flag=True, help="Take the title away.")
@context.json_option
def command(name: str, words: tuple[str, ...], delete: bool, as_json: bool) -> None:
    """Give a run a title.

    It stands before the name in lists; name and ref stay as they are. Without TITLE the one it has is printed.
    """
    from gitexp.ops import annotate
    from gitexp.ops.finding import find

    workspace = context.workspace()
    run = find.one(workspace, name)
    if words or delete:
        annotate.title(workspace, [run], "" if delete else " ".join(words))
    title = annotate.title_of(workspace, run)
    if as_json:
        context.print_json({"id": run.id, "title": title})
    elif words or delete:
        context.say(f"{run.label}: {text.safe(title) if title else 'no title'}")
    elif title:
        context.out(text.safe(title))
