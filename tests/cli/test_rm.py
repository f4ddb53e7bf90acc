"""gitexp rm, undelete and purge: the whole of what they print, and that nothing goes unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.store import reflog
from gitexp.store.runs import Run
from tests import sharing, support

ID, OTHER = "kqzvmxr" + "k" * 9, "mzrokvu" + "k" * 9
LABEL, OTHER_LABEL = "churn/lr0.05 (kqzvmxr)", "churn/lr0.1 (mzrokvu)"


@pytest.fixture(autouse=True)
def run(project: Path) -> Run:
    workspace = sharing.opened(project)
    sharing.make_run(workspace, "lr0.1", run_id=OTHER)
    return sharing.make_run(workspace, "lr0.05", run_id=ID)


def test_a_removed_run_is_out_of_sight_and_comes_back(project: Path) -> None:
    with support.untouched(project):
        done = support.gitexp("rm", "lr0.05", "-m", "wrong data")
        assert (done.stdout, done.stderr) == (f"removed {LABEL}\n", "bring back with: gitexp undelete kqzvmxr\n")
        assert support.gitexp("ref", "lr0.05", expect=4).stdout == ""
        assert [row["id"] for row in support.gitexp("log", "--json").json] == [OTHER]
        assert support.gitexp("undelete", "lr0.05").stdout == f"brought back {LABEL}\n"
    assert {row["id"] for row in support.gitexp("log", "--json").json} == {ID, OTHER}
    assert len(support.run_refs(project)) == 2


def test_globs_and_a_dry_run_touch_nothing(project: Path) -> None:
    lines = support.gitexp("rm", "-n", "lr*").lines
    assert sorted(lines) == [f"would remove {LABEL}", f"would remove {OTHER_LABEL}"]
    assert support.git(project, "for-each-ref", "refs/notes/") == ""
    support.gitexp("rm", "lr*")
    lines = support.gitexp("undelete", "-n", "lr*").lines
    assert sorted(lines) == [f"would bring back {LABEL}", f"would bring back {OTHER_LABEL}"]
    assert support.gitexp("log", "--json").json == []


def test_the_name_of_at_is_printed_first(project: Path) -> None:
    done = support.gitexp("rm", "-n", "@")
    name = done.stdout.removeprefix("would remove ").strip()
    assert done.stderr == f"@ is {name}\n"


def test_rm_and_undelete_as_json(project: Path) -> None:
    assert support.gitexp("rm", "lr0.05", "-m", "why", "--json").json == {
        "removed": [ID],
        "dry_run": False,
        "reason": "why",
    }
    assert support.gitexp("undelete", "lr0.05", "--json").json == {"undeleted": [ID], "dry_run": False}


def test_what_is_not_removed_cannot_be_brought_back(project: Path) -> None:
    done = support.gitexp("undelete", "lr0.05", expect=4)
    assert done.stderr == "gitexp: no removed run 'lr0.05'\nlist them with: gitexp log --removed --all\n"


def test_runs_are_removed_by_a_query_as_log_shows_them(project: Path) -> None:
    shown = support.gitexp("log", "--where", "metrics.loss > 0", "--sort", "name", "-n", "1", "--format", "{id}").lines
    done = support.gitexp("rm", "--where", "metrics.loss > 0", "--sort", "name", "--limit", "1", "-n", "--json").json
    assert (done["removed"], done["dry_run"]) == (shown, True)
    support.gitexp("rm", "--where", "metrics.loss > 0", "--sort", "name", "--limit", "1")
    assert [row["id"] for row in support.gitexp("log", "--removed", "--json").json] == shown
    assert support.gitexp("rm", "--where", "metrics.loss > 99", expect=4).stderr.startswith("gitexp: no run matches")


def test_a_query_with_a_fault_removes_nothing(project: Path) -> None:
    done = support.gitexp("rm", "--where", "metrics.loss >", expect=2)
    assert done.stderr.startswith("gitexp: column 15: expected a value, not the end\n")
    assert support.gitexp("rm", expect=2).stderr.startswith("gitexp: no run is named\n")
    assert support.gitexp("rm", "@", "--sort", "loss", expect=2).stderr.startswith("gitexp: --sort needs --where\n")
    assert len(support.gitexp("log", "--json").json) == 2


def test_many_runs_need_a_yes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitexp.cli.selection.MANY", 1)
    done = support.gitexp("rm", "lr*", expect=11)
    assert done.stdout == ""
    assert done.stderr.splitlines()[1:3] == [
        "and 1 more",
        "gitexp: 2 runs are many to remove without a yes: nothing was done",
    ]
    assert len(support.gitexp("log", "--json").json) == 2
    support.gitexp("rm", "--where", "status = 'completed'", "--yes")
    assert support.gitexp("log", "--json").json == []


def test_a_purge_without_a_yes_deletes_nothing(project: Path) -> None:
    done = support.gitexp("purge", "@{min:loss}", "-m", "a key", expect=11)
    assert done.stderr.splitlines()[-2:] == ["gitexp: nothing was deleted", "gitexp purge … --yes"]
    assert "1 ref, its record and facts" in done.stderr
    assert len(support.run_refs(project)) == 2
    assert support.git(project, "for-each-ref", "refs/notes/") == ""


def test_a_purge_needs_a_run_and_a_reason(project: Path) -> None:
    assert support.gitexp("purge", expect=2).stderr.startswith("gitexp: purge needs a run, or --follow\n")
    assert support.gitexp("purge", "lr0.05", "--yes", expect=2).stderr.startswith("gitexp: a purge needs a reason\n")


def test_a_purge_says_what_is_gone_and_what_is_left(project: Path) -> None:
    assert support.gitexp("purge", "-n", "lr0.05").stdout == f"{LABEL}: 1 ref, its record and facts\n"
    with support.untouched(project):
        lines = support.gitexp("purge", "lr0.05", "-m", "a key", "--yes").lines
    assert lines[0] == f"purged {LABEL}"
    assert lines[1].startswith("deleted 1 ref, ") and lines[1].endswith("0 large files")
    assert lines[2:] == [
        "left: other clones keep what they fetched until there: gitexp fetch; gitexp purge --follow; bundles too"
    ]
    assert [row["id"] for row in support.gitexp("log", "--json").json] == [OTHER]
    assert "lr0.05" not in (project / ".git/gitexp/refs.log").read_text()
    assert len(list(reflog.lines(sharing.opened(project)))) == 1


def test_a_purge_as_json(project: Path) -> None:
    done = support.gitexp("purge", "lr0.05", "-m", "a key", "--yes", "--json").json
    assert (done["runs"], done["refs"], done["files"], done["remotes"]) == ([ID], 1, 0, [])
    assert done["objects"] > 0 and done["size"] > 0
