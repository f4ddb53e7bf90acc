"""`gitexp bundle`: runs, facts and large files in one file."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli import context


@click.command("bundle", short_help="Put runs, facts and large files into one file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("names", nargs=-1, metavar="[RUN|PATTERN]...", shell_complete=context.complete_runs)
@context.json_option
def command(file: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Put runs, what is said of them, and their large files into one file, for `gitexp unbundle` elsewhere.

    Without names: all runs but removed ones, and all models. The history of the code that ran goes along.
    """
    from gitexp import text
    from gitexp.ops.sharing import bundle

    workspace = context.workspace()
    done = bundle.create(workspace, file, names)
    if done.missing:
        context.say(f"gitexp: {text.plural(done.missing, 'large file')} not in it: their bytes are not here")
    if as_json:
        context.print_json(done.to_json())
        return
    counted = [text.plural(done.runs, "run"), *([text.plural(done.models, "model")] if done.models else [])]
    counted += [text.plural(done.objects, "large file"), text.size(done.size_bytes)]
    context.out(f"{text.safe(done.path)}: {', '.join(counted)}")
