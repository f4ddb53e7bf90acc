"""Models with versions of real runs, under rules that the project committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gitexp.ops.registry import evidence
from gitexp.record import event as events
from gitexp.record.model import Model, Version
from gitexp.store import models
from gitexp.store import workspace as workspaces
from gitexp.store.models import Draft
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import recording, support

MODEL = b"weights"


def rule(project: Path, text: str, message: str = "set the rules") -> None:
    """Commit a gitexp.toml."""
    support.commit(project, message, gitexp__toml=text)


def rules_commit(project: Path) -> str:
    """Return the commit of the rules."""
    return support.git(project, "rev-parse", "main")


def run(project: Path, name: str = "lr0.1", auc: float = 0.9, **what: Any) -> Run:
    """Record a run with one artifact, whose bytes tell the runs apart."""
    what = {"metrics": {"val_auc": [0.5, auc]}, "artifacts": {"model.txt": MODEL + name.encode()}, **what}
    return recording.record(project, name, **what)


def register(project: Path, found: Run, name: str = "churn", artifact: str = "model.txt", **over: Any) -> Version:
    """Register an artifact of a run as a version of a model."""
    details = {
        "run": found.id,
        "commit": found.commit,
        "artifact": artifact,
        "sha256": evidence.sha256_of(found, artifact),
        "size": 7,
        "run_author": found.record.user.get("email", ""),
        **over,
    }
    draft = Draft(events.REGISTER, f"register {artifact}", None, details)
    version = models.append(open(project), name, [draft], create=True).latest()
    assert version is not None
    return version


def say(project: Path, version: Version, op: str, name: str = "churn", **arguments: Any) -> Model:
    """Add an event about a version: an approval, a tag, a note."""
    if op in (events.APPROVE, events.REJECT):
        arguments = {"sha256": version.sha256, "stage": None, "note": "", **arguments}
    return models.append(open(project), name, [Draft(op, f"{op} it", version.id, arguments)])


def be(project: Path, email: str) -> None:
    """Work as somebody else from now on."""
    support.git(project, "config", "user.name", email.partition("@")[0].title())
    support.git(project, "config", "user.email", email)


def open(project: Path) -> Workspace:
    """Return the workspace as it is now: settings and rules are read anew."""
    return workspaces.open(project)
