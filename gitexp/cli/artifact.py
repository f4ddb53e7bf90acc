"""gitexp artifact: list, get, add, verify, compare and drop the files that runs kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import ids, text
from gitexp.cli import context
from gitexp.cli.verbs import Group

if TYPE_CHECKING:
    from gitexp.ops.files.artifacts import Verified
    from gitexp.ops.files.restore import Done


@click.group("artifact", cls=Group)
def command() -> None:
    """Look after the files that runs kept.

    PATH is a name, a folder, or a pattern: '*.png' in any folder, 'plots/*.png' in one, 'plots/**' in all below.
    """


_run = click.argument("run", metavar="RUN", shell_complete=context.complete_runs)
_paths = click.argument("paths", metavar="[PATH]...", nargs=-1)
remote_option = click.option("--remote", metavar="NAME", help="The remote to ask; else those seen to have it.")


@command.command("ls")
@_run
@_paths
@click.option("-a", "--all", "everything", is_flag=True, help="Every file: folders are not folded.")
@context.json_option
def ls(run: str, paths: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """List the files that a run kept, their sha256, and where the bytes are."""
    from gitexp.cli import artifact_page
    from gitexp.ops.files import artifacts
    from gitexp.ops.finding import find

    workspace = context.workspace()
    found = find.one(workspace, run)
    rows = artifacts.listing(workspace, found, paths)
    if as_json:
        context.print_json([row.to_json() for row in rows])
        return
    if not everything:
        below = f"{paths[0].strip('/')}/" if len(paths) == 1 else ""
        inside = below if rows and all(row.name.startswith(below) for row in rows) else ""
        rows = rows if paths and not inside else artifacts.folded(rows, inside)
    artifact_page.listing(rows, context.terminal_width())
    if not rows:
        context.say(f"{found.label} kept no files; add some: gitexp artifact add {found.id[:7]} FILE")


@command.command("get")
@_run
@_paths
@click.option("--to", "to", metavar="FOLDER", default=".", help="The folder to write into (default: this one).")
@click.option("-f", "--force", is_flag=True, help="Write over files of other content.")
@remote_option
@context.json_option
def get(run: str, paths: tuple[str, ...], to: str, force: bool, remote: str | None, as_json: bool) -> None:
    """Write files of a run into a folder, under their whole names.

    All of them where no PATH is named. What is there and right is not written again, and what is there and other is
    never written over without --force. Bytes that are not in this clone are brought from a remote. For one file, as cp
    would: gitexp get RUN:PATH.
    """
    from pathlib import Path

    from gitexp.git import transport
    from gitexp.ops.files import artifacts, restore
    from gitexp.ops.finding import find

    workspace = context.workspace()
    found = find.one(workspace, run)
    items = artifacts.chosen(found, paths)
    made = restore.plan(found, items, Path(to))
    with context.progress("writing", sum(item.size_bytes for item in items)) as tell:
        done = restore.execute(workspace, made, force=force, remote=remote, options=transport.interactive(), tell=tell)
    report(done, as_json=as_json)


def report(done: Done, *, as_json: bool) -> None:
    """Print what was written."""
    if as_json:
        context.print_json(done.to_json())
        return
    for name, path in done.plan.renamed:
        context.say(f"gitexp: {text.safe(name)} cannot be a file here and is written as {text.safe(path)}")
    one = done.written[0] if len(done.written) == 1 and not done.there else None
    what = text.safe(str(done.plan.top / one.path)) if one else text.plural(len(done.written), "file")
    where = "" if one else f" in {text.safe(str(done.plan.top))}"
    parts = [f"{what} ({text.size(done.size_bytes)}){where}"] if done.written else []
    if done.there:
        parts.append(f"{text.plural(len(done.there), 'file')} there already")
    if done.fetched_bytes:
        parts.append(f"{text.size(done.fetched_bytes)} from a remote")
    context.out(", ".join(parts) or "nothing to write")


@command.command("add")
@_run
@click.argument("given", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--name", metavar="NAME", help="Its name in the run (default: the last part of FILE).")
@click.option("--type", "kind", metavar="TYPE", help="What kind of thing it is: model, image, table, …")
@click.option("-m", "--caption", metavar="TEXT", help="Text for people.")
@context.json_option
def add(
    run: str, given: tuple[str, ...], name: str | None, kind: str | None, caption: str | None, as_json: bool
) -> None:
    """Add files or folders to a run, also to one that has ended.

    An ended run gets one more commit, as resuming gives it; its end and its status stay. A running one keeps them in
    its journal.
    """
    import os
    from pathlib import Path

    from gitexp.errors import UsageError
    from gitexp.ops.files import artifacts
    from gitexp.ops.finding import find

    if name is not None and len(given) > 1:
        raise UsageError("--name is for one file", hint="gitexp artifact add RUN FILE --name NAME")
    workspace = context.workspace()
    found = find.one(workspace, run)
    pairs = [(Path(path), name or Path(os.path.abspath(path)).name) for path in given]  # noqa: PTH100 - links stay
    facts = {key: value for key, value in (("type", kind), ("caption", caption)) if value}
    with context.progress("reading", 0) as tell:
        done = artifacts.add(workspace, found, pairs, facts, tell)
    for path, why in done.left_out:
        context.say(f"gitexp: {text.safe(path)} is left out: it {why}")
    if as_json:
        context.print_json(done.to_json())
        return
    what = text.safe(done.names[0]) if len(done.names) == 1 else text.plural(len(done.names), "file")
    context.out(f"added {what} ({text.size(done.size_bytes)}) to {done.run.label}")


@command.command("verify")
@click.argument("runs", metavar="[RUN|PATTERN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option("-a", "--all", "everything", is_flag=True, help="All runs of this clone.")
@context.json_option
def verify(runs: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Read the files that runs kept and compare them with their sha256.

    The exit code is 8 where one is damaged. A file that is not in this clone is named, and is no damage.
    """
    from gitexp.errors import Damaged, UsageError
    from gitexp.ops.files import artifacts
    from gitexp.ops.finding import find
    from gitexp.store import runs as stored

    if bool(runs) == everything:
        raise UsageError("verify what? name runs, or --all", hint="gitexp artifact verify @")
    workspace = context.workspace()
    found = list(stored.every(workspace)) if everything else find.many(workspace, runs)
    with context.progress("reading", 0) as tell:
        rows = list(artifacts.verify(workspace, found, tell))
    if as_json:
        context.print_json([row.to_json() for row in rows])
    else:
        _print_verified(rows)
    return Damaged.exit_code if any(row.state == artifacts.DAMAGED for row in rows) else 0


