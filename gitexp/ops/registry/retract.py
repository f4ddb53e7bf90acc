"""Own events of a model taken back: those that a remote does not hold, so that nobody else has built on them."""

from __future__ import annotations

from dataclasses import dataclass

from gitexp import ids
from gitexp.errors import NotFound, Refused
from gitexp.git import chain, objects
from gitexp.git.transport import Options
from gitexp.ops.sharing import sync
from gitexp.record.event import Logged
from gitexp.record.model import Model
from gitexp.store import models
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be taken back: `events` go, the model's ref moves from `before` to `after` (None: it goes too)."""

    model: Model
    before: str
    after: str | None
    events: tuple[Logged, ...]


def plan(workspace: Workspace, model: Model, remote: Remote, options: Options | None = None) -> Plan:
    """Ask the remote what it holds and say what taking back the rest would do; raises Refused where that is nothing."""
    ref = ids.model_ref(model.first)
    held = sync.look(workspace, remote, options or Options()).get(ref)
    if held is not None and not objects.exists(workspace.repo, held):
        raise Refused(f"{remote.label} has events that are not here", hint=f"gitexp fetch {remote.label}")
    known = chain.order(workspace.repo, held).keys() if held else set()
    own = {oid: commit for oid, commit in chain.order(workspace.repo, model.tip).items() if oid not in known}
    if not own:
        raise NotFound(f"{remote.label} holds every event of {model.name!r}", hint=f"gitexp model log {model.name}")
    return Plan(model, model.tip, held, tuple(models.logged(workspace, own)))


def execute(workspace: Workspace, made: Plan) -> None:
    """Take the events back; raises Conflict where the model has moved since."""
    models.reset(workspace, ids.model_ref(made.model.first), made.after, old=made.before)
