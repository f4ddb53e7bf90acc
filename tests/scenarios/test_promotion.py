"""A model goes to production: people with real keys, clones of their own, and a server that enforces the rules."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitexp.errors import Refused, RemoteError
from gitexp.git import refs
from gitexp.git.transport import Options
from gitexp.ops import hooks
from gitexp.ops.registry import promote, retract
from gitexp.ops.sharing import fetch, push, registrybranch
from gitexp.ops.sharing.push import Choice, Pushed
from gitexp.record import event as events
from gitexp.record.model import Model, Version
from gitexp.store import models, remotes, rulebook, signers
from gitexp.store.models import Draft
from gitexp.store.workspace import Workspace
from tests import registry, sharing, signing, support

RULES = """
[registry.teams]
leads = ["ana@acme.io", "bob@acme.io"]

[registry.stages.staging]

[registry.stages.production]
approvals = 2
approvers = ["@leads", "cy@acme.io", "old@acme.io"]
promoters = ["@leads"]
not_by_author = true
signed = true
exclusive = true
"""
REF = "refs/models/churn"


class Team:
    """A bare repository with the hook, and a clone and a key for each person."""

    def __init__(self, folder: Path, project: Path, bare: Path) -> None:
        self.folder, self.project, self.bare = folder, project, bare
        self.keys = {name: signing.make(folder / "keys", name) for name in ("ana", "bob", "cy", "dev", "eve", "old")}
        people = {f"{name}@acme.io": key for name, key in self.keys.items() if name not in ("eve", "old")}
        ended = signing.listed({"old@acme.io": self.keys["old"]}, 'valid-before="20261121"')
        self.rule(RULES, signing.listed(people) + ended)
        hooks.install(sharing.opened(bare), hooks.SERVER)

    def rule(self, text: str, signers: str = "", revoked: str = "") -> None:
        """Commit rules and signers on the reviewed branch, and have them at the server."""
        support.write(self.project / "gitexp.toml", text)
        for name, content in (("allowed_signers", signers), ("revoked_signers", revoked)):
            if content:
                support.write(self.project / "gitexp" / name, content)
        support.git(self.project, "add", "--all")
        support.git(self.project, "commit", "--quiet", "-m", "rules")
        support.git(self.project, "push", "--quiet", "origin", "main")

    def clone(self, name: str, *, key: bool = True) -> Path:
        """Return the clone of a person, made where it is missing."""
        path = self.folder / name
        if not path.exists():
            support.git(self.folder, "clone", "--quiet", str(self.bare), str(path))
            registry.be(path, f"{name}@acme.io")
            if key:
                signing.use(path, self.keys[name])
        support.git(path, "fetch", "--quiet", "origin")
        return path

    def at(self, name: str) -> Workspace:
        """Return a person's workspace, with all that the server has."""
        workspace = sharing.opened(self.clone(name))
        fetch.fetch(workspace, remotes.choose(workspace))
        return workspace

    def send(self, workspace: Workspace) -> Pushed:
        planned = push.plan(workspace, remotes.choose(workspace), Choice(everything=True), Options())
        return push.push(workspace, planned, yes=True)

    def register(self, name: str = "dev", run: str = "lr0.1") -> Version:
        """Record a run as somebody, register its artifact, and push both."""
        path = self.clone(name)
        self.at(name)
        version = registry.register(path, registry.run(path, run))
        self.send(registry.open(path))
        return version

    def say(self, name: str, version: Version, op: str = events.APPROVE, **more: object) -> None:
        """Say a word about a version, and push it."""
        workspace = self.at(name)
        arguments = {"sha256": version.sha256, "stage": None, "note": "", **more}
        models.append(workspace, "churn", [Draft(op, f"{op} it", version.id, arguments)])
        self.send(workspace)

    def promote(self, name: str, version: Version, stage: str = "production") -> Model:
        workspace = self.at(name)
        model = models.get(workspace, "churn")
        model = promote.promote(workspace, model, model.versions[version.id], stage)
        self.send(workspace)
        return model

    def force(self, name: str, version: Version, stage: str = "production") -> str:
        """Write a transition that nobody here would write, push it with plain Git, and return what the server says."""
        workspace = self.at(name)
        oid = write(workspace, version, stage)
        return refused(Path(str(workspace.repo.work_tree)), f"{oid}:{REF}")


