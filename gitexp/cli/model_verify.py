"""gitexp model verify and checkpoint: whether the registry is what people signed, and a word that it was so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, model, tables

if TYPE_CHECKING:
    from gitexp.ops.registry.audit import Audit
    from gitexp.ops.registry.verifymodels import Verified


@click.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=model.complete)
@click.option("--range", "between", metavar="OLD..NEW", help="Only what a push brings: heads of a model or a branch.")
@click.option(
    "--checkpoint", "checkpoints", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
    help="Hold it against this checkpoint, too; again for more.",
)  # fmt: skip
@click.option("--signed", is_flag=True, help="Every event must have a good signature.")
@click.option("--quick", is_flag=True, help="Do not read the bytes of large files.")
@click.option("--accept", is_flag=True, help="Take NAMEs as they are now: forget where they were seen before.")
@context.json_option
def verify(
    names: tuple[str, ...],
    between: str | None,
    checkpoints: tuple[Path, ...],
    signed: bool,
    quick: bool,
    accept: bool,
    as_json: bool,
) -> None:
    """Check the registry: signatures, chains, rules as they stood, hashes of artifacts.

    All models, for a nightly job, or NAMEs. That a chain was cut or written anew is told by what this clone saw before,
    here and at its remotes, and by checkpoints. The exit code is 8 where something is wrong. What older rules
    allowed, and those that stood by its date did not, is said for you to look at, and is no fault.
    """
    from gitexp import errors
    from gitexp.ops.registry import audit, verifymodels

    if (between and (names or accept or checkpoints)) or (accept and not names):
        raise errors.UsageError("--range stands alone, --accept needs names", hint="gitexp model verify --accept NAME")
    workspace = context.workspace(sweep=False)  # a model that was taken away is to be found, not put back
    if accept:
        for ref in verifymodels.accept(workspace, names):
            context.say(f"gitexp: {ref} is taken as it is now")
    if between:
        result = verifymodels.arrived(workspace, between)
    else:
        asked = audit.Options(signed, quick, checkpoints)
        result = verifymodels.verify(workspace, names, asked)
    if as_json:
        context.print_json(result.to_json())
    else:
        _echo(result, context.terminal_width())
    verifymodels.refuse(result)


def _echo(result: Verified, width: int | None) -> None:
    if not result.audits and not result.count:
        context.say("gitexp: there are no models" if not result.checkpoints else "gitexp: nothing to look at")
        return
    heads = (tables.Column("MODEL"), tables.Column("EVENTS", True), tables.Column("SIGNATURES", keep=7))
    more = (tables.Column("VERSIONS", True, keep=6), tables.Column("FAULTS", True))
    tables.echo(tables.Table((*heads, *more), tuple(map(_row, result.audits))), width)
    for item in result.audits:
        for fault in item.faults:
            where = f"{text.safe(item.name)} {fault.event[:7]}".rstrip()
            context.out(f"{where}: {text.safe(fault.why)}")
        for doubt in item.doubts:
            context.out(f"{text.safe(item.name)} {doubt.event[:7]}: look at it: {text.safe(doubt.why)}")
    for name, why in result.faults:
        context.out(f"{text.safe(name)}: {text.safe(why)}")
    good = len(result.checkpoints) - len(result.faults)
    if result.checkpoints:
        context.say(f"gitexp: held against {text.plural(max(good, 0), 'checkpoint')}")
    unread = sum(item.unread for item in result.audits)
    if unread:
        context.say(f"gitexp: {text.plural(unread, 'large file')} not here, and not read (gitexp fetch --artifacts)")


def _row(item: Audit) -> tuple[str | tables.Cell, ...]:
    said = ", ".join(f"{count} {status}" for status, count in sorted(item.signatures.items()))
    faults = len(item.faults)
    return (
        text.safe(item.name),
        f"{item.events:,}",
        said or "-",
        f"{item.versions:,}",
        tables.Cell(f"{faults:,}", "worse") if faults else "0",
    )


@click.command("checkpoint")
@click.option("--file", "path", metavar="FILE", type=click.Path(path_type=Path), help="Into this file; - for stdout.")
@click.option(
    "--despite-keys", is_flag=True,
    help="Also where keys were revoked, ended or left the lists: you have looked at what they signed.",
)  # fmt: skip
def checkpoint(path: Path | None, despite_keys: bool) -> None:
    """Sign which event is the last of each model now: as a tag, or into a file.

    For a job that runs each night: keep what it makes where nobody can take it back, such as a protected tag. Nothing
    is signed while `gitexp model verify` finds something wrong. What it attests is no fault later, when a key that was
    good is revoked or leaves the lists; `verify` then says to look at it.
    """
    from gitexp.ops.registry import attest, verifymodels

    workspace = context.workspace(sweep=False)
    verifymodels.refuse_attesting(workspace, despite_keys=despite_keys)
    made = attest.make(workspace)
    if path is None:
        name = attest.tag(workspace, made)
        context.out(name)
        context.say(f"gitexp: {text.plural(len(made.heads), 'model')}; share it: git push origin {name}")
    elif str(path) == "-":
        click.echo(attest.data_of(workspace, made), nl=False)
    else:
        attest.write(workspace, made, path)
        context.say(f"gitexp: {text.plural(len(made.heads), 'model')} in {text.safe(str(path))}")
