"""`gitexp unbundle`: take in the runs of a file."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli import context


@click.command("unbundle", short_help="Take in the runs of such a file.")
@click.argument("file", type=click.Path(path_type=Path))
@context.json_option
def command(file: Path, as_json: bool) -> None:
    """Take in the runs, facts and large files of a file that `gitexp bundle` wrote.

    Everything in it is checked; nothing of yours is overwritten.
    """
    from gitexp.ops.sharing import bundle

    done = bundle.take_in(context.workspace(), file)
    if as_json:
        context.print_json(done.to_json())
        return
    for line in bundle.describe(done):
        context.out(line)
