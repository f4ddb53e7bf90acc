"""Models of the registry brought from a remote and sent there: heads that went apart are joined, never replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitexp import ids, text
from gitexp.errors import Damaged, GitexpError, RemoteError
from gitexp.git import chain, objects, refs, transport
from gitexp.git.transport import Options
from gitexp.ops.sharing import sync
from gitexp.store import furthest, models, remotes
from gitexp.store.models import Joined
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

_TRIES = 6


@dataclass(slots=True)
class United:
    """What became of models: names that are new or have moved on here, what was sent, what means another thing now.

    `moved` are (name, version's number before, number now), `refused` (name, event id, why) of events that counted
    before, `skipped` (ref, why) of what a remote holds and cannot be taken.
    """

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    moved: list[tuple[str, int, int]] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of the key `models` of `gitexp push --json` and `gitexp fetch --json`."""
        return {
            "new": self.new,
            "updated": self.updated,
            "sent": self.sent,
            "moved": [{"model": name, "before": before, "now": now} for name, before, now in self.moved],
            "refused": [{"model": name, "event": event, "reason": why} for name, event, why in self.refused],
            "skipped": [{"ref": ref, "reason": why} for ref, why in self.skipped],
        }


def lacking(workspace: Workspace, held: Mapping[str, str]) -> dict[str, str]:
    """Return {ref: head} of the models of which a remote that holds `held` lacks something."""
    ours = models.listing(workspace)
    return {ref: tip for ref, tip in ours.items() if held.get(ref) != tip and not _is_behind(workspace, tip, held, ref)}


def _is_behind(workspace: Workspace, tip: str, held: Mapping[str, str], ref: str) -> bool:
    theirs = held.get(ref)
    return (
        theirs is not None and objects.exists(workspace.repo, theirs) and chain.is_behind(workspace.repo, tip, theirs)
    )


def events_lacking(workspace: Workspace, held: Mapping[str, str]) -> int:
    """Return how many events a push would send."""
    there = {oid for ref, oid in held.items() if ref.startswith(models.PREFIX) and objects.exists(workspace.repo, oid)}
    known = {oid for tip in there for oid in chain.order(workspace.repo, tip)}
    return sum(len(chain.order(workspace.repo, tip).keys() - known) for tip in lacking(workspace, held).values())


def take(workspace: Workspace, remote: Remote, held: Mapping[str, str], options: Options) -> United:
    """Bring what a remote holds of models; what it has counts first, and ours goes after it."""
    ours = models.listing(workspace)
    there = {ref: oid for ref, oid in held.items() if ref.startswith(models.PREFIX) and ours.get(ref) != oid}
    with sync.brought(workspace, remote, _missing(workspace, there), options):
        united = join(workspace, there)
    furthest.advance(workspace)
    went_back = furthest.back(workspace).get(remote.name, {})
    united.skipped += [(ref, f"it was cut or replaced at {remote.label}: gitexp model verify") for ref in went_back]
    return united


def join(workspace: Workspace, there: Mapping[str, str]) -> United:
    """Take in heads of models whose objects are here; what is no model is left out and said."""
    united, ours = United(), models.listing(workspace)
    for ref, oid in there.items():
        try:
            _note(united, ref, ours.get(ref), models.join(workspace, ref, oid), models.get_ref(workspace, ref).name)
        except GitexpError as error:
            united.skipped.append((ref, error.message))
    return united


def _missing(workspace: Workspace, there: Mapping[str, str]) -> dict[str, str]:
    return {ref: oid for ref, oid in there.items() if not objects.exists(workspace.repo, oid)}


def _note(united: United, ref: str, before: str | None, joined: Joined, name: str) -> None:
    if before is None:
        united.new.append(name)
    elif before != joined.tip:
        united.updated.append(name)
    united.moved += [(name, old, new) for _, old, new in joined.moved]
    united.refused += [(name, event, why) for event, why in joined.refused.items()]


def send(workspace: Workspace, remote: Remote, options: Options) -> United:
    """Send what a remote lacks of models, after taking in what it has; again where somebody else came first.

    Raises RemoteError where the remote does not take them.
    """
    united = United()
    for _ in range(_TRIES):
        held = remotes.seen(workspace, remote)
        wanted = lacking(workspace, held)
        apart = {ref: held[ref] for ref in wanted if ref in held}
        if apart:
            _add(united, take(workspace, remote, apart, options))
            wanted = lacking(workspace, held)
        if not wanted:
            return united
        results = sync.send(workspace, remote, sync.Sending(wanted), options)
        united.sent += [_name(workspace, item.ref) for item in results if item.status in _ARRIVED]
        furthest.advance(workspace)
        refused = [item for item in results if item.status == transport.REJECTED]
        if not refused:
            return united
        if others := [item for item in refused if not item.behind]:
            raise _refusal(workspace, remote, others[0].ref, others[0].reason)
        sync.look(workspace, remote, options)
    raise _refusal(workspace, remote, refused[0].ref, refused[0].reason)


_ARRIVED = (transport.NEW, transport.UPDATED)


def _add(united: United, more: United) -> None:
    united.moved += more.moved
    united.refused += more.refused
    united.skipped += more.skipped
    united.updated += more.updated


def _refusal(workspace: Workspace, remote: Remote, ref: str, reason: str) -> RemoteError:
    name = _name(workspace, ref)
    return RemoteError(
        f"{remote.label} refused model {text.safe(name)}: {text.safe(reason)}",
        hint=f"gitexp model check {name}   where a host takes branches only: git config gitexp.registryRef "
        "refs/heads/gitexp/registry",
    )


def _name(workspace: Workspace, ref: str) -> str:
    tip = refs.get(workspace.repo, ref)
    try:
        return models.load(workspace, ref, tip).name if tip else ref.removeprefix(ids.MODELS)
    except Damaged:
        return ref.removeprefix(ids.MODELS)


def describe(united: United) -> list[str]:
    """Return the lines about what means another thing than before, and what was not taken."""
    lines = [
        f"model {text.safe(name)}: version {before} is {now} now: somebody else pushed first"
        for name, before, now in united.moved
    ]
    lines += [
        f"model {text.safe(name)}: {event[:7]} is refused: {text.safe(why)}" for name, event, why in united.refused
    ]
    return lines + [f"left out {text.safe(ref)}: {text.safe(why)}" for ref, why in united.skipped]


def summary(names: Sequence[str], word: str) -> str:
    """Return `1 model sent (churn)`, "" for none."""
    return (
        f"{text.plural(len(names), 'model')} {word} ({text.safe(', '.join(names[:3]))}{', …' * (len(names) > 3)})"
        if names
        else ""
    )
