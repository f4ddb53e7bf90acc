"""gitexp tag: set, list and take away the tags of runs."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("tag")
@click.argument("name", metavar="RUN|PATTERN", shell_complete=context.complete_runs)
@click.argument("tags", metavar="[KEY[=VALUE]]...", nargs=-1)
@click.option("-d", "--delete", is_flag=True, help="Take these keys away.")
@click.option("-l", "--list", "listed", is_flag=True, help="List the tags, as without any KEY.")
@context.json_option
def command(name: str, tags: tuple[str, ...], delete: bool, listed: bool, as_json: bool) -> None:
    """Tag runs.

    KEY=VALUE, or KEY alone. Without any, the tags are listed. A run that has ended can be tagged too: the run itself
    never changes, a tag is a fact beside it.
    """
    from gitexp.ops import annotate, find

    workspace = context.workspace()
    runs = find.many(workspace, [name])
    if delete and tags:
        annotate.untag(workspace, runs, tags)
    elif tags and not listed:
        annotate.tag(workspace, runs, annotate.parse_tags(tags))
    if as_json:
        context.print_json({run.id: annotate.tags_of(workspace, run) for run in runs})
    elif not tags or listed:
        for run in runs:
            for key, value in annotate.tags_of(workspace, run).items():
                before = f"{annotate.label(run)}: " if len(runs) > 1 else ""
                context.out(before + annotate.tags_line({key: value}))
    else:
        for run in runs:
            context.say(f"{annotate.label(run)}: {annotate.tags_line(annotate.tags_of(workspace, run)) or 'no tags'}")
