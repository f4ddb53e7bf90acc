"""gitexp model register, create: a new version of a model, and a model without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gitexp import text
from gitexp.cli import context, model


@click.command("register")
@click.argument("artifact", metavar="RUN[:PATH]", shell_complete=context.complete_runs)
@model.named
@click.option("-m", "--description", default="", metavar="TEXT", help="What is new about it.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="KEY[=VALUE]", help="A tag of the version; several add up.")
@click.option("--framework", default="", metavar="NAME", help="What it is made with, where its files do not tell.")
@click.option(
    "--signature", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="The schema of its inputs and outputs, as JSON.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Also where the same bytes of the same run are a version already.")
@context.json_option
def register(
    artifact: str, name: str, tags: tuple[str, ...], signature: Path | None, as_json: bool, **said: Any
) -> None:
    """Make an artifact of a run a new version of a model.

    RUN alone will do where it kept one file, or one that it called a model. The model is made where there is none yet.
    """
    from gitexp.ops import annotate
    from gitexp.ops.registry import models
    from gitexp.ops.registry import register as registering

    workspace = context.workspace()
    options = registering.Options(
        tags=annotate.parse_tags(tags), signature=_schema(signature) if signature else None, **said
    )
    done = registering.register(workspace, artifact, name, options)
    known = models.known(workspace, done.model)
    if as_json:
        context.print_json({**models.describe_version(known, done.version), "new": done.is_new})
        return
    shown = f"{models.safe(done.model)}:{known.number(done.version)}"
    what = f"{text.safe(done.version.artifact)} of run {done.version.run[:7]}"
    if done.is_new:
        context.out(f"{shown} is {what} ({text.size(done.version.size)}, sha256 {done.version.sha256[:12]})")
        if len(done.model.versions) == 1 and (other := registering.alike(workspace, done.model)):
            context.say(f"gitexp: {text.safe(other)} is another model: names that differ by case are two")
    else:
        context.out(f"{shown} is {what} already; for one more version of it: --again")


def _schema(path: Path) -> dict[str, Any]:
    from gitexp import canonical
    from gitexp.errors import UsageError

    try:
        found = canonical.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path} does not parse: {error}", hint='{"inputs": [{"name": "x"}]}') from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no JSON object", hint='{"inputs": [{"name": "x", "type": "double"}]}')
    return found


@click.command("create")
@model.named
@click.option("-m", "--description", default="", metavar="TEXT", help="What it is for.")
@context.json_option
def create(name: str, description: str, as_json: bool) -> None:
    """Create a model before its first version."""
    from gitexp.ops.registry import models
    from gitexp.ops.registry import register as registering

    workspace = context.workspace()
    made = models.known(workspace, registering.create(workspace, name, description))
    if as_json:
        context.print_json(models.describe(made))
    else:
        context.out(f"created {models.safe(made.model)}: {models.describe(made)['ref']}")
