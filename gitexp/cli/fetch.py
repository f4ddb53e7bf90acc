"""`gitexp fetch`: bring runs and facts from a remote."""

from __future__ import annotations

import click

from gitexp import errors
from gitexp.cli import context
from gitexp.record import globs


class _Fetch(click.Command):
    """Takes `--artifacts` with and without `=PATTERN`; the word after it is a remote or a run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write `--artifacts` out as what it means."""
        end = args.index("--") if "--" in args else len(args)
        whole = [f"{word}={globs.EVERY}" if word == "--artifacts" else word for word in args[:end]]
        return super().parse_args(ctx, [*whole, *args[end:]])


@click.command("fetch", cls=_Fetch, short_help="Bring runs from a remote.")
@click.argument("words", nargs=-1, metavar="[REMOTE] [RUN|PATTERN]...")
@click.option(
    "--artifacts",
    metavar="[PATTERN]",
    multiple=True,
    help="Also the large files that the runs produced, or with =PATTERN those of such names.",
)
@context.json_option
def command(words: tuple[str, ...], artifacts: tuple[str, ...], as_json: bool) -> None:
    """Bring runs from a remote.

    Without names: all runs that are new or went on there, and what is said of runs. Nothing of yours is overwritten or
    deleted. The remote is gitexp.remote, else the one that `git push` would take.

    Patterns of files are those of `gitexp artifact get`: --artifacts='*.pt', --artifacts=plots, --artifacts='out/**'.
    """
    from gitexp.git import transport
    from gitexp.ops.sharing import fetch
    from gitexp.store import remotes

    workspace = context.workspace()
    named = bool(words) and remotes.is_one(workspace, words[0])
    remote = remotes.choose(workspace, words[0] if named else None)
    names = words[1:] if named else words
    try:
        fetched = fetch.fetch(workspace, remote, names, artifacts=artifacts, options=transport.interactive())
    except errors.NotFound as error:
        if artifacts != (globs.EVERY,):
            raise
        hint = f"{error.hint}   Files are named with =: gitexp fetch --artifacts='*.pt'"
        raise errors.NotFound(error.message, hint=hint) from error
    for name, refspec in transport.pruning_refspecs(workspace.repo):
        context.say(
            f"gitexp: remote.{name}.fetch = {refspec}: with pruning, git fetch deletes unpushed runs; remove it"
        )
    if as_json:
        context.print_json(fetched.to_json())
        return
    for line in fetch.describe(fetched):
        context.out(line)
