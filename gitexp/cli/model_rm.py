"""gitexp model rm, undelete, rename: hide models and versions, bring them back, and call them otherwise."""

from __future__ import annotations

import click

from gitexp import text
from gitexp.cli import context, model

_targets = click.argument(
    "targets", metavar="NAME|VERSION...", nargs=-1, required=True, shell_complete=model.complete
)  # fmt: skip


@click.command("rm")
@_targets
@click.option("-m", "--reason", default="", metavar="TEXT", help="Why; it stands in the history.")
@click.option("-f", "--force", is_flag=True, help="Also what is in a stage.")
@click.option("-n", "--dry-run", is_flag=True, help="Only show what would go.")
@context.json_option
def rm(targets: tuple[str, ...], reason: str, force: bool, dry_run: bool, as_json: bool) -> None:
    """Hide versions, or whole models.

    Nothing is deleted: gitexp model undelete brings them back, in stage `none`; numbers are never given again.
    """
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    found = [models.find(workspace, target) for target in targets]
    labels = [models.label(item, version) if version else models.safe(item) for item, version in found]
    for item, version in found if not dry_run else ():
        release.remove(workspace, item, version, reason, force=force)
    if as_json:
        context.print_json({"removed": labels, "dry_run": dry_run, "reason": reason})
        return
    for label in labels:
        context.out(f"{'would remove' if dry_run else 'removed'} {label}")
    if not dry_run:
        context.say("bring back with: gitexp model undelete " + " ".join(labels[:5]))


@click.command("undelete")
@_targets
@context.json_option
def undelete(targets: tuple[str, ...], as_json: bool) -> None:
    """Bring removed versions or models back."""
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    labels = []
    for target in targets:
        found, version = models.find(workspace, target, removed=True)
        release.undelete(workspace, found, version)
        labels.append(models.label(found, version) if version else models.safe(found))
    if as_json:
        context.print_json({"undeleted": labels})
    for label in labels if not as_json else ():
        context.out(f"brought back {label}")


@click.command("rename")
@model.named
@click.argument("new", metavar="NEW")
def rename(name: str, new: str) -> None:
    """Give a model another name.

    Its ref stays, and the name it had first still finds it.
    """
    from gitexp import ids
    from gitexp.ops.registry import models, release

    workspace = context.workspace()
    found = models.one(workspace, name)
    release.rename(workspace, found, new)
    context.say(f"{models.safe(found)} is now called {text.safe(new)}; {ids.model_ref(found.first)} stays")
