"""One branch that holds the registry, for hosts that protect branches and no other refs: `gitexp.registryRef`.

Its tree has a file for each model that names the last event; its history keeps the events: every commit of the branch
has the one before and the heads that were added as its parents. It only moves forward (docs/registry.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitexp import clock, ids, text
from gitexp.errors import Damaged, Refused
from gitexp.git import compare, objects
from gitexp.store.workspace import Workspace

FOLDER = "models"
_HEADS = "refs/heads/"
_LINE = re.compile(rb"([0-9a-f]{40})\n")
_SUBJECTS = 20  # of the events that a commit of the branch tells of
_README = b"""# The model registry

This branch belongs to gitexp. Each file below `models/` names the last event of a model; the events, signed one by one,
are in the history of this branch: `git log --show-signature` of that commit shows them. Protect the branch against
force pushes and deletion, and merge into it with merge commits alone: a squash would leave the events behind.
"""


def ref(workspace: Workspace) -> str | None:
    """Return the full ref of the branch, None where models have refs of their own."""
    name = workspace.settings.text("registryRef")
    return f"{_HEADS}{name.removeprefix(_HEADS)}" if name else None


def read(workspace: Workspace, tip: str) -> dict[str, str]:
    """Return {ref of a model: last event} as the branch says; raises Refused where the branch is something else."""
    repo = workspace.repo
    folder = objects.subtree(repo, objects.tree_of(repo, tip), FOLDER)
    if folder is None:
        raise Refused(
            "the branch of gitexp.registryRef holds no models", hint="git config gitexp.registryRef gitexp/registry"
        )
    found = {}
    for entry in objects.entries(repo, folder):
        line = (
            _LINE.fullmatch(objects.read_blob(repo, entry.oid, limit_bytes=64)) if entry.mode == objects.FILE else None
        )
        if line is None:
            raise Damaged(f"{FOLDER}/{text.safe(entry.name)} of {tip[:7]} names no event", hint=f"git show {tip}")
        found[ids.MODELS + entry.name] = line[1].decode()
    return found


def build(workspace: Workspace, tip: str | None, changes: Mapping[str, str]) -> str:
    """Store the branch's next commit after `tip`, with these models added or moved on, and return it."""
    repo = workspace.repo
    held = {**(read(workspace, tip) if tip else {}), **changes}
    files = {
        f"{FOLDER}/{name.removeprefix(ids.MODELS)}": (objects.FILE, objects.write_blob(repo, f"{oid}\n".encode()))
        for name, oid in held.items()
    }
    readme = {"README.md": (objects.FILE, objects.write_blob(repo, _README))}
    person = objects.Signature("gitexp", "", clock.now_ms() // 1000)
    if tip is None:  # so that the line of first parents is the branch's own from its beginning
        root = objects.Commit(objects.write_tree(repo, readme), (), person, person, "Begin the model registry\n")
        tip = objects.write_commit(repo, root)
    parents = (tip, *sorted(set(changes.values())))
    tree = objects.write_tree(repo, {**readme, **files})
    return objects.write_commit(repo, objects.Commit(tree, parents, person, person, _message(workspace, changes)))


def _message(workspace: Workspace, changes: Mapping[str, str]) -> str:
    """Return a message that says what the newest events are, for those who read the branch at their host."""
    lines = []
    for name, oid in sorted(changes.items())[:_SUBJECTS]:
        subject = objects.read_commit(workspace.repo, oid).message.partition("\n")[0]
        lines.append(f"{name.removeprefix(ids.MODELS)}: {text.safe(subject)}")
    if len(lines) == 1 and len(changes) == 1:
        return f"{lines[0]}\n"
    return "\n".join([text.plural(len(changes), "model"), "", *lines, ""])


def moved(workspace: Workspace, old: str | None, new: str) -> list[tuple[str, str | None, str]]:
    """Return the models that changed between two commits of the branch: (ref, head before or None, head now).

    Raises Refused where the branch went back, or has lost a model: it only moves forward.
    """
    before, now = read(workspace, old) if old else {}, read(workspace, new)
    if old and not compare.contains(workspace.repo, new, old):
        raise Refused(f"the registry's branch went back: {new[:7]} does not follow {old[:7]}", hint="gitexp fetch")
    if lost := sorted(before.keys() - now.keys()):
        raise Refused(f"the registry's branch has lost {lost[0]} in {new[:7]}", hint="gitexp push")
    for name, oid in now.items():
        if not objects.exists(workspace.repo, oid):
            raise Damaged(
                f"{new[:7]} names events of {name} that it does not keep: was it squashed?",
                hint="merge the registry's branch with merge commits alone",
            )
    return [(name, before.get(name), oid) for name, oid in sorted(now.items()) if before.get(name) != oid]
