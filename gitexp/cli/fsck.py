"""gitexp fsck: whether all that is stored is whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.ops.vetting import fsck

_SHOWN = 20  # files that are not here, as after a fetch of records alone


@click.command("fsck")
@click.option("--quick", is_flag=True, help="Compare the sizes of large files; do not read them.")
@click.option("--remote", "where", metavar="NAME", help="Ask this remote for large files that are not here.")
@click.option("--repair", is_flag=True, help="Put damaged large files aside and fetch them again.")
@context.json_option
def command(quick: bool, where: str | None, repair: bool, as_json: bool) -> int:
    """Check runs, large files, facts, models, journals and refs.

    Changes nothing without --repair, which deletes nothing: damaged bytes go to .git/gitexp/damaged. The exit code is 8
    where something is damaged.
    """
    from gitexp.errors import Damaged
    from gitexp.git import transport
    from gitexp.ops.vetting import fsck
    from gitexp.store import remotes

    workspace = context.workspace(sweep=False)
    at = remotes.choose(workspace, where) if where else None
    report = fsck.check(workspace, quick=quick, at=at, progress=_progress)
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    if repair and report.bad:
        names = [where] if where else list(transport.names(workspace.repo))
        sources = [remotes.choose(workspace, name) for name in names]
        fsck.mend(workspace, report, sources, transport.interactive())
    if as_json:
        context.print_json(report.to_json())
    else:
        _print(report)
    return Damaged.exit_code if report.damaged else 0


def _print(report: fsck.Report) -> None:
    from gitexp import text

    kinds = (
        ("damaged", "red", report.damaged),
        ("missing", "yellow", report.missing),
        ("elsewhere", "green", report.elsewhere),
    )
    for word, colour, faults in kinds:
        shown = faults if word == "damaged" else faults[:_SHOWN]
        for fault in shown:
            kind = "" if fault.kind in ("run", "ref", "file") else f"{fault.kind} "
            name = "" if fault.kind == "file" else f"{text.safe(fault.name)}: "
            context.out(f"{click.style(word, fg=colour)}  {kind}{name}{text.safe(fault.message)}")
            if word != "elsewhere":
                context.out(f"         {text.safe(fault.hint)}")
        if len(faults) > len(shown):
            context.out(f"{click.style(word, fg=colour)}  {len(faults) - len(shown):,} more: gitexp fsck --json")
    for sha256, path in report.quarantined.items():
        context.out(f"put aside  {sha256[:12]}: {text.safe(path)}")
    for line in summary(report):
        context.out(line)


def summary(report: fsck.Report) -> list[str]:
    """Return what was looked at, and what it came to."""
    from gitexp import text

    read = "sizes compared" if report.quick else "read"
    looked = [
        text.plural(report.runs, "run"),
        f"{text.plural(report.files, 'large file')} ({text.size(report.bytes)} {read})",
        text.plural(report.journals, "journal"),
        f"facts of {text.plural(report.annotated, 'run')}",
        *([text.plural(report.models, "model")] if report.models else []),
    ]
    found = [f"{len(report.repaired)} repaired"] if report.repaired else []
    found += [f"{len(report.elsewhere)} at the remote only"] if report.elsewhere else []
    if not report.damaged and not report.missing:
        return [f"all is well: {', '.join([*found, *looked])}"]
    found = [f"{len(report.damaged)} damaged", f"{len(report.missing)} missing", *found]
    return [f"{', '.join(found)} of {', '.join(looked)}"]


def _progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty() and total and not context.options().quiet:
        click.echo(f"\r\x1b[Kchecking {what}: {100 * done // total} %", err=True, nl=False)
