"""gitexp model stage, rollback: a version into a stage, and back to the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, model

if TYPE_CHECKING:
    from gitexp.ops.registry.models import Known
    from gitexp.ops.registry.promote import Plan
    from gitexp.record.model import Model, Version
    from gitexp.store.workspace import Workspace

_note = click.option("-m", "--note", default="", metavar="TEXT", help="A note on the version.")
_dry = click.option("-n", "--dry-run", is_flag=True, help="Only show what would be done, and every gate.")


@click.command("stage")
@click.argument("words", metavar="VERSION STAGE", nargs=-1, required=True, shell_complete=model.complete)
@_note
@_dry
@context.json_option
def stage(words: tuple[str, ...], note: str, dry_run: bool, as_json: bool) -> None:
    """Move a version into a stage, where the rules of gitexp.toml let it.

    `none` takes it out of its stage, `archived` puts it away. Where a stage takes one version, the one that was there
    is archived. The rules are those of the branch that the project reviews, never of this work tree.
    """
    from gitexp.errors import UsageError
    from gitexp.ops.registry import models, promote

    workspace = context.workspace()
    found, version, rest = models.take(workspace, words)
    if len(rest) != 1:
        label = models.label(found, version)
        raise UsageError(f"{label} into which stage?", hint=f"gitexp model stage {label} production")
    made = promote.plan(workspace, found, version, rest[0])
    if dry_run:
        _show([made], as_json=as_json)
        return
    after = promote.execute(workspace, made, note=note)
    _report(workspace, [made], after, as_json=as_json)


@click.command("rollback")
@model.named
@click.argument("stage", metavar="STAGE")
@_note
@_dry
@context.json_option
def rollback(name: str, stage: str, note: str, dry_run: bool, as_json: bool) -> None:
    """Go back to the version that was in a stage before; again: one further.

    Approvals and people are asked for as ever; that it is better, young enough or comes from another stage is not.
    """
    from gitexp.ops.registry import models, promote, release

    workspace = context.workspace()
    back, away = release.rollback(workspace, models.one(workspace, name), stage)
    plans = [back, *([away] if away else [])]
    if dry_run:
        _show(plans, as_json=as_json)
        return
    for made in plans:
        promote.refuse(made)
    after = promote.execute(workspace, back, note=note)
    if away is not None:
        after = promote.promote(workspace, after, after.versions[away.version.id], away.stage)
    _report(workspace, plans, after, as_json=as_json)


def _show(plans: list[Plan], *, as_json: bool) -> None:
    from gitexp.errors import Refused

    if as_json:
        context.print_json([_json(made) for made in plans])
    for made in plans if not as_json else ():
        done = "is" if made.done else "would be"
        context.out(f"{text.safe(made.typed)} {done} in {made.stage}")
        for other in made.displaced:
            context.out(f"  {text.safe(made.model.name)}:{other.number} would be archived")
        for gate in made.gates:
            context.out(f"  {click.style('met', fg='green') if gate.met else click.style('not met', fg='red')}"
                        f"  {gate.name}: {gate.detail}")  # fmt: skip
    if any(made.unmet and not made.done for made in plans):
        raise Refused("a gate is not met", hint=f"gitexp model check {plans[0].typed} {plans[0].stage}")


def _json(made: Plan) -> dict[str, object]:
    return {
        "version": made.typed,
        "stage": made.stage,
        "done": made.done,
        "archived": [item.number for item in made.displaced],
        "gates": [gate.to_json() for gate in made.gates],
    }


def _report(workspace: Workspace, plans: list[Plan], after: Model, *, as_json: bool) -> None:
    from gitexp.ops.registry import models

    known = models.known(workspace, after)
    if as_json:
        context.print_json(models.describe_version(known, after.versions[plans[0].version.id]))
        return
    for made in plans:
        already = " already" if made.done and len(plans) == 1 else ""
        context.out(f"{_numbered(known, made.version)} {_PLACES.get(made.stage, f'is in {made.stage}')}{already}")
        for other in () if made.done else made.displaced:
            context.out(f"{_numbered(known, other)} is archived")


_PLACES = {"none": "is in no stage", "archived": "is archived"}


def _numbered(known: Known, version: Version) -> str:
    return f"{text.safe(known.model.name)}:{known.number(version)}"
