"""gitexp report: runs on one page, for people."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli import context


@click.command("report")
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Where to: report.html.")
@click.option("--md", "markdown", is_flag=True, help="Markdown instead of HTML; to stdout unless -o.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="The metrics to draw: a name or 'val_*'.")
@click.option("--title", metavar="TEXT", help="The title of the page.")
@click.option("--code", "patch", is_flag=True, help="With the whole diff of the code, of two runs.")
def command(
    names: tuple[str, ...],
    output: Path | None,
    markdown: bool,
    metrics: tuple[str, ...],
    title: str | None,
    patch: bool,
) -> None:
    """Put runs on one page: table, curves, what differs, images, notes.


    The page is one file that needs no network. Without RUN it is about the newest run recorded here (@).
    """
    from gitexp.errors import UsageError
    from gitexp.ops import report
    from gitexp.pages import html
    from gitexp.pages import markdown as md

    if output is None and not markdown and context.terminal_width() is not None:
        raise UsageError("a page is not for a terminal", hint="gitexp report -o report.html   (or --md)")
    workspace = context.workspace()
    runs = report.pick(workspace, names)
    options = report.Options(title=title or "", metrics=metrics, patch=patch, images=not markdown, charts=not markdown)
    page = report.build(workspace, runs, options)
    context.write_page(md.report(page) if markdown else html.report(page), output)
