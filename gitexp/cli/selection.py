"""What commands that find runs by a query share: the options, the runs they mean, and a yes where they are many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from gitexp import errors
from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.ops.finding.listing import Query
    from gitexp.store.runs import Run
    from gitexp.store.workspace import Workspace

MANY = 20  # runs that are changed without a question
_EXAMPLE = """--where "status = 'failed'\""""

_OPTIONS = (
    click.option("-w", "--where", default="", metavar="QUERY", help="The runs of which this is true (docs/query.md)."),
    click.option("--sort", default="", metavar="NAMES", help="With --where: in this order, -metrics.loss backwards."),
    click.option("--limit", type=click.IntRange(0), metavar="N", help="With --where: so many at most."),
    click.option(
        "-e", "--experiment", metavar="NAME", shell_complete=context.complete_experiments,
        help="With --where: of this experiment, not of the current one.",
    ),
    click.option("-a", "--all", "every", is_flag=True, help="With --where: of all experiments, archived runs too."),
)  # fmt: skip


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options by which runs are found: those of `gitexp log`, so that a list can be looked at first."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def query(chosen: dict[str, Any]) -> Query | None:
    """Return the query that the options ask for, None without --where."""
    from gitexp.ops.finding.listing import Query

    if chosen["where"]:
        return Query(**{key: value for key, value in chosen.items() if value is not None})
    for name, value in chosen.items():
        if value not in (None, "", False):
            raise errors.UsageError(f"--{'all' if name == 'every' else name} needs --where", hint=_EXAMPLE)
    return None


def runs(workspace: Workspace, names: Sequence[str], chosen: dict[str, Any]) -> list[Run]:
    """Return the runs that names, patterns and --where mean, each once; raises NotFound for a query without any."""
    from gitexp.ops.finding import find, listing

    asked = query(chosen)
    if not names and asked is None:
        raise errors.UsageError("no run is named", hint=f"name some, or: {_EXAMPLE}")
    found = {run.id: run for run in find.many(workspace, names)}
    if asked is not None:
        matching = listing.entries(workspace, asked)
        if not matching:
            raise errors.NotFound("no run matches --where", hint="gitexp log --all --where '…'")
        found |= {entry.id: find.load(workspace, entry) for entry in matching}
    return list(found.values())


def split(workspace: Workspace, words: tuple[str, ...], chosen: dict[str, Any]) -> tuple[list[Run], tuple[str, ...]]:
    """Return the runs of a command whose first word names them unless --where does, and its other words."""
    if chosen["where"]:
        return runs(workspace, (), chosen), words
    return runs(workspace, words[:1], chosen), words[1:]


def confirm(verb: str, labels: Sequence[str], *, yes: bool) -> None:
    """Ask before many runs are changed at once, showing which; raises Unconfirmed where nobody says yes."""
    if len(labels) <= MANY or yes:
        return
    for label in labels[:MANY]:
        context.say(f"would {verb} {label}")
    context.say(f"and {len(labels) - MANY} more")
    if not context.confirm(f"{verb.capitalize()} these {len(labels):,} runs?"):
        raise errors.Unconfirmed(
            f"{len(labels):,} runs are many to {verb} without a yes: nothing was done",
            hint="look at all: --dry-run; then the same with --yes" if verb == "remove" else "the same with --yes",
        )
