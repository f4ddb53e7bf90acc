"""Promotion by pull request against a server that enforces it: one proposes, another merges, a third accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitexp.git import refs
from gitexp.ops.registry import accept, propose
from gitexp.record.model import Version
from gitexp.store import models, rulebook
from gitexp.store.workspace import Workspace
from tests import registry, support
from tests.scenarios.test_promotion import REF, Team, refused, write
from tests.support import git, gitexp

RULES = """
[registry.stages.staging]

[registry.stages.production]
merged = true
signed = true
promoters = ["ana@acme.io"]
exclusive = true
"""


@pytest.fixture
def team(tmp_path: Path, project: Path, bare: Path) -> Team:
    made = Team(tmp_path, project, bare)
    made.rule(RULES)
    return made


def proposed(team: Team, version: Version, name: str = "dev") -> propose.Proposed:
    """Propose a version as somebody, and send the branch to the server."""
    workspace = team.at(name)
    model = models.get(workspace, "churn")
    made = propose.create(workspace, model, model.versions[version.id], "production")
    propose.send(workspace, made, "origin")
    return made


def merge(team: Team, branch: str, how: str = "--no-ff") -> str:
    """Merge a branch into main as a reviewer does, with plain Git, and return the commit of main."""
    path = team.clone("bob")
    git(path, "switch", "--quiet", "main")
    git(path, "merge", "--quiet", "--ff-only", "origin/main")
    git(path, "merge", "--quiet", how, *(["-m", "merge"] if how == "--no-ff" else []), f"origin/{branch}")
    if how == "--squash":
        git(path, "commit", "--quiet", "-m", "squash")
    git(path, "push", "--quiet", "origin", "main")
    return git(path, "rev-parse", "main")


def named(workspace: Workspace, made: propose.Proposed, commit: str) -> dict[str, str]:
    """Return how a transition names a file of a commit."""
    blob = git(str(workspace.repo.work_tree), "rev-parse", f"{commit}:{made.path}")
    return {"path": made.path, "blob": blob, "commit": commit}


def force(team: Team, version: Version, proposal: dict[str, str] | None, name: str = "ana") -> str:
    """Push a transition that names a proposal, past all checks of the clone; return what the server says."""
    workspace = team.at(name)
    path = Path(str(workspace.repo.work_tree))
    holder = next(iter(models.get(workspace, "churn").holders("production")), None)
    more: dict[str, Any] = {"proposal": proposal, "from": holder.id if holder else None}
    oid = write(workspace, version, **more)
    said = refused(path, f"{oid}:{REF}")
    assert git(team.bare, "rev-parse", REF) == refs.get(workspace.repo, REF)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--no-ff", "--squash"])
def test_what_was_reviewed_and_merged_goes_to_production(team: Team, how: str) -> None:
    version = team.register()
    made = proposed(team, version)
    assert "merged: no proposal of it is merged" in force(team, version, None)
    ana = team.at("ana")
    unmerged = named(ana, made, git(team.bare, "rev-parse", made.branch))
    assert "is not on the branch of the rules" in force(team, version, unmerged)
    merged = merge(team, made.branch, how)
    other = team.register(run="other")
    ana = team.at("ana")
    assert "the merged file says version" in force(team, other, named(ana, made, merged))
    ana = team.at("ana")
    assert [item.state for item in accept.run(ana)] == ["accepted"]
    team.send(registry.open(Path(str(ana.repo.work_tree))))
    at_bob = team.at("bob")
    assert models.get(at_bob, "churn").holders("production")[0].id == version.id
    last = models.history(at_bob, REF)[-1]
    assert last.event.arguments["proposal"] == named(at_bob, made, merged)
    assert (last.person, last.signer.status) == ("ana@acme.io", "good")
    git(team.bare, "fsck", "--strict")


@pytest.mark.slow
def test_a_merged_file_carries_one_transition_alone(team: Team) -> None:
    first, second = team.register(), team.register(run="second")
    made = proposed(team, first)
    merged = merge(team, made.branch)
    ana = team.at("ana")
    accept.run(ana)
    team.send(registry.open(Path(str(ana.repo.work_tree))))
    again = proposed(team, second)
    merge(team, again.branch)
    ana = team.at("ana")
    assert {item.version: item.state for item in accept.run(ana)} == {1: "used", 2: "accepted"}
    team.send(registry.open(Path(str(ana.repo.work_tree))))
    said = force(team, first, named(team.at("ana"), made, merged))
    assert "merged: it was proposed beside no version, and now there is version 2" in said


@pytest.mark.slow
def test_who_is_no_promoter_cannot_accept(team: Team) -> None:
    version = team.register()
    made = proposed(team, version)
    merged = merge(team, made.branch)
    path = team.clone("bob")
    team.at("bob")
    found = gitexp("-C", str(path), "model", "accept", "--json", expect=12).json
    assert found[0]["why"] == "promoters: bob@acme.io is not among the promoters of production"
    assert "not among the promoters" in force(team, version, named(team.at("bob"), made, merged), "bob")


@pytest.mark.slow
def test_a_file_pushed_to_main_past_review_is_seen_by_its_commit(team: Team) -> None:
    """Who may push to main decides; what the event keeps is which commit brought the file, to be asked about."""
    version = team.register()
    path = team.clone("dev")
    workspace = team.at("dev")
    model = models.get(workspace, "churn")
    made = propose.create(workspace, model, version, "production")
    git(path, "merge", "--quiet", "--ff-only", made.branch)
    git(path, "push", "--quiet", "origin", "main")
    ana = team.at("ana")
    support.git(str(ana.repo.work_tree), "fetch", "--quiet", "origin")
    accept.run(registry.open(Path(str(ana.repo.work_tree))))
    last = models.history(ana, REF)[-1].event
    assert last.arguments["proposal"]["commit"] == made.commit
    assert rulebook.now(ana).commit == last.rules == made.commit
