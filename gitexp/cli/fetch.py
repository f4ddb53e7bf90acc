"""`gitexp fetch`: bring runs and facts from a remote."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("fetch", short_help="Bring runs from a remote.")
@click.argument("words", nargs=-1, metavar="[REMOTE] [RUN|PATTERN]...")
@click.option("--artifacts", is_flag=True, help="Also the large files that the runs produced.")
@context.json_option
def command(words: tuple[str, ...], artifacts: bool, as_json: bool) -> None:
    """Bring runs from a remote.

    Without names: all runs that are new or went on there, and what is said of runs. Nothing of yours is overwritten or
    deleted. The remote is gitexp.remote, else the one that `git push` would take.
    """
    from gitexp.git import transport
    from gitexp.ops import fetch
    from gitexp.store import remotes

    workspace = context.workspace()
    named = bool(words) and remotes.is_one(workspace, words[0])
    remote = remotes.choose(workspace, words[0] if named else None)
    names = words[1:] if named else words
    fetched = fetch.fetch(workspace, remote, names, artifacts=artifacts, options=transport.interactive())
    for name, refspec in transport.pruning_refspecs(workspace.repo):
        context.say(
            f"gitexp: remote.{name}.fetch = {refspec}: with pruning, git fetch deletes unpushed runs; remove it"
        )
    if as_json:
        context.print_json(fetched.to_json())
        return
    for line in fetch.describe(fetched):
        context.out(line)
