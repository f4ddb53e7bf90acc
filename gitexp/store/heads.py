"""The last head of each model that this clone wrote or took: `.git/gitexp/models/heads`, `<oid> <ref>` a line.

It tells a chain that was cut, reordered or taken away from one that only grew: no cache, deleting it loses that.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gitexp import files, ids
from gitexp.git import refs
from gitexp.store.workspace import Workspace


def remembered(workspace: Workspace) -> dict[str, str]:
    """Return {ref: last event}."""
    try:
        lines = _file(workspace).read_text("utf-8", "replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    pairs = (line.partition(" ") for line in lines)
    return {ref: oid for oid, _, ref in pairs if len(oid) == 40 and ref.startswith(ids.MODELS)}


def remember(workspace: Workspace, heads: Mapping[str, str | None]) -> None:
    """Keep the last heads of models, None for one that is gone for good; the caller holds the lock of the models."""
    known: dict[str, str | None] = {**remembered(workspace), **heads}
    lines = "".join(f"{oid} {ref}\n" for ref, oid in sorted(known.items()) if oid is not None)
    files.write(_file(workspace), lines.encode(), durable=True)


def lost(workspace: Workspace) -> dict[str, str]:
    """Return {ref: last event} of models whose ref is gone: a `git fetch --prune` takes away what a remote lacks."""
    known = remembered(workspace)
    if not known:
        return {}
    there = refs.listing(workspace.repo, ids.MODELS)
    return {ref: oid for ref, oid in known.items() if ref not in there}


def _file(workspace: Workspace) -> Path:
    return workspace.home / "models" / "heads"