def write(workspace: Workspace, version: Version, stage: str = "production", **more: object) -> str:
    """Store a transition after the head of the model, whatever the rules say, and return its commit."""
    tip = refs.get(workspace.repo, REF)
    arguments = {"sha256": version.sha256, "stage": stage, "from": None, "checked": [], "proposal": None, **more}
    rules = rulebook.now(workspace).commit
    event = events.Event(events.TRANSITION, "churn", 1_795_300_000_000, rules, version.id, arguments)
    commit = models.commit_of(workspace, event, "promote it", [str(tip)])
    return signers.write(workspace, commit)


def refused(path: Path, *refspecs: str) -> str:
    """Push with plain Git what the server must refuse; return what it said."""
    done = subprocess.run(["git", "push", "origin", *refspecs], cwd=path, capture_output=True, text=True)
    assert done.returncode, "the server took it"
    assert "gitexp: push refused" in done.stderr, done.stderr
    return done.stderr


@pytest.fixture
def team(tmp_path: Path, project: Path, bare: Path) -> Iterator[Team]:
    made = Team(tmp_path, project, bare)
    yield made
    support.git(bare, "fsck", "--strict")


@pytest.fixture
def pushed(team: Team) -> Callable[[], str]:
    """Return the head of the model at the server."""
    return lambda: support.git(team.bare, "rev-parse", REF).strip()


@pytest.mark.slow
def test_two_approvals_bring_a_version_to_production(team: Team) -> None:
    version = team.register()
    assert "0 of 2" in team.force("ana", version)
    team.say("bob", version)
    assert "1 of 2 by bob@acme.io" in team.force("bob", version)
    team.say("cy", version)
    team.promote("ana", version)
    for name in ("dev", "cy"):
        assert [item.id for item in models.get(team.at(name), "churn").holders("production")] == [version.id]


@pytest.mark.slow
def test_an_approval_by_the_author_or_a_stranger_counts_for_nothing(team: Team) -> None:
    version = team.register("bob")
    team.say("bob", version)
    assert "bob@acme.io: is its author" in team.force("ana", version)
    workspace = team.at("eve")
    draft = Draft(events.APPROVE, "approve", version.id, {"sha256": version.sha256, "stage": None, "note": ""})
    with pytest.raises(Refused, match="signature is unknown"):
        models.append(workspace, "churn", [draft])


@pytest.mark.slow
def test_only_listed_people_promote(team: Team) -> None:
    version = team.register()
    for name in ("bob", "cy"):
        team.say(name, version)
    assert "cy@acme.io is not among the promoters" in team.force("cy", version)
    team.promote("bob", version)


@pytest.mark.slow
def test_an_approval_for_one_version_is_none_for_another(team: Team) -> None:
    third, fourth = team.register(run="one"), team.register(run="two")
    for name in ("bob", "cy"):
        team.say(name, third)
    assert "0 of 2" in team.force("ana", fourth)
    workspace = team.at("cy")
    with pytest.raises(Refused, match="sha256"):
        team.say("cy", fourth, sha256=third.sha256)
    assert models.get(workspace, "churn").versions[fourth.id].words == []


