"""What is wrong with a registry is found: forged, altered, reordered, removed and cut events, rules, hashes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gitexp import canonical, clock
from gitexp.git import objects
from gitexp.ops.registry import verifymodels
from gitexp.ops.registry.audit import Options
from gitexp.record import event as events
from gitexp.record.event import Event
from gitexp.record.model import Version
from gitexp.store import models, signers
from gitexp.store.models import Draft
from tests import registry, signing, support
from tests.signing import ANA, BOB, EVE

REF = "refs/models/churn"
RULES = f"""\
[registry.stages.production]
approvals = 1
approvers = ["{BOB}"]
not_by_author = true
signed = true
"""


@pytest.fixture
def version(project: Path, keys: dict[str, Path]) -> Version:
    """Return a version that Ana registered, Bob approved, and Ana brought into production; all signed."""
    listed = signing.listed({ANA: keys[ANA], BOB: keys[BOB]})
    support.write(project / "gitexp/allowed_signers", listed)
    registry.rule(project, RULES)
    if support.git(project, "remote"):
        support.git(project, "push", "--quiet", "origin", "main")
    be(project, keys, ANA)
    made = registry.register(project, registry.run(project))
    be(project, keys, BOB)
    registry.say(project, made, events.APPROVE)
    be(project, keys, ANA)
    enter(project, made)
    return made


def be(project: Path, keys: dict[str, Path], email: str) -> None:
    """Work, and sign, as somebody from now on."""
    registry.be(project, email)
    signing.use(project, keys[email])


def enter(project: Path, version: Version, stage: str = "production") -> None:
    """Bring a version into a stage."""
    arguments = {"sha256": version.sha256, "stage": stage, "from": None}
    models.append(registry.open(project), "churn", [Draft(events.TRANSITION, "transition it", version.id, arguments)])


def slip(project: Path, version: Version, rules: str) -> str:
    """Bring a version into production past the rules, as somebody would with another program; returns the event."""
    workspace = registry.open(project)
    arguments = {"sha256": version.sha256, "stage": "production", "from": None}
    event = Event(events.TRANSITION, "churn", clock.now_ms(), rules, version.id, arguments)
    oid = signers.write(workspace, models.commit_of(workspace, event, "enter once more", [tip(project)]))
    support.git(project, "update-ref", REF, oid)
    return oid


def found(project: Path, *names: str, signed: bool = False, quick: bool = False) -> list[str]:
    """Return all that is wrong, in words."""
    result = verifymodels.verify(registry.open(project), names, Options(signed, quick))
    said = [
        f"{fault.event[:7]}: {fault.why}" if fault.event else fault.why for one in result.audits for fault in one.faults
    ]
    return said + [f"{name}: {why}" for name, why in result.faults]


def tip(project: Path) -> str:
    return support.git(project, "rev-parse", REF)


def chain(project: Path) -> list[str]:
    """Return the events, the oldest first."""
    return support.git(project, "rev-list", "--first-parent", "--reverse", REF).split()


def rewrite(project: Path, oid: str, parent: str, *, old: str = "", new: str = "", strip: bool = False) -> str:
    """Return an event that follows another parent, says another thing, or has lost its signature."""
    said = subprocess.run(
        ["git", "cat-file", "commit", oid], cwd=project, check=True, capture_output=True
    ).stdout.decode()
    head, _, message = said.partition("\n\n")
    if strip:
        head = head[: head.index("\ngpgsig ")]
    lines = [f"parent {parent}" if line.startswith("parent ") else line for line in head.split("\n")]
    text = ("\n".join(lines) + "\n\n" + message).replace(old, new) if old else "\n".join(lines) + "\n\n" + message
    return support.git(project, "hash-object", "-t", "commit", "-w", "--stdin", input=text)


def test_a_registry_that_is_well_has_no_faults(project: Path, version: Version) -> None:
    result = verifymodels.verify(registry.open(project), (), Options(signed=True))
    (audit,) = result.audits
    assert (audit.name, audit.events, audit.versions, audit.faults) == ("churn", 3, 1, [])
    assert dict(audit.signatures) == {"good": 3}
    assert result.to_json()["passed"] is True


def test_an_event_that_is_forged_is_found(project: Path, version: Version, keys: dict[str, Path]) -> None:
    registry.be(project, BOB)  # Eve says that she is Bob
    signing.use(project, keys[EVE])
    said = {"sha256": version.sha256, "stage": None, "note": ""}
    space = registry.open(project)
    event = events.Event(events.APPROVE, "churn", 1793491200000, registry.rules_commit(project), version.id, said)
    forged = signers.write(space, models.commit_of(space, event, "approve it", [tip(project)]))
    support.git(project, "update-ref", REF, forged)
    assert found(project) == [
        f"{forged[:7]}: its key is in no list of signers", f"{forged[:7]}: its signature is unknown"
    ]  # fmt: skip


def test_an_event_that_was_altered_is_found(project: Path, version: Version) -> None:
    register, approve, enter = chain(project)
    altered = rewrite(project, approve, register, old="approve it", new="Approve it")
    support.git(project, "update-ref", REF, rewrite(project, enter, altered))
    said = found(project)
    assert f"{altered[:7]}: its signature does not fit: it was changed, or forged" in said
    assert f"it was written anew: this clone knew its head {enter[:7]}, which it does not follow" in said


def test_an_event_that_lost_its_signature_to_be_altered_is_found(project: Path, version: Version) -> None:
    register, approve, _ = chain(project)
    altered = rewrite(project, approve, register, old="approve it", new="Approve it", strip=True)
    support.git(project, "update-ref", REF, altered)
    shutil.rmtree(project / ".git/gitexp")  # nothing is remembered
    assert found(project) == []
    assert found(project, signed=True) == [f"{altered[:7]}: it is not signed"]


def test_events_that_were_reordered_are_found(
    project: Path, version: Version, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITEXP_NOW", canonical.iso(clock.now_ms()))  # one second: their times say nothing
    registry.say(project, version, events.NOTE, text="one")
    registry.say(project, version, events.NOTE, text="two")
    *_, before, one, two = chain(project)
    first = rewrite(project, two, before)
    second = rewrite(project, one, first)
    support.git(project, "update-ref", REF, second)
    assert found(project) == [
        f"it was written anew: this clone knew its head {two[:7]}, which it does not follow",
        f"{first[:7]}: its signature does not fit: it was changed, or forged",
        f"{second[:7]}: its signature does not fit: it was changed, or forged",
    ]


def test_an_event_that_was_removed_from_the_middle_is_found(project: Path, version: Version) -> None:
    register, _, enter = chain(project)
    support.git(project, "update-ref", REF, moved := rewrite(project, enter, register))
    said = found(project)
    assert said[0] == f"it was written anew: this clone knew its head {enter[:7]}, which it does not follow"
    assert f"{moved[:7]}: its signature does not fit: it was changed, or forged" in said


def test_a_chain_that_was_cut_at_its_end_is_found(project: Path, version: Version) -> None:
    *_, approve, last = chain(project)
    support.git(project, "update-ref", REF, approve)
    assert found(project) == [f"it was cut: this clone knew 1 more event, up to {last[:7]}"]
    assert verifymodels.accept(registry.open(project), ["churn"]) == [REF]
    assert found(project) == []


def test_a_model_that_was_taken_away_is_found(project: Path, version: Version) -> None:
    last = tip(project)
    support.git(project, "update-ref", "-d", REF)
    want = [f"it was taken away: this clone knew its head {last[:7]}"]
    assert (found(project), found(project, "churn")) == (want, want)
    done = support.gitexp("model", "verify", expect=8)
    assert f"churn: {want[0]}\n" in done.stdout
    assert done.stderr == "gitexp: 1 fault in the registry\ngitexp recover\n"


def test_a_chain_that_was_cut_at_a_remote_is_found_after_a_fetch(project: Path, bare: Path, version: Version) -> None:
    support.gitexp("push", "--yes")
    *_, approve, last = chain(project)
    support.git(bare, "update-ref", REF, approve)
    done = support.gitexp("fetch")
    assert f"left out {REF}: it was cut or replaced at origin: gitexp model verify\n" in done.stdout
    assert found(project) == [f"it was cut at origin: origin knew 1 more event, up to {last[:7]}"]
    support.git(bare, "update-ref", "-d", REF)
    support.gitexp("fetch")
    assert found(project) == [f"origin holds it no more: its head there was {last[:7]}"]
    support.gitexp("push", "--yes")
    assert found(project) == []


def test_a_fresh_clone_finds_by_a_checkpoint_that_a_chain_was_cut(
    project: Path, bare: Path, version: Version, tmp_path: Path
) -> None:
    support.gitexp("push", "--yes")
    tag = support.gitexp("model", "checkpoint").stdout.strip()
    support.git(project, "push", "--quiet", "origin", tag)
    *_, approve, last = chain(project)
    support.git(bare, "update-ref", REF, approve)
    clone = tmp_path / "clone"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    support.process(clone, "fetch")
    support.git(clone, "fetch", "--quiet", "--tags")
    assert found(clone) == [f"it was cut: {tag} knew 1 more event, up to {last[:7]}"]


def test_a_checkpoint_in_a_file_is_as_good(project: Path, version: Version, tmp_path: Path) -> None:
    path = tmp_path / "churn.checkpoint"
    support.gitexp("model", "checkpoint", "--file", str(path))
    assert support.process(project, "model", "checkpoint", "--file", "-").stdout.startswith("tree 4b825dc")
    *_, approve, last = chain(project)
    support.git(project, "update-ref", REF, approve)
    shutil.rmtree(project / ".git/gitexp/models")
    assert found(project) == []
    done = support.gitexp("model", "verify", "--checkpoint", str(path), expect=8)
    assert f"churn: it was cut: {path} knew 1 more event, up to {last[:7]}\n" in done.stdout


def test_a_checkpoint_that_nobody_known_signed_says_nothing(
    project: Path, version: Version, keys: dict[str, Path], tmp_path: Path
) -> None:
    signing.use(project, keys[EVE])
    path = tmp_path / "eve.checkpoint"
    tag = support.gitexp("model", "checkpoint").stdout.strip()
    support.gitexp("model", "checkpoint", "--file", str(path), expect=8)
    assert found(project) == [f"{tag}: nobody known stands behind it: its signature is unknown"]
    support.git(project, "tag", "--delete", tag)
    support.write(path, "nonsense")
    assert "is no checkpoint" in support.gitexp("model", "verify", "--checkpoint", str(path), expect=8).stdout
    support.git(project, "tag", "gitexp-checkpoint-no", "HEAD")
    assert found(project)[0].startswith("gitexp-checkpoint-no: gitexp-checkpoint-no is no checkpoint: ")


def test_a_checkpoint_needs_a_key_and_a_registry_that_is_well(project: Path, version: Version) -> None:
    *_, approve, _ = chain(project)
    support.git(project, "config", "--unset", "user.signingKey")
    done = support.gitexp("model", "checkpoint", expect=3)
    assert done.stderr == "gitexp: cannot sign: user.signingKey names no key\ngitexp keys setup\n"
    support.git(project, "update-ref", REF, approve)
    assert support.gitexp("model", "checkpoint", expect=8).stdout == ""


def test_a_key_that_is_revoked_later_takes_its_events_along(
    project: Path, version: Version, keys: dict[str, Path]
) -> None:
    support.write(project / "gitexp/revoked_signers", signing.public(keys[BOB]) + "\n")
    support.commit(project, "Bob lost his key")
    _, approve, last = chain(project)
    assert [line for line in found(project) if not line.startswith(last[:7])] == [
        f"{approve[:7]}: its key was revoked",
        f"{approve[:7]}: its signature is revoked",
    ]
    assert any(line.startswith(f"{last[:7]}: approvals: 0 of 1") for line in found(project))


def doubts(project: Path) -> list[str]:
    (audit,) = verifymodels.verify(registry.open(project)).audits
    return [f"{doubt.event[:7]}: {doubt.why}" for doubt in audit.doubts]


def lose(project: Path, keys: dict[str, Path], how: str) -> str:
    """Take Bob's key out of use; returns what is said of what it signed."""
    if how == "revoked":
        support.write(project / "gitexp/revoked_signers", signing.public(keys[BOB]) + "\n")
        said = "its key was revoked"
    else:
        support.write(project / "gitexp/allowed_signers", signing.listed({ANA: keys[ANA]}))
        said = "its key is in no list of signers"
    support.commit(project, f"Bob's key is {how}")
    return said


