"""gitexp model: a table of its verbs, whose modules are imported only when used."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

import click

from gitexp.cli import context
from gitexp.cli.verbs import Verbs

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# (verb, module in gitexp.cli that has a command of that name, its one-line help)
COMMANDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Look": (
        ("ls", "model_ls", "List models, or the versions of one, newest first."),
        ("show", "model_show", "Show a model, or a version of it, in full."),
        ("log", "model_log", "Show what was done to a model, newest first; without NAME to all models."),
        ("diff", "model_diff", "Compare two versions, and the runs that made them."),
        ("watch", "model_watch", "Tell commands or webhooks of registrations, approvals and transitions."),
        ("check", "model_check", "Say for each gate of a stage whether a version meets it, and what is missing."),
        ("verify", "model_verify", "Check the registry: signatures, chains, rules as they stood, hashes of artifacts."),
        ("checkpoint", "model_verify", "Sign which event is the last of each model now: as a tag, or into a file."),
    ),
    "Versions": (
        ("register", "model_register", "Make an artifact of a run a new version of a model."),
        ("create", "model_register", "Create a model before its first version."),
        ("get", "model_get", "Write the file or folder of a version here, exactly as it was registered."),
        ("env", "model_get", "Print which version and run an endpoint serves."),
    ),
    "Release": (
        ("request", "model_words", "Ask for approvals of a version for a stage."),
        ("approve", "model_words", "Approve a version for a stage, signed where Git knows your key."),
        ("reject", "model_words", "Speak against a version for a stage."),
        ("stage", "model_stage", "Move a version into a stage, where the rules of gitexp.toml let it."),
        ("rollback", "model_stage", "Go back to the version that was in a stage before; again: one further."),
        ("propose", "model_propose", "Propose a version for a stage: a branch with one small file to review."),
        ("accept", "model_propose", "Make the transitions that merged proposals ask for, each once."),
        ("deprecate", "model_say", "Say that a version is not to be promoted any more."),
    ),
    "Describe": (
        ("alias", "model_say", "Give a version a name that can move to another one: NAME@ALIAS."),
        ("tag", "model_say", "Tag a version or a model."),
        ("note", "model_say", "Add a note to a version or a model."),
        ("describe", "model_say", "Say what a version or a model is about."),
        ("rename", "model_rm", "Give a model another name."),
        ("rm", "model_rm", "Hide versions, or whole models."),
        ("undelete", "model_rm", "Bring removed versions or models back."),
        ("reset", "model_reset", "Take back your events of a model that a remote does not hold."),
    ),
}  # fmt: skip


class Commands(Verbs):
    """The group of the verbs of models; a module may hold several."""

    table = COMMANDS

    def load(self, verb: str, module: str) -> click.Command:
        command: click.Command = getattr(import_module(f"gitexp.cli.{module}"), verb.replace("-", "_"))
        return command


@click.command("model", cls=Commands, subcommand_metavar="COMMAND [ARGS]...")
def command() -> None:
    """Release artifacts of runs as versions of models, with approvals.

    A VERSION is written NAME:3, NAME:latest, NAME@STAGE or NAME@ALIAS. `3?` is a number that may still move until it is
    pushed.
    """


def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a model, and what names a version of it after `:` or `@`."""
    from click.shell_completion import CompletionItem

    with suppress(Exception):  # completion must never print into a half-typed command
        from gitexp.ops.registry import models

        return [
            CompletionItem(name, help=what)
            for name, what in models.completions(context.quiet_workspace(ctx), incomplete)
        ]
    return []


named = click.argument("name", metavar="NAME", shell_complete=complete)
version = click.argument("version", metavar="VERSION", shell_complete=complete)
