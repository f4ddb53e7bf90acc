"""What people try on a registry: events forged, dated back, hidden in joins, made under other rules, or wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gitexp.errors import Damaged
from gitexp.git import objects, refs
from gitexp.git.objects import Commit, Signature
from gitexp.ops.registry import notices, receivers, vetmodels
from gitexp.ops.sharing import registrybranch
from gitexp.record import event as events
from gitexp.record.model import Version
from gitexp.store import models, rulebook, signers
from gitexp.store.models import Draft
from gitexp.store.workspace import Workspace
from tests import registry, support
from tests.scenarios.test_promotion import REF, RULES, Team, refused

NOON_S = 1_795_300_000


@pytest.fixture
def team(tmp_path: Path, project: Path, bare: Path) -> Iterator[Team]:
    made = Team(tmp_path, project, bare)
    yield made
    support.git(bare, "fsck", "--strict")


def event(
    workspace: Workspace, op: str, version: Version | None, *, time_s: int = NOON_S, rules: str = "", **more: Any
) -> str:
    """Store an event after the head of the model, whatever the rules say, and return its commit."""
    named = rules or rulebook.now(workspace).commit
    made = events.Event(op, "churn", time_s * 1000, named, version.id if version else None, more)
    commit = models.commit_of(workspace, made, f"{op} it", [str(refs.get(workspace.repo, REF))])
    return signers.write(workspace, commit)


def raw(workspace: Workspace, message: str, parents: Sequence[str], *, time_s: int = NOON_S) -> str:
    """Store an unsigned commit without files and return it."""
    person = Signature("Eve", "eve@acme.io", time_s)
    return objects.write_commit(workspace.repo, Commit(objects.EMPTY_TREE, tuple(parents), person, person, message))


def passage(version: Version) -> dict[str, Any]:
    """Return the arguments of a transition to production."""
    return {"sha256": version.sha256, "stage": "production", "from": None, "checked": [], "proposal": None}


def promoted(team: Team) -> Version:
    """Return a version that two people approved and one of them brought to production."""
    version = team.register()
    for name in ("bob", "cy"):
        team.say(name, version)
    team.promote("ana", version)
    return version


@pytest.mark.slow
def test_undelete_takes_nothing_out_of_production(team: Team) -> None:
    version = promoted(team)
    workspace = team.at("dev")
    oid = event(workspace, events.UNDELETE, version, reason="")
    assert "was not removed" in refused(team.clone("dev"), f"{oid}:{REF}")
    assert models.load(workspace, REF, oid).versions[version.id].stage == "production"


@pytest.mark.slow
def test_older_rules_that_knew_no_promoters_let_nobody_remove_a_version(team: Team) -> None:
    team.rule("[registry.stages.production]\n", "")
    old = registry.rules_commit(team.project).strip()
    version = team.register()
    team.promote("dev", version)
    team.rule(RULES)
    workspace = team.at("dev")
    for op in (events.REMOVE, events.DEPRECATE):
        oid = event(workspace, op, version, rules=old, reason="")
        assert "dev@acme.io is not among the promoters" in refused(team.clone("dev"), f"{oid}:{REF}")


@pytest.mark.slow
def test_a_run_is_no_younger_for_an_event_that_is_dated_back(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.rule('[registry.stages.production]\nmax_age = "30d"\n')
    monkeypatch.setenv("GITEXP_NOW", "2026-11-21T12:00:00Z")
    version = team.register()
    monkeypatch.setenv("GITEXP_NOW", "2027-03-01T12:00:00Z")
    workspace = team.at("dev")
    arguments = passage(version)
    oid = event(workspace, events.TRANSITION, version, **arguments)
    assert "max_age" in refused(team.clone("dev"), f"{oid}:{REF}")


@pytest.mark.slow
def test_the_time_of_an_event_is_that_of_its_commit(team: Team) -> None:
    version = team.register()
    workspace = team.at("dev")
    made = events.Event(events.NOTE, "churn", 4_000_000_000_000, rulebook.now(workspace).commit, None, {"text": "x"})
    tip = str(refs.get(workspace.repo, REF))
    oid = raw(workspace, events.encode(made, "note"), [tip])
    assert "another time than its commit" in refused(team.clone("dev"), f"{oid}:{REF}")
    assert models.load(workspace, REF, tip).versions[version.id].notes == []


@pytest.mark.slow
def test_an_event_says_one_thing_to_all_readers(team: Team) -> None:
    version = team.register()
    workspace = team.at("dev")
    rules = rulebook.now(workspace).commit
    said = events.encode(events.Event(events.NOTE, "churn", NOON_S * 1000, rules, version.id, {"text": "fine"}), "note")
    twice = said.replace('  "text": "fine"', '  "text": "evil",\n  "text": "fine"')
    tip = str(refs.get(workspace.repo, REF))
    assert "canonical" in refused(team.clone("dev"), f"{raw(workspace, twice, [tip])}:{REF}")


@pytest.mark.slow
def test_an_octopus_and_the_old_head_as_second_parent_are_refused(team: Team) -> None:
    version = team.register()
    workspace, tip = team.at("dev"), version.id
    rules = rulebook.now(workspace).commit

    def join(*parents: str) -> str:
        made = events.Event(events.JOIN, "churn", NOON_S * 1000, rules)
        return raw(workspace, events.encode(made, "join"), parents)

    root = raw(
        workspace,
        events.encode(events.Event(events.CREATE, "churn", NOON_S * 1000, rules), "create"),
        [],
    )
    path = team.clone("dev")
    assert "only moves forward" in refused(path, f"{join(root, tip)}:{REF}")
    assert "join with 3 parents" in refused(path, f"{join(tip, root, event(workspace, events.CREATE, None))}:{REF}")
    assert models.load(workspace, REF, join(root, tip)).versions[version.id].number == 1


@pytest.mark.slow
def test_a_model_takes_no_name_of_another(team: Team) -> None:
    team.register()
    workspace = team.at("eve")
    rules = rulebook.now(workspace).commit
    other = "refs/models/aaa"
    root = raw(workspace, events.encode(events.Event(events.CREATE, "aaa", NOON_S * 1000, rules), "create"), [])
    renamed = events.Event(events.RENAME, "aaa", NOON_S * 1000, rules, None, {"name": "churn"})
    oid = raw(workspace, events.encode(renamed, "call aaa churn"), [root])
    assert "there is a model 'churn' already" in refused(team.clone("eve"), f"{oid}:{other}")
    taken = events.Event(events.CREATE, "aab", NOON_S * 1000, rules)
    root = raw(workspace, events.encode(taken, "create"), [])
    both = [events.Event(events.RENAME, name, NOON_S * 1000, rules, None, {"name": "new"}) for name in ("aaa", "aab")]
    parents = [str(objects.read_commit(workspace.repo, oid).parents[0]), root]
    made = [raw(workspace, events.encode(item, "call it new"), [at]) for item, at in zip(both, parents, strict=True)]
    names = [f"{oid}:refs/models/{name}" for oid, name in zip(made, ("aaa", "aab"), strict=True)]
    assert "there is a model 'new' already" in refused(team.clone("eve"), *names)
    head = registrybranch.build(workspace, None, {"refs/models/aaa": made[0], "refs/models/aab": made[1]})
    support.git(team.bare, "config", "gitexp.registryRef", "refs/heads/registry")
    assert "there is a model 'new' already" in refused(team.clone("eve"), f"{head}:refs/heads/registry")


@pytest.mark.slow
def test_the_environment_of_who_pushes_names_no_rules(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    version = team.register()
    path = team.clone("dev")
    support.git(path, "push", "--quiet", "origin", "main~1:refs/heads/before")
    workspace = team.at("dev")
    oid = event(
        workspace, events.TRANSITION, version, sha256=version.sha256, stage="production", checked=[], proposal=None
    )
    monkeypatch.setenv("GITEXP_RULES_BRANCH", "refs/heads/before")
    monkeypatch.setenv("GITEXP_REPO", str(path))
    assert "is not among the promoters" in refused(path, f"{oid}:{REF}")


@pytest.mark.slow
def test_what_is_pushed_beside_a_model_opens_no_gate(team: Team) -> None:
    version = team.register()
    path = team.clone("dev")
    support.git(path, "switch", "--quiet", "-C", "lax", "origin/main")
    support.write(path / "gitexp.toml", "[registry.stages.production]\n")
    support.git(path, "commit", "--quiet", "-am", "no rules")
    lax = support.git(path, "rev-parse", "lax").strip()
    workspace = team.at("dev")
    arguments = passage(version)
    oid = event(workspace, events.TRANSITION, version, rules=lax, **arguments)
    assert "not in the history of main" in refused(path, f"{oid}:{REF}", "lax:refs/heads/main")
    support.git(path, "tag", "-m", "x", "note", oid)
    for other in ("lax", "refs/tags/note"):
        refused(path, f"{other}:{REF}-x")


@pytest.mark.slow
def test_a_commit_with_two_signatures_is_nobodys(team: Team) -> None:
    version = team.register()
    path, workspace = team.clone("ana"), team.at("ana")
    oid = event(workspace, events.APPROVE, version, sha256=version.sha256, stage=None, note="")
    said = subprocess.run(["git", "cat-file", "commit", oid], cwd=path, check=True, capture_output=True).stdout
    head, _, body = said.partition(b"\n\n")
    start = head.index(b"\ngpgsig ")
    words = ["git", "hash-object", "--literally", "-t", "commit", "-w", "--stdin"]
    twice = head + head[start:] + b"\n\n" + body
    done = subprocess.run(words, cwd=path, check=True, capture_output=True, input=twice)
    assert "signature does not fit" in refused(path, f"{done.stdout.decode().strip()}:{REF}")


WRONG = [None, True, -1, 10**400, 1e400, "", "\x1b[31m", "\ud800", "\x00", [], [1], {"a": [1]}, "x" * 9000]


@pytest.mark.parametrize("op", sorted({"transition", "approve", "alias", "tag", "note", "register", "undelete"}))
def test_arguments_of_a_wrong_type_crash_nobody(project: Path, op: str) -> None:
    workspace = registry.open(project)
    first = {"format": 1, "model": "churn", "op": "register", "rules": None, "time": "2026-11-20T14:02:11.123Z"}
    root = raw(workspace, f"register\n\n{json.dumps({**first, 'sha256': 'a' * 64})}", [])
    keys = "sha256 stage from checked proposal alias key value text reason tags size metrics signature framework"
    more = " description run commit artifact time version model"
    good = {"sha256": "a" * 64, "stage": "production", "alias": "best", "key": "k", "version": root, "from": None}
    for key in (keys + more).split():
        for value in WRONG:
            said = json.dumps({**first, **good, "op": op, key: value})
            oid = raw(workspace, f"{op}\n\n{said}", [root])
            try:
                models.load(workspace, REF, oid)
            except Damaged:
                continue
            vetmodels.vet(workspace, REF, None, oid, beside={})


def test_a_zero_byte_in_an_event_ends_no_watch(project: Path) -> None:
    workspace = registry.open(project)
    said = {"format": 1, "model": "churn", "op": "register", "rules": None, "time": "2026-11-20T14:02:11.123Z"}
    oid = raw(workspace, f"register\n\n{json.dumps({**said, 'run': 'a' + chr(0), 'sha256': chr(0)})}", [])
    refs.update(workspace.repo, REF, oid, old=None)
    (notice,) = notices.every(workspace)
    assert receivers.Command('test "$GITEXP_EVENT_RUN" = a').tell(workspace, notice).good


@pytest.mark.slow
def test_rules_that_are_gone_hold_all_the_same(team: Team) -> None:
    version = team.register()
    workspace = team.at("dev")
    oid = event(workspace, events.NOTE, version, text="x")
    support.git(team.bare, "update-ref", "-d", "refs/heads/main")
    assert "there is no branch of them here" in refused(team.clone("dev"), f"{oid}:{REF}")


@pytest.mark.slow
def test_verify_finds_a_promotion_that_names_no_rules(team: Team) -> None:
    workspace = team.at("dev")
    version = registry.register(team.clone("dev"), registry.run(team.clone("dev")), "churn")
    said = events.decode(objects.read_commit(workspace.repo, version.id).message)
    plain = events.Event(said.op, said.model, said.time_ms, None, None, said.arguments)
    root = signers.write(workspace, models.commit_of(workspace, plain, "register", []))
    more = passage(version)
    moved = events.Event(events.TRANSITION, "churn", said.time_ms, None, root, more)
    tip = signers.write(workspace, models.commit_of(workspace, moved, "promote", [root]))
    assert "it names no rules, and there are some" in [item.why for item in vetmodels.vet(workspace, REF, None, tip)]


def test_a_word_of_nobody_counts_for_nothing(project: Path) -> None:
    registry.rule(project, "[registry.stages.production]\napprovals = 1\n")
    version = registry.register(project, registry.run(project))
    support.git(project, "config", "user.email", "")
    draft = Draft(events.APPROVE, "approve", version.id, {"sha256": version.sha256, "stage": None, "note": ""})
    workspace = registry.open(project)
    model = models.append(workspace, "churn", [draft])
    words = model.versions[version.id].words
    assert len(words) == 1
