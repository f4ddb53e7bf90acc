"""gitexp diff: what differs between runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gitexp import errors
from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.store.runs import Run
    from gitexp.store.workspace import Workspace


@click.command("diff")
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("-w", "--where", default="", metavar="QUERY", help="The runs of which this is true too (docs/query.md).")
@click.option("--sort", default="", metavar="NAMES", help="With --where: in this order, -metrics.loss backwards.")
@click.option("-n", "--limit", type=click.IntRange(0), metavar="N", help="With --where: so many at most (12).")
@click.option(
    "-e",
    "--experiment",
    default="",
    metavar="NAME",
    shell_complete=context.complete_experiments,
    help="With --where: of this experiment, not of the current one.",
)
@click.option("-a", "--all", "every", is_flag=True, help="Show what is equal too.")
@click.option("--code", "patch", is_flag=True, help="Show the edits: git diff of the code that ran.")
@click.option("--stat", is_flag=True, help="Show the files of the code that differ, with how much.")
@click.option("--name-only", is_flag=True, help="Only the kinds and names of what differs, a line each.")
@click.option("--metric", "metrics", metavar="NAMES", help="Only these metrics (names or globs): loss,val_*.")
@click.option("--md", "as_markdown", is_flag=True, help="Print Markdown, for a comment.")
@context.json_option
def command(
    names: tuple[str, ...],
    every: bool,
    patch: bool,
    stat: bool,
    name_only: bool,
    metrics: str | None,
    as_markdown: bool,
    as_json: bool,
    **query: Any,
) -> None:
    """Compare runs: metrics, params, code, data, environment.

    Without RUN the last two recorded here, the older one first; with one, that one against the newest (@). More than
    two are a table with a column for each.
    """
    from gitexp import text
    from gitexp.cli import diff_markdown, diff_page
    from gitexp.ops.comparing import diff
    from gitexp.ops.finding import code

    workspace = context.workspace()
    runs = _runs(workspace, names, query)
    if patch or stat:
        options = ["--stat"] * stat + ["--patch"] * patch
        shown = diff.show_code(workspace, runs, options, terminal=context.terminal_width() is not None)
        click.echo(shown, nl=False)
        if code.difference(workspace, runs).equal:
            context.say("gitexp: the code is the same")
        return
    found = diff.compare(workspace, runs)
    if metrics:
        found = diff.with_metrics(found, [name.strip() for name in metrics.split(",")])
    if as_json:
        context.print_json(diff.describe(found))
    elif name_only:
        for kind, name in diff.names(found):
            context.out(f"{kind}\t{text.safe(name)}")
    elif as_markdown:
        for line in diff_markdown.lines(found, every):
            context.out(line)
    else:
        diff_page.echo(found, every=every, width=context.terminal_width())


def _runs(workspace: Workspace, names: Sequence[str], query: dict[str, Any]) -> Sequence[Run]:
    """Return the runs that names and --where mean; that more match is said."""
    from gitexp.ops.comparing import diff
    from gitexp.ops.finding.listing import Query

    if not query["where"]:
        for name, value in query.items():
            if value not in (None, ""):
                raise errors.UsageError(f"--{name} needs --where", hint="--where \"status = 'completed'\"")
        return diff.pick(workspace, names)
    found, more = diff.matching(workspace, names, Query(**query))
    if more and query["limit"] is None:
        context.say(f"gitexp: more runs match than these {len(found)}; say how many: --limit 20")
    return found
