"""gitexp experiment: list, create, rename, describe, tag, archive and remove experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context
from gitexp.cli import tag as tagged
from gitexp.cli.verbs import Group

if TYPE_CHECKING:
    from gitexp.cli.tables import Table
    from gitexp.ops.comparing.conventions import Conventions
    from gitexp.ops.experiments import Row
    from gitexp.store.experiments import Experiment
    from gitexp.store.workspace import Workspace


@click.group("experiment", cls=Group)
def command() -> None:
    """Look after experiments as a whole.

    An experiment needs no creation: its first run makes it. It keeps its id and the path of its refs through renames.
    """


_named = click.argument("name", metavar="EXPERIMENT", shell_complete=context.complete_experiments)


@command.command("ls")
@click.option("-a", "--all", "everything", is_flag=True, help="Archived and removed ones too.")
@context.json_option
def ls(everything: bool, as_json: bool) -> None:
    """List experiments."""
    from gitexp.cli import tables
    from gitexp.ops import experiments

    every = experiments.listing(context.workspace(), everything=True)
    rows = every if everything else [row for row in every if not row.hidden]
    if as_json:
        context.print_json([row.to_json() for row in rows])
    elif rows:
        dropped = tables.echo(_table(rows), context.terminal_width())
        if dropped:
            context.say(f"not shown: {', '.join(dropped)} (widen the terminal, or: gitexp experiment ls --json)")
    elif every:
        context.say(f"{text.plural(len(every), 'experiment')} archived or removed: gitexp experiment ls --all")
    else:
        context.say("no experiments yet; the first run makes one: gitexp run -- python train.py")


def _table(rows: list[Row]) -> Table:
    from gitexp import clock
    from gitexp.cli.tables import Column, Table
    from gitexp.ops import annotate

    now = clock.now_ms()
    columns = (
        Column("NAME", keep=10),
        Column("RUNS", right=True),
        Column("NEWEST", right=True, keep=8),
        Column("TAGS", keep=7),
        Column("DESCRIPTION", keep=6),
    )
    cells = [
        (
            text.safe(row.experiment.name) + _mark(row.experiment),
            f"{row.runs:,}",
            text.age(row.newest_ms, now),
            annotate.tags_line(row.experiment.state.tags, " "),
            text.safe(row.experiment.state.description or ""),
        )
        for row in rows
    ]
    return Table(columns, tuple(cells))


def _mark(experiment: Experiment) -> str:
    return "  (removed)" if experiment.state.removed else "  (archived)" if experiment.state.archived else ""


@command.command("create")
@click.argument("name", metavar="NAME")
@click.option("-m", "--description", default="", metavar="TEXT", help="What it is about.")
def create(name: str, description: str) -> None:
    """Create an experiment before its first run.

    Two clones that create the same name apart from each other mean the same experiment.
    """
    from gitexp.ops import experiments

    made = experiments.create(context.workspace(), name, description)
    context.say(f"created {text.safe(made.name)}: refs/experiments/{made.path}/")


@command.command("rename")
@_named
@click.argument("new", metavar="NAME")
def rename(name: str, new: str) -> None:
    """Give an experiment another name.

    Its runs keep their refs, and the old name still finds it.
    """
    from gitexp.ops import experiments

    workspace, experiment = _resolve(name)
    experiments.rename(workspace, experiment, new)
    context.say(
        f"{text.safe(experiment.name)} is now called {text.safe(new)}; refs/experiments/{experiment.path}/ stays"
    )


@command.command("describe")
@_named
@click.argument("words", metavar="TEXT...", nargs=-1)
def describe(name: str, words: tuple[str, ...]) -> None:
    """Say what an experiment is about; without TEXT the description is taken away."""
    from gitexp.ops import experiments

    workspace, experiment = _resolve(name)
    experiments.describe(workspace, experiment, " ".join(words))
    context.say(f"{text.safe(experiment.name)}: {text.safe(' '.join(words)) or 'no description'}")


@command.command("tag")
@_named
@click.argument("tags", metavar="[KEY[=VALUE]]...", nargs=-1)
@click.option("-d", "--delete", is_flag=True, help="Take these keys away.")
@context.json_option
def tag(name: str, tags: tuple[str, ...], delete: bool, as_json: bool) -> None:
    """Tag an experiment; without any KEY its tags are listed."""
    from gitexp.ops import annotate, experiments

    workspace, experiment = _resolve(name)
    if tags and delete:
        experiments.untag(workspace, experiment, tags)
    elif tags:
        experiments.tag(workspace, experiment, annotate.parse_tags(tags))
    now = _resolve(experiment.id)[1].state.tags if tags else experiment.state.tags
    if as_json:
        context.print_json({"id": experiment.id, "tags": now})
    else:
        tagged.echo(now, text.safe(experiment.name), changed=bool(tags))


@command.command("note")
@_named
@click.argument("words", metavar="TEXT...", nargs=-1, required=True)
def note(name: str, words: tuple[str, ...]) -> None:
    """Add a note to an experiment."""
    from gitexp.ops import experiments

    workspace, experiment = _resolve(name)
    experiments.note(workspace, experiment, " ".join(words))
    context.say(f"noted on {text.safe(experiment.name)}")


@command.command("archive")
@_named
@click.option("--undo", is_flag=True, help="Take it out of the archive.")
def archive(name: str, undo: bool) -> None:
    """Put an experiment into the archive: lists leave it out, --all shows it."""
    from gitexp.ops import experiments

    workspace, experiment = _resolve(name)
    experiments.archive(workspace, experiment, on=not undo)
    context.say(f"{text.safe(experiment.name)} is {'out of' if undo else 'in'} the archive")


@command.command("rm")
@_named
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why; it stands in the history.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would go.")
def rm(name: str, reason: str, dry_run: bool) -> None:
    """Hide an experiment and its runs from lists.

    Nothing is deleted: gitexp experiment undelete brings all of it back.
    """
    from gitexp.ops import experiments

    workspace, experiment = _resolve(name)
    runs = experiments.members(workspace, experiment)
    if not dry_run:
        experiments.remove(workspace, experiment, reason)
    word = "would remove" if dry_run else "removed"
    context.out(f"{word} {text.safe(experiment.name)} with {text.plural(len(runs), 'run')}")
    for run in runs:
        context.out(f"  {run.label}")


@command.command("undelete")
@_named
def undelete(name: str) -> None:
    """Bring a removed experiment back, and the runs that went away with it."""
    from gitexp.ops import experiments

    workspace, experiment = _resolve(name)
    back = [fact for fact in experiments.undelete(workspace, experiment) if fact.kind == "run"]
    context.out(f"brought back {text.safe(experiment.name)} with {text.plural(len(back), 'run')}")


@command.command("conventions")
@click.argument("name", metavar="[EXPERIMENT]", default="", shell_complete=context.complete_experiments)
@context.json_option
def conventions_(name: str, as_json: bool) -> None:
    """Show what gitexp.toml wants of the runs of an experiment.

    Without EXPERIMENT it is that of a run that names none here. It need not have runs yet.
    """
    from gitexp.cli import tables
    from gitexp.ops.comparing import conventions
    from gitexp.store import workspace as workspaces

    workspace = context.workspace()
    conventions.check_file(workspace)
    name = name or workspaces.default_experiment(workspace)
    found = conventions.of(workspace, name) or conventions.Conventions(name, workspace.settings.file)
    if as_json:
        context.print_json(conventions.describe(found))
    elif found.rules:
        limit = workspace.settings.choice("conventions")
        word = f"not checked, {workspace.settings.origin('conventions')[1]}" if limit == "off" else found.on_violation
        word = "warn, " + workspace.settings.origin("conventions")[1] if (limit, word) == ("warn", "refuse") else word
        context.say(f"{text.safe(name)}: a run that does not keep these meets: {word}")
        tables.echo(_rules(found), context.terminal_width())
    else:
        context.say(f"no conventions for {text.safe(name)} in {found.file}; write there: {conventions.example(found)}")


def _rules(found: Conventions) -> Table:
    from gitexp.cli.tables import Column, Table

    columns = (Column("RULE", keep=10), Column("WANTED", keep=9), Column("CHECKED", keep=6), Column("FROM", keep=7))
    cells = [
        (rule.what, text.safe(rule.wanted) or "any", f"at the {rule.at}", rule.table + ", locked" * rule.locked)
        for rule in found.rules
    ]
    return Table(columns, tuple(cells))


def _resolve(name: str) -> tuple[Workspace, Experiment]:
    from gitexp.store import experiments

    workspace = context.workspace()
    return workspace, experiments.resolve(workspace, name)
