"""Optional set-up of a repository: quiet diffs of runs, what a run does in a dirty tree, hooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import files
from gitexp.ops import hooks, settings
from gitexp.store.workspace import Workspace

# In Git's own info/attributes, which wins over the `!diff` of the records: curves are shown as one line each. The
# same numbers in short are in summary.json, and `gitexp diff` compares the curves.
QUIET = (".gitexp/metrics.csv -diff", ".gitexp/system.csv -diff")
_TITLE = "# gitexp: curves do not drown `git diff` of two runs; git diff --text shows them"


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was set up: what, and whether it was so before."""

    what: str
    detail: str
    changed: bool


def initialise(workspace: Workspace, *, dirty: str = "", with_hooks: Sequence[str] = ()) -> list[Done]:
    """Set a repository up; what is set up already stays. `dirty` is a policy to write down, "" leaves it."""
    done = [_attributes(workspace)]
    if dirty:
        before = settings.get(workspace, "dirty")
        after = settings.put(workspace, "dirty", dirty)
        done.append(Done("gitexp.dirty", after.value, (before.value, before.origin) != (after.value, after.origin)))
    if with_hooks:
        for change in hooks.install(workspace, with_hooks):
            done.append(Done(f"{change.name} hook", f"{change.done} {change.path}".strip(), change.done == "installed"))
    return done


def _attributes(workspace: Workspace) -> Done:
    path = workspace.repo.common_dir / "info" / "attributes"
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = b""
    have = {line.strip() for line in before.decode("utf-8", "replace").splitlines()}
    missing = [line for line in QUIET if line not in have]
    if missing:
        gap = b"" if not before or before.endswith(b"\n") else b"\n"
        files.write(path, before + gap + "\n".join([_TITLE, *missing, ""]).encode())
    return Done("curves in git diff", f"hidden by {path}", bool(missing))


def describe(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Return the JSON of what was set up."""
    return [{"what": item.what, "detail": item.detail, "changed": item.changed} for item in done]
