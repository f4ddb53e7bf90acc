"""gitexp purge: delete runs for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import errors, text
from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.ops.purging.purge import Purged


@click.command("purge")
@click.argument("names", metavar="[RUN|PATTERN|RUN:PATH|SHA256]...", nargs=-1, shell_complete=context.complete_runs)
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
    needed. RUN:PATH is one artifact of a run, which is made anew without it; SHA256 is bytes, wherever runs have them.
    A tombstone stays, so that no clone brings them back. Everything else hides: gitexp rm.
    """
    from gitexp.git import transport
    from gitexp.ops.purging import excise, purge
    from gitexp.store import remotes

    if not names and not follow:
        raise errors.UsageError("purge needs a run, or --follow", hint="gitexp purge RUN -m REASON")
    if not reason and not follow and not dry_run:
        raise errors.UsageError("a purge needs a reason", hint="gitexp purge RUN -m 'a key was in its output'")
    workspace = context.workspace()
    chosen = [remotes.choose(workspace, name) for name in where]
    parts = {name: part for name in names if (part := excise.parse(workspace, name)) is not None}
    found = [*parts.values(), *(excise.followed(workspace) if follow else [])]
    cuts = [excise.plan(workspace, part, at=chosen) for part in found]
    whole = [name for name in names if name not in parts]
    planned = None
    if whole or follow:
        try:
            planned = purge.plan(workspace, whole, follow=follow, at=chosen)
        except errors.NotFound:
            if whole or not cuts:
                raise
    lines = [*(purge.describe(planned) if planned else []), *(line for cut in cuts for line in excise.describe(cut))]
    if dry_run:
        for line in lines:
            context.out(line)
        return
    if not yes:
        for line in lines:
            context.say(line)
        if not context.confirm("Delete this for good?"):
            raise errors.Unconfirmed("nothing was deleted", hint="gitexp purge … --yes")
    options, done = transport.interactive(), purge.Purged()
    if planned is not None:
        done = purge.execute(workspace, planned, reason, options)
    for number, cut in enumerate(cuts):  # what the first one did, the second one has to see
        fresh = cut if number == 0 and planned is None else excise.plan(workspace, cut.part, at=chosen)
        excise.execute(workspace, fresh, reason, done, options)
    if as_json:
        context.print_json(done.to_json())
        return
    _print(done, [*(target.label for target in planned.targets)] if planned else [], [cut.part.said for cut in cuts])


def _print(done: Purged, labels: list[str], parts: list[str]) -> None:
    for label in [*labels, *(text.safe(part) for part in parts if part)]:
        context.out(f"purged {label}")
    context.out(
        f"deleted {text.plural(done.refs, 'ref')}, {text.plural(done.objects, 'object')} "
        f"({text.size(done.size_bytes)}), {text.plural(done.files, 'large file')}"
    )
    for line in dict.fromkeys(done.left):
        context.out(f"left: {line}")
