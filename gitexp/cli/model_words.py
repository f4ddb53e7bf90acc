"""gitexp model request, approve, reject: words about a version, for a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, model

if TYPE_CHECKING:
    from gitexp.ops.registry.release import Said

_words = click.argument("words", metavar="VERSION [STAGE]", nargs=-1, required=True, shell_complete=model.complete)
_note = click.option("-m", "--note", default="", metavar="TEXT", help="Why; it stands in the history.")


@click.command("request")
@_words
@_note
@context.json_option
def request(words: tuple[str, ...], note: str, as_json: bool) -> None:
    """Ask for approvals of a version for a stage.

    Without STAGE the only one that asks for approvals is meant.
    """
    _say("request", words, note, as_json=as_json)


@click.command("approve")
@_words
@_note
@context.json_option
def approve(words: tuple[str, ...], note: str, as_json: bool) -> None:
    """Approve a version for a stage, signed where Git knows your key.

    Without STAGE the only one that asks for approvals is meant. The approval is of this version and its bytes alone; a
    later word of yours takes its place. One that would count for nothing is refused.
    """
    _say("approve", words, note, as_json=as_json)


@click.command("reject")
@_words
@_note
@context.json_option
def reject(words: tuple[str, ...], note: str, as_json: bool) -> None:
    """Speak against a version for a stage.

    While it stands the version cannot enter; whoever approves later has changed their mind.
    """
    _say("reject", words, note, as_json=as_json)


def _say(verb: str, words: tuple[str, ...], note: str, *, as_json: bool) -> None:
    from gitexp.errors import UsageError
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    found, version, rest = models.take(workspace, words)
    if len(rest) > 1:
        raise UsageError(
            f"one stage, not {len(rest)}", hint=f"gitexp model {verb} {models.label(found, version)} STAGE"
        )
    say = {"request": release.request, "approve": release.approve, "reject": release.reject}[verb]
    said = say(workspace, found, version, rest[0] if rest else "", note)
    known = models.known(workspace, said.model)
    if as_json:
        context.print_json(models.describe_version(known, said.version))
        return
    label = f"{models.safe(found)}:{known.number(said.version)}"
    context.out(f"{_PAST[verb]} {label}{f' for {said.stage}' if said.stage else ''}{_standing(said)}")
    is_enough = said.standing is not None and len(said.standing.approved) >= said.needed and not said.standing.rejected
    if verb == "approve" and said.stage and is_enough:
        context.say(f"next: gitexp model stage {label.rstrip('?')} {said.stage}")


_PAST = {"request": "asked for approvals of", "approve": "approved", "reject": "rejected"}


def _standing(said: Said) -> str:
    if said.standing is None or not said.needed:
        return ""
    against = f", rejected by {', '.join(map(text.safe, said.standing.rejected))}" if said.standing.rejected else ""
    return f": {len(said.standing.approved)} of {text.plural(said.needed, 'approval')}{against}"
