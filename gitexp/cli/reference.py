"""The generated pages, from commands and settings themselves: `python -m gitexp.cli.reference docs`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from gitexp import files
from gitexp.cli import main
from gitexp.store import config

INTRODUCTION = (
    "gitexp records each execution of a training script as one Git commit on a hidden ref. "
    "It works as `gitexp` and as `git exp`."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One command as its help tells it: how it is called, its paragraphs, and its (option, meaning) pairs."""

    path: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    depth: int


def entries(
    command: click.Command = main.cli, name: str = "gitexp", above: click.Context | None = None
) -> Iterator[Entry]:
    """Yield `command` and all under it, in the order of the help."""
    context = click.Context(command, above, info_name=name)
    path, pieces = context.command_path, " ".join(command.collect_usage_pieces(context))
    helped = [parameter.get_help_record(context) for parameter in command.params]
    rows = tuple((form, meaning) for form, meaning in filter(None, helped) if meaning)
    yield Entry(path, f"{path} {pieces}", _paragraphs(command), rows, path.count(" "))
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            inner = command.get_command(context, verb)
            if inner is not None and not inner.hidden:
                yield from entries(inner, verb, context)


def _paragraphs(command: click.Command) -> tuple[str, ...]:
    """Return the paragraphs of a help text; one that starts with a \\b line keeps its lines."""
    text = inspect.cleandoc(command.help or "").split("\f")[0]
    parts = [part.strip("\n") for part in text.split("\n\n")]
    whole = [part if part.startswith("\b") else " ".join(part.split()) for part in parts if part.strip()]
    return tuple(part.replace("\b\n", "\b") for part in whole)


def markdown() -> str:
    """Return docs/cli.md."""
    lines = ["# The commands", "", "Made from the commands' own help by `make docs`. " + INTRODUCTION, ""]
    for entry in entries():
        lines += ["#" * min(entry.depth + 2, 4) + f" {entry.path}", "", "```", entry.usage, "```", ""]
        for part in entry.paragraphs:
            lines += ["```", part[1:], "```", ""] if part.startswith("\b") else [part, ""]
        lines += [f"- `{form}`: {meaning}" for form, meaning in entry.options]
        lines += [""] if entry.options else []
    return "\n".join(lines).rstrip() + "\n"


def manual() -> str:
    """Return the manual page git-exp(1), which `git exp --help` opens."""
    first, *rest = entries()
    lines = ['.TH GIT\\-EXP 1 "" "gitexp" "Git Experiments"', ".SH NAME"]
    lines += [f"git\\-exp, gitexp \\- {_roff(first.paragraphs[0].rstrip('.'))}", ".SH SYNOPSIS"]
    lines += [_roff(first.usage), ".br", _roff(first.usage.replace("gitexp", "git exp", 1))]
    lines += [".SH DESCRIPTION", _roff(INTRODUCTION), *_options(first), ".SH COMMANDS"]
    for entry in rest:
        lines += [f".SS {_roff(entry.path)}", f"\\fB{_roff(entry.usage)}\\fR"]
        for part in entry.paragraphs:
            lines += [".PP", ".nf", _roff(part[1:]), ".fi"] if part.startswith("\b") else [".PP", _roff(part)]
        lines += _options(entry)
    lines += [".SH SEE ALSO", ".BR git (1),", ".BR git\\-notes (1),", ".BR git\\-lfs (1)"]
    return "\n".join(lines) + "\n"


def _options(entry: Entry) -> list[str]:
    return [line for form, meaning in entry.options for line in (".TP", f"\\fB{_roff(form)}\\fR", _roff(meaning))]


def _roff(text: str) -> str:
    """Return text that roff prints as it is."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in escaped.split("\n"))


def settings() -> str:
    """Return docs/settings.md."""
    lines = [
        "# The settings",
        "",
        "Made from the code by `make docs`. How to set them: [configuration](configuration.md).",
    ]
    lines += [""]
    lines += ["| setting | variable | kind | default | what it does |", "|---|---|---|---|---|"]
    for setting in config.SETTINGS.values():
        choices = ", ".join(f"`{choice}`" for choice in setting.choices)
        kind = f"map to {choices}" if choices and setting.kind == "map" else choices or setting.kind
        default = f"`{setting.default}`" if setting.default else ""
        lines.append(f"| `{setting.name}` | `{setting.variable}` | {kind} | {default} | {setting.doc} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Return every generated file under docs/ by its path there."""
    return {
        "cli.md": markdown(),
        "settings.md": settings(),
        "man/git-exp.1": manual(),
        "man/gitexp.1": ".so man1/git-exp.1\n",
    }


def write(folder: Path) -> None:
    """Write the generated files into `folder`, the docs."""
    for name, text in pages().items():
        files.write(folder / name, text.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
