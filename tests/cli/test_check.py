"""gitexp check: the table on stdout, the talk on stderr, the exit code, JSON and Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import stored, support

A, B = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz"


@pytest.fixture
def runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Return the short commits of the baseline's code and the run's, in a project with one run of each."""
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    base = support.git(project, "rev-parse", "HEAD")[:7]
    stored.make(None, "lr0.1", A, at="14:00", given={"lr": 0.1}, logged={"val_auc": [0.8, 0.941], "loss": [0.2031]})
    support.git(project, "switch", "--quiet", "-c", "try")
    head = support.commit(project, "try", notes__md="try")[:7]
    stored.make(None, "lr0.2", B, at="14:30", given={"lr": 0.2}, logged={"val_auc": [0.925], "loss": [0.2]})
    return base, head


GATE = ("check", "lr0.2", "--metric", "val_auc", "--metric", "loss", "--baseline", "main")


def test_a_run_that_is_good_enough_passes(runs: tuple[str, str]) -> None:
    shown = support.gitexp(*GATE, "--max-drop", "0.02", "--require", "code.dirty = false")
    assert (
        shown.stdout
        == """\
CHECK                     RUN  BASELINE   CHANGE  ALLOWED                                       RESULT
status              completed         -        -  completed                                     pass
val_auc:max            0.9250    0.9410  -0.0160  drop of 0.02 (higher: guessed from the name)  pass
loss:min               0.2000    0.2031  -0.0031  rise of 0.02 (lower: guessed from the name)   pass
code.dirty = false      false         -        -  is true                                       pass
"""
    )
    assert shown.stderr == (
        f"gitexp: mzrokvu churn/lr0.2, code {runs[1]}, against kqzvmxr churn/lr0.1, the run of {runs[0]} = main\n"
    )


def test_one_that_is_not_fails_with_a_code_of_its_own(runs: tuple[str, str], project: Path) -> None:
    support.git(project, "config", "gitexp.maximize", "val_auc")
    shown = support.gitexp(
        *GATE, "--max-drop", "0.01", "--max-drop-percent", "loss=1", "--min", "val_auc=0.9", expect=12
    )
    assert (
        shown.stdout
        == """\
CHECK              RUN  BASELINE   CHANGE  ALLOWED                                      RESULT
status       completed         -        -  completed                                    pass
val_auc:max     0.9250    0.9410  -0.0160  drop of 0.01 (higher: git config)            FAIL
val_auc:max     0.9250         -        -  >= 0.9                                       pass
loss:min        0.2000    0.2031  -0.0031  rise of 0.01 (lower: guessed from the name)  pass
loss:min        0.2000    0.2031  -1.53 %  rise of 1 % (lower: guessed from the name)   pass
"""
    )
    assert shown.stderr.splitlines()[1:] == [
        "gitexp: mzrokvu failed 1 of 5 checks: val_auc:max",
        "gitexp diff kqzvmxr mzrokvu",
    ]


def test_the_newest_run_is_checked_if_none_is_named(runs: tuple[str, str]) -> None:
    shown = support.gitexp("-q", "check", "--max", "loss=0.1", expect=12)
    assert shown.lines == [
        "CHECK           RUN  ALLOWED    RESULT",
        "status    completed  completed  pass",
        "loss:min     0.2000  <= 0.1     FAIL",
    ]
    assert shown.stderr == "gitexp: mzrokvu failed 1 of 2 checks: loss:min\ngitexp show mzrokvu\n"


def test_markdown_is_a_comment(runs: tuple[str, str]) -> None:
    shown = support.gitexp(*GATE, "--require", "params.lr < 0.2", "--md", expect=12)
    assert (
        shown.stdout
        == f"""\
### Check failed: mzrokvu churn/lr0.2

| CHECK | RUN | BASELINE | CHANGE | ALLOWED | RESULT |
| --- | --: | --: | --: | --- | --- |
| status | completed | - | - | completed | pass |
| val_auc:max | 0.9250 | 0.9410 | -0.0160 | no drop (higher: guessed from the name) | FAIL |
| loss:min | 0.2000 | 0.2031 | -0.0031 | no rise (lower: guessed from the name) | pass |
| `params.lr < 0.2` | 0.2 | - | - | is true | FAIL |

mzrokvu churn/lr0.2, code {runs[1]}, against kqzvmxr churn/lr0.1, the run of {runs[0]} = main
"""
    )
    assert shown.stderr == (
        "gitexp: mzrokvu failed 2 of 4 checks: val_auc:max, params.lr < 0.2\ngitexp diff kqzvmxr mzrokvu\n"
    )


