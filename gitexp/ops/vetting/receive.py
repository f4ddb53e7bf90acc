"""What a server with the pre-receive hook takes of a push: runs, facts and events that lose nothing and break no rule.

The objects of a push are in a quarantine that only Git's variables name: they are read by `git cat-file --batch`, those
of models by libgit2, which is told where it is. Other refs are not looked at.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gitexp import text
from gitexp.errors import GitexpError, Refused
from gitexp.git import notes, objects
from gitexp.git.batch import Batch
from gitexp.ops.registry import vetmodels
from gitexp.ops.sharing import registrybranch
from gitexp.ops.vetting import vetnotes
from gitexp.ops.vetting.vetruns import Moved, Vet
from gitexp.store import models, runs
from gitexp.store.config import SETTINGS
from gitexp.store.workspace import Workspace

WHO = ("GITEXP_USER", "GL_USERNAME", "GL_USER", "GITEA_PUSHER_NAME", "REMOTE_USER")
_NOBODY = "0" * 40
_LISTED = 20  # refs named in one message


@dataclass(frozen=True, slots=True)
class Update:
    """One ref of a push; `old` is None where it is made, `new` where it is deleted."""

    ref: str
    old: str | None
    new: str | None


def forget_environment() -> None:
    """Leave out what the environment says of settings: it may be that of who pushes, who would name other rules."""
    for name in ["GITEXP_REPO", *(setting.variable for setting in SETTINGS.values())]:
        os.environ.pop(name, None)


def updates(workspace: Workspace, lines: Iterable[str]) -> list[Update]:
    """Read what Git gives a pre-receive hook, old oid, new oid, ref; refs that are not gitexp's are left out."""
    found, own = [], (notes.REF, registrybranch.ref(workspace))
    for line in lines:
        old, _, rest = line.rstrip("\n").partition(" ")
        new, _, ref = rest.partition(" ")
        if ref.startswith((runs.REF_PREFIX, models.PREFIX)) or ref in own:
            found.append(Update(ref, None if old == _NOBODY else old, None if new == _NOBODY else new))
    return found


def check(workspace: Workspace, pushed: Sequence[Update]) -> None:
    """Raise Refused, naming each ref and why, where a push would lose, forge or damage runs or facts."""
    found = faults(workspace, pushed)
    if found:
        shown = [f"\n  {text.safe(ref)}: {text.safe(why)}" for ref, why in list(found.items())[:_LISTED]]
        more = [f"\n  and {len(found) - _LISTED:,} more"] if len(found) > _LISTED else []
        raise Refused(
            f"push refused: {text.plural(len(found), 'ref')} of {len(pushed):,} of experiments" + "".join(shown + more),
            hint="the server stored nothing of this push",
        )


def faults(workspace: Workspace, pushed: Sequence[Update]) -> Mapping[str, str]:
    """Return {ref: why it cannot be taken}, without those that can."""
    if not pushed:
        return {}
    maintains = _is_maintainer(workspace)
    found = {} if maintains else {item.ref: _not_deleted() for item in pushed if item.new is None}
    registry = [item for item in pushed if item.ref.startswith((models.PREFIX, "refs/heads/"))]
    found |= _registry(workspace, registry)
    rest = [item for item in pushed if item not in registry]
    moved = [Moved(item.ref, item.old, item.new) for item in rest if item.new is not None]
    refuse_dirty = workspace.settings.choice("pushDirty") == "refuse"
    with Batch(workspace.repo) as batch:
        vet = Vet(batch, refuse_dirty=refuse_dirty)
        found |= vet.faults([item for item in moved if item.ref != notes.REF])
        for item in moved:
            if item.ref == notes.REF:
                why = vetnotes.fault(batch, item.old, item.new, may_lose=maintains)
                found |= {item.ref: why} if why else {}
    return found


def _registry(workspace: Workspace, pushed: Sequence[Update]) -> Mapping[str, str]:
    """Return {ref: why} of models, at refs of their own or in the registry's branch, that cannot be taken."""
    found: dict[str, str] = {}
    if any(item.new for item in pushed):
        objects.add_quarantine(workspace.repo)
    beside = _standing(workspace, pushed)
    for item in pushed:
        if item.new is None:
            continue
        try:
            own = item.ref.startswith(models.PREFIX)
            moved = [(item.ref, item.old, item.new)] if own else registrybranch.moved(workspace, item.old, item.new)
            wrong = vetmodels.faults(workspace, moved, beside)
        except GitexpError as error:
            wrong = {item.ref: error.message}
        if wrong:
            found[item.ref] = next(iter(wrong.values()))
    return found


def _standing(workspace: Workspace, pushed: Sequence[Update]) -> dict[str, str]:
    """Return {ref: head} of the models once a push is taken: two that come together must not have one name."""
    found = models.listing(workspace)
    for item in pushed:
        if item.new is not None and item.ref.startswith(models.PREFIX):
            found[item.ref] = item.new
        elif item.new is not None:
            with suppress(GitexpError):  # what cannot be read is refused
                found |= registrybranch.read(workspace, item.new)
    return found


def pusher() -> str:
    """Return who pushes, as the transport says: the first of its variables that is set, else the system's user."""
    for name in WHO:
        if os.environ.get(name):
            return os.environ[name]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container without a name for its user
        return str(os.getuid())


def _is_maintainer(workspace: Workspace) -> bool:
    """Say whether who pushes may delete; the server's git config alone says who may, never the environment."""
    listed = re.split(r"[,\s]+", workspace.settings.raw("maintainers") or "")
    return pusher() in [name for name in listed if name]


def _not_deleted() -> str:
    return f"only maintainers delete runs, facts and models, and {pusher()!r} is none (to hide a run: gitexp rm)"
