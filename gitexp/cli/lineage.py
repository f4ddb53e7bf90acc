"""gitexp lineage: what a run or file came from, and what came of it."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli import context
from gitexp.errors import UsageError


@click.command("lineage")
@click.argument("name", metavar="RUN|FILE|SHA256", shell_complete=context.complete_runs)
@click.option("--depth", type=click.IntRange(1), default=8, metavar="N", help="Steps each way.  [default: 8]")
@click.option("--limit", type=click.IntRange(1), default=1000, metavar="N", help="Things in all.  [default: 1000]")
@click.option("-a", "--all", "every", is_flag=True, help="Do not fold long rows of equals.")
@click.option("--dot", is_flag=True, help="Print the graph for graphviz.")
@click.option(
    "--svg", "svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw it; - prints."
)
@context.json_option
def command(name: str, depth: int, limit: int, every: bool, dot: bool, svg: Path | None, as_json: bool) -> None:
    """Show what made and what read a run, a file or its sha256.

    What it came from: code, data, artifacts of other runs, its parent. What came of it: artifacts, who read them,
    children, forks, versions of models. A FILE is hashed and looked up: which runs saw it? RUN:PATH is an artifact of a
    run, NAME:3 or NAME@STAGE a version of a model.
    """
    from gitexp.cli import lineage_tree
    from gitexp.ops.showing import fold, lineage
    from gitexp.plots import graph as picture

    if dot + (svg is not None) + as_json > 1:
        raise UsageError("one of --dot, --svg and --json", hint="gitexp lineage @ --svg lineage.svg")
    found = lineage.of(context.workspace(), name, depth=depth, limit=limit)
    if as_json:
        context.print_json(found.to_json())
        return
    shown = found if every else fold.fold(found)
    if svg is not None:
        boxes, arrows = fold.drawn(shown)
        context.write_page(picture.svg(boxes, arrows, f"lineage of {name}"), None if str(svg) == "-" else svg)
    elif dot:
        click.echo(picture.dot(*fold.drawn(shown)), nl=False)
    else:
        for line in lineage_tree.lines(shown):
            context.out(line)
    if found.left_out:
        context.say(f"gitexp: {found.left_out} more beyond --depth {depth} and --limit {limit}")
