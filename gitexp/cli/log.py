"""gitexp log: the table of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gitexp.cli import context
from gitexp.errors import UsageError

if TYPE_CHECKING:
    from gitexp.ops.finding.listing import Selection
    from gitexp.store.workspace import Workspace

_DEFAULT_ROWS = 20


class _Log(click.Command):
    """Takes what follows `--` as paths, as git log does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.params["paths"] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@click.command("log", cls=_Log, options_metavar="[OPTIONS]")
@click.argument("revisions", metavar="[REVISION|RANGE]... [-- PATH...]", nargs=-1)
@click.option("-w", "--where", default="", metavar="QUERY", help="Only runs of which this is true (docs/query.md).")
@click.option("--sort", default="", metavar="NAMES", help="By these: -metrics.val_auc,params.lr; - is backwards.")
@click.option(
    "-n", "--limit", type=click.IntRange(0), help=f"Show so many runs ({_DEFAULT_ROWS}; all of groups, JSON, CSV)."
)
@click.option("-e", "--experiment", metavar="NAME", shell_complete=context.complete_experiments, help="Of this one.")
@click.option("-a", "--all", "every", is_flag=True, help="All runs, of all experiments unless -e; archived ones too.")
@click.option("--on", metavar="BRANCH", default="", help="Runs whose code is in its history, also after a rebase.")
@click.option("--since", default="", metavar="DATE", help="Started since then: 2026-11-20, yesterday, '2 weeks ago'.")
@click.option("--until", default="", metavar="DATE", help="Started until then, that day included.")
@click.option("--author", default="", metavar="REGEX", help="By whom: part of the name or address.")
@click.option("--mine", is_flag=True, help="Recorded in this clone, or under my address.")
@click.option("--grep", default="", metavar="REGEX", help="In name, description, tags and notes.")
@click.option("--status", type=click.Choice(["running", "completed", "failed", "killed"]), help="Only these.")
@click.option("--best", default="", metavar="METRIC", help="The best by this metric first, instead of the newest.")
@click.option("--removed", is_flag=True, help="The removed runs instead.")
@click.option("--columns", default="", metavar="NAMES", help="What to show: lr,val_auc,loss:last,tags.owner, or all.")
@click.option("--group-by", "by", default="", metavar="NAMES", help="Groups of runs instead: params.model,params.opt.")
@click.option("--csv", "as_csv", is_flag=True, help="Print all that lists know of all these runs as CSV.")
@click.option("--parquet", type=click.Path(dir_okay=False), metavar="FILE", help="Write the same as a Parquet file.")
@click.option("--oneline", is_flag=True, help="One line a run: id, name, status, main metric.")
@click.option(
    "--format", "template", metavar="TEXT", help="One line a run, e.g. '{short} {params.lr} {metrics.loss.min}'."
)
@context.json_option
def command(
    limit: int | None,
    columns: str,
    by: str,
    oneline: bool,
    template: str | None,
    as_json: bool,
    as_csv: bool,
    parquet: str | None,
    **asked: Any,
) -> None:
    """List runs, newest first.

    Without -e those of the current experiment: the one that is set, else that of the newest run. REVISION or RANGE
    (main..HEAD), as git log takes them, and PATH ask for the runs of that code, of all experiments.
    """
    from gitexp.ops.finding import listing
    from gitexp.ops.finding.columns import choose, split

    forms = {"--csv": as_csv, "--parquet": parquet, "--oneline": oneline, "--format": template is not None}
    _check_forms([name for name, given in forms.items() if given], by=by, as_json=as_json)
    workspace = context.workspace()
    if limit is None and not (asked["every"] or as_json or by or as_csv or parquet):
        limit = _DEFAULT_ROWS
    query = listing.Query(limit=limit, **{name: value for name, value in asked.items() if value is not None})
    chosen = listing.selection(workspace, query)
    for line in listing.remarks(chosen):
        context.say(f"gitexp: {line}")
    if by:
        _echo_groups(workspace, chosen, split(by), split(columns), as_json=as_json)
    elif as_csv or parquet:
        _export(chosen, parquet)
    elif as_json or template is not None or oneline:
        _echo_lines(chosen, template, as_json=as_json)
    else:
        from gitexp.cli import log_table

        found = listing.of(workspace, chosen)
        choice = choose(workspace, found.rows, split(columns), listing.mentioned(chosen))
        log_table.echo(workspace, found, choice, context.terminal_width())


def _check_forms(given: list[str], *, by: str, as_json: bool) -> None:
    """Raise UsageError for two forms at once: one of them would be left out in silence."""
    wanted = [*given, *(["--json"] if as_json else [])]
    if by and given:
        raise UsageError(f"--group-by has no {given[0]}", hint="gitexp log --group-by params.model --json")
    if len(wanted) > 1:
        raise UsageError(f"{' and '.join(wanted)} are two forms of one list", hint=f"gitexp log {wanted[0]} …")


def _echo_lines(chosen: Selection, template: str | None, *, as_json: bool) -> None:
    from gitexp.cli import formats
    from gitexp.ops.finding import listing

    if as_json:
        context.print_json(list(listing.describe(chosen)))
    elif template is not None:
        for run in listing.describe(chosen):
            context.out(formats.line(template, run))
    else:
        for row in listing.stream(chosen):
            context.out(listing.oneline(chosen.index.workspace, row))


def _export(chosen: Selection, parquet: str | None) -> None:
    from pathlib import Path

    from gitexp import text
    from gitexp.index import search
    from gitexp.ops.finding import listing
    from gitexp.ops.showing import export

    with search.snapshot(chosen.index):  # it is read twice
        if parquet is None:
            context.out_csv(export.csv(lambda: listing.stream(chosen), chosen.context))
        else:
            count = export.parquet(lambda: listing.stream(chosen), chosen.context, Path(parquet))
            context.say(f"gitexp: {text.safe(parquet)} written ({text.plural(count, 'run')})")


def _echo_groups(workspace: Workspace, chosen: Selection, by: list[str], metrics: list[str], *, as_json: bool) -> None:
    from gitexp.cli import groups
    from gitexp.ops.finding import group, listing

    found = group.collect(workspace, chosen, by, metrics)
    if as_json:
        context.print_json(found.to_json())
    else:
        groups.echo(workspace, listing.title(chosen), found, context.terminal_width())
