"""gitexp run: a command as a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gitexp.cli import context


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-e", "--experiment", metavar="NAME", shell_complete=context.complete_experiments, help="Record in it.")
@click.option("--name", metavar="NAME", help="Name of the run; default: from the template or the arguments.")
@click.option("-m", "--note", metavar="TEXT", help="A note on the run.")
@click.option("-t", "--tag", "tags", metavar="KEY[=VALUE]", multiple=True, help="Tag the run; several are allowed.")
@click.option("--params", "params_file", type=click.Path(path_type=Path), help="Params from a YAML, JSON or TOML file.")
@click.option("--dirty", type=click.Choice(["snapshot", "refuse", "allow"]), help="With uncommitted changes.")
@click.option("--seed", type=int, help="Record this seed, and give it to the command as GITEXP_SEED.")
@click.option("--parent", metavar="RUN", shell_complete=context.complete_runs, help="The run that this one is part of.")
@click.option("--resume", metavar="RUN", shell_complete=context.complete_runs, help="Go on with this run.")
@click.option("--fork", metavar="RUN", shell_complete=context.complete_runs, help="Begin from this run; recorded.")
@click.option("--artifacts", metavar="PATTERN", multiple=True, help="Keep these files that it wrote: 'out/**/*.png'.")
@click.option("--any-age", is_flag=True, help="With --artifacts: also files that were there before.")
@click.option("--publish", "publish_live", is_flag=True, help="Push the run while it runs.")
@click.option("--no-verify", is_flag=True, help="Skip the pre-run hook; recorded.")
@click.argument("command_line", metavar="-- COMMAND [ARGUMENT]...", nargs=-1, type=click.UNPROCESSED, required=True)
def command(
    command_line: tuple[str, ...],
    experiment: str | None,
    name: str | None,
    note: str | None,
    tags: tuple[str, ...],
    params_file: Path | None,
    dirty: str | None,
    seed: int | None,
    artifacts: tuple[str, ...],
    any_age: bool,
    publish_live: bool,
    no_verify: bool,
    **others: str | None,
) -> None:
    """Run a command and record it as a run.

    The script need not know: params come from its arguments (--lr 0.05, lr=0.05), and code, environment, output and
    exit code are captured. Its output passes through unchanged; the exit code is the command's own.
    """
    from gitexp.cli import progress
    from gitexp.ops import annotate
    from gitexp.ops.finding import find
    from gitexp.ops.recording import collect, lifecycle, wrap
    from gitexp.ops.sharing import publish

    collect.check(artifacts)
    overrides = {
        key: value for key, value in (("dirty", dirty), ("publish", "true" if publish_live else None)) if value
    }
    workspace = context.workspace(overrides=overrides)
    asked = wrap.request(command_line, params_file)
    asked.experiment, asked.name, asked.verify = experiment, name, not no_verify
    asked.tags = dict(tag.partition("=")[::2] for tag in tags)
    asked.seeds = {} if seed is None else {"seed": seed}
    for key in ("parent", "resume", "fork"):
        given = others[key]
        if given is not None:
            setattr(asked, {"fork": "forked_from"}.get(key, key), find.one(workspace, given).id)
    if publish_live and (why := publish.obstacle(workspace)):
        context.say(f"gitexp: not published while it runs: {why}")
    wanted = collect.Wanted(artifacts, any_age)
    done = wrap.run(workspace, command_line, asked, wanted, progress.bar("keeping artifacts"))
    if note:
        annotate.note(workspace, [done.run], note)
    if done.collected is not None:
        context.say(f"gitexp: {done.collected.line()}.")
    context.say(f"gitexp: {lifecycle.closing(done.run)}")
    sys.exit(done.exit_code)
