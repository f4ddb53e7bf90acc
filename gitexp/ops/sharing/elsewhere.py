"""Runs that others publish while they run: as they were when they last gave a sign of life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitexp import canonical, clock, ids, text
from gitexp.errors import Damaged, Unsupported
from gitexp.store import runs
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Shown:
    """A running run that somebody publishes; `sign_ms` is when it was published last, by the clock of its machine."""

    id: str
    experiment: str
    name: str
    host: str
    user: str
    sign_ms: int
    silent: bool  # for longer than gitexp.deadAfter

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "id": self.id,
            "experiment": self.experiment,
            "name": self.name,
            "host": self.host,
            "user": self.user,
            "last_sign": canonical.iso(self.sign_ms),
            "silent_seconds": round(_age_ms(self.sign_ms) / 1000, 1),
        }

    def line(self) -> str:
        """Return what people see of it."""
        who = f" of {text.safe(self.user)}" if self.user else ""
        where = f" on {text.safe(self.host)}" if self.host else ""
        sign = f"last sign of life {text.age(self.sign_ms, clock.now_ms())} ago"
        return f"{ids.short(self.id)}  {text.safe(f'{self.experiment}/{self.name}')}{who}{where}, {sign}"

    def hint(self) -> str:
        """Return what to do about one that has been silent for long, "" where nothing."""
        if not self.silent:
            return ""
        return f"if the machine of {ids.short(self.id)} is lost: gitexp recover {ids.short(self.id)}"


def of(workspace: Workspace, run: Run) -> Shown | None:
    """Return what is published of a run; None where it cannot be read."""
    try:
        head = runs.head(workspace, run.ref or "", run.commit or "")
        record = run.record
    except (Damaged, Unsupported):
        return None
    if head is None:
        return None
    user = str(record.user.get("name") or record.user.get("email") or "")
    silent = is_silent(workspace, head.end_ms)
    return Shown(record.id, record.experiment, record.name, record.host, user, head.end_ms, silent)


def sign_ms(workspace: Workspace, commit: str) -> int | None:
    """Return when a published run gave its last sign of life, None where nothing tells."""
    try:
        head = runs.head(workspace, "", commit)
    except Damaged:
        return None
    return None if head is None else head.end_ms


def is_silent(workspace: Workspace, sign: int) -> bool:
    """Say whether a last sign of life is so long ago that the machine may be lost."""
    return _age_ms(sign) > workspace.settings.duration_seconds("deadAfter") * 1000


def _age_ms(sign: int) -> int:
    return max(0, clock.now_ms() - sign)
