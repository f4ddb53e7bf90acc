"""gitexp check: whether a run is good enough, by the exit code."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("check")
@click.argument("run", default="@", metavar="[RUN]", shell_complete=context.complete_runs)
@click.option("-m", "--metric", "metrics", multiple=True, metavar="NAME", help="Check this metric: val_auc, loss:last.")
@click.option("-b", "--baseline", default="", metavar="RUN|REVISION", help="Hold it against this run, or code's best.")
@click.option("--max-drop", multiple=True, metavar="[NAME=]N", help="So much worse it may be than the baseline (0).")
@click.option("--max-drop-percent", multiple=True, metavar="[NAME=]N", help="The same in percent of the baseline.")
@click.option("--min", "least", multiple=True, metavar="[NAME=]N", help="The value must be so much or more.")
@click.option("--max", "most", multiple=True, metavar="[NAME=]N", help="The value must be so much or less.")
@click.option("--require", multiple=True, metavar="CONDITION", help="This must hold of the run: 'code.dirty = false'.")
@click.option("--conventions", is_flag=True, help="It must keep the conventions of its experiment (gitexp.toml).")
@click.option("--allow-missing-baseline", is_flag=True, help="Where there is no baseline yet, check the rest.")
@click.option("--md", "as_markdown", is_flag=True, help="Print Markdown, for a comment.")
@context.json_option
def command(
    run: str,
    metrics: tuple[str, ...],
    baseline: str,
    max_drop: tuple[str, ...],
    max_drop_percent: tuple[str, ...],
    least: tuple[str, ...],
    most: tuple[str, ...],
    require: tuple[str, ...],
    conventions: bool,
    allow_missing_baseline: bool,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Say by the exit code whether a run is good enough.

    This is the regression gate of CI. RUN is @, the newest recorded here, if none is named. It must have completed, and
    keep all that is asked for; then the exit code is 0, else 12. A baseline that is a commit or branch means the best
    completed run of that code.
    """
    from gitexp.cli import check_page
    from gitexp.ops.comparing import check
    from gitexp.ops.comparing.check import Gate, Limit

    gate = Gate(
        metrics,
        baseline,
        tuple(Limit.parse(words, "--max-drop") for words in max_drop),
        tuple(Limit.parse(words, "--max-drop-percent") for words in max_drop_percent),
        tuple(Limit.parse(words, "--min") for words in least),
        tuple(Limit.parse(words, "--max") for words in most),
        require,
        allow_missing_baseline,
        conventions,
    )
    verdict = check.judge(context.workspace(), run, gate)
    if as_json:
        context.print_json(check.describe(verdict))
    elif as_markdown:
        check_page.echo_markdown(verdict)
    else:
        check_page.echo(verdict, context.terminal_width())
    check.refuse(verdict)
