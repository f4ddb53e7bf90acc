"""gitexp model propose and accept: promotion by review of a file."""

from __future__ import annotations

import click

from gitexp import text
from gitexp.cli import context, model, tables


@click.command("propose")
@click.argument("words", metavar="VERSION STAGE", nargs=-1, required=True, shell_complete=model.complete)
@click.option("-m", "--note", default="", metavar="TEXT", help="Why; it stands in the file.")
@click.option("--branch", default="", metavar="NAME", help="The branch to make (default: promote/MODEL-N-STAGE).")
@click.option("--push", "remote", metavar="REMOTE", help="Send the branch there.")
@context.json_option
def propose(words: tuple[str, ...], note: str, branch: str, remote: str | None, as_json: bool) -> None:
    """Propose a version for a stage: a branch with one small file to review.

    The branch stands on the one that has the rules. What is checked out, the index and the files here stay as they are.
    Once it is merged, by whatever way, `gitexp model accept` makes the transition.
    """
    from gitexp.errors import UsageError
    from gitexp.ops.registry import models
    from gitexp.ops.registry import propose as proposing

    workspace = context.workspace()
    found, version, rest = models.take(workspace, words)
    if len(rest) != 1:
        raise UsageError("into which stage?", hint=f"gitexp model propose {models.label(found, version)} production")
    made = proposing.create(workspace, found, version, rest[0], note=note, branch=branch)
    if remote is not None:
        proposing.send(workspace, made, remote)
    if as_json:
        context.print_json(proposing.describe(made))
        return
    context.out(f"branch {made.branch} at {made.commit[:7]}, on {text.safe(made.base)}: {text.safe(made.path)}")
    if lacking := proposing.missing(made):
        context.say(f"still missing beside the merge: {text.safe(lacking)}")
    if remote is None:
        context.say(proposing.next_step(made))


@click.command("accept")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=model.complete)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be accepted; add no event.")
@context.json_option
def accept(names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Make the transitions that merged proposals ask for, each once.

    Without NAME those of all models. The files are read from the branch that has the rules, as it was last fetched. The
    exit code is 12 where something was merged that a gate keeps out.
    """
    from gitexp.ops.registry import accept as accepting

    found = accepting.run(context.workspace(), names, dry_run=dry_run)
    if as_json:
        context.print_json([item.to_json() for item in found])
    else:
        heads = [tables.Column(title) for title in ("MODEL", "STAGE", "STATE", "EVENT", "WHY")]
        shown = [item for item in found if item.state != accepting.USED]
        rows = tuple(
            (
                text.safe(f"{item.model}:{item.version}" if item.version else item.path),
                item.stage or "-",
                item.state,
                item.event[:7] or "-",
                text.safe(item.why) or "-",
            )
            for item in shown
        )
        if rows:
            tables.echo(tables.Table(tuple(heads), rows), context.terminal_width())
        else:
            used = len(found) - len(shown)
            context.say("nothing that was merged waits" + (f" ({used} accepted before)" if used else ""))
    accepting.refuse(found)
