"""What every command shares: the options before the verb, the workspace, printing, completion."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from gitexp.store.workspace import Workspace

_TOLD_SECONDS = 0.1


@dataclass(slots=True)
class Options:
    """The options given before the verb, and the workspace once a command asked for it."""

    repo: str | None = None
    quiet: bool = False
    opened: list[Workspace] = field(default_factory=list)


def options() -> Options:
    """Return the options of this invocation."""
    found = click.get_current_context().find_object(Options)
    return found if found is not None else Options()


def workspace(*, sweep: bool = True, overrides: Mapping[str, str] | None = None) -> Workspace:
    """Open the repository of this invocation once; dead runs are closed and lost refs put back first, and said."""
    chosen = options()
    if not chosen.opened:
        from gitexp.store import workspace as workspaces

        chosen.opened.append(workspaces.open(chosen.repo, overrides))
        if sweep:
            _sweep(chosen.opened[0])
    return chosen.opened[0]


def _sweep(opened: Workspace) -> None:
    from gitexp.ops.recording import sweep

    if not sweep.needed(opened):
        return
    from gitexp.ops.recording import recover

    line = recover.sweep(opened).line()
    if line:
        say(f"gitexp: {line}")


def say(line: str) -> None:
    """Print one line of talk on stderr; nothing with -q or GITEXP_QUIET."""
    if not options().quiet:
        click.echo(line, err=True)


def out(line: str = "") -> None:
    """Print one line of data on stdout."""
    click.echo(line)


def print_json(value: Any) -> None:
    """Print the one JSON document of a command: sorted keys; NaN and the infinities as strings."""
    from gitexp import canonical, text

    click.echo(text.safe_json(canonical.dumps(value).decode()), nl=False)


def out_csv(pieces: Iterable[str]) -> None:
    """Print CSV; on a terminal what it would act upon is made visible."""
    from gitexp import text

    for piece in pieces:
        click.echo(text.safe_lines(piece) if sys.stdout.isatty() else piece, nl=False, color=True)


def write_page(page: str, path: Path | None) -> None:
    """Write a page to a file, whole or not at all; to stdout where none is named."""
    if path is None:
        click.echo(page, nl=False)
        return
    from gitexp import files

    files.write(path, page.encode())
    say(f"gitexp: {path} written ({len(page.encode()) / 1000:,.0f} kB)")


def confirm(question: str) -> bool:
    """Ask on a terminal; without one the answer is no."""
    return on_terminal() and click.confirm(question, err=True)


def on_terminal() -> bool:
    """Say whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def progress(word: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield what is told the bytes done since it was told last; on a terminal a line tells how far it is."""
    import time

    from gitexp import text

    done, told = 0, 0.0

    def tell(count: int) -> None:
        nonlocal done, told
        done += count
        if shown and time.monotonic() - told > _TOLD_SECONDS:
            told = time.monotonic()
            of = f" of {text.size(total)}" if total else ""
            click.echo(f"\r\x1b[K{word}: {text.size(done)}{of}", err=True, nl=False)

    shown = sys.stderr.isatty() and not options().quiet
    try:
        yield tell
    finally:
        if told:
            click.echo("\r\x1b[K", err=True, nl=False)


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is, None for a pipe or a file (never cut)."""
    import os
    import shutil

    if not sys.stdout.isatty() and not os.environ.get("GITEXP_FORCE_TERMINAL"):
        return None
    return max(shutil.get_terminal_size().columns, 20)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; its keys are in docs/scripting.md.")


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name, experiment/name or id of a run; an empty list wherever that cannot be known."""
    from click.shell_completion import CompletionItem

    with suppress(Exception):  # completion must never print into a half-typed command
        from gitexp.ops.finding import find

        return [
            CompletionItem(name, help=what) for name, what in find.completions(quiet_workspace(context), incomplete)
        ]
    return []


def complete_experiments(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of an experiment."""
    from click.shell_completion import CompletionItem

    with suppress(Exception):  # completion must never print into a half-typed command
        from gitexp.ops.finding import find

        names: Sequence[str] = find.experiment_names(quiet_workspace(context))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return []


def quiet_workspace(context: click.Context) -> Workspace:
    """Open the repository of a half-typed line: its -C and --repo are not acted upon yet."""
    import os

    from gitexp.store import workspace as workspaces

    given = context.find_root().params
    folder = os.path.join("", *(given.get("paths") or ()))  # noqa: PTH118 - as -C adds up, "" being none
    return workspaces.open(os.path.join(folder, given["repo"]) if given.get("repo") else folder or None)  # noqa: PTH118
