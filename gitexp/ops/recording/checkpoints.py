"""Checkpoints of a run: which are kept by a policy, and how those that fall out of it are freed at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.errors import UsageError
from gitexp.ops.finding import goals
from gitexp.ops.recording import attach, unneeded
from gitexp.ops.recording.attach import Facts, Seen, Work
from gitexp.ops.recording.lifecycle import Session
from gitexp.store import runs, seal
from gitexp.store.workspace import Workspace

FOLDER = "checkpoints"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept of the checkpoints of one name: the `best` by their number and the `last` by their step; all where
    neither is said. `higher`: a greater number is better."""

    best: int | None = None
    last: int | None = None
    higher: bool = True


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One that is kept: its name in the record, step and number, its files, and the objects made for it."""

    name: str
    step: int
    value: float | None
    order: int
    files: tuple[str, ...] = ()
    new: frozenset[str] = frozenset()


def fallen(kept: Sequence[Checkpoint], policy: Policy) -> list[Checkpoint]:
    """Return those that the policy does not keep; of equal ones the later is better, one without a number never is."""
    if policy.best is None and policy.last is None:
        return []
    newest = sorted(kept, key=lambda item: (item.step, item.order), reverse=True)[: policy.last or 0]
    sign = 1.0 if policy.higher else -1.0
    ranked = [item for item in kept if item.value is not None and not math.isnan(item.value)]
    ranked.sort(key=lambda item: (sign * (item.value or 0.0), item.step, item.order), reverse=True)
    wanted = {item.order for item in (*newest, *ranked[: policy.best or 0])}
    return [item for item in kept if item.order not in wanted]


def direction(workspace: Workspace, metric: str | None, mode: str | None) -> bool:
    """Say whether more is better; raises UsageError where nobody says so."""
    best = mode or (goals.of(workspace, metric).best if metric else "")
    if best not in ("max", "min"):
        what = f"of {metric!r}" if metric else "of a bare value"
        raise UsageError(f"nothing says whether more or less {what} is better", hint='mode="max", or mode="min"')
    return best == "max"


@dataclass(slots=True)
class Shelf:
    """The checkpoints of a run in this process, by name; those of an earlier session of it too."""

    session: Session
    groups: dict[str, list[Checkpoint]] = field(default_factory=dict)
    pending: list[Checkpoint] = field(default_factory=list)  # dropped, but nobody could write that yet
    count: int = 0

    def next_step(self, group: str) -> int:
        """Return the step of a checkpoint that names none."""
        return 1 + max((item.step for item in self._group(group)), default=-1)

    def keep(
        self, work: Work, source: Path, group: str, facts: Facts, policy: Policy, *, since: Seen | None = None
    ) -> None:
        """Keep a checkpoint and free what falls out; one that would fall out itself is not stored at all."""
        kept, step, value = self._group(group), int(facts["step"]), facts.get("value")
        self.count += 1
        made = Checkpoint(f"{FOLDER}/{step}/{group}", step, value, self.count)
        before = [item for item in kept if item.name != made.name]
        out = fallen([*before, made], policy)
        if made not in out:
            replaced = next((item for item in kept if item.name == made.name), None)
            stored = attach.add(work, source, made.name, facts, since=since)
            made = Checkpoint(made.name, step, value, made.order, tuple(stored.names), frozenset(stored.new))
            before.append(made)
            if replaced is not None:
                self._forget(replaced, set(made.files))
        self.groups[group] = [item for item in before if item not in out]
        for item in out:
            self._forget(item, set())
        self._free()

    def _group(self, group: str) -> list[Checkpoint]:
        if group not in self.groups:
            self.groups[group] = list(self._earlier(group))
        return self.groups[group]

    def _earlier(self, group: str) -> Iterator[Checkpoint]:
        """Yield the checkpoints of the record that this session resumes; their objects are that commit's."""
        tip = self.session.start.previous
        if tip is None:
            return
        run = runs.load(self.session.workspace, tip, self.session.start.ref)
        for name, facts in run.artifact_facts.items():
            step, value = facts.get("step"), facts.get("value")
            if name == f"{FOLDER}/{step}/{group}" and isinstance(step, int):
                self.count += 1
                found = tuple(item.name for item in run.artifacts if f"{item.name}/".startswith(name + "/"))
                yield Checkpoint(name, step, value if isinstance(value, int | float) else None, self.count, found)

    def _forget(self, item: Checkpoint, still: set[str]) -> None:
        for name in {item.name, *item.files} - still:
            attach.drop(self.session, name)
            (self.session.folder / "files" / seal.staged(name)).unlink(missing_ok=True)
        self.pending.append(item)

    def _free(self) -> None:
        """Remove the objects of dropped checkpoints, once the journal says that they are."""
        if self.pending and self.session.writer.flush():
            for item in self.pending:
                for sha256 in item.new:
                    unneeded.free(self.session.workspace, sha256)
            self.pending.clear()
