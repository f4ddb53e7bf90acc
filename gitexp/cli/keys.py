"""gitexp keys: get to a signing key, and see whose signatures count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp.cli import context
from gitexp.cli.verbs import Group

if TYPE_CHECKING:
    from gitexp.ops.registry.keycheck import Finding
    from gitexp.ops.registry.keys import Added, Row, Setup


@click.group("keys", cls=Group)
def command() -> None:
    """Get to a signing key, and see whose signatures count."""


@command.command("setup")
@click.option("--key", default="", metavar="KEY", help="This key: a file, or a public key that the SSH agent holds.")
@click.option("--new", is_flag=True, help="A new key, also where there are others.")
@click.option("--global", "everywhere", is_flag=True, help="Set Git up so for all your repositories.")
@click.option("--write/--no-write", default=None, help="Write the line into gitexp/allowed_signers here, or do not.")
@click.option("--dry-run", is_flag=True, help="Say what would be set, and set nothing.")
def setup(key: str, new: bool, everywhere: bool, write: bool | None, dry_run: bool) -> None:
    """Let Git sign here: with the key it has, one that is there, or a new one.

    Sets gpg.format and user.signingKey of this repository, says so, and prints the line by which others let the key
    sign for you. No secret is read, and no key is replaced.
    """
    from gitexp import text
    from gitexp.ops.registry import keys

    workspace = context.workspace()
    found = keys.plan(workspace, key=key, new=new)
    _say_plan(found, everywhere=everywhere)
    if dry_run:
        return
    found = keys.execute(workspace, found, everywhere=everywhere)
    if found.counts:
        context.say(f"gitexp: it signs for you already: {found.where}")
        return
    context.out(text.safe(found.line))
    if found.format == "ssh" and write is None:
        write = context.confirm(f"Write this line into {found.where}?")
    if found.format == "ssh" and write:
        _say_added(keys.write(workspace, found.line))
        return
    context.say(f"gitexp: this line belongs into {found.where}, on the branch of the rules")
    if found.format == "ssh":
        context.say("write it there: gitexp keys setup --write")


def _say_plan(found: Setup, *, everywhere: bool) -> None:
    from gitexp import text

    context.say(f"gitexp: signing with {text.safe(found.found)}")
    if found.make is not None:
        context.say(
            f"  ssh-keygen -t ed25519 -f {text.safe(str(found.make))}   (no passphrase: ssh-keygen -p adds one)"
        )
    for name, value in found.settings:
        context.say(f"  git config {'--global ' if everywhere else ''}{name} {text.safe(value)}")


@command.command("ls")
@context.json_option
def ls(as_json: bool) -> None:
    """List the keys whose signatures count, and for whom."""
    from gitexp.ops.registry import keys

    rows = keys.listing(context.workspace())
    if as_json:
        context.print_json([row.to_json() for row in rows])
        return
    _echo(rows)


def _echo(rows: list[Row]) -> None:
    from gitexp import text
    from gitexp.cli import tables

    if not rows:
        context.say("no list of allowed signers: no signature counts (gitexp keys setup --write)")
        return
    titles = (tables.Column("", keep=8), tables.Column("WHO"), tables.Column("KIND", keep=5), tables.Column("KEY"))
    more = (tables.Column("STATUS"), tables.Column("UNTIL", keep=6), tables.Column("WHERE", keep=4))
    lines = tuple(
        (
            "*" if row.own else "",
            text.safe(", ".join(row.people)),
            text.safe(row.kind),
            row.key,
            row.status,
            (row.until or "-")[:10],
            text.safe(row.where),
        )
        for row in rows
    )
    tables.echo(tables.Table((*titles, *more), lines), context.terminal_width())
    if any(row.own for row in rows):
        context.say("* signs here")


@command.command("add")
@click.argument("person", metavar="EMAIL")
@click.argument("key", metavar="KEY")
@click.option("--before", default="", metavar="DATE", help="Let it sign until this day only: 20271231.")
def add(person: str, key: str, before: str) -> None:
    """Let a key sign for a person: write its line into gitexp/allowed_signers here.

    KEY is a file or the line of a .pub file. The line counts once it is on the branch of the rules. A key that has a
    line for that person gets other dates.
    """
    from gitexp.ops.registry import keys

    _say_added(keys.add(context.workspace(), person, key, before=before))


@command.command("revoke")
@click.argument("key", metavar="KEY")
def revoke(key: str) -> None:
    """Let a stolen or lost key sign no more, and take along what it signed: write it into gitexp/revoked_signers here.

    KEY is a file, the line of a .pub file, a fingerprint, or an e-mail address: all keys of that person. It counts once
    it is on the branch of the rules. Of who only leaves, end the key: gitexp keys add EMAIL KEY --before DATE.
    """
    from gitexp.ops.registry import keys

    for added in keys.revoke(context.workspace(), key):
        context.out(added.line)
        _say_added(added)


def _say_added(added: Added) -> None:
    from gitexp import text

    where = text.safe(str(added.path))
    if not added.written:
        context.say(f"gitexp: it is in {where} already")
        return
    context.say(f"gitexp: written into {where}; it counts once it is on the branch of the rules:")
    context.say(f"  git add {added.name} && git commit -m 'Say whose keys count' && git push")


@command.command("check")
@context.json_option
def check(as_json: bool) -> None:
    """Say whether your signatures would count, and what is wrong with the lists.

    A trial signature is made, which may ask for a passphrase. Exit code 12 where something is wrong.
    """
    from gitexp.ops.registry import keycheck

    found = keycheck.look(context.workspace())
    if as_json:
        context.print_json([item.to_json() for item in found])
    else:
        _echo_check(found)
    keycheck.refuse(found)


def _echo_check(found: list[Finding]) -> None:
    from gitexp import text
    from gitexp.cli import tables

    heads = (tables.Column("WHAT"), tables.Column("GOOD"))
    said = (tables.Column("FOUND", fold=16), tables.Column("TO DO", keep=5, fold=16))
    marks = {True: tables.Cell("yes", "better"), False: tables.Cell("NO", "worse")}
    rows = tuple(
        (text.safe(item.what), marks[item.good], text.safe(item.detail), text.safe(item.fix) or "-") for item in found
    )
    tables.echo(tables.Table((*heads, *said), rows), context.terminal_width())
