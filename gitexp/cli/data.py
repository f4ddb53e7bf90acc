"""gitexp data: which data runs saw, what differs, and whether it is still what it was."""

from __future__ import annotations

import click

from gitexp.cli import context
from gitexp.cli.verbs import Group

_FAILED = 12


@click.group("data", cls=Group)
def command() -> None:
    """See which data runs read, compare it, and check it.

    A run records its data with run.log_dataset.
    """


@command.command("ls")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("-e", "--experiment", default="", metavar="NAME", shell_complete=context.complete_experiments,
              help="Only what runs of this one saw.")  # fmt: skip
@context.json_option
def ls(runs: tuple[str, ...], experiment: str, as_json: bool) -> None:
    """List the data that runs saw, and which runs; with RUN what that run read."""
    from gitexp.cli import data_page
    from gitexp.ops.finding import find
    from gitexp.ops.showing import datasets

    workspace, width = context.workspace(), context.terminal_width()
    if runs:
        found = [(run, datasets.of(run)) for run in find.many(workspace, runs)]
        if as_json:
            context.print_json([{"run": run.id, "data": [item.to_json() for item in items]} for run, items in found])
        for run, items in found if not as_json else ():
            data_page.echo_run(run, items, width, titled=len(found) > 1)
        return
    groups = datasets.listing(workspace, experiment)
    if as_json:
        context.print_json([group.to_json() for group in groups])
    elif groups:
        data_page.echo_groups(groups, width)
    else:
        context.say("no run recorded its data: run.log_dataset('data/train.csv', name='train')")


@command.command("diff")
@click.argument("one", metavar="A", shell_complete=context.complete_runs)
@click.argument("other", metavar="B", shell_complete=context.complete_runs)
@click.argument("name", metavar="[NAME]", required=False, default="")
@context.json_option
def diff(one: str, other: str, name: str, as_json: bool) -> None:
    """Compare the data that two runs saw: bytes, rows, columns, missing values, where the numbers lie."""
    from gitexp.cli import data_page
    from gitexp.ops.finding import find
    from gitexp.ops.showing import datasets

    workspace = context.workspace()
    sides = find.one(workspace, one), find.one(workspace, other)
    found = datasets.differences(*sides, name)
    if as_json:
        context.print_json({"runs": [run.id for run in sides], "data": [item.to_json() for item in found]})
    elif found:
        data_page.echo_differences(found, context.terminal_width())
    else:
        context.say("neither run recorded its data")


@command.command("check")
@click.argument("name", metavar="RUN", shell_complete=context.complete_runs)
@click.option("--path", "paths", multiple=True, metavar="NAME=PATH", help="Where this data lies here.")
@click.option("--ask", is_flag=True, help="Ask the hosts of addresses which version they have now.")
@context.json_option
def check(name: str, paths: tuple[str, ...], ask: bool, as_json: bool) -> int:
    """Check whether the data on the disk is what a run saw.

    The exit code is 12 where some of it is other data or gone. What cannot be known (a table that was in memory, a host
    that is not reached) is said, and fails nothing.
    """
    from gitexp.cli import data_page
    from gitexp.ops.finding import find
    from gitexp.ops.showing import datasets

    workspace = context.workspace()
    verdicts = datasets.check(workspace, find.one(workspace, name), datasets.parse_places(paths), ask=ask)
    failed = any(verdict.state in (datasets.DIFFERS, datasets.MISSING) for verdict in verdicts)
    if as_json:
        context.print_json({"passed": not failed, "data": [verdict.to_json() for verdict in verdicts]})
    elif verdicts:
        data_page.echo_verdicts(verdicts, context.terminal_width())
    else:
        context.say("the run recorded no data")
    return _FAILED if failed else 0
