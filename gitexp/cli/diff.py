"""gitexp diff: what differs between runs."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("diff")
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("-a", "--all", "every", is_flag=True, help="Show what is equal too.")
@click.option("--code", "patch", is_flag=True, help="Show the edits: git diff of the code that ran.")
@click.option("--stat", is_flag=True, help="Show the files of the code that differ, with how much.")
@click.option("--name-only", is_flag=True, help="Only the kinds and names of what differs, a line each.")
@click.option("--metric", "metrics", metavar="NAMES", help="Only these metrics (names or globs): loss,val_*.")
@click.option("--md", "as_markdown", is_flag=True, help="Print Markdown, for a comment.")
@context.json_option
def command(
    names: tuple[str, ...],
    every: bool,
    patch: bool,
    stat: bool,
    name_only: bool,
    metrics: str | None,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Compare runs: metrics, params, code, data, environment, artifacts.

    Without RUN the last two recorded here, the older one first; with one, that one against the newest (@).
    """
    from gitexp import text
    from gitexp.cli import diff_markdown, diff_page
    from gitexp.ops import diff

    workspace = context.workspace()
    runs = diff.pick(workspace, names)
    if patch or stat:
        options = ["--stat"] * stat + ["--patch"] * patch
        shown = diff.show_code(workspace, runs, options, terminal=context.terminal_width() is not None)
        click.echo(shown, nl=False)
        return
    found = diff.compare(workspace, runs)
    if metrics:
        found = diff.with_metrics(found, [name.strip() for name in metrics.split(",")])
    if as_json:
        context.print_json(diff.describe(found))
    elif name_only:
        for kind, name in diff.names(found):
            context.out(f"{kind}\t{text.safe(name)}")
    elif as_markdown:
        for line in diff_markdown.lines(found, every):
            context.out(line)
    else:
        diff_page.echo(found, every=every, width=context.terminal_width())
