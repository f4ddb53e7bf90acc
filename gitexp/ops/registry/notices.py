"""What is told of an event to those who wait for it: a webhook, a command."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from gitexp import canonical, ids, redact
from gitexp.errors import GitexpError
from gitexp.git import chain, objects, transport
from gitexp.git.objects import Commit
from gitexp.ops.registry import chronicle
from gitexp.ops.registry import models as named
from gitexp.ops.registry.chronicle import Item
from gitexp.ops.registry.models import Known
from gitexp.record.model import Model, Passage
from gitexp.store import models, remotes
from gitexp.store.workspace import Workspace

FORMAT = 1
_RELEASE = ("run", "run_name", "experiment", "commit", "artifact", "sha256", "size", "framework", "metrics")


@dataclass(frozen=True, slots=True)
class Notice:
    """An event that counts, and that every clone will see as it is; `names` are what its model was and is called."""

    id: str
    op: str
    names: tuple[str, str]
    version: int | None
    stage: str
    left: str  # the stage that a transition took the version from
    what: str
    data: dict[str, Any]

    @property
    def label(self) -> str:
        """The version as it is typed, the model where it is about no version."""
        return self.names[1] if self.version is None else f"{self.names[1]}:{self.version}"

    def body(self) -> bytes:
        """Return the JSON that is sent, the same at every try."""
        return canonical.dumps(self.data)


def every(workspace: Workspace, done: Collection[str] = ()) -> Iterator[Notice]:
    """Yield the events of all models that count and cannot change their place any more, each model's in its order.

    Where there are remotes these are the events that one of them was seen to hold: what was not pushed may yet be
    refused, or come after others. Without those that are `done`.
    """
    repository = _repository(workspace)
    for model, commits in _fixed(workspace):
        fresh = {oid: commit for oid, commit in commits.items() if oid not in done}
        for item in chronicle.told(Known(model), models.logged(workspace, fresh)) if fresh else ():
            yield _notice(model, item, repository)


def known(workspace: Workspace) -> Iterator[str]:
    """Yield the ids of what `every` yields."""
    for _, commits in _fixed(workspace):
        yield from commits


def _fixed(workspace: Workspace) -> Iterator[tuple[Model, dict[str, Commit]]]:
    shared, held = bool(transport.names(workspace.repo)), remotes.holdings(workspace)
    for ref, tip in models.listing(workspace).items():
        model, commits = models.load(workspace, ref, tip), chain.order(workspace.repo, tip)
        if shared:
            there = _held(workspace, tip, [found[ref] for found in held.values() if ref in found])
            commits = {oid: commit for oid, commit in commits.items() if there is None or oid in there}
        yield model, {oid: commit for oid, commit in commits.items() if oid not in model.refused}


def _held(workspace: Workspace, tip: str, tips: Collection[str]) -> set[str] | None:
    """Return the events that remotes hold, None for all of them."""
    if tip in tips:
        return None
    here = [other for other in tips if objects.exists(workspace.repo, other)]
    return {oid for other in here for oid in chain.order(workspace.repo, other)}


def _notice(model: Model, item: Item, repository: str | None) -> Notice:
    taken = [passage for passage in model.passages if passage.id == item.id]
    own = next((passage for passage in taken if item.version and passage.version == item.version.id), None)
    stage = item.arguments.get("stage")
    left = own.left if own else ""
    return Notice(
        id=item.id,
        op=item.op,
        names=(model.first, model.name),
        version=item.version.number if item.version else None,
        stage=stage if isinstance(stage, str) else "",
        left=left,
        what=item.what,
        data={
            "format": FORMAT,
            **item.to_json(),
            "model": model.name,
            "first_name": model.first,
            "ref": ids.model_ref(model.first),
            "stage": stage if isinstance(stage, str) else None,
            "from_stage": left or None,
            "displaced": _displaced(model, item, taken),
            "release": _release(model, item),
            "repository": repository,
        },
    )


def _displaced(model: Model, item: Item, taken: list[Passage]) -> list[int]:
    """Return the numbers of the versions that an exclusive stage gave up."""
    others = [passage.version for passage in taken if item.version is None or passage.version != item.version.id]
    return [model.versions[id].number for id in others]


def _release(model: Model, item: Item) -> dict[str, Any] | None:
    """Return what the version is: its run, its artifact."""
    if item.version is None:
        return None
    described = named.describe_version(Known(model), item.version)
    return {key: described[key] for key in _RELEASE}


def _repository(workspace: Workspace) -> str | None:
    try:
        return redact.url(remotes.choose(workspace).url)
    except GitexpError:
        return None
