"""gitexp model get, env: the bytes of a version, and what an endpoint says of it."""

from __future__ import annotations

import click

from gitexp import text
from gitexp.cli import artifact, context, model


@click.command("get")
@click.argument("names", metavar="VERSION...", nargs=-1, required=True, shell_complete=model.complete)
@click.option("--to", "to", metavar="PATH", default="./", help="A folder that is there, or the new name.")
@click.option("-f", "--force", is_flag=True, help="Write over files of other content.")
@artifact.remote_option
@context.json_option
def get(names: tuple[str, ...], to: str, force: bool, remote: str | None, as_json: bool) -> None:
    """Write the file or folder of a version here, exactly as it was registered.

    One as cp would put it, each of several below PATH/<model>/<number>/. Missing bytes are brought from a remote, and
    all are held against the sha256 that was registered and approved.
    """
    from gitexp.git import transport
    from gitexp.ops.files import restore
    from gitexp.ops.registry import models, serve

    workspace = context.workspace()
    chosen = [models.version(workspace, name) for name in names]
    for found, version in chosen:
        if version.deprecated is not None:
            why = f": {version.deprecated.text}" if version.deprecated.text else ""
            context.say(f"gitexp: {models.label(found, version)} is deprecated{text.safe(why)}")
    made = serve.plans(workspace, chosen, to)
    total = sum(file.item.size_bytes for plan in made for file in plan.files)
    with context.progress("writing", total) as tell:
        options = transport.interactive()
        done = [
            restore.execute(workspace, plan, force=force, remote=remote, options=options, tell=tell) for plan in made
        ]
    if as_json:
        rows = [
            {**models.describe_version(models.known(workspace, found), version), "written": item.to_json()}
            for (found, version), item in zip(chosen, done, strict=True)
        ]
        context.print_json(rows[0] if len(rows) == 1 else rows)
        return
    for (found, version), item in zip(chosen, done, strict=True):
        context.say(f"{models.label(found, version)}, sha256 {version.sha256[:12]}")
        artifact.report(item, as_json=False)


@click.command("env")
@model.version
@click.option(
    "--format", "form", type=click.Choice(["shell", "json", "k8s"]), default="shell",
    help="Lines for a shell, JSON, or labels and annotations for Kubernetes.  [default: shell]",
)  # fmt: skip
@click.option("--prefix", default="GITEXP_MODEL", metavar="NAME", help="How names of variables begin.")
def env(version: str, form: str, prefix: str) -> None:
    """Print which version and run an endpoint serves.

    eval "$(gitexp model env churn@production)" sets GITEXP_MODEL, GITEXP_MODEL_VERSION, GITEXP_MODEL_RUN and more.
    """
    from gitexp.ops.registry import models, serve

    workspace = context.workspace()
    found, chosen = models.version(workspace, version)
    if chosen.id in models.known(workspace, found).loose:
        label = models.label(found, chosen)
        context.say(f"gitexp: the number of {label} may still move: gitexp push")
    click.echo(serve.environment(serve.metadata(found, chosen), form, prefix=prefix), nl=False)
