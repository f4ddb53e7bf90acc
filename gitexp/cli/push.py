"""`gitexp push`: send runs and facts to a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import errors
from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.git.transport import Options
    from gitexp.ops.sharing.push import Choice, Plan, Pushed
    from gitexp.store.remotes import Remote
    from gitexp.store.workspace import Workspace


@click.command("push", short_help="Send runs to a remote.")
@click.argument("words", nargs=-1, metavar="[REMOTE] [RUN|PATTERN]...", shell_complete=context.complete_runs)
@click.option("--all", "everything", is_flag=True, help="Also runs that others recorded.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@click.option("--clean", is_flag=True, help="Leave out runs with uncommitted edits.")
@click.option("--delete", is_flag=True, help="Delete the named runs at the remote; they stay here.")
@click.option("-y", "--yes", is_flag=True, help="Agree to what is sent, once per remote and kind.")
@click.option("--auto", is_flag=True, help="Ask nothing, send what was agreed to, log to .git/gitexp/push.log.")
@click.option("--live", metavar="ID", hidden=True, help="With --auto: publish this running run.")
@click.option("--end-live", metavar="ID", hidden=True, help="With --auto: take it away again.")
@context.json_option
def command(
    words: tuple[str, ...],
    everything: bool,
    dry_run: bool,
    clean: bool,
    delete: bool,
    yes: bool,
    auto: bool,
    live: str | None,
    end_live: str | None,
    as_json: bool,
) -> None:
    """Send runs to a remote.

    Without names: your finished runs that the remote lacks, and what is said of them. The remote is gitexp.remote, else
    the one that `git push` would take. What leaves this machine is shown and agreed to once per remote.
    """
    from gitexp.git import transport
    from gitexp.ops.sharing import push
    from gitexp.store import remotes

    workspace = context.workspace(sweep=not auto)
    if auto:
        _auto(workspace, words, live, end_live)
        return
    named = bool(words) and remotes.is_one(workspace, words[0])
    remote = remotes.choose(workspace, words[0] if named else None)
    choice = push.Choice(words[1:] if named else words, everything, clean)
    if delete:
        _delete(workspace, remote, choice, transport.interactive(), ask=not yes)
        return
    planned = push.plan(workspace, remote, choice, transport.interactive(), measure=dry_run)
    if dry_run:
        _print(planned.to_json(), push.preview(planned), as_json)
        return
    done = _push(workspace, planned, yes, transport.interactive())
    _print(done.to_json(), push.describe(done, planned), as_json)


def _print(value: object, lines: list[str], as_json: bool) -> None:
    if as_json:
        context.print_json(value)
        return
    for line in lines:
        context.out(line)


def _push(workspace: Workspace, planned: Plan, yes: bool, options: Options) -> Pushed:
    from gitexp.ops.sharing import push

    try:
        return push.push(workspace, planned, yes=yes, options=options)
    except errors.Unconfirmed as error:
        if not context.on_terminal():
            raise
        for line in error.plan:
            context.say(line)
        if not context.confirm("Send this, and from now on without asking?"):
            raise errors.Unconfirmed(error.message, hint=error.hint) from error
    return push.push(workspace, planned, yes=True, options=options)


def _delete(workspace: Workspace, remote: Remote, choice: Choice, options: Options, *, ask: bool) -> None:
    from gitexp.ops.sharing import push

    if not choice.names:
        raise errors.UsageError("push --delete needs the names of runs", hint="gitexp push --delete RUN")
    chosen = push.doomed(workspace, remote, choice.names, options)
    for ref in chosen:
        context.say(f"delete {ref} at {remote.label}")
    if ask and not context.confirm(f"Delete at {remote.label}?"):
        raise errors.Unconfirmed("nothing deleted", hint="say yes with: gitexp push --delete --yes RUN")
    push.delete(workspace, remote, chosen, options)
    context.out(f"{remote.label}: {len(chosen)} deleted there, kept here")


def _auto(workspace: Workspace, words: tuple[str, ...], live: str | None, end_live: str | None) -> None:
    from gitexp.ops.sharing import publish

    if live is not None:
        publish.logged_live(workspace, live)
    elif end_live is not None:
        publish.logged_end_live(workspace, end_live)
    else:
        publish.auto(workspace, words[0] if words else None)
