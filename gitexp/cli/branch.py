"""gitexp branch: a branch at the code of a run, or of the run that a version of a model is of."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.ops.branch import Branch, Opened
    from gitexp.store.runs import Run


@click.command("branch")
@click.argument("words", metavar="RUN [NAME]", nargs=-1, shell_complete=context.complete_runs)
@click.option("--from", "model", metavar="MODEL@STAGE|:VERSION", help="From this model's run, with a new experiment.")
@click.option("-s", "--switch", is_flag=True, help="Switch to it too, as git switch -c does.")
@click.option("-m", "--reason", default="", metavar="TEXT", help="With --from: what the new experiment is about.")
@context.json_option
def command(words: tuple[str, ...], model: str | None, switch: bool, reason: str, as_json: bool) -> None:
    """Create a branch at the exact code of a run.

    It is called NAME, else like the run. Uncommitted edits that ran are its last commit.

    With --from, instead of RUN, it begins where a version of a model stands, the last that is known to be good
    (churn@production, churn:3, churn@ALIAS), and an experiment of the same name is opened for what comes of it:
    churn-production, if NAME is not given.
    """
    from gitexp.errors import UsageError
    from gitexp.ops import branch
    from gitexp.ops.finding import find

    most = 2 if model is None else 1
    if len(words) > most or (model is None and not words):
        raise UsageError(
            "a branch is made of one run", hint="gitexp branch RUN [NAME]   or: gitexp branch --from MODEL@STAGE"
        )
    if reason and model is None:
        raise UsageError("--reason is about the experiment that --from opens", hint="gitexp branch --from MODEL@STAGE")
    workspace, name = context.workspace(), words[most - 1] if len(words) == most else None
    opened = None if model is None else branch.open_from(workspace, model, name, reason=reason, switch=switch)
    run = find.one(workspace, words[0]) if opened is None else opened.run
    made = branch.create(workspace, run, name, switch=switch) if opened is None else opened.branch
    if as_json:
        context.print_json(branch.describe(run, made, opened))
    else:
        _tell(run, made, opened)


def _tell(run: Run, made: Branch, opened: Opened | None) -> None:
    from gitexp import ids, text

    at = f'{made.commit[:7]} "{made.subject}"' if not made.base else f"{made.commit[:7]}, the edits on {made.base[:7]}"
    of = "" if opened is None else f", {opened.label}"
    context.out(f"branch {made.name} at {at}: the code of {text.safe(run.name)} ({ids.short(run.id)}){of}")
    if not made.whole:
        context.say("not all of its edits were recorded: this is not exactly what ran")
    if not made.switched:
        context.say(f"switch to it: git switch {made.name}")
    if opened is not None:
        if opened.version.deprecated is not None:
            context.say(f"that version is deprecated: {text.safe(opened.version.deprecated.text)}")
        words = text.safe(shlex.join(run.record.command)) or "COMMAND"
        context.say(f"experiment {made.name}: gitexp run -e {made.name} --fork {ids.short(run.id)} -- {words}")
