"""gitexp tag: set, list and take away the tags of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from gitexp.cli import context, selection


@click.command("tag")
@click.argument("words", metavar="RUN|PATTERN [KEY[=VALUE]]...", nargs=-1, shell_complete=context.complete_runs)
@selection.options
@click.option("-d", "--delete", is_flag=True, help="Take these keys away.")
@click.option("-l", "--list", "listed", is_flag=True, help="List the tags, as without any KEY.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, however many runs they are.")
@context.json_option
def command(words: tuple[str, ...], delete: bool, listed: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """Tag runs.

    KEY=VALUE, or KEY alone. Without any, the tags are listed. A run that has ended can be tagged too: the run itself
    never changes, a tag is a fact beside it. With --where no RUN is named: gitexp tag --where 'loss < 0.2' good.
    """
    from gitexp.ops import annotate

    workspace = context.workspace()
    runs, tags = selection.split(workspace, words, asked)
    if tags and not listed:
        selection.confirm("tag", [run.label for run in runs], yes=yes)
    if delete and tags:
        annotate.untag(workspace, runs, tags)
    elif tags and not listed:
        annotate.tag(workspace, runs, annotate.parse_tags(tags))
    if as_json:
        context.print_json({run.id: annotate.tags_of(workspace, run) for run in runs})
        return
    for run in runs:
        changed = bool(tags) and not listed
        echo(annotate.tags_of(workspace, run), run.label, changed=changed, several=len(runs) > 1)


def echo(tags: Mapping[str, str], label: str, *, changed: bool, several: bool = False) -> None:
    """Print the tags of something: in talk where they were just changed, else one a line, named among `several`."""
    from gitexp.ops import annotate

    if changed:
        context.say(f"{label}: {annotate.tags_line(tags) or 'no tags'}")
        return
    before = f"{label}: " if several else ""
    for key, value in tags.items():
        context.out(before + annotate.tags_line({key: value}))
