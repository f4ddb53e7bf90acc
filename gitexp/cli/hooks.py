"""gitexp hooks: install, list and remove Git hooks; the hooks themselves come back here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitexp.cli import context
from gitexp.cli.verbs import Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitexp.ops.hooks import Change
    from gitexp.store.workspace import Workspace

names_argument = click.argument("names", nargs=-1, metavar="[HOOK]...")
server_option = click.option("--server", metavar="PATH", help="The bare repository PATH: its pre-receive hook.")
force_option = click.option("--force", is_flag=True, help="Also where a script of gitexp's was edited since.")


@click.group("hooks", cls=Group)
def command() -> None:
    """Install, list and remove Git hooks that look after runs."""


@command.command("install")
@names_argument
@click.option("--all", "every", is_flag=True, help="With pre-run: runs in a dirty tree are refused.")
@server_option
@click.option("--shared", is_flag=True, help="Agree to a core.hooksPath that all your repositories share.")
@force_option
def install(names: tuple[str, ...], every: bool, server: str | None, shared: bool, force: bool) -> None:
    """Install hooks; those that are there are kept and run first.

    Without HOOK: pre-commit, prepare-commit-msg, commit-msg and pre-push.
    """
    from gitexp.ops import hooks

    workspace = _workspace(server)
    chosen = names or (hooks.SERVER if server else hooks.CLIENT if every else hooks.COMMIT_AND_PUSH)
    _report(hooks.install(workspace, chosen, shared=shared, force=force))
    if not server and hooks.PRE_RUN not in chosen and hooks.pre_run_path(workspace) is None:
        context.say("not installed: pre-run; it refuses runs in a dirty tree: gitexp hooks install pre-run")
    for line in () if server else hooks.framework_advice(workspace):
        context.say(line)


@command.command("uninstall")
@names_argument
@server_option
@force_option
def uninstall(names: tuple[str, ...], server: str | None, force: bool) -> None:
    """Remove gitexp's hooks; those before them come back."""
    from gitexp.ops import hooks

    changes = hooks.remove(_workspace(server), names or (*hooks.CLIENT, *hooks.SERVER), force=force)
    _report(changes)
    if not changes:
        context.say("no hooks of gitexp are installed")


def _report(changes: Sequence[Change]) -> None:
    from gitexp import text

    for change in changes:
        detail = f" ({change.detail})" if change.detail else ""
        context.say(f"{change.name}: {change.done}: {text.safe(str(change.path))}{detail}")


@command.command("ls")
@server_option
@context.json_option
def ls(server: str | None, as_json: bool) -> None:
    """List the hooks and what is installed."""
    from gitexp import text
    from gitexp.ops import hooks

    found = hooks.listing(_workspace(server))
    if as_json:
        context.print_json({"hooks": [hooks.to_json(hook) for hook in found]})
        return
    for hook in found:
        before = f"  runs {hook.before.name} first" if hook.before and hook.state in ("installed", "changed") else ""
        context.out(f"{hook.name:<18}  {_STATES[hook.state]:<28}  {text.safe(str(hook.path))}{before}".rstrip())


_STATES = {
    "installed": "installed",
    "changed": "installed, edited since",
    "other": "not gitexp's",
    "framework": "by the pre-commit framework",
    "absent": "-",
}


def _workspace(server: str | None) -> Workspace:
    if server is None:
        return context.workspace(sweep=False)
    from gitexp.store import workspace as workspaces

    return workspaces.open(server)


@command.group("run")
def run() -> None:
    """Do what a hook does: the scripts that are installed call this."""


@run.command("pre-run")
def pre_run() -> None:
    """Refuse a run in a dirty tree."""
    from gitexp.ops import dirty, hooks

    status = dirty.status(context.workspace(sweep=False))
    if status.dirty:
        raise hooks.refusal(status.paths)


@run.command("clean-tree")
def clean_tree() -> None:
    """Refuse a dirty tree: for CI and the pre-commit framework."""
    from gitexp.ops import guard

    guard.clean_tree(context.workspace(sweep=False))


@run.command("pre-commit")
def pre_commit() -> None:
    """Refuse staged run records, and staged files that belong in artifacts."""
    from gitexp.ops import guard

    guard.check_staged(context.workspace(sweep=False))


@run.command("prepare-commit-msg")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("kind", default="")
@click.argument("commit", default="")
def prepare_commit_msg(file: Path, kind: str, commit: str) -> None:
    """Offer the trailer Run: NAME in the message FILE."""
    from gitexp import errors
    from gitexp.ops import trailer

    try:
        trailer.prepare(context.workspace(sweep=False), file, kind)
    except errors.GitexpError as error:  # an offer that cannot be made keeps nobody from committing
        context.say(f"gitexp: no run is offered: {error.message}")


@run.command("commit-msg")
@click.argument("file", type=click.Path(path_type=Path))
def commit_msg(file: Path) -> None:
    """Refuse a trailer Run: NAME of a run that is not there, or was not clean."""
    from gitexp.ops import trailer

    for remark in trailer.check(context.workspace(sweep=False), file):
        context.say(f"gitexp: {remark}")


def _lines() -> list[str]:
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines()


@run.command("pre-push")
@click.argument("remote", default="origin")
@click.argument("url", default="")
def pre_push(remote: str, url: str) -> None:
    """Refuse runs of dirty trees where gitexp.pushDirty says so; push experiments along."""
    from gitexp.ops import guard

    workspace = context.workspace(sweep=False)
    pushed = guard.updates(_lines())
    guard.check_pushed(workspace, pushed)
    said = guard.push_along(workspace, remote, pushed)
    if said:
        context.say(said)


@run.command("no-dirty-runs")
def no_dirty_runs() -> None:
    """Refuse to push runs of dirty trees: for the pre-commit framework at pre-push."""
    from gitexp.ops import guard

    guard.check_framework_push(context.workspace(sweep=False))


@run.command("pre-receive")
def pre_receive() -> None:
    """Refuse a push that would lose, forge or damage runs or facts: for servers."""
    from gitexp.ops.vetting import receive

    receive.forget_environment()
    workspace = context.workspace(sweep=False)
    pushed = receive.updates(workspace, _lines())
    if pushed:
        receive.check(workspace, pushed)
