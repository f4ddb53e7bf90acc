"""One branch that holds all runs, for hosts that refuse refs/experiments: `gitexp.runsBranch` (docs/howto-remotes.md).

Its tree says which ref is which commit, its history keeps these commits: every commit of the branch has the one before
and the runs that were added as its parents. It only moves forward; who was second builds on who was first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitexp import clock, ids
from gitexp.errors import Damaged, Refused
from gitexp.git import notes, objects
from gitexp.store.workspace import Workspace

_LINE = re.compile(rb"([0-9a-f]{40}) (refs/[^\x00-\x20\x7f~^:?*\[\\]+)")
_SHARD_LIMIT = 64 << 20
_PARENTS = 200  # of one commit; more are a chain of commits
_README = b"""# Runs

This branch belongs to gitexp. Each file below `runs/` has lines of a run's commit and its ref; the commits are in the
history of this branch. Bring them to a clone with `gitexp fetch`, and do not merge this branch into another.
"""


def ref(workspace: Workspace) -> str | None:
    """Return the full ref of the branch, None where runs have refs of their own."""
    name = workspace.settings.text("runsBranch")
    return f"refs/heads/{name.removeprefix('refs/heads/')}" if name else None


def read(workspace: Workspace, tip: str) -> dict[str, str]:
    """Return {ref: commit} as the branch says; raises Refused where the branch is something else."""
    repo = workspace.repo
    tree = objects.read_commit(repo, tip).tree
    folder = objects.subtree(repo, tree, "runs")
    if folder is None:
        raise Refused("the branch of gitexp.runsBranch holds no runs", hint="git config gitexp.runsBranch gitexp/runs")
    blobs = [entry.oid for entry in objects.entries(repo, folder) if entry.mode == objects.FILE]
    beside = [objects.entry(repo, tree, name) for name in ("facts", "models")]
    blobs += [entry.oid for entry in beside if entry is not None and entry.mode == objects.FILE]
    found = {}
    for blob in blobs:
        for line in objects.read_blob(repo, blob, limit_bytes=_SHARD_LIMIT).split(b"\n"):
            if match := _LINE.fullmatch(line):
                found[match[2].decode("utf-8", "surrogateescape")] = match[1].decode()
    return found


def build(workspace: Workspace, tip: str | None, changes: Mapping[str, str]) -> str:
    """Store the branch's next commits after `tip`, with these refs added or moved on; returns the last one."""
    repo = workspace.repo
    held = {**(read(workspace, tip) if tip else {}), **changes}
    tree = _tree(workspace, held)
    parents = sorted(set(changes.values()))
    for at in range(0, len(parents) or 1, _PARENTS):
        some = parents[at : at + _PARENTS]
        person = objects.Signature("gitexp", "", clock.now_ms() // 1000)
        before = (tip,) if tip else ()
        content = objects.Commit(tree, (*before, *some), person, person, f"{len(held)} refs\n")
        tip = objects.write_commit(repo, content)
    if tip is None:
        raise Damaged("there is nothing to build the branch of", hint="gitexp push")
    return tip


def _tree(workspace: Workspace, held: Mapping[str, str]) -> str:
    repo = workspace.repo
    shards: dict[str, list[bytes]] = {}
    for name, commit in held.items():
        file = "facts" if name == notes.REF else "models" if name.startswith(ids.MODELS) else f"runs/{name[-7:-5]}"
        shards.setdefault(file, []).append(f"{commit} {name}\n".encode("utf-8", "surrogateescape"))
    files = {name: (objects.FILE, objects.write_blob(repo, b"".join(sorted(lines)))) for name, lines in shards.items()}
    return objects.write_tree(repo, {**files, "README.md": (objects.FILE, objects.write_blob(repo, _README))})
