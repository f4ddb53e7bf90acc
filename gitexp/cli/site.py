"""gitexp site: a static site of an experiment's runs."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli import context


@click.command("site")
@click.argument("folder", metavar="OUT/", type=click.Path(path_type=Path))
@click.option(
    "-e", "--experiment", default="", metavar="NAME", shell_complete=context.complete_experiments, help="Of this one."
)
@context.json_option
def command(folder: Path, experiment: str, as_json: bool) -> None:
    """Write a static site of all runs of an experiment.

    Readers need no Git: OUT/ gets an index and a page for each run, for a web server or from the disk. Called
    again, it writes what has changed and takes away what was removed. Without -e it is the current experiment.
    """
    from gitexp import text
    from gitexp.ops.pages import site

    done = site.write(context.workspace(), folder, experiment)
    if as_json:
        context.print_json(site.describe(done))
        return
    context.out(str(done.folder / "index.html"))
    for name, why in done.damaged:
        context.say(f"gitexp: no page of {text.safe(name)}: {text.safe(why)}")
    context.say(
        f"gitexp: {text.plural(done.total, 'run')}: {text.plural(done.written, 'page')} written, "
        f"{done.unchanged} unchanged, {done.removed} removed"
    )
