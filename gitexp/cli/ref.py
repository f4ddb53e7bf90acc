"""gitexp ref: the ref of a run, for plain Git."""

from __future__ import annotations

import click

from gitexp.cli import context


@click.command("ref")
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("--commit", "-c", is_flag=True, help="Print the run commit instead.")
@click.option("--code", is_flag=True, help="Print the commit of the code that ran, RUN^, instead.")
@context.json_option
def command(names: tuple[str, ...], commit: bool, code: bool, as_json: bool) -> None:
    """Print the ref of a run, for plain Git: git show $(gitexp ref @).

    A run that is still running has none yet.
    """
    from gitexp.errors import NotFound
    from gitexp.ops.finding import find

    workspace = context.workspace()
    found = find.many(workspace, names or ("@",))
    for run in found:
        if not run.commit:
            raise NotFound(f"run {run.name} is still running: it has no commit yet", hint=f"gitexp show {run.id[:7]}")
    codes = {run.id: find.code(workspace, run) for run in found}
    if as_json:
        context.print_json(
            [{"id": run.id, "ref": run.ref, "commit": run.commit, "code": codes[run.id]} for run in found]
        )
        return
    for run in found:
        context.out(str((codes[run.id] if code else run.commit if commit else run.ref) or run.commit))
