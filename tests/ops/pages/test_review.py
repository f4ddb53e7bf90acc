"""What a pull request shows: the best of a branch beside the best of main, and the gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import NotFound, UsageError
from gitexp.ops.comparing.check import Gate, Limit
from gitexp.ops.pages import report, review
from gitexp.pages.parts import Report
from gitexp.store import workspace as workspaces
from tests import recording, support


@pytest.fixture
def branch(project: Path) -> Path:
    """Return a project on the branch `better`, one commit ahead of main, with runs of both."""
    for at, auc in enumerate((0.90, 0.93, 0.92)):
        recording.record(project, f"main-{at}", params={"lr": 0.1}, metrics={"val_auc": [0.5, auc]})
    recording.record(project, "main-failed", status="failed", metrics={"val_auc": [0.99, 0.99]})
    support.git(project, "switch", "--quiet", "-c", "better")
    support.write(project / "train.py", "print(2)\n")
    support.commit(project, "better features")
    for at, auc in enumerate((0.94, 0.91)):
        recording.record(project, f"branch-{at}", params={"lr": 0.2}, metrics={"val_auc": [0.5, auc]})
    return project


def page(revisions: str = "main..HEAD", metric: str = "", gate: Gate | None = None) -> Report:
    workspace = workspaces.open()
    return review.page(workspace, review.review(workspace, revisions, metric, gate), report.Options())


def test_the_best_runs_of_both_sides_are_compared(branch: Path, untouched: None) -> None:
    found = page()
    assert found.title == "main..HEAD: val_auc 0.9400, better than main (0.9300)"
    assert [run.name for run in found.runs] == ["main-1", "branch-0"]
    assert found.subtitle == (
        "main: 4 runs (1 failed)",
        "HEAD: 2 runs",
        "best by val_auc:max (higher: guessed from the name)",
    )
    assert found.gate == "gate passed, 2 checks" and found.passed and found.warnings == ()
    assert found.sections[0].title == "gate"


def test_one_name_is_a_range_up_to_head(branch: Path) -> None:
    assert page("main").title == page("main..").title == page().title


def test_the_gate_has_the_rules_of_check(branch: Path) -> None:
    assert page(gate=Gate(require=("params.lr < 0.15",))).gate == "gate failed: params.lr < 0.15"
    assert page("better..main").title.startswith("better..main: no run to show")
    support.git(branch, "switch", "--quiet", "main")
    support.git(branch, "switch", "--quiet", "-c", "worse")
    support.write(branch / "train.py", "print(3)\n")
    support.commit(branch, "worse features")
    recording.record(branch, "worse-0", metrics={"val_auc": [0.5, 0.925]})
    found = page()
    assert found.title == "main..HEAD: val_auc 0.9250, worse than main (0.9300)"
    assert found.gate == "gate failed: val_auc:max" and not found.passed
    assert page(gate=Gate(max_drop=(Limit("", 0.01),))).passed


def test_another_metric_decides_when_it_is_named(branch: Path) -> None:
    recording.record(branch, "quick", metrics={"val_auc": [0.6], "latency": [0.1, 0.2]})
    found = page(metric="latency")
    assert [run.name for run in found.runs] == ["quick"]
    assert found.subtitle[2] == "best by latency:min (lower: guessed from the name)"
    assert any(line == "No completed run of the code of main has latency." for line in found.warnings)


def test_a_metric_without_a_direction_is_refused(branch: Path) -> None:
    with pytest.raises(UsageError, match="whether more or less of 'epoch' is better is not known"):
        page(metric="epoch")


def test_no_run_on_a_side_is_said(project: Path, untouched: None) -> None:
    assert page().warnings == (
        "No run of the code of main is here: record one, or bring it with git exp fetch.",
        "No run of main..HEAD is here: record one, or bring it with git exp fetch.",
    )
    recording.record(project, "first", metrics={"loss": [0.5, 0.4]})
    found = page()
    assert found.title == "main..HEAD: no run to show" and found.gate == ""
    assert [run.name for run in found.runs] == ["first"]


def test_a_branch_without_a_baseline_is_shown_alone(project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "better")
    support.commit(project, "more", train__py="print(2)\n")
    recording.record(project, "only", metrics={"val_auc": [0.5, 0.9]})
    found = page()
    assert found.title == "main..HEAD: val_auc 0.9000" and not found.compared
    assert found.gate == "gate passed, 2 checks"
    assert found.warnings == ("No run of the code of main is here: record one, or bring it with git exp fetch.",)


def test_a_best_run_of_uncommitted_edits_is_a_warning(branch: Path) -> None:
    support.write(branch / "train.py", "print(4)\n")
    recording.record(branch, "dirty", metrics={"val_auc": [0.5, 0.97]})
    found = page()
    assert found.runs[1].name == "dirty"
    assert found.warnings[0].startswith("The best run of main..HEAD ran with uncommitted edits")


def test_what_is_no_range_is_refused_and_unknown_revisions_are_named(branch: Path) -> None:
    for bad in ("main...HEAD", "..HEAD"):
        with pytest.raises(UsageError, match="is not a range"):
            page(bad)
    with pytest.raises(NotFound, match="nowhere"):
        page("nowhere..HEAD")


def test_removed_runs_do_not_count(branch: Path) -> None:
    support.gitexp("rm", "branch-0")
    assert page().runs[1].name == "branch-1"


def test_the_json_has_both_sides_and_the_gate(branch: Path) -> None:
    found = support.gitexp("report", "--pr", "main..HEAD", "--json").json
    assert found["metric"] == "val_auc" and found["goal"] == "max" and found["warnings"] == []
    assert found["base"]["best"]["name"] == "main-1" and found["base"]["statuses"] == {"completed": 3, "failed": 1}
    assert found["head"]["value"] == 0.94 and found["gate"]["passed"] is True


def test_the_metric_that_decides_is_the_first_column_and_the_first_curve(branch: Path) -> None:
    support.git(branch, "config", "gitexp.metric", "val_auc")
    metrics = {"val_auc": [0.5, 0.99], "latency": [0.3, 0.2]}
    recording.record(branch, "both", metrics=metrics)
    support.git(branch, "switch", "--quiet", "main")
    recording.record(branch, "base", metrics={**metrics, "latency": [0.4, 0.3]})
    found = page("main..better", "latency")
    assert found.table is not None and found.table.columns[2].title == "latency:min"
    assert found.charts[0].name == "latency" and found.charts[1].name == "val_auc"
