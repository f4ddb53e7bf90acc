"""gitexp note: write down a remark on runs, or read those that are there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gitexp import text
from gitexp.cli import context, selection

if TYPE_CHECKING:
    from gitexp.store.workspace import Workspace

_HELP = "\n# Your note on {runs}. Lines that begin with # are left out; an empty note is not kept.\n"


@click.command("note")
@click.argument("words", metavar="RUN|PATTERN [TEXT]...", nargs=-1, shell_complete=context.complete_runs)
@selection.options
@click.option("-l", "--list", "listed", is_flag=True, help="List the notes instead.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, however many runs they are.")
@context.json_option
def command(words: tuple[str, ...], listed: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """Add a note to runs.

    Without TEXT an editor opens; - reads it from standard input. The run itself never changes. With --where no RUN is
    named: gitexp note --where "status = 'failed'" out of memory.
    """
    from gitexp.ops import annotate

    workspace = context.workspace()
    runs, words = selection.split(workspace, words, asked)
    labels = ", ".join(run.label for run in runs)
    if words or not (listed or as_json):
        selection.confirm("note on", [run.label for run in runs], yes=yes)
        annotate.note(workspace, runs, _text(workspace, words, labels))
        if not (listed or as_json):
            context.say(f"noted on {labels}")
    if as_json:
        context.print_json({run.id: annotate.notes_json(workspace, run) for run in runs})
    elif listed:
        for run in runs:
            for line in annotate.notes_lines(workspace, run):
                context.out(line if len(runs) == 1 else f"{run.label}: {line}")


def _text(workspace: Workspace, words: tuple[str, ...], labels: str) -> str:
    from gitexp.ops import annotate

    if words == ("-",):
        return sys.stdin.read().strip()
    if words:
        return " ".join(words)
    edited = click.edit(_HELP.format(runs=text.safe(labels)), editor=annotate.editor(workspace)) or ""
    return "\n".join(line for line in edited.splitlines() if not line.startswith("#")).strip()
