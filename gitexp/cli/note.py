"""gitexp note: write down a remark on runs, or read those that are there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.store.workspace import Workspace

_HELP = "\n# Your note on {runs}. Lines that begin with # are left out; an empty note is not kept.\n"


@click.command("note")
@click.argument("name", metavar="RUN|PATTERN", shell_complete=context.complete_runs)
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@click.option("-l", "--list", "listed", is_flag=True, help="List the notes instead.")
@context.json_option
def command(name: str, words: tuple[str, ...], listed: bool, as_json: bool) -> None:
    """Add a note to runs.

    Without TEXT an editor opens; - reads it from standard input. The run itself never changes.
    """
    from gitexp.ops import annotate, find

    workspace = context.workspace()
    runs = find.many(workspace, [name])
    labels = ", ".join(annotate.label(run) for run in runs)
    if words or not (listed or as_json):
        annotate.note(workspace, runs, _text(workspace, words, labels))
        if not (listed or as_json):
            context.say(f"noted on {labels}")
    if as_json:
        context.print_json({run.id: annotate.notes_json(workspace, run) for run in runs})
    elif listed:
        for run in runs:
            for line in annotate.notes_lines(workspace, run):
                context.out(line if len(runs) == 1 else f"{annotate.label(run)}: {line}")


def _text(workspace: Workspace, words: tuple[str, ...], labels: str) -> str:
    from gitexp.ops import annotate

    if words == ("-",):
        return sys.stdin.read().strip()
    if words:
        return " ".join(words)
    edited = click.edit(_HELP.format(runs=text.safe(labels)), editor=annotate.editor(workspace)) or ""
    return "\n".join(line for line in edited.splitlines() if not line.startswith("#")).strip()
