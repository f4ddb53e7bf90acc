"""One model of the registry held against its signatures, its rules, its runs, and what was seen of it before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gitexp import clock, files, text
from gitexp.errors import GitexpError
from gitexp.git import chain, objects
from gitexp.ops.registry import vetmodels
from gitexp.ops.registry.evidence import Evidence
from gitexp.ops.registry.vetmodels import Fault
from gitexp.record import event as events
from gitexp.record.event import Logged
from gitexp.record.model import Model, Version
from gitexp.store import furthest, models, signers
from gitexp.store import objects as large
from gitexp.store.workspace import Workspace

_UNSURE = {
    events.UNKNOWN: "its key is in no list of signers",
    events.UNCHECKED: "its signature cannot be checked here: is ssh-keygen, or gpg, installed?",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked beyond the usual: `signed`, a good signature of every event; `quick`, no bytes are read.

    `despite_keys`: somebody has looked at what was signed with keys that the lists take for good no more.
    """

    signed: bool = False
    quick: bool = False
    checkpoints: tuple[Path, ...] = ()
    despite_keys: bool = False


@dataclass(slots=True)
class Audit:
    """What was found of one model: how many events by the status of their signatures, versions, and all faults.

    `doubts` are what may be right, and somebody should look at.
    `unread` are artifacts whose bytes are not here, so only what the run says of them was compared.
    """

    ref: str
    name: str
    head: str | None
    signatures: Counter[str] = field(default_factory=Counter)
    versions: int = 0
    unread: int = 0
    faults: list[Fault] = field(default_factory=list)
    doubts: list[Fault] = field(default_factory=list)

    @property
    def events(self) -> int:
        """How many events there are."""
        return self.signatures.total()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of a model that was looked at."""
        return {
            "model": self.name, "ref": self.ref, "head": self.head, "events": self.events,
            "signatures": dict(self.signatures), "versions": self.versions, "unread": self.unread,
            "faults": [{"event": item.event or None, "why": item.why} for item in self.faults],
            "doubts": [{"event": item.event or None, "why": item.why} for item in self.doubts],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who saw a model's head: this clone, a remote before now, or a checkpoint, which attests what it saw."""

    name: str
    head: str
    attests: bool = False


def name_of(workspace: Workspace, ref: str, head: str | None) -> str:
    try:
        return models.load(workspace, ref, head).name if head else ref.removeprefix(models.PREFIX)
    except GitexpError:
        return ref.removeprefix(models.PREFIX)


