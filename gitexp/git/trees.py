"""Trees with one file changed, written from their bytes: no index, no work tree, nothing else of them is read."""

from __future__ import annotations

from gitexp.errors import Conflict
from gitexp.git import objects
from gitexp.git.objects import Entry
from gitexp.git.repo import Repo


def put(repo: Repo, tree: str | None, path: str, blob: str) -> str:
    """Return `tree` (None: an empty one) with a file at a path; raises Conflict where a file or link is in the way."""
    name, _, rest = path.partition("/")
    there = objects.entries(repo, tree) if tree else []
    found = next((entry for entry in there if entry.name == name), None)
    if rest and found is not None and found.mode != objects.TREE:
        raise Conflict(f"{name} is a file, where a folder is to be", hint=f"git rm {name}")
    if not rest and found is not None and not found.is_file:
        raise Conflict(f"{name} is a folder or a link, where a file is to be", hint=f"git rm -r {name}")
    below = put(repo, found.oid if found else None, rest, blob) if rest else blob
    new = Entry(name, objects.TREE if rest else objects.FILE, below)
    return objects.write_entries(repo, [*(entry for entry in there if entry.name != name), new])
