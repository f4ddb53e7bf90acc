"""gitexp model check: what keeps a version out of a stage, gate by gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gitexp import text
from gitexp.cli import context, model, tables
from gitexp.record import rules

if TYPE_CHECKING:
    from gitexp.ops.registry.gates import Gate
    from gitexp.ops.registry.readiness import Readiness


@click.command("check")
@click.argument("words", metavar="VERSION [STAGE]...", nargs=-1, required=True, shell_complete=model.complete)
@context.json_option
def check(words: tuple[str, ...], as_json: bool) -> None:
    """Say for each gate of a stage whether a version meets it, and what is missing.

    Without STAGE all that the rules name. A NAME alone means its newest version. The exit code is 12 where a gate is
    not met. The rules are those of the branch that the project reviews, never those of the files here.
    """
    from gitexp.ops.registry import models, readiness

    workspace = context.workspace()
    if len(words) == 1 and not models.is_address(words[0]):
        words = (f"{words[0]}:latest",)
    found, version, stages = models.take(workspace, words)
    result = readiness.judge(workspace, found, version, stages)
    if as_json:
        context.print_json(readiness.describe(result))
    else:
        _echo(result, context.terminal_width())
    readiness.refuse(result)


def _echo(found: Readiness, width: int | None) -> None:
    where = "no stage" if found.version.stage == rules.NONE else found.version.stage
    context.say(f"gitexp: {text.safe(found.typed)}, in {where}; {found.rules}")
    heads = (tables.Column("STAGE", keep=8), tables.Column("GATE", keep=10), tables.Column("MET", keep=10))
    rows = tuple(_row(stage, gate) for stage, gates in found.stages for gate in gates)
    free = [stage for stage, gates in found.stages if not gates]
    said = (tables.Column("FOUND", keep=9, fold=16), tables.Column("TO DO", keep=5, fold=16))
    tables.echo(tables.Table((*heads, *said), rows), width)
    for stage in free:
        context.say(f"{stage} asks for nothing")


def _row(stage: str, gate: Gate) -> tuple[str | tables.Cell, ...]:
    mark = tables.Cell("yes", "better") if gate.met else tables.Cell("NO", "worse")
    return (stage, gate.name, mark, text.safe(gate.detail), "-" if gate.met else text.safe(gate.fix) or "-")
