"""gitexp importance: which params matter for a metric."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("importance")
@click.argument("metric")
@click.option("-e", "--experiment", default="", metavar="NAME", shell_complete=context.complete_experiments,
              help="Over the runs of this one, not of the current one.")  # fmt: skip
@click.option("-a", "--all", "every", is_flag=True, help="Over all experiments, archived runs too.")
@click.option("-w", "--where", default="", metavar="QUERY", help="Only the runs of which this is true (docs/query.md).")
@context.json_option
def command(metric: str, experiment: str, every: bool, where: str, as_json: bool) -> None:
    """Tell which params matter for a metric.

    It is asked of the completed runs of an experiment. METRIC is a name (val_auc), or one with the value that counts
    (loss:last). Where the runs are too few, or the params do not tell which of them are better, nothing is printed
    but why, on stderr.
    """
    from gitexp.cli import importance_page
    from gitexp.ops.comparing import importance
    from gitexp.ops.finding.listing import Query

    found = importance.measure(context.workspace(), metric, Query(experiment=experiment, every=every, where=where))
    if found.why:
        context.say(f"gitexp: no importance: {found.why}")
    if as_json:
        context.print_json(importance.describe(found))
    elif not found.why:
        importance_page.echo(found, context.terminal_width())
