"""Checkpoints of the registry: signed commits that say which event was the last of each model, at a time.

A chain that was cut at its end looks whole to who did not see it before. A checkpoint that is kept elsewhere, as a
protected tag or a file, shows it to everybody (docs/registry.md, "Checkpoints").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitexp import canonical, clock, files, text
from gitexp.errors import Conflict, Damaged, NotFound, UsageError
from gitexp.git import objects, refs, signing
from gitexp.record import event as events
from gitexp.record.event import Signer
from gitexp.store import models, rulebook, signers
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace

TAGS = "refs/tags/"
PREFIX = "refs/tags/gitexp-checkpoint-"
FORMAT = 1
MAX_BYTES = 16 << 20
_HEAD = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What somebody saw: {ref: last event} of all models; `name` is the tag or the file it came from."""

    name: str
    commit: str
    time_ms: int
    heads: dict[str, str]
    signer: Signer

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of a checkpoint."""
        return {
            "name": self.name, "commit": self.commit, "time": canonical.iso(self.time_ms), "models": len(self.heads),
            "status": self.signer.status, "person": self.signer.person or None,
        }  # fmt: skip


def make(workspace: Workspace) -> Checkpoint:
    """Store a signed checkpoint of all models as they stand here; raises Refused where nothing could sign it."""
    signing.require(workspace.repo)
    heads, now_ms, user = models.listing(workspace), clock.now_ms(), workspaces.user(workspace)
    if not heads:
        raise NotFound("there are no models", hint="gitexp model register RUN NAME")
    person = objects.Signature(user["name"], user["email"], now_ms // 1000)
    data = {"format": FORMAT, "time": canonical.iso(now_ms), "models": heads, "rules": rulebook.now(workspace).commit}
    message = f"checkpoint of {text.plural(len(heads), 'model')}\n\n{canonical.dumps(data).decode()}"
    tree = objects.write_tree(workspace.repo, {})
    commit = signing.commit(workspace.repo, objects.Commit(tree, (), person, person, message), sign=True)
    return _read(workspace, commit, "")


def tag(workspace: Workspace, checkpoint: Checkpoint) -> str:
    """Give a checkpoint a tag, and return its name."""
    when = datetime.fromtimestamp(checkpoint.time_ms // 1000, UTC)
    name = f"{PREFIX}{when:%Y%m%dT%H%M%SZ}"
    if refs.get(workspace.repo, name) is not None:
        raise Conflict(f"there is a tag {name.removeprefix(TAGS)} already", hint="wait a second")
    refs.update(workspace.repo, name, checkpoint.commit, old=None)
    return name.removeprefix(TAGS)


def write(workspace: Workspace, checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint into a file: the bytes of its commit, signature and all."""
    files.write(path, data_of(workspace, checkpoint))


def data_of(workspace: Workspace, checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as it stands in a file."""
    return objects.commit_bytes(workspace.repo, checkpoint.commit)


def tagged(workspace: Workspace) -> list[tuple[str, str]]:
    """Return (tag, commit) of all checkpoints that tags keep here, the oldest first."""
    found = refs.listing(workspace.repo, TAGS)
    return [(ref.removeprefix(TAGS), oid) for ref, oid in sorted(found.items()) if ref.startswith(PREFIX)]


def read(workspace: Workspace, name: str, commit: str) -> Checkpoint:
    """Return the checkpoint of a tag; raises Damaged for what is none."""
    return _read(workspace, commit, name)


def take(workspace: Workspace, path: Path) -> Checkpoint:
    """Return the checkpoint of a file; raises Damaged for what is none, UsageError for what cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=f"ls -l {path}") from error
    if not data.startswith(b"tree " + objects.EMPTY_TREE.encode()):
        raise Damaged(f"{path} is no checkpoint", hint="gitexp model checkpoint --file FILE")
    return _read(workspace, objects.write_commit_bytes(workspace.repo, data), str(path))


def _read(workspace: Workspace, oid: str, name: str) -> Checkpoint:
    said = objects.read_commit(workspace.repo, oid).message.partition("\n\n")[2]
    try:
        data = canonical.loads(said)
        heads = {str(ref): str(head) for ref, head in data["models"].items()}
        time_ms = canonical.from_iso(data["time"])
        if data["format"] < 1 or not all(map(_is_head, heads.items())):
            raise ValueError("it names no events")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged(f"{name or oid[:7]} is no checkpoint: {error}", hint=f"git show {oid}") from error
    return Checkpoint(name, oid, time_ms, heads, signers.of(workspace, [oid])[oid])


def _is_head(item: tuple[str, str]) -> bool:
    return item[0].startswith(models.PREFIX) and _HEAD.fullmatch(item[1]) is not None


def is_good(checkpoint: Checkpoint) -> bool:
    """Say whether somebody in the lists surely said it."""
    return checkpoint.signer.status == events.GOOD
