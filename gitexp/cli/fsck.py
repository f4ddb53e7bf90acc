"""gitexp fsck: whether all that is stored is whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gitexp.cli import context

if TYPE_CHECKING:
    from gitexp.ops import fsck


@click.command("fsck")
@click.option("--quick", is_flag=True, help="Compare the sizes of large files; do not read them.")
@context.json_option
def command(quick: bool, as_json: bool) -> int:
    """Check runs, large files, facts, journals and refs.

    Changes nothing. The exit code is 8 where something is damaged.
    """
    from gitexp import text
    from gitexp.errors import Damaged
    from gitexp.ops import fsck

    report = fsck.check(context.workspace(sweep=False), quick=quick, progress=_progress)
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    if as_json:
        context.print_json(report.to_json())
        return Damaged.exit_code if report.damaged else 0
    for word, colour, faults in (("damaged", "red", report.damaged), ("missing", "yellow", report.missing)):
        for fault in faults:
            kind = "" if fault.kind in ("run", "ref", "file") else f"{fault.kind} "
            name = "" if fault.kind == "file" else f"{text.safe(fault.name)}: "
            context.out(f"{click.style(word, fg=colour)}  {kind}{name}{text.safe(fault.message)}")
            context.out(f"         {text.safe(fault.hint)}")
    for line in summary(report):
        context.out(line)
    return Damaged.exit_code if report.damaged else 0


def summary(report: fsck.Report) -> list[str]:
    """Return what was looked at, and what it came to."""
    from gitexp import text

    read = "sizes compared" if report.quick else "read"
    looked = [
        text.plural(report.runs, "run"),
        f"{text.plural(report.files, 'large file')} ({text.size(report.bytes)} {read})",
        text.plural(report.journals, "journal"),
        f"facts of {text.plural(report.annotated, 'run')}",
    ]
    if not report.damaged and not report.missing:
        return [f"all is well: {', '.join(looked)}"]
    found = [f"{len(report.damaged)} damaged", f"{len(report.missing)} missing"]
    return [f"{', '.join(found)} of {', '.join(looked)}"]


def _progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty() and total and not context.options().quiet:
        click.echo(f"\r\x1b[Kchecking {what}: {100 * done // total} %", err=True, nl=False)
