"""Choices made on a test metric are counted, and one that is used over and over is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.ops.finding import leakage
from gitexp.store import workspace as workspaces
from tests import stored, support


def use(*runs: str, metric: str = "test/acc", what: str = "check") -> str | None:
    return leakage.used(workspaces.open(), metric, what, runs)


@pytest.mark.parametrize(
    ("metric", "is_test"),
    [
        ("test/acc", True), ("test_acc", True), ("test-acc", True), ("test.acc", True), ("testAcc", True),
        ("rank0/test/acc", True), ("eval/test_loss", True), ("val_acc", False), ("testosterone", False),
        ("latest_acc", False), ("contest/acc", False), ("acc", False), ("", False),
    ],
)  # fmt: skip
def test_test_metrics_are_known_by_their_names(project: Path, metric: str, is_test: bool) -> None:
    assert leakage.is_test(workspaces.open(), metric) is is_test


def test_the_third_set_of_runs_is_warned_of(project: Path) -> None:
    assert use("a", "b", what="leaderboard") is None
    assert use("a", "b", "c") is None
    assert use("a", "d", what="leaderboard") == (
        "test/acc has now decided over 3 sets of runs in this clone (leaderboard, check): what is chosen on it looks "
        "better than it is. Choose on a validation metric, and test the chosen run once"
    )


def test_a_set_that_was_looked_at_before_is_not_counted_again(project: Path) -> None:
    for _ in range(5):
        assert use("a", "b") is None
        assert use("b", "a", what="log --sort") is None
    assert len((project / ".git/gitexp/test-uses.jsonl").read_text().splitlines()) == 1


def test_to_rank_takes_two_runs_and_a_gate_decides_over_one(project: Path) -> None:
    assert [use(name, what="log --sort") for name in "abcd"] == [None] * 4
    assert not (project / ".git/gitexp").exists()
    assert [bool(use(name)) for name in "abcd"] == [False, False, True, True]


def test_the_best_run_by_a_test_metric_is_a_choice(project: Path) -> None:
    for number in range(4):
        stored.make(None, f"run{number}", "klmn"[number] * 16, logged={"test/acc": [number]})
        assert (
            support.gitexp("ref", "@{max:test/acc}", "@{best:test/acc}")
            .lines[0]
            .endswith(f"run{number}-{'klmn'[number] * 7}")
        )
    assert len((project / ".git/gitexp/test-uses.jsonl").read_text().splitlines()) == 3
    assert "test/acc has now decided over 3 sets of runs" in support.gitexp("log", "--best", "test/acc").stderr


def test_metrics_are_counted_apart_and_others_not_at_all(project: Path) -> None:
    for name in "abcdef":
        assert use(name, metric="val_acc") is None
    assert not (project / ".git/gitexp").exists()
    assert [bool(use(name, metric=metric)) for name in "ab" for metric in ("test_a", "test_b")] == [False] * 4
    assert use() is None


def test_what_counts_as_test_and_how_often_can_be_set(project: Path) -> None:
    support.write(project / "gitexp.toml", 'testMetrics = ["holdout*"]\ntestUses = 1\n')
    assert use("a", metric="test_acc") is None
    assert str(use("a", metric="holdout_acc")).startswith("holdout_acc has now decided over 1 set of runs")
    support.git(project, "config", "gitexp.testUses", "0")
    assert use("b", metric="holdout_acc") is None


def test_torn_and_foreign_lines_are_passed_over(project: Path) -> None:
    use("a")
    with (project / ".git/gitexp/test-uses.jsonl").open("ab") as file:
        file.write(b'{"metric":"test/acc","runs":\n\xff\xfe\n[]\n{"metric":"test/acc"}\n')
    assert use("b") is None
    assert use("c") is not None


def test_names_are_made_safe_for_a_terminal(project: Path) -> None:
    for name in "ab":
        use(name, metric="test/\x1b[31m", what="x\x1b")
    assert "\x1b" not in str(use("c", metric="test/\x1b[31m"))


def test_a_repository_that_cannot_be_written_is_read_all_the_same(project: Path) -> None:
    support.write(project / ".git/gitexp", "")  # stops root too
    assert [use(name) for name in "ab"] == [None, None]
