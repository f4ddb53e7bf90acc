"""gitexp init: optional set-up of a repository."""

from __future__ import annotations

import click

from gitexp import text
from gitexp.cli import context


@click.command("init")
@click.option("--dirty", type=click.Choice(["snapshot", "refuse", "allow"]), help="What a run does in a dirty tree.")
@click.option("--hooks/--no-hooks", "with_hooks", default=None, help="Install hooks for commit and push, or not.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: what is not said stays as it is.")
@context.json_option
def command(dirty: str | None, with_hooks: bool | None, yes: bool, as_json: bool) -> None:
    """Set this repository up; recording needs none of it.

    Keeps curves out of git diff of two runs (.git/info/attributes), asks whether a run in a dirty tree is
    snapshotted or refused, and installs hooks if wanted. Again is fine.
    """
    from gitexp.ops import hooks, settings, setup

    workspace = context.workspace()
    asks = context.on_terminal() and not yes and not as_json
    if dirty is None and asks and settings.get(workspace, "dirty").origin == "default":
        dirty = click.prompt(
            "A run with uncommitted changes: snapshot them with the run, or refuse to start?",
            type=click.Choice(["snapshot", "refuse"]), default="snapshot", err=True,
        )  # fmt: skip
    if with_hooks is None and asks:
        with_hooks = context.confirm("Install Git hooks that look after runs at commit and push?")
    done = setup.initialise(workspace, dirty=dirty or "", with_hooks=hooks.COMMIT_AND_PUSH if with_hooks else ())
    if as_json:
        context.print_json(setup.describe(done))
        return
    for item in done:
        context.out(f"{item.what}: {text.safe(item.detail)}" + ("" if item.changed else " (as before)"))