@pytest.mark.parametrize("how", ["revoked", "deleted"])
def test_what_a_checkpoint_attests_is_a_doubt_when_its_key_is_lost_later(
    project: Path, version: Version, keys: dict[str, Path], how: str
) -> None:
    tag = support.gitexp("model", "checkpoint").stdout.strip()
    said = lose(project, keys, how)
    _, approve, enters = chain(project)
    assert found(project) == []
    assert f"{approve[:7]}: {said}; {tag} attests that it was good" in doubts(project)
    assert any(line.startswith(f"{enters[:7]}: approvals: 0 of 1") for line in doubts(project))
    shown = support.gitexp("model", "verify").stdout
    assert f"churn {approve[:7]}: look at it: {said}; {tag} attests that it was good\n" in shown
    # It counts for nothing even so: neither for what comes later, nor for who is in production.
    assert models.get(registry.open(project), "churn").holders("production") == []
    again = slip(project, version, support.git(project, "rev-parse", "main"))
    assert f"{again[:7]}: 0 of 1 approvals" in found(project)
    assert all(line.startswith(again[:7]) for line in found(project))
    be(project, keys, BOB)
    registry.say(project, version, events.NOTE, text="late")
    assert f"{tip(project)[:7]}: {said}" in found(project)


def test_who_looked_at_what_lost_keys_signed_attests_it(project: Path, version: Version, keys: dict[str, Path]) -> None:
    _, approve, _ = chain(project)
    lose(project, keys, "revoked")
    done = support.gitexp("model", "checkpoint", expect=8)
    assert done.stderr.endswith(
        " faults in the registry, all of keys that were revoked, ended or left the lists\n"
        "look at them: gitexp model verify; then: gitexp model checkpoint --despite-keys\n"
    )
    tag = support.gitexp("model", "checkpoint", "--despite-keys").stdout.strip()
    assert found(project) == []
    assert f"{approve[:7]}: its key was revoked; {tag} attests that it was good" in doubts(project)