def _print_verified(rows: list[Verified]) -> None:
    from gitexp.ops.files import artifacts

    for state, colour in ((artifacts.DAMAGED, "red"), (artifacts.MISSING, "yellow")):
        for row in rows:
            if row.state == state:
                where = f"{text.safe(row.name)} of {row.run.label}"
                context.out(f"{click.style(state, fg=colour)}  {where}: {text.safe(row.why)}")
    counts = {state: sum(row.state == state for row in rows) for state in (artifacts.DAMAGED, artifacts.MISSING)}
    right = [row for row in rows if row.state == artifacts.OK]
    parts = [f"{text.plural(len(right), 'file')} right ({text.size(sum(row.size_bytes for row in right))})"]
    context.out(", ".join([*parts, *(f"{count} {state}" for state, count in counts.items() if count)]))


@command.command("diff")
@click.argument("old", metavar="A", shell_complete=context.complete_runs)
@click.argument("new", metavar="B", shell_complete=context.complete_runs)
@_paths
@context.json_option
def diff(old: str, new: str, paths: tuple[str, ...], as_json: bool) -> None:
    """Compare the files of two runs: lines of text, sizes of images, columns and rows of tables.

    Where files are named, all their lines are shown.
    """
    from gitexp.cli import artifact_page
    from gitexp.ops.files import contents
    from gitexp.ops.finding import find

    workspace = context.workspace()
    found = contents.difference(workspace, find.one(workspace, old), find.one(workspace, new), paths)
    if as_json:
        context.print_json(found.to_json())
    else:
        artifact_page.difference(found, whole=bool(paths))


@command.command("drop")
@_run
@_paths
@click.option("--remote", metavar="NAME", help="The remote that has to have the bytes.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would go.")
@context.json_option
def drop(run: str, paths: tuple[str, ...], remote: str | None, dry_run: bool, as_json: bool) -> None:
    """Free the space of files that a remote surely has.

    The remote is asked now; what it does not have stays here. The run keeps its files: gitexp get brings them back.
    Small files stand in Git and stay.
    """
    from gitexp.git import transport
    from gitexp.ops.files import artifacts
    from gitexp.ops.finding import find
    from gitexp.ops.storage import drop as dropping
    from gitexp.store import remotes

    workspace = context.workspace()
    found = find.one(workspace, run)
    at = remotes.choose(workspace, remote)
    made = dropping.plan(workspace, at, artifacts.chosen(found, paths), transport.interactive())
    if not dry_run:
        dropping.execute(workspace, made)
    if as_json:
        context.print_json({**made.to_json(), "dry_run": dry_run})
        return
    gone, kept = dropping.size(made.going), dropping.size(made.staying)
    word = "would drop" if dry_run else "dropped"
    if made.going:
        what = f"{text.plural(len(made.going), 'file')} ({text.size(gone)}) of {found.label}"
        context.out(f"{word} {what}: {at.label} has {'it' if len(made.going) == 1 else 'them'}")
    else:
        context.out(f"nothing of {found.label} to drop")
    if made.staying:
        verb, them = ("stays", "it") if len(made.staying) == 1 else ("stay", "them")
        what = f"{text.plural(len(made.staying), 'file')} ({text.size(kept)})"
        context.say(f"{what} {verb}: {at.label} does not have {them}; gitexp push {at.label} {ids.short(found.id)}")
