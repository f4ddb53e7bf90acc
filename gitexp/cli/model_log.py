"""gitexp model log: what was done to models, by whom, and what was refused; as a changelog too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, model

if TYPE_CHECKING:
    from gitexp.ops.registry.chronicle import Item
    from gitexp.ops.registry.models import Known

_ROWS = 50


@click.command("log")
@click.argument("name", metavar="[NAME|VERSION]", required=False, shell_complete=model.complete)
@click.option("-n", "--limit", type=click.IntRange(0), help=f"Show so many events ({_ROWS}; all as JSON).")
@click.option("-a", "--all", "every", is_flag=True, help="All events.")
@click.option("--refused", is_flag=True, help="Only events that changed nothing, and why.")
@click.option(
    "--changelog", is_flag=True, help="Print a changelog in Markdown: what each version is and where it went."
)
@context.json_option
def log(name: str | None, limit: int | None, every: bool, refused: bool, changelog: bool, as_json: bool) -> None:
    """Show what was done to a model, newest first; without NAME to all models.

    Plain Git has the same: git log --show-signature refs/models/churn.
    """
    from gitexp.errors import UsageError
    from gitexp.ops.registry import chronicle, models

    workspace = context.workspace()
    if changelog:
        if name is None or models.is_address(name):
            raise UsageError("a changelog is of one model", hint="gitexp model log NAME --changelog")
        from gitexp.ops.registry import changelog as writing

        found = models.known(workspace, models.one(workspace, name, removed=True))
        click.echo(writing.markdown(workspace, found), nl=False)
        return
    rows = list(chronicle.latest(workspace, name, refused=refused))
    if as_json:
        context.print_json([{"model": known.model.name, **item.to_json()} for known, item in rows[:limit]])
        return
    _echo(rows, rows[: limit if limit is not None else None if every else _ROWS], of_one=name is not None)


def _echo(rows: list[tuple[Known, Item]], shown: list[tuple[Known, Item]], *, of_one: bool) -> None:
    from gitexp.cli import model_page, tables

    if shown:
        width = context.terminal_width()
        tables.echo(model_page.events(shown, with_model=not of_one), width)
    dropped = sum(bool(item.refused) for _, item in rows)
    parts = [f"{len(shown)} of {len(rows):,} events (-n 50, --all)" if len(shown) < len(rows) else
             text.plural(len(rows), "event")]  # fmt: skip
    parts += [f"{dropped} refused"] if dropped else []
    context.out()
    context.out(", ".join(parts) + ".")