def test_nothing_else_that_is_wrong_is_attested(project: Path, version: Version, keys: dict[str, Path]) -> None:
    lose(project, keys, "revoked")
    register, _, enters = chain(project)
    forged = rewrite(project, enters, register, old="transition it", new="Transition it")
    support.git(project, "update-ref", REF, forged)
    shutil.rmtree(project / ".git/gitexp")
    assert support.gitexp("model", "checkpoint", "--despite-keys", expect=8).stdout == ""
    assert f"{forged[:7]}: its signature does not fit: it was changed, or forged" in found(project)


def test_a_checkpoint_of_a_lost_key_attests_nothing(project: Path, version: Version, keys: dict[str, Path]) -> None:
    be(project, keys, BOB)
    tag = support.gitexp("model", "checkpoint").stdout.strip()
    be(project, keys, ANA)
    said = lose(project, keys, "revoked")
    _, approve, _ = chain(project)
    assert f"{approve[:7]}: {said}" in found(project)
    assert f"{tag}: nobody known stands behind it: its signature is revoked" in found(project)
    support.git(project, "tag", "--delete", tag)
    support.gitexp("model", "checkpoint", "--despite-keys")
    assert found(project) == []


def test_a_key_that_ended_later_stays_good(project: Path, version: Version, keys: dict[str, Path]) -> None:
    listed = signing.listed({ANA: keys[ANA]}) + signing.listed({BOB: keys[BOB]}, 'valid-before="20991231"')
    support.write(project / "gitexp/allowed_signers", listed)
    support.commit(project, "Bob leaves one day")
    assert found(project, signed=True) == []
    support.write(project / "gitexp/allowed_signers", listed.replace("2099", "2020"))
    support.commit(project, "Bob had left before")
    assert f"{chain(project)[1][:7]}: its key was out of its dates" in found(project)


