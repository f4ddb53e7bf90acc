"""gitexp branch: plain Git goes on from the code of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.ops.recording import lifecycle
from tests import recording, registry, support

ID = "kqzvmxr" + "k" * 9


def test_a_branch_is_at_the_commit_of_a_clean_run(project: Path) -> None:
    head = support.git(project, "rev-parse", "HEAD")
    recording.record(project, "lr 0.1, wide", run_id=ID)
    support.commit(project, "later", train__py="print(3)\n")
    before = support.state(project)
    shown = support.gitexp("branch", "kqzvmxr")
    assert shown.stdout == f'branch lr-0.1-wide at {head[:7]} "train a model": the code of lr 0.1, wide (kqzvmxr)\n'
    assert shown.stderr == "switch to it: git switch lr-0.1-wide\n"
    assert support.git(project, "rev-parse", "lr-0.1-wide") == head
    assert {**support.state(project), "refs": ""} == {**before, "refs": ""}
    support.git(project, "fsck", "--strict")


def test_a_branch_has_the_edits_of_a_dirty_run_as_its_last_commit(project: Path) -> None:
    head = support.git(project, "rev-parse", "HEAD")
    support.write(project / "train.py", "print('edited')\n")
    support.write(project / "new_loss.py", "loss = 1\n")
    recording.record(project, "edited", run_id=ID)
    tip = support.git(project, "rev-parse", f"{next(iter(support.run_refs(project)))}^")
    shown = support.gitexp("branch", "@", "try/edits").stdout
    assert shown == f"branch try/edits at {tip[:7]}, the edits on {head[:7]}: the code of edited (kqzvmxr)\n"
    assert support.git(project, "log", "--format=%H", "try/edits") == f"{tip}\n{head}"
    assert support.git(project, "show", "try/edits:new_loss.py") == "loss = 1"
    assert support.git(project, "status", "--porcelain") == " M train.py\n?? new_loss.py"


def test_a_taken_name_gets_the_id_of_the_run_where_none_was_asked_for(project: Path) -> None:
    recording.record(project, "main", run_id=ID)
    assert support.gitexp("branch", "kqzvmxr").stdout.startswith("branch main-kqzvmxr at ")


def test_switching_puts_the_code_into_the_work_tree(project: Path) -> None:
    recording.record(project, "first", run_id=ID)
    support.commit(project, "later", train__py="print(3)\n")
    shown = support.gitexp("branch", "--switch", "kqzvmxr", "back")
    assert (shown.stderr, support.git(project, "branch", "--show-current")) == ("", "back")
    assert support.git(project, "status", "--porcelain") == ""
    assert "training with" in (project / "train.py").read_text()


def test_a_switch_that_would_overwrite_uncommitted_work_does_nothing(project: Path) -> None:
    recording.record(project, "first", run_id=ID)
    support.commit(project, "later", train__py="print(3)\n")
    support.write(project / "train.py", "print('mine')\n")
    with support.untouched(project):
        shown = support.gitexp("branch", "--switch", "kqzvmxr", "back", expect=3)
    assert shown.stderr == (
        "gitexp: git switch refused: Your local changes to the following files would be overwritten by checkout:\n"
        "    train.py\n"
        "Please commit your changes or stash them before you switch branches.\n"
        "Aborting\n"
        "commit or stash your changes: git stash\n"
    )


@pytest.mark.parametrize("name", ["", "-d", "a..b", "HEAD", "a b", "a/", "x.lock", "a\x1b[2J", "@{1}"])
def test_a_name_git_would_not_take_is_refused(project: Path, untouched: None, name: str) -> None:
    recording.record(project, "first", run_id=ID)
    shown = support.gitexp("branch", "kqzvmxr", "--", name, expect=2)
    assert "is no name for a branch" in shown.stderr
    assert "\x1b" not in shown.stderr


def test_a_branch_that_exists_stays_where_it_is(project: Path, untouched: None) -> None:
    recording.record(project, "first", run_id=ID)
    assert support.gitexp("branch", "kqzvmxr", "main", expect=7).stderr == (
        "gitexp: a branch 'main' exists already\ngit switch main   or give another name\n"
    )


def test_a_run_before_the_first_commit_has_no_code_to_branch_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.git(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    recording.record(tmp_path, "first", run_id=ID)
    assert support.gitexp("branch", "kqzvmxr", expect=4).stderr == (
        "gitexp: run kqzvmxr has no code commit: it ran before the first one\nsee what it kept: gitexp show kqzvmxr\n"
    )


def test_edits_that_were_not_recorded_are_said(project: Path) -> None:
    support.write(project / "train.py", "print('edited')\n")
    recording.record(project, "first", run_id=ID, settings={"dirty": "allow"})
    shown = support.gitexp("branch", "kqzvmxr")
    assert shown.stderr.startswith("not all of its edits were recorded: this is not exactly what ran\n")


def test_a_running_run_has_its_code_already(project: Path) -> None:
    support.write(project / "train.py", "print('edited')\n")
    session = recording.start(project, "running", run_id=ID)
    support.gitexp("branch", "kqzvmxr", "now")
    lifecycle.finish(session, "completed")
    assert support.git(project, "show", "now:train.py") == "print('edited')"


def test_a_bare_repository_can_have_a_branch_but_no_switch(
    project: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.record(project, "first", run_id=ID)
    support.git(project, "push", "--quiet", "origin", "refs/experiments/*")
    monkeypatch.chdir(bare)
    assert support.gitexp("branch", "-s", "kqzvmxr", expect=2).stderr.startswith(
        "gitexp: a bare repository has no files"
    )
    support.gitexp("branch", "kqzvmxr", "there")
    assert support.git(bare, "rev-parse", "there") == support.git(project, "rev-parse", "HEAD")


RULES = "[registry.stages.production]\nexclusive = true\n"


def production(project: Path) -> str:
    """Register two versions of a model, the first in production; return the short commit of its code."""
    registry.rule(project, RULES)
    head = support.git(project, "rev-parse", "--short=7", "HEAD")
    registry.register(project, registry.run(project, "lr0.1", run_id=ID))
    support.commit(project, "later", train__py="print(3)\n")
    registry.register(project, registry.run(project, "lr0.2"))
    support.gitexp("model", "stage", "churn", "1", "production")
    return head


def test_a_branch_from_a_stage_opens_an_experiment_at_the_code_of_what_is_there(project: Path) -> None:
    head = production(project)
    before = support.state(project)
    shown = support.gitexp("branch", "--from", "churn@production", "-m", "AUC fell to 0.81 on 20 November")
    assert shown.stdout == (
        f'branch churn-production at {head} "set the rules": the code of lr0.1 (kqzvmxr), churn:1, in production\n'
    )
    assert shown.stderr == (
        "switch to it: git switch churn-production\n"
        "experiment churn-production: gitexp run -e churn-production --fork kqzvmxr -- python train.py\n"
    )
    assert {**support.state(project), "refs": ""} == {**before, "refs": ""}
    found = {row["name"]: row for row in support.gitexp("experiment", "ls", "--json").json}["churn-production"]
    assert found["description"] == "AUC fell to 0.81 on 20 November"
    assert [note["text"] for note in found["notes"]] == [
        f"opened from churn:1, in production: run kqzvmxr churn/lr0.1, code {head}"
    ]
    assert found["tags"]["from"].startswith("churn:")
    assert support.gitexp("model", "show", found["tags"]["from"], "--json").json["version"] == 1


def test_runs_on_that_branch_belong_to_the_experiment_and_know_where_they_are_from(project: Path) -> None:
    production(project)
    support.gitexp("branch", "--from", "churn@production", "--switch")
    support.gitexp("run", "--fork", "kqzvmxr", "--", "true")
    told = support.gitexp("show", "@", "--json").json
    assert (told["experiment"], told["forked_from"]) == ("churn-production", ID)


def test_a_second_alert_gets_a_name_of_its_own(project: Path) -> None:
    head = production(project)
    names = [support.gitexp("branch", "--from", "churn@production", "--json").json["branch"] for _ in range(3)]
    assert names == ["churn-production", "churn-production-2", "churn-production-3"]
    told = support.gitexp("branch", "--from", "churn:2", "--json").json
    assert (told["branch"], told["experiment"], told["version"], told["stage"]) == ("churn-v2", "churn-v2", 2, None)
    told = support.gitexp("branch", "--from", "churn:1", "try/again", "--json").json
    assert (told["branch"], told["stage"], told["run"]) == ("try/again", "production", ID)
    assert told["commit"].startswith(head)


def test_a_branch_from_what_is_not_there_makes_nothing(project: Path) -> None:
    production(project)
    support.gitexp("model", "deprecate", "churn:1", "-m", "leaks the label")
    support.gitexp("experiment", "create", "taken")
    for words, code in (
        (("--from", "churn@staging"), 4),
        (("--from", "churn"), 2),
        (("--from", "other@production"), 4),
        (("--from", "churn:1", "taken"), 7),
        (("--from", "churn:1", "main"), 7),
        (("--from", "churn:1", "a", "b"), 2),
        (("-m", "why", "@"), 2),
        ((), 2),
    ):
        with support.untouched(project):
            assert support.gitexp("branch", *words, expect=code).stdout == ""
    assert "deprecated: leaks the label" in support.gitexp("branch", "--from", "churn:1").stderr


def test_a_branch_tells_itself_as_json(project: Path) -> None:
    recording.record(project, "first", run_id=ID)
    told = support.gitexp("branch", "@", "--json").json
    assert told["branch"] == "first"
    assert told["commit"] == support.git(project, "rev-parse", "HEAD")
    assert (told["run"], told["whole"], told["model"], told["experiment"]) == (ID, True, None, None)
