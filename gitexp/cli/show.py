"""gitexp show: one run in full."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("show")
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("--output", is_flag=True, help="Print what the wrapped command printed, instead of the page.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every point of every metric: run,metric,step,time,value.")
@click.option("--wide", is_flag=True, help="With --csv: a row a step, a column a metric.")
@context.json_option
def command(names: tuple[str, ...], output: bool, as_csv: bool, wide: bool, as_json: bool) -> None:
    """Show a run in full: @, the newest recorded here, if none is named.

    A RUN is a name, experiment/name, an id or its beginning, a ref, a run commit, @~2, @{max:val_auc}, @{min:loss},
    or a pattern such as 'lr0.1*'. With --json one run is an object, several or a pattern are a list.
    """
    from gitexp import text
    from gitexp.cli import show_page
    from gitexp.errors import UsageError
    from gitexp.ops.finding import find
    from gitexp.ops.showing import history, show

    if wide and not as_csv:
        raise UsageError("--wide is for --csv", hint="gitexp show --csv --wide")
    workspace = context.workspace()
    found = find.many(workspace, names or ("@",), removed=True)
    if as_csv:
        context.out_csv(history.wide(found) if wide else history.csv(found))
        return
    if output:
        for run in found:
            context.out(text.safe_lines((run.file("output.log") or b"").decode("utf-8", "replace").rstrip("\n")))
        return
    pages = [show.page(workspace, run) for run in found]
    if as_json:
        values = [show.describe(workspace, page) for page in pages]
        context.print_json(values[0] if len(names) <= 1 and len(values) == 1 else values)
        return
    for at, page in enumerate(pages):
        if at:
            context.out()
        show_page.echo(workspace, page, context.terminal_width())
