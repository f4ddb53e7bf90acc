"""gitexp model alias, tag, note, describe, deprecate: what is said of versions and models."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, model
from gitexp.cli import tag as tagged

if TYPE_CHECKING:
    from gitexp.record.model import Model, Version

_target = click.argument("target", metavar="NAME|VERSION", shell_complete=model.complete)


@click.command("alias")
@click.argument("words", metavar="VERSION ALIAS", nargs=-1, required=True, shell_complete=model.complete)
@click.option("-d", "--delete", is_flag=True, help="Take the alias away: NAME ALIAS.")
@context.json_option
def alias(words: tuple[str, ...], delete: bool, as_json: bool) -> None:
    """Give a version a name that can move to another one: NAME@ALIAS.

    NAME alone lists the aliases.
    """
    from gitexp.errors import UsageError
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    if delete:
        if len(words) != 2:
            raise UsageError("which alias?", hint="gitexp model alias -d NAME ALIAS")
        after = release.unalias(workspace, models.one(workspace, words[0]), words[1])
    elif len(words) == 1 and not models.is_address(words[0]):
        after = models.one(workspace, words[0])
    else:
        found, version, rest = models.take(workspace, words)
        if len(rest) != 1:
            label = models.label(found, version)
            raise UsageError(f"which alias for {label}?", hint=f"gitexp model alias {label} champion")
        after = release.alias(workspace, found, version, rest[0])
    known = models.known(workspace, after)
    if as_json:
        context.print_json(models.describe(known)["aliases"])
        return
    for name, id in sorted(after.aliases.items()):
        context.out(f"{text.safe(after.name)}@{text.safe(name)} is {known.number(after.versions[id])}")


@click.command("tag")
@_target
@click.argument("words", metavar="[KEY[=VALUE]]...", nargs=-1)
@click.option("-d", "--delete", is_flag=True, help="Take these keys away.")
@context.json_option
def tag(target: str, words: tuple[str, ...], delete: bool, as_json: bool) -> None:
    """Tag a version or a model.

    KEY=VALUE, or KEY alone. Without any, the tags are listed.
    """
    from gitexp.ops import annotate
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    found, version = models.find(workspace, target)
    if delete and words:
        found = release.untag(workspace, found, version, words)
    elif words:
        found = release.tag(workspace, found, version, annotate.parse_tags(words))
    tags = dict(sorted((found if version is None else found.versions[version.id]).tags.items()))
    if as_json:
        context.print_json(tags)
    else:
        tagged.echo(tags, _label(found, version), changed=bool(words))


@click.command("note")
@_target
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@click.option("-l", "--list", "listed", is_flag=True, help="List the notes instead.")
@context.json_option
def note(target: str, words: tuple[str, ...], listed: bool, as_json: bool) -> None:
    """Add a note to a version or a model.

    Without TEXT an editor opens; - reads it from standard input.
    """
    from gitexp.cli import model_page
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    found, version = models.find(workspace, target)
    if words or not (listed or as_json):
        found = release.note(workspace, found, version, _text(words, _label(found, version)))
        if not (listed or as_json):
            context.say(f"noted on {_label(found, version)}")
    notes = (found if version is None else found.versions[version.id]).notes
    if as_json:
        context.print_json([models.describe_remark(item) for item in notes])
    elif listed:
        for line in model_page.notes(notes):
            context.out(line)


def _text(words: tuple[str, ...], label: str) -> str:
    from gitexp.ops import annotate

    if words == ("-",):
        return sys.stdin.read().strip()
    if words:
        return " ".join(words)
    head = f"\n# Your note on {label}. Lines that begin with # are left out; an empty note is not kept.\n"
    edited = click.edit(head, editor=annotate.editor(context.workspace())) or ""
    return "\n".join(line for line in edited.splitlines() if not line.startswith("#")).strip()


@click.command("describe")
@_target
@click.argument("words", metavar="TEXT...", nargs=-1)
def describe(target: str, words: tuple[str, ...]) -> None:
    """Say what a version or a model is about.

    Without TEXT the description is taken away.
    """
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    found, version = models.find(workspace, target)
    release.describe(workspace, found, version, " ".join(words))
    context.say(f"described {_label(found, version)}" if words else f"{_label(found, version)} has no description now")


@click.command("deprecate")
@click.argument("words", metavar="VERSION", nargs=-1, required=True, shell_complete=model.complete)
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why, and what to use instead.")
@context.json_option
def deprecate(words: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Say that a version is not to be promoted any more.

    It stays in its stage until it is moved out of it.
    """
    from gitexp.errors import UsageError
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    found, version, rest = models.take(workspace, words)
    if rest:
        raise UsageError("the reason goes with -m", hint=f"gitexp model deprecate {models.label(found, version)} -m …")
    after = release.deprecate(workspace, found, version, reason)
    if as_json:
        context.print_json(models.describe_version(models.known(workspace, after), after.versions[version.id]))
    else:
        context.out(f"deprecated {models.label(found, version)}")


def _label(found: Model, version: Version | None) -> str:
    from gitexp.ops.registry import models

    return models.safe(found) if version is None else models.label(found, version)
