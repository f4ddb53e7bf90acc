"""Whom `gitexp model watch` tells: the commands that were given, else the webhooks that the project reviewed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitexp.errors import UsageError
from gitexp.git.transport import Options
from gitexp.ops.registry import receivers
from gitexp.ops.registry.receivers import Address, Command, Receiver
from gitexp.ops.sharing import fetch
from gitexp.record import model as folding
from gitexp.record import webhooks
from gitexp.store import remotes, rulebook
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for: models by name or glob, command lines, the events that they are for."""

    names: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()
    called: str = ""
    timeout_seconds: float | None = None


def seconds(words: str) -> float:
    """Return a duration in seconds: 10s, 500ms, 5m; raises UsageError."""
    match = _DURATION.fullmatch(words.strip())
    if match is None or not float(match[1]):
        raise UsageError(f"{words!r} is no duration", hint="for example: 10s")
    return float(match[1]) * _UNITS[match[2] or "s"]


def choose(workspace: Workspace, choice: Choice) -> list[Receiver]:
    """Return whom to tell.

    Raises UsageError where there is nobody, for an event that does not exist, and for a secret that is not set here.
    """
    if wrong := [op for op in choice.ops if op not in folding.OPS]:
        raise UsageError(f"no event {wrong[0]!r}", hint="one of: " + ", ".join(sorted(folding.OPS)))
    if choice.lines:
        return _commands(choice)
    if choice.ops or choice.names or choice.called:
        raise UsageError("which events of which models a webhook is told stands in its table", hint="add: --exec CMD")
    found = rulebook.webhooks(workspace, rulebook.now(workspace).commit)
    for hook in found:
        receivers.check(workspace, hook)
    if not found:
        raise UsageError(
            "there is nobody to tell: no --exec, and no [[registry.webhooks]] on the branch of the rules",
            hint="gitexp model watch --exec 'notify \"$GITEXP_EVENT_MODEL\"'",
        )
    return [Address(hook) for hook in found]


def _commands(choice: Choice) -> list[Receiver]:
    if empty := [line for line in choice.lines if not line.strip()]:
        raise UsageError(f"--exec {empty[0]!r} is no command", hint="--exec './deploy.sh'")
    if choice.called and len(choice.lines) > 1:
        raise UsageError("--as names one command", hint="run a watch for each of them")
    ops, globs = choice.ops or webhooks.USUAL, choice.names or ("*",)
    return [Command(line, ops, globs, choice.timeout_seconds, choice.called) for line in dict.fromkeys(choice.lines)]


def renew(path: str | None, choice: Choice, remote: str | None) -> tuple[Workspace, Sequence[Receiver]]:
    """Return the workspace as it is now, after a fetch where one is wanted, and whom to tell."""
    workspace = workspaces.open(path)
    if remote is not None:
        fetch.fetch(workspace, remotes.choose(workspace, remote), options=Options())
    return workspace, choose(workspace, choice)
