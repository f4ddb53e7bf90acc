"""gitexp log: the table of runs."""

from __future__ import annotations

import click

from gitexp.cli import context

_DEFAULT_ROWS = 20


@click.command("log")
@click.argument("revisions", metavar="[REVISION|RANGE]...", nargs=-1)
@click.option("-n", "--limit", type=click.IntRange(0), help=f"Show so many runs ({_DEFAULT_ROWS}; with --json, all).")
@click.option("-e", "--experiment", metavar="NAME", shell_complete=context.complete_experiments, help="Of this one.")
@click.option("-a", "--all", "every", is_flag=True, help="All runs, of all experiments unless -e; archived ones too.")
@click.option("--since", metavar="DATE", help="Started since then: 2026-11-20, yesterday, '2 weeks ago'.")
@click.option("--until", metavar="DATE", help="Started before then.")
@click.option("--author", metavar="REGEX", help="By whom: part of the name or address.")
@click.option("--mine", is_flag=True, help="Recorded in this clone, or under my address.")
@click.option("--grep", metavar="REGEX", help="In name, description, tags and notes.")
@click.option("--status", type=click.Choice(["running", "completed", "failed", "killed"]), help="Only these.")
@click.option("--best", metavar="METRIC", help="The best by this metric first, instead of the newest.")
@click.option("--removed", is_flag=True, help="The removed runs instead.")
@click.option("--columns", metavar="NAMES", help="Params and metrics to show: lr,val_auc,loss:last, or all.")
@click.option("--oneline", is_flag=True, help="One line a run: id, name, status, main metric.")
@click.option(
    "--format", "template", metavar="TEXT", help="One line a run, e.g. '{short} {params.lr} {metrics.loss.min}'."
)
@context.json_option
def command(
    revisions: tuple[str, ...],
    limit: int | None,
    experiment: str | None,
    every: bool,
    since: str | None,
    until: str | None,
    columns: str | None,
    oneline: bool,
    template: str | None,
    as_json: bool,
    **filters: bool | str | None,
) -> None:
    """List runs, newest first.

    Without -e those of the current experiment: the one that is set, else the branch's, else that of the newest run.
    REVISION or RANGE (main..HEAD), as git log takes them, asks for the runs of those commits.
    """
    from gitexp.cli import formats, log_table
    from gitexp.ops import listing

    workspace = context.workspace()
    if limit is None and not (every or as_json):
        limit = _DEFAULT_ROWS
    query = listing.Query(
        experiment=experiment or "",
        every=every,
        limit=limit,
        since_ms=listing.time_ms(workspace, since) if since else None,
        until_ms=listing.time_ms(workspace, until) if until else None,
        revisions=revisions,
        **{key: value for key, value in filters.items() if value},  # type: ignore[arg-type]  # options named as fields
    )
    found = listing.collect(workspace, query)
    if as_json:
        context.print_json(listing.describe(workspace, found))
    elif template is not None:
        for run in listing.describe(workspace, found):
            context.out(formats.line(template, run))
    elif oneline:
        for row in found.rows:
            context.out(listing.oneline(row))
    else:
        wanted = [name.strip() for name in (columns or "").split(",") if name.strip()]
        log_table.echo(workspace, found, wanted, context.terminal_width())