def test_json_has_all_of_it(runs: tuple[str, str]) -> None:
    found = support.gitexp(*GATE, "--require", "params.lr < 0.2", "--json", expect=12).json
    assert found["passed"] is False
    assert (found["run"]["id"], found["baseline"]["id"], found["baseline"]["given"]) == (B, A, "main")
    assert found["baseline"]["from"] == f"the run of {runs[0]} = main"
    assert [(item["kind"], item["passed"]) for item in found["checks"]] == [
        ("status", True), ("drop", False), ("drop", True), ("require", False),
    ]  # fmt: skip
    drop = found["checks"][1]
    assert {key: drop[key] for key in ("metric", "aggregate", "goal", "goal_from", "value", "baseline", "limit")} == {
        "metric": "val_auc", "aggregate": "max", "goal": "max", "goal_from": "guessed from the name",
        "value": 0.925, "baseline": 0.941, "limit": 0.0,
    }  # fmt: skip
    assert found["checks"][3]["value"] == {"params.lr": 0.2}


def test_a_baseline_may_be_missing_where_that_is_said(runs: tuple[str, str]) -> None:
    shown = support.gitexp("check", "--metric", "val_auc", "--baseline", "origin/main", expect=4)
    assert shown.stdout == ""
    assert shown.stderr == (
        "gitexp: no baseline: no run 'origin/main', and no commit or branch of that name here\n"
        "bring the runs with: gitexp fetch   (or let it pass: --allow-missing-baseline)\n"
    )
    shown = support.gitexp(
        "check", "-m", "val_auc", "-b", "origin/main", "--max-drop", "0.1", "--allow-missing-baseline"
    )
    assert shown.lines[1:] == ["status       completed  completed  pass", "val_auc:max     0.9250  a number   pass"]
    assert shown.stderr.endswith("; no baseline: no run 'origin/main', and no commit or branch of that name here\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2), (("--metric", "val_auc", "--max-drop", "0.1"), 2), (("--min", "much"), 2), (("--require", "lr >"), 2),
        (("nothing", "--metric", "val_auc"), 4),
    ],
)  # fmt: skip
def test_misuse_is_told_from_a_failed_check(runs: tuple[str, str], words: tuple[str, ...], code: int) -> None:
    shown = support.gitexp("check", *words, expect=code)
    assert shown.stdout == "" and shown.stderr.startswith("gitexp: ")


def test_as_a_process_it_ends_with_the_code_and_touches_nothing(runs: tuple[str, str], project: Path) -> None:
    with support.untouched(project):
        assert support.process(project, *GATE, "--max-drop", "0.5").code == 0
        assert support.process(project, *GATE, expect=12).stdout.count("FAIL") == 1


def test_the_best_run_held_against_itself_is_not_compared_with_itself_in_the_hint(runs: tuple[str, str]) -> None:
    best = ("check", "@{best:val_auc}", "--metric", "val_auc", "--baseline", "@{best:val_auc}")
    assert support.gitexp(*best, "--min", "1", expect=12).stderr.endswith("\ngitexp show kqzvmxr\n")


def test_a_metric_that_no_run_has_is_a_slip_not_a_missing_direction(runs: tuple[str, str]) -> None:
    shown = support.gitexp("check", "lr0.2", "--metric", "val_uac", "--baseline", "main", expect=2)
    assert shown.stderr == (
        "gitexp: no run has the metric 'val_uac', and its name tells no direction\ndid you mean: val_auc\n"
    )
