"""gitexp purge: delete runs for good."""

from __future__ import annotations

import click

from gitexp import errors, text
from gitexp.cli import context


@click.command("purge")
@click.argument("names", metavar="[RUN|PATTERN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why: the tombstone says it, everybody can read it.")
@click.option("--remote", "where", multiple=True, metavar="NAME", help="Also at this remote; several are possible.")
@click.option("--follow", is_flag=True, help="Purge here what others have purged (gitexp fetch brings their word).")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@context.json_option
def command(
    names: tuple[str, ...],
    reason: str,
    where: tuple[str, ...],
    follow: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete runs for good.

    For a leaked key or a legal request: refs, records, large files, facts and journals go, and all that only these runs
    needed. A tombstone stays, so that no clone brings them back. Everything else hides: gitexp rm.
    """
    from gitexp.git import transport
    from gitexp.ops import purge
    from gitexp.store import remotes

    if not names and not follow:
        raise errors.UsageError("purge needs a run, or --follow", hint="gitexp purge RUN -m REASON")
    if not reason and not follow and not dry_run:
        raise errors.UsageError("a purge needs a reason", hint="gitexp purge RUN -m 'a key was in its output'")
    workspace = context.workspace()
    chosen = [remotes.choose(workspace, name) for name in where]
    planned = purge.plan(workspace, names, follow=follow, at=chosen)
    lines = purge.describe(planned)
    if dry_run:
        for line in lines:
            context.out(line)
        return
    if not yes:
        for line in lines:
            context.say(line)
        if not context.confirm("Delete this for good?"):
            raise errors.Unconfirmed("nothing was deleted", hint="gitexp purge … --yes")
    done = purge.execute(workspace, planned, reason, transport.interactive())
    if as_json:
        context.print_json(done.to_json())
        return
    for target in planned.targets:
        context.out(f"purged {target.label}")
    context.out(
        f"deleted {text.plural(done.refs, 'ref')}, {text.plural(done.objects, 'object')} "
        f"({text.size(done.size_bytes)}), {text.plural(done.files, 'large file')}"
    )
    for line in done.left:
        context.out(f"left: {line}")
