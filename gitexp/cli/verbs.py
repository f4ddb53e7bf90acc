"""Groups of commands from a table: names and help lines are known without importing what is behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

import click

Table = Mapping[str, tuple[tuple[str, str, str], ...]]  # section: (verb, module in gitexp.cli, its one-line help)


class Group(click.Group):
    """A group of commands: typed alone it prints its help, and where one is wrong it names the nearest."""

    def names(self, ctx: click.Context) -> list[str]:
        """Return what can be typed after it."""
        return self.list_commands(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing and not self.invoke_without_command:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            raise unknown(args[0], self.names(ctx), path=ctx.command_path)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            rows = [(name, command.get_short_help_str(limit=1000)) for name, command in sorted(self.commands.items())]
            formatter.write_dl(rows, col_max=12)


class Verbs(Group):
    """A group of the verbs of a table."""

    table: Table
    aliases: Mapping[str, str] = MappingProxyType({})

    def load(self, verb: str, module: str) -> click.Command:
        """Import a verb's command."""
        command: click.Command = import_module(f"gitexp.cli.{module}").command
        return command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for rows in self.table.values() for name, _, _ in rows]

    def names(self, ctx: click.Context) -> list[str]:
        return [*self.list_commands(ctx), *self.aliases]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        wanted = self.aliases.get(cmd_name, cmd_name)
        rows = (row for rows in self.table.values() for row in rows)
        return next((self.load(name, module) for name, module, _ in rows if name == wanted), None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, rows in self.table.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl([(name, line) for name, _, line in rows], col_max=12)


def unknown(name: str, known: Sequence[str], *, path: str = "gitexp") -> Exception:
    """Return the error for a verb that does not exist, with the nearest ones that do."""
    import difflib

    from gitexp import errors, text

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    hint = "did you mean: " + ", ".join(f"{path} {verb}" for verb in near) if near else f"list the commands: {path} -h"
    return errors.UsageError(f"no command {text.safe(f'{path} {name}'.removeprefix('gitexp '))!r}", hint=hint)