@dataclass
class Auditor:
    """What looks at models one by one; each large file is read once."""

    workspace: Workspace
    options: Options
    witnesses: Mapping[str, Sequence[Witness]]
    _read: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _back(self) -> list[tuple[str, dict[str, str | None], dict[str, str]]]:
        """(remote, heads as they are, heads as they were) of remotes that have gone back on models."""
        known = furthest.remembered(self.workspace)
        return [(name, now, known[name]) for name, now in furthest.back(self.workspace).items()]

    @cached_property
    def _listed(self) -> bool:
        """Somebody says whose keys count, so that a key of nobody is a fault."""
        now = signers.lists(self.workspace)
        return bool(now.roster.keys or now.gpg)

    def audit(self, ref: str, head: str | None) -> Audit:
        """Look at one model."""
        found = Audit(ref, name_of(self.workspace, ref, head), head)
        found.faults += [Fault(ref, "", why) for why in dict.fromkeys(self._seen(ref, head))]
        if head is None:
            return found
        try:
            entries = models.history(self.workspace, ref, head)
            found.signatures.update(entry.signer.status for entry in entries)
            wrong = [Fault(ref, entry.id, why) for entry in entries for why in self._signature(entry)]
            wrong += vetmodels.vet(self.workspace, ref, None, head)
            if any(item.sure for item in wrong):
                wrong = self._overtaken(ref, head, entries, wrong)
            found.faults += [item for item in wrong if item.sure]
            found.doubts += [item for item in wrong if not item.sure]
            self._artifacts(models.load(self.workspace, ref, head), found)
        except GitexpError as error:
            found.faults.append(Fault(ref, "", error.message))
        return found

    def _signature(self, entry: Logged) -> Iterator[str]:
        status = entry.signer.status
        if status == events.UNCHECKED or (status == events.UNKNOWN and self._listed):
            yield _UNSURE[status]
        elif self.options.signed and status in (events.UNSIGNED, events.UNKNOWN):
            yield _UNSURE.get(status, "it is not signed")

    def _overtaken(self, ref: str, head: str, entries: Sequence[Logged], wrong: Sequence[Fault]) -> list[Fault]:
        """Return faults with those as doubts that are there only since the lists say something else of keys.

        Of these events a checkpoint attests that all was well with them when it was made.
        """
        attested = self._attested(ref, head)
        if not attested:
            return list(wrong)
        then = [vetmodels.as_signed(entry) if entry.id in attested else entry for entry in entries]
        still = {entry.id for entry in then for _ in self._signature(entry)}
        still |= {item.event for item in vetmodels.vet(self.workspace, ref, None, head, attested=attested) if item.sure}
        return [
            replace(item, sure=False, why=f"{item.why}; {attested[item.event]} attests that it was good")
            if item.event in attested and item.event not in still
            else item
            for item in wrong
        ]

    def _attested(self, ref: str, head: str) -> dict[str, str]:
        """Return {event: who attests it} of a chain."""
        if self.options.despite_keys:
            return dict.fromkeys(chain.order(self.workspace.repo, head), "somebody")
        found: dict[str, str] = {}
        for witness in self.witnesses.get(ref, ()):
            waiting = [witness.head] if witness.attests and objects.exists(self.workspace.repo, witness.head) else []
            while waiting:
                if (oid := waiting.pop()) not in found:
                    found[oid] = witness.name
                    waiting += objects.read_commit(self.workspace.repo, oid).parents
        return found

    def _seen(self, ref: str, head: str | None) -> Iterator[str]:
        """Yield how a model is not what was seen of it before."""
        line = _line(self.workspace, head)
        for witness in self.witnesses.get(ref, ()):
            if witness.head not in line:
                yield self._gone(head, witness)
        for name, now, before in self._back:
            if ref in now and now[ref] is None:
                yield f"{name} holds it no more: its head there was {before[ref][:7]}"
            elif ref in now:
                yield self._gone(now[ref], Witness(name, before[ref]), there=f" at {name}")

    def _gone(self, head: str | None, witness: Witness, *, there: str = "") -> str:
        """Return what became of a chain whose head somebody saw and that is not in it now."""
        repo, seen = self.workspace.repo, witness.head
        if head is None:
            return f"it was taken away: {witness.name} knew its head {seen[:7]}"
        if not objects.exists(repo, seen):
            return f"it was cut or written anew{there}: {witness.name} knew its head {seen[:7]}, which is not here"
        if chain.is_behind(repo, head, seen):
            gone = len(chain.order(repo, seen)) - len(chain.order(repo, head))
            return f"it was cut{there}: {witness.name} knew {text.plural(gone, 'more event')}, up to {seen[:7]}"
        return f"it was written anew{there}: {witness.name} knew its head {seen[:7]}, which it does not follow"

    def _artifacts(self, model: Model, found: Audit) -> None:
        """Hold the artifacts of all versions against what was registered."""
        at_ms = clock.now_ms()
        for version in model.versions.values():
            found.versions += 1
            if version.run and version.removed is None:
                evidence = Evidence(self.workspace, version, at_ms)
                if why := evidence.fault or self._bytes(evidence, version, found):
                    found.faults.append(Fault(found.ref, version.id, f"version {version.number}: {why}"))

    def _bytes(self, evidence: Evidence, version: Version, audit: Audit) -> str:
        """Return what is wrong with the bytes that are here, "" where nothing is."""
        below = version.artifact.rstrip("/") + "/"
        for item in evidence.run.artifacts if not self.options.quick else ():
            if item.sha256 is None or not (item.name == version.artifact or item.name.startswith(below)):
                continue  # the small ones stand in Git, and were read for their hash
            path = large.path(self.workspace, item.sha256)
            if path is None:
                audit.unread += 1
            elif self._read.setdefault(item.sha256, _sha256(path)) != item.sha256:
                return f"the bytes of {text.safe(item.name)} are damaged"
        return ""


def _sha256(path: Path) -> str:
    try:
        return files.sha256(path)[0]
    except OSError:
        return ""


def _line(workspace: Workspace, head: str | None) -> frozenset[str]:
    """Return the events on a head's line of first parents: what was a head before is among them."""
    found: set[str] = set()
    at = head
    while at is not None and at not in found and objects.exists(workspace.repo, at):
        found.add(at)
        parents = objects.read_commit(workspace.repo, at).parents
        at = parents[0] if parents else None
    return frozenset(found)