def test_rules_are_those_that_stood_when_an_event_was_made(
    project: Path, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = support.git(project, "log", "-1", "--format=%ct", REF)
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"@{second} +0000")  # nobody can say which came first
    registry.rule(project, RULES.replace("approvals = 1", "approvals = 2"), "ask for more from now on")
    assert found(project) == []
    workspace, now = registry.open(project), support.git(project, "rev-parse", "main")
    assert verifymodels.verify(workspace).audits[0].doubts == []
    monkeypatch.setenv("GITEXP_NOW", canonical.iso(clock.now_ms() + 2000))
    oid = slip(project, version, support.git(project, "rev-parse", "main~1"))
    assert found(project) == []
    (doubt,) = verifymodels.verify(registry.open(project)).audits[0].doubts
    said = f"the rules of {now[:7]}, which stood when it says it was made, have against it: approvals: 1 of 2"
    assert doubt.event == oid and doubt.why.startswith(said)
    assert f"churn {oid[:7]}: look at it: {said}" in support.gitexp("model", "verify").stdout


def test_an_artifact_that_is_not_what_was_registered_is_found(project: Path, version: Version) -> None:
    run = registry.run(project, "other")
    made = registry.register(project, run, sha256="7" * 64)
    said = f"{made.id[:7]}: version 2: the artifact has sha256 "
    assert [line[: len(said)] for line in found(project)] == [said]


