"""Whether the registry is what people signed: every event, the chains, the rules as they stood, the artifacts' hashes.

What a chain alone cannot tell, that it was cut or written anew, is told by what was seen before: by this clone, of each
remote, and by signed checkpoints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gitexp import ids, locks, text
from gitexp.errors import Damaged, NotFound, UsageError
from gitexp.git import chain, objects, refs
from gitexp.ops.registry import attest, vetmodels
from gitexp.ops.registry.attest import Checkpoint
from gitexp.ops.registry.audit import Audit, Auditor, Options, Witness, name_of
from gitexp.ops.sharing import registrybranch
from gitexp.record import event as events
from gitexp.store import furthest, heads, models, signers
from gitexp.store.workspace import Workspace

_LOCK_SECONDS = 60


@dataclass(slots=True)
class Verified:
    """What was found of all: models, the checkpoints they were held against, and what is wrong with these."""

    audits: list[Audit] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)  # (a checkpoint's name, why)

    @property
    def count(self) -> int:
        """How many faults there are."""
        return len(self.faults) + sum(len(item.faults) for item in self.audits)

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp model verify --json` prints."""
        return {
            "passed": not self.count,
            "models": [item.to_json() for item in self.audits],
            "checkpoints": [item.to_json() for item in self.checkpoints],
            "faults": [{"checkpoint": name, "why": why} for name, why in self.faults],
        }


def verify(workspace: Workspace, names: Sequence[str] = (), options: Options | None = None) -> Verified:
    """Look at all models, or at some; nothing is changed but the memory of how far remotes were."""
    furthest.advance(workspace)
    result = Verified()
    asked = options or Options()
    _read_checkpoints(workspace, asked, result)
    auditor = Auditor(workspace, asked, _witnesses(workspace, result.checkpoints))
    wanted = _wanted(workspace, names, auditor.witnesses)
    result.audits += [auditor.audit(ref, tip) for ref, tip in wanted.items()]
    return result


def arrived(workspace: Workspace, words: str) -> Verified:
    """Look at the events of OLD..NEW alone, as a server would that takes them.

    These are heads of a model, or commits of the registry's branch; an OLD that is empty or all zeros is nothing.
    Raises UsageError for what is no range.
    """
    before, dots, after = words.partition("..")
    new = refs.resolve(workspace.repo, after) if dots and after else None
    old = refs.resolve(workspace.repo, before) if before.strip("0") else None
    if new is None or (old is None and before.strip("0")):
        raise UsageError(f"{words!r} is no range of commits that are here", hint="git fetch; OLD..NEW")
    result = Verified()
    moved, beside = _moved(workspace, old, new)
    for ref, start, end in moved:
        fresh = chain.order(workspace.repo, end)
        known = chain.order(workspace.repo, start) if start and objects.exists(workspace.repo, start) else {}
        audit = Audit(ref, name_of(workspace, ref, end), end)
        audit.faults += vetmodels.vet(workspace, ref, start, end, beside=beside)
        audit.signatures.update(_statuses(workspace, [oid for oid in fresh if oid not in known]))
        result.audits.append(audit)
    return result


def _moved(workspace: Workspace, old: str | None, new: str) -> tuple[list[tuple[str, str | None, str]], dict[str, str]]:
    """Return the models that changed, (ref, head before, head now), and {ref: head} of all that stand now."""
    there = models.listing(workspace)
    said = objects.read_commit(workspace.repo, new)
    if objects.subtree(workspace.repo, said.tree, registrybranch.FOLDER) is not None:
        return registrybranch.moved(workspace, old, new), there | registrybranch.read(workspace, new)
    try:
        return [(ids.model_ref(events.decode(said.message).model), old, new)], there
    except ValueError as error:
        raise UsageError(
            f"{new[:7]} is neither an event of a model nor of the registry's branch", hint="gitexp model verify"
        ) from error


def _statuses(workspace: Workspace, oids: Sequence[str]) -> Counter[str]:
    return Counter(signer.status for signer in signers.of(workspace, oids).values())


def refuse(result: Verified) -> None:
    """Raise Damaged where there are faults."""
    if result.count:
        wrong = [item for item in result.audits if item.faults]
        there = next((item.ref for item in wrong if item.head), None)
        hint = f"git log --show-signature {there}" if there else "gitexp recover" if wrong else "gitexp keys ls"
        raise Damaged(f"{text.plural(result.count, 'fault')} in the registry", hint=hint)


def refuse_attesting(workspace: Workspace, *, despite_keys: bool) -> None:
    """Raise Damaged where there are faults that a checkpoint must not stand behind."""
    result = verify(workspace, options=Options(despite_keys=despite_keys))
    if result.count and not despite_keys and not verify(workspace, options=Options(despite_keys=True)).count:
        faults = text.plural(result.count, "fault")
        raise Damaged(
            f"{faults} in the registry, all of keys that were revoked, ended or left the lists",
            hint="look at them: gitexp model verify; then: gitexp model checkpoint --despite-keys",
        )
    refuse(result)


def accept(workspace: Workspace, names: Sequence[str]) -> list[str]:
    """Take models as they are here and at the remotes from now on, forgetting where they were; returns their refs."""
    there = models.listing(workspace)
    known = {ref for found in furthest.remembered(workspace).values() for ref in found} | heads.remembered(
        workspace
    ).keys()
    chosen = {ids.model_ref(ids.check_model(name)) for name in names}
    if missing := chosen - there.keys() - known:
        raise NotFound(f"no model at {min(missing)}", hint="list them with: gitexp model ls")
    with locks.hold(workspace.home / "models" / "lock", timeout_seconds=_LOCK_SECONDS):
        heads.remember(workspace, {ref: there.get(ref) for ref in chosen})
        furthest.accept(workspace, chosen)
    return sorted(chosen)


def _witnesses(workspace: Workspace, checkpoints: Sequence[Checkpoint]) -> dict[str, list[Witness]]:
    found: dict[str, list[Witness]] = {}
    for ref, head in heads.remembered(workspace).items():
        found.setdefault(ref, []).append(Witness("this clone", head))
    for item in checkpoints:
        for ref, head in item.heads.items() if attest.is_good(item) else ():
            found.setdefault(ref, []).append(Witness(item.name, head, attests=True))
    return found


def _read_checkpoints(workspace: Workspace, options: Options, result: Verified) -> None:
    for name, commit in attest.tagged(workspace):
        _read_checkpoint(result, name, partial(attest.read, workspace, name, commit))
    for path in options.checkpoints:
        _read_checkpoint(result, str(path), partial(attest.take, workspace, path))


def _read_checkpoint(result: Verified, name: str, read: Callable[[], Checkpoint]) -> None:
    try:
        found = read()
    except Damaged as error:
        result.faults.append((name, error.message))
        return
    result.checkpoints.append(found)
    if not attest.is_good(found):
        result.faults.append((name, f"nobody known stands behind it: its signature is {found.signer.status}"))


def _wanted(
    workspace: Workspace, names: Sequence[str], witnesses: Mapping[str, Sequence[Witness]]
) -> dict[str, str | None]:
    """Return {ref: head} of the models that are meant, None for one that somebody saw and that is gone."""
    there: dict[str, str | None] = {**dict.fromkeys(witnesses), **models.listing(workspace)}
    if not names:
        return dict(sorted(there.items()))
    found = {}
    for name in names:
        ref = ids.model_ref(ids.check_model(name))
        if there.get(ref) is None and ref not in there:
            ref = ids.model_ref(models.get(workspace, name, removed=True).first)
        found[ref] = there[ref]
    return found
