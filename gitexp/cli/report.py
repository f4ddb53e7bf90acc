"""gitexp report: runs on one page, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.ops.comparing.check import Gate


@click.command("report")
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Where to: report.html.")
@click.option("--md", "markdown", is_flag=True, help="Markdown instead of HTML; to stdout unless -o.")
@click.option("-m", "--metric", "metrics", multiple=True, metavar="NAME", help="Draw these: a name or 'val_*'.")
@click.option("--title", default="", metavar="TEXT", help="The title of the page.")
@click.option("--code", "patch", is_flag=True, help="With the whole diff of the code, of two runs.")
@click.option("--pr", "revisions", metavar="RANGE", help="Of main..HEAD: the branch's best run beside main's best.")
@click.option("--max-drop", multiple=True, metavar="[NAME=]N", help="With --pr: as in gitexp check.")
@click.option("--require", multiple=True, metavar="CONDITION", help="With --pr: as in gitexp check.")
@click.option("--json", "as_json", is_flag=True, help="With --pr: print JSON; its keys are in docs/scripting.md.")
def command(
    names: tuple[str, ...],
    output: Path | None,
    markdown: bool,
    metrics: tuple[str, ...],
    title: str,
    patch: bool,
    revisions: str | None,
    max_drop: tuple[str, ...],
    require: tuple[str, ...],
    as_json: bool,
) -> None:
    """Put runs on one page: curves, what differs, images, notes.

    The page is one file that needs no network. Without RUN it is about the newest run recorded here (@). With --pr
    the first --metric is what the runs are ranked by; else it is the main one (gitexp.metric).
    """
    from gitexp.ops.pages import report, review
    from gitexp.pages import html
    from gitexp.pages import markdown as md

    _check(names, output, markdown or as_json, revisions, (*max_drop, *require) or as_json)
    workspace = context.workspace()
    drawn = metrics[1:] if revisions else metrics
    options = report.Options(title=title, metrics=drawn, patch=patch, images=not markdown, charts=not markdown)
    if revisions is None:
        page = report.build(workspace, report.pick(workspace, names), options)
    else:
        found = review.review(workspace, revisions, metrics[0] if metrics else "", _gate(metrics, max_drop, require))
        if as_json:
            context.print_json(review.describe(found))
            return
        page = review.page(workspace, found, options)
    context.write_page(md.report(page) if markdown else html.report(page), output)


def _gate(metrics: tuple[str, ...], max_drop: tuple[str, ...], require: tuple[str, ...]) -> Gate:
    from gitexp.ops.comparing.check import Gate, Limit

    limits = tuple(Limit.parse(words, "--max-drop") for words in max_drop)
    return Gate(metrics=metrics, max_drop=limits, require=require)


def _check(names: tuple[str, ...], output: Path | None, to_stdout: bool, revisions: str | None, judged: object) -> None:
    from gitexp.errors import UsageError

    if output is None and not to_stdout and context.terminal_width() is not None:
        raise UsageError("a page is not for a terminal", hint="gitexp report -o report.html   (or --md)")
    if names and revisions is not None:
        raise UsageError("--pr finds its runs itself", hint=f"gitexp report --pr {revisions} --md")
    if judged and revisions is None:
        raise UsageError("--max-drop, --require and --json go with --pr", hint="gitexp report --pr main..HEAD --md")