def test_bytes_that_rot_are_found(project: Path, version: Version) -> None:
    support.git(project, "config", "gitexp.inlineLimit", "1")
    made = registry.register(project, registry.run(project, "large"))
    (path,) = (project / ".git/gitexp/objects").rglob(made.sha256)
    path.chmod(0o644)
    path.write_bytes(b"other")
    assert found(project) == [f"{made.id[:7]}: version 2: the bytes of model.txt are damaged"]
    assert found(project, quick=True) == []
    path.unlink()
    assert found(project) == []
    assert "1 large file not here, and not read" in support.gitexp("model", "verify").stderr


def test_a_time_that_goes_back_is_found(project: Path, version: Version) -> None:
    space = registry.open(project)
    event = events.Event(events.NOTE, "churn", 0, registry.rules_commit(project), version.id, {"text": "early"})
    commit = models.commit_of(space, event, "note it", [tip(project)])
    early = objects.Signature(commit.author.name, commit.author.email, 1)
    oid = signers.write(space, objects.Commit(commit.tree, commit.parents, early, early, commit.message))
    support.git(project, "update-ref", REF, oid)
    assert f"{oid[:7]}: its time is before that of what it follows" in found(project)


def test_what_is_no_event_is_found(project: Path, version: Version) -> None:
    tree = objects.EMPTY_TREE
    oid = support.git(project, "commit-tree", "-p", tip(project), "-m", "hello", tree)
    support.git(project, "update-ref", REF, oid)
    assert any("it is no event" in line or "is no event of a model" in line for line in found(project))


def test_only_the_events_of_a_range_are_looked_at(project: Path, version: Version, keys: dict[str, Path]) -> None:
    space = registry.open(project)
    _, approve, last = chain(project)
    assert verifymodels.arrived(space, f"{approve}..{last}").count == 0
    assert verifymodels.arrived(space, f"{'0' * 40}..{REF}").audits[0].events == 3
    assert verifymodels.arrived(space, f"..{REF}").audits[0].events == 3
    altered = rewrite(project, last, approve, old="transition it", new="Transition it")
    (audit,) = verifymodels.arrived(space, f"{approve}..{altered}").audits
    assert audit.faults[0].why == "its signature does not fit: it was changed, or forged"
    (audit,) = verifymodels.arrived(space, f"{last}..{approve}").audits
    assert "a model only moves forward" in audit.faults[0].why
    done = support.gitexp("model", "verify", "--range", f"{approve}..{altered}", "--json", expect=8).json
    assert (done["passed"], done["models"][0]["signatures"]) == (False, {"bad": 1})


@pytest.mark.parametrize("words", ["main..REF", "REF..main", "gone..REF", "REF..gone", "REF", ".."])
def test_what_is_no_range_is_said(project: Path, version: Version, words: str) -> None:
    done = support.gitexp("model", "verify", "--range", words.replace("REF", REF), expect=None)
    assert done.code in (2, 8) if words == "main..REF" else done.code == 2


def test_the_events_of_the_registrys_branch_are_looked_at(project: Path, bare: Path, version: Version) -> None:
    support.git(project, "config", "gitexp.registryRef", "gitexp/registry")
    support.gitexp("push", "--yes")
    head = support.git(bare, "rev-parse", "refs/heads/gitexp/registry")
    support.git(project, "fetch", "--quiet", "origin")
    (audit,) = verifymodels.arrived(registry.open(project), f"..{head}").audits
    assert (audit.name, audit.events, audit.faults) == ("churn", 3, [])


def test_a_registrys_branch_that_went_back_is_found_after_a_fetch(project: Path, bare: Path, version: Version) -> None:
    support.git(project, "config", "gitexp.registryRef", "gitexp/registry")
    support.gitexp("push", "--yes")
    before = support.git(bare, "rev-parse", "refs/heads/gitexp/registry")
    registry.say(project, version, events.NOTE, text="fine")
    support.gitexp("push", "--yes")
    support.git(bare, "update-ref", "refs/heads/gitexp/registry", before)
    support.gitexp("fetch", expect=None)
    assert found(project) == [f"it was cut at origin: origin knew 1 more event, up to {tip(project)[:7]}"]


def test_every_key_of_the_json_is_documented(project: Path, version: Version) -> None:
    support.gitexp("model", "checkpoint")
    page = (support.ROOT / "docs/scripting.md").read_text()
    found = support.gitexp("model", "verify", "--json").json
    keys = {*found, *found["models"][0], *found["checkpoints"][0], "event", "why", "checkpoint"}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def test_looking_changes_nothing(project: Path, version: Version, untouched: None) -> None:
    support.gitexp("model", "verify")
    support.gitexp("model", "ls")