@pytest.mark.slow
def test_a_key_counts_while_it_was_valid(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_NOW", "2026-11-19T12:00:00Z")
    version = team.register()
    monkeypatch.setenv("GITEXP_NOW", "2026-11-20T12:00:00Z")
    team.say("old", version)
    monkeypatch.setenv("GITEXP_NOW", "2026-11-22T12:00:00Z")
    team.say("bob", version)
    with pytest.raises(Refused, match="signature is expired"):
        team.say("old", version)
    team.promote("ana", version)


@pytest.mark.slow
def test_a_revoked_key_takes_its_approvals_along(team: Team) -> None:
    version = team.register()
    for name in ("bob", "cy"):
        team.say(name, version)
    revoked = signing.public(team.keys["cy"]) + "\n"
    support.git(team.project, "pull", "--quiet", "--ff-only", "origin", "main")
    team.rule(RULES + "\n# cy's laptop was stolen\n", revoked=revoked)
    assert "1 of 2" in team.force("ana", version)


@pytest.mark.slow
def test_two_promotions_made_apart_are_both_kept_and_one_counts(team: Team) -> None:
    first, second = team.register(run="one"), team.register(run="two")
    for version, names in ((first, ("bob", "cy")), (second, ("ana", "cy"))):
        for name in names:
            team.say(name, version)
    ana, bob = team.at("ana"), team.at("bob")
    for workspace, version in ((ana, first), (bob, second)):
        model = models.get(workspace, "churn")
        promote.promote(workspace, model, model.versions[version.id], "production")
    team.send(ana)
    said = team.send(bob)
    assert [why for _, _, why in said.models.refused] == [
        "decided when production held nothing; it held version 1 by then"
    ]
    for name in ("ana", "dev"):
        workspace = team.at(name)
        model = models.get(workspace, "churn")
        assert [item.number for item in model.holders("production")] == [1]
        assert len(model.refused) == 1
        assert {entry.signer.status for entry in models.history(workspace, REF)} == {"good"}


@pytest.mark.slow
def test_history_cannot_be_rewritten_deleted_or_made_again(team: Team, pushed: Callable[[], str]) -> None:
    version = team.register()
    team.say("bob", version)
    workspace = team.at("ana")
    path = Path(str(workspace.repo.work_tree))
    head = pushed()
    assert "only moves forward" in refused(path, f"+{version.id}:{REF}")
    assert "only maintainers delete" in refused(path, f":{REF}")
    assert "only maintainers delete" in refused(path, f":{REF}", f"{version.id}:refs/models/other")
    assert "it is an event of 'churn'" in refused(path, f"{version.id}:refs/models/other")
    assert "it is no event" in refused(path, f"main:{REF}-x")
    assert pushed() == head


@pytest.mark.slow
def test_forged_events_are_refused(team: Team, pushed: Callable[[], str]) -> None:
    version = team.register()
    workspace = team.at("ana")
    path = Path(str(workspace.repo.work_tree))
    oid = write(workspace, version, "staging")
    said = subprocess.run(["git", "cat-file", "commit", oid], cwd=path, check=True, capture_output=True).stdout
    forged = said.replace(b'"staging"', b'"production"')
    words = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    bad = subprocess.run(words, cwd=path, check=True, capture_output=True, input=forged).stdout.decode().strip()
    assert "signature does not fit" in refused(path, f"{bad}:{REF}")
    support.git(path, "config", "--unset", "user.signingKey")
    unsigned = write(sharing.opened(path), version)
    assert "no signature" in refused(path, f"{unsigned}:{REF}")


@pytest.mark.slow
def test_rules_of_ones_own_are_no_rules(team: Team) -> None:
    version = team.register()
    path = team.clone("eve")
    support.git(path, "switch", "--quiet", "-c", "mine", "origin/main")
    support.write(path / "gitexp.toml", "[registry.stages.production]\n")
    support.git(path, "commit", "--quiet", "-am", "no rules")
    support.git(path, "config", "gitexp.rulesBranch", "refs/heads/mine")
    workspace = team.at("eve")
    oid = write(workspace, version)
    assert "are not in the history of main" in refused(path, f"{oid}:{REF}")


@pytest.mark.slow
def test_a_push_that_the_server_refuses_says_so_and_can_be_taken_back(team: Team) -> None:
    version = team.register()
    workspace = team.at("ana")
    oid = write(workspace, version)
    refs.update(workspace.repo, REF, oid, old=refs.get(workspace.repo, REF))
    with pytest.raises(RemoteError, match="0 of 2"):
        team.send(workspace)
    made = retract.plan(workspace, models.get(workspace, "churn"), remotes.choose(workspace))
    assert [entry.id for entry in made.events] == [oid]
    retract.execute(workspace, made)
    assert refs.get(workspace.repo, REF) == version.id
    team.say("ana", version, events.NOTE, text="again")


@pytest.mark.slow
def test_the_hook_looks_into_the_branch_of_the_registry_too(team: Team) -> None:
    support.git(team.bare, "config", "gitexp.registryRef", "gitexp/registry")
    path = team.clone("dev")
    support.git(path, "config", "gitexp.registryRef", "gitexp/registry")
    version = registry.register(path, registry.run(path))
    team.send(registry.open(path))
    workspace = registry.open(path)
    oid = write(workspace, version)
    tip = support.git(path, "rev-parse", "refs/remotes/origin/gitexp/registry").strip()
    forged = registrybranch.build(workspace, tip, {REF: oid})
    assert "is not among the promoters" in refused(path, f"{forged}:refs/heads/gitexp/registry")
    assert "holds no models" in refused(path, f"+{tip}~:refs/heads/gitexp/registry")
    assert "only maintainers" in refused(path, ":refs/heads/gitexp/registry")
