"""gitexp import-spool: commit runs that were recorded where there was no repository."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp import ids, text
from gitexp.cli import context


@click.command("import-spool")
@click.argument("folder", type=click.Path(path_type=Path))
@context.json_option
def command(folder: Path, as_json: bool) -> None:
    """Commit runs that were recorded where there was no repository.

    FOLDER is what GITEXP_SPOOL named. Each run is committed once, however often the spool is imported.
    """
    from gitexp.ops.recording import spool

    done = spool.bring_in(context.workspace(), folder)
    if as_json:
        context.print_json(done.to_json())
        return
    for run in done.runs:
        context.out(f"{ids.short(run.id)}  {text.safe(f'{run.experiment}/{run.name}')}  {run.status}")
    known = f", {len(done.known)} known already" if done.known else ""
    lacking = f", {len(done.without_code)} without their code (git fetch it)" if done.without_code else ""
    context.out(f"{text.plural(len(done.runs), 'run')} imported{known}{lacking}")
