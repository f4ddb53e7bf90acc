"""gitexp get: write one file or folder of a run, as cp would."""

from __future__ import annotations

import click

from gitexp.cli import artifact, context


@click.command("get")
@click.argument("named", metavar="RUN:PATH", shell_complete=context.complete_runs)
@click.option("--to", "to", metavar="PATH", default="./", help="A folder that is there, or the new name.")
@click.option("-f", "--force", is_flag=True, help="Write over files of other content.")
@artifact.remote_option
@context.json_option
def command(named: str, to: str, force: bool, remote: str | None, as_json: bool) -> None:
    """Write a file or folder of a run here, as cp would.

    RUN alone will do where the run kept one file, and sha256:… where the bytes are known. Missing bytes are brought
    from a remote. Several files at once, or under their whole names: gitexp artifact get.
    """
    from gitexp.git import transport
    from gitexp.ops.files import restore
    from gitexp.ops.finding import using

    workspace = context.workspace()
    found = using.find(workspace, named)
    made = restore.plan_one(found.run, found.name, found.items, to)
    with context.progress("writing", sum(item.size_bytes for item in found.items)) as tell:
        done = restore.execute(workspace, made, force=force, remote=remote, options=transport.interactive(), tell=tell)
    artifact.report(done, as_json=as_json)
