"""Promotion by pull request: proposed as a branch, merged in every way, accepted once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gitexp.errors import Conflict, Refused
from gitexp.ops.registry import accept, promote, proposals, propose
from gitexp.record.model import Version
from gitexp.store import models, rulebook
from tests import registry, support
from tests.support import git

RULES = "[registry.stages.staging]\n[registry.stages.production]\nmerged = true\nexclusive = true\n"


@pytest.fixture
def version(project: Path) -> Version:
    registry.rule(project, RULES)
    return registry.register(project, registry.run(project))


def make(project: Path, version: Version, stage: str = "production", **more: str) -> propose.Proposed:
    workspace = registry.open(project)
    return propose.create(workspace, models.get(workspace, "churn"), version, stage, **more)


def accepted(project: Path) -> list[tuple[str, str]]:
    return [(item.state, item.why) for item in accept.run(registry.open(project))]


def stage_of(project: Path, version: Version) -> str:
    return models.get(registry.open(project), "churn").versions[version.id].stage


def merge(project: Path, branch: str, how: str = "merge") -> None:
    """Merge a branch into main as a host does; main has moved on meanwhile."""
    support.commit(project, "meanwhile", notes__txt=branch)
    if how == "merge":
        git(project, "merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
    elif how == "squash":
        git(project, "merge", "--quiet", "--squash", branch)
        git(project, "commit", "--quiet", "-m", f"Squash {branch}")
    else:
        git(project, "cherry-pick", branch)


@pytest.mark.usefixtures("bare")
def test_a_proposal_is_one_file_on_the_branch_of_the_rules(project: Path, version: Version) -> None:
    git(project, "push", "--quiet", "origin", "main")
    git(project, "switch", "--quiet", "-c", "work")
    support.write(project / "train.py", "half an edit")
    before = support.state(project)
    made = make(project, version, note='calibrated "well"\n')
    after = support.state(project)
    assert {part for part in before if after[part] != before[part]} == {"refs"}
    assert (made.branch, made.base, made.unmet) == ("promote/churn-1-production", "origin/main", ())
    assert git(project, "diff", "--name-status", "main", made.branch) == f"A\t{made.path}"
    assert git(project, "rev-parse", f"{made.branch}^") == git(project, "rev-parse", "origin/main")
    said = proposals.decode(git(project, "show", f"{made.branch}:{made.path}").encode())
    assert (said.model, said.version, said.sha256) == ("churn", version.id, version.sha256)
    assert (said.stage, said.replaces, said.note) == ("production", None, 'calibrated "well"\n')
    sent = f"send it: git push origin {made.branch}   then open a pull request into main"
    assert propose.next_step(made) == sent
    with pytest.raises(Conflict, match="exists already"):
        make(project, version)


def test_without_a_merged_proposal_nobody_moves_it(project: Path, version: Version) -> None:
    workspace = registry.open(project)
    model = models.get(workspace, "churn")
    with pytest.raises(Refused, match="no proposal of it is merged"):
        promote.promote(workspace, model, version, "production")
    made = make(project, version)
    assert accepted(project) == []
    forged = {"path": made.path, "blob": git(project, "rev-parse", f"{made.branch}:{made.path}"), "commit": made.commit}
    with pytest.raises(Refused, match="is not on the branch of the rules"):
        promote.promote(workspace, model, version, "production", proposal=forged)
    assert stage_of(project, version) == "none"


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_a_merged_proposal_is_accepted_once(project: Path, version: Version, how: str) -> None:
    made = make(project, version)
    merge(project, made.branch, how)
    merged = git(project, "rev-parse", "HEAD")
    support.commit(project, "later", more__txt="more")
    assert [item.state for item in accept.run(registry.open(project), dry_run=True)] == ["ready"]
    assert stage_of(project, version) == "none"
    assert accepted(project) == [("accepted", "")]
    last = models.history(registry.open(project), "refs/models/churn")[-1]
    assert last.event.arguments["proposal"] == {
        "path": made.path,
        "blob": git(project, "rev-parse", f"HEAD:{made.path}"),
        "commit": merged,
    }
    assert (stage_of(project, version), accepted(project)) == ("production", [("used", "")])


def test_a_proposal_is_good_for_one_transition(project: Path, version: Version) -> None:
    merge(project, make(project, version).branch)
    accepted(project)
    workspace = registry.open(project)
    promote.promote(workspace, models.get(workspace, "churn"), version, "archived")
    named = models.history(workspace, "refs/models/churn")[-2].event.arguments["proposal"]
    model = models.get(workspace, "churn")
    with pytest.raises(Refused, match=r"was used by .*: propose it again"):
        promote.promote(workspace, model, model.versions[version.id], "production", proposal=named)
    git(project, "branch", "--quiet", "-D", "promote/churn-1-production")
    merge(project, make(project, model.versions[version.id], note="again").branch)
    assert accepted(project) == [("accepted", "")]


@pytest.mark.parametrize(
    ("key", "other", "why"),
    [
        ("sha256", "00" * 32, "the merged file says sha256"),
        ("version", "f" * 40, "no version fffffff of churn is here"),
        ("stage", "staging", "accepted"),
        ("stage", "no good", "letters, digits"),
        ("replaces", "e" * 40, "proposed beside no version"),
    ],
)
def test_an_edited_proposal_is_what_it_says_or_nothing(
    project: Path, version: Version, key: str, other: str, why: str
) -> None:
    made = make(project, version)
    merge(project, made.branch)
    lines = made.content.splitlines()
    edited = [f'{key} = "{other}"' if line.startswith(f"{key} = ") else line for line in lines]
    support.write(project / made.path, "\n".join(edited) + "\n")
    support.commit(project, "edit it")
    found = accept.run(registry.open(project))[0]
    assert why in (found.why or found.state)
    assert stage_of(project, version) == ("staging" if other == "staging" else "none")


def test_an_event_that_names_a_file_of_another_version_is_refused(project: Path, version: Version) -> None:
    other = registry.register(project, registry.run(project, "other"))
    made = make(project, version)
    merge(project, made.branch)
    workspace = registry.open(project)
    book = rulebook.now(workspace)
    named = proposals.named(workspace, book, next(proposals.merged(workspace, book)))
    model = models.get(workspace, "churn")
    with pytest.raises(Refused, match="the merged file says version"):
        promote.promote(workspace, model, model.versions[other.id], "production", proposal=named)
    with pytest.raises(Refused, match="says stage 'production', not 'staging'"):
        promote.promote(workspace, model, model.versions[version.id], "staging", proposal=named)


def test_a_proposal_that_was_merged_and_reverted_carries_nothing(project: Path, version: Version) -> None:
    made = make(project, version)
    merge(project, made.branch)
    workspace = registry.open(project)
    book = rulebook.now(workspace)
    named = proposals.named(workspace, book, next(proposals.merged(workspace, book)))
    git(project, "rm", "--quiet", made.path)
    support.commit(project, "not this one")
    workspace = registry.open(project)
    with pytest.raises(Refused, match="does not have"):
        promote.promote(workspace, models.get(workspace, "churn"), version, "production", proposal=named)
    assert accepted(project) == []


def test_a_stage_that_others_took_meanwhile_needs_a_new_proposal(project: Path, version: Version) -> None:
    second = registry.register(project, registry.run(project, "second"))
    one, two = make(project, version), make(project, second)
    merge(project, one.branch)
    accepted(project)
    merge(project, two.branch)
    found = {item.version: (item.state, item.why) for item in accept.run(registry.open(project))}
    assert found[1] == ("used", "")
    assert found[2] == (
        "waiting",
        "merged: it was proposed beside no version, and now there is version 1: propose it again",
    )


def test_gates_hold_for_what_was_merged(project: Path) -> None:
    registry.rule(project, RULES + "notes = 1\n")
    version = registry.register(project, registry.run(project))
    made = make(project, version)
    assert propose.missing(made) == "notes: 0 of 1"
    assert propose.next_step(made).startswith("merge it into main, as your project does")
    assert "#   NOT  notes: 0 of 1" in made.content
    merge(project, made.branch)
    assert accepted(project) == [("waiting", "notes: 0 of 1")]
    registry.say(project, version, "note", text="calibrated")
    assert accepted(project) == [("accepted", "")]


def test_what_no_review_can_mend_is_not_proposed(project: Path, version: Version) -> None:
    with pytest.raises(Refused, match="know no stage"):
        make(project, version, "prod")
    bad = registry.register(project, registry.run(project, "bad"), sha256="00" * 32)
    with pytest.raises(Refused, match="sha256"):
        make(project, bad)
    assert git(project, "branch", "--list", "promote/*") == ""


@pytest.mark.parametrize("name", ["vision/resnet", 'a"b$(touch x)`;#', "größe ☃", "x" * 250])
def test_every_name_can_be_proposed_and_accepted(project: Path, name: str) -> None:
    registry.rule(project, RULES)
    version = registry.register(project, registry.run(project), name)
    workspace = registry.open(project)
    made = propose.create(workspace, models.get(workspace, name), version, "production")
    merge(project, made.branch)
    assert accepted(project) == [("accepted", "")]
    assert models.get(registry.open(project), name).holders("production")[0].id == version.id


def test_what_is_on_the_branch_and_no_proposal_is_named_and_left(project: Path, version: Version) -> None:
    support.write(project / f"{proposals.FOLDER}/churn/x.toml", "model = ")
    support.write(project / f"{proposals.FOLDER}/churn/y.toml", 'model = "churn"\n')
    support.write(project / f"{proposals.FOLDER}/README.md", "proposals\n")
    support.commit(project, "odd files")
    found = accept.run(registry.open(project))
    assert [(item.path.rpartition("/")[2], item.state) for item in found] == [
        ("x.toml", "waiting"),
        ("y.toml", "waiting"),
    ]
    assert "cannot be read" in found[0].why and found[1].why == "it has no version"
    assert found[0].fix == f"git rm {proposals.FOLDER}/churn/x.toml"


def test_the_commands_say_what_to_do_next(project: Path, version: Version, bare: Path) -> None:
    git(project, "push", "--quiet", "origin", "main")
    git(project, "fetch", "--quiet")
    done = support.gitexp("model", "propose", "churn:1", "production", "-m", "best so far", "--push", "origin")
    assert done.lines[0].startswith("branch promote/churn-1-production at ")
    assert git(bare, "branch", "--list", "promote/*").strip() == "promote/churn-1-production"
    assert support.gitexp("model", "accept").stderr == "nothing that was merged waits\n"
    clone = bare.parent / "reviewer"
    git(bare.parent, "clone", "--quiet", str(bare), str(clone))
    git(clone, "merge", "--quiet", "--no-ff", "-m", "merge", "origin/promote/churn-1-production")
    git(clone, "push", "--quiet", "origin", "main")
    without = accept.run(registry.open(clone))[0]
    assert (without.why, without.fix) == ("model 'churn' is not in this clone", "gitexp fetch")
    git(project, "fetch", "--quiet")
    found = support.gitexp("model", "check", "churn:1", "production", "--json", expect=12).json
    assert found["stages"][0]["gates"][1]["fix"] == "gitexp model accept"
    done = support.gitexp("model", "accept", "--json")
    assert [(item["state"], item["version"], item["stage"]) for item in done.json] == [("accepted", 1, "production")]
    shutil.rmtree(clone)
