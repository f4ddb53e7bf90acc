"""Whether a run is good enough: each kind of rule, and what a baseline can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import Ambiguous, BadQuery, CheckFailed, NotFound, UsageError
from gitexp.ops.comparing import check
from gitexp.ops.comparing.check import Gate, Limit, Verdict
from gitexp.store import annotations as said
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Run
from tests import stored, support

LETTERS = "klmnopqrstuvwxyz"
NAN, INF = float("nan"), float("inf")


def make(name: str, **more: object) -> Run:
    """Record a run; what is no field of a record are values of metrics."""
    logged = {key: [value] for key, value in more.items() if isinstance(value, int | float)}
    fields = {key: value for key, value in more.items() if key not in logged}
    number = len(support.run_refs("."))
    return stored.make(None, name, LETTERS[number] * 16, at=f"13:{number:02}", logged=logged, **fields)  # type: ignore[arg-type]


def judge(name: str, *metrics: str, baseline: str = "", require: tuple[str, ...] = (), **limits: object) -> Verdict:
    given = {
        option: tuple(
            Limit.parse(str(words), "--" + option.replace("_", "-"))
            for words in (value if isinstance(value, tuple) else (value,))
        )
        for option, value in limits.items()
        if option != "allow"
    }
    gate = Gate(metrics, baseline, require=require, allow_missing_baseline="allow" in limits, **given)
    return check.judge(workspaces.open(), name, gate)


def results(verdict: Verdict) -> list[tuple[str, str, bool]]:
    return [(rule.kind, check.title(rule), rule.passed) for rule in verdict.rules[1:]]


@pytest.mark.parametrize(
    ("base", "value", "drop", "passed"),
    [
        (0.94, 0.93, 0.01, True),  # a little more than 0.01 as floats
        (0.94, 0.9299, 0.01, False), (0.94, 0.95, 0, True), (0.94, 0.94, 0, True), (0.94, 0.9399, 0, False),
        (0, -1, 1, True), (0, -1.1, 1, False), (1e9, 1e9 - 5, 1, False), (INF, INF, 0, True), (INF, 5, 100, False),
        (5, INF, 0, True), (-INF, 5, 0, True), (5, -INF, 100, False), (10**400, 10**400, 0, True),
    ],
)  # fmt: skip
def test_a_drop_is_how_much_worse_it_is(project: Path, base: float, value: float, drop: float, passed: bool) -> None:
    make("base", acc=base)
    make("new", acc=value)
    assert results(judge("new", "acc", baseline="base", max_drop=drop)) == [("drop", "acc:max", passed)]


@pytest.mark.parametrize(("value", "passed"), [(0.5, True), (0.51, True), (0.52, False), (0.1, True), (INF, False)])
def test_where_less_is_better_a_rise_is_worse(project: Path, value: float, passed: bool) -> None:
    make("base", loss=0.5)
    make("new", loss=value)
    assert judge("new", "loss", baseline="base", max_drop=0.01).passed is passed


@pytest.mark.parametrize(
    ("base", "value", "percent", "passed"),
    [(200, 198, 1, True), (200, 197.9, 1, False), (-200, -202, 1, True), (0, 0, 1, True), (0, -0.1, 50, False)],
)
def test_a_drop_in_percent_of_the_baseline(
    project: Path, base: float, value: float, percent: float, passed: bool
) -> None:
    make("base", acc=base)
    make("new", acc=value)
    verdict = judge("new", "acc", baseline="base", max_drop_percent=percent)
    assert results(verdict) == [("percent", "acc:max", passed)]


def test_without_a_drop_no_drop_is_allowed(project: Path) -> None:
    make("base", acc=0.9)
    make("new", acc=0.89)
    assert not judge("new", "acc", baseline="base").passed
    assert judge("base", "acc", baseline="new").passed


def test_limits_are_for_the_metrics_named_or_for_the_one_they_name(project: Path) -> None:
    make("base", acc=0.9, loss=0.5, size=3)
    make("new", acc=0.88, loss=0.53, size=9)
    verdict = judge("new", "acc", "loss", baseline="base", max_drop=(0.01, "loss=0.1"), most="size=5", least=0.1)
    assert results(verdict) == [
        ("drop", "acc:max", False), ("min", "acc:max", True), ("drop", "loss:min", True), ("min", "loss:min", True),
        ("max", "size:last", False),
    ]  # fmt: skip
    assert results(judge("new", most=("size=1", "size=9"))) == [("max", "size:last", True)], "the last one holds"


def test_the_value_can_be_chosen(project: Path) -> None:
    stored.make(None, "new", "k" * 16, logged={"acc": [0.9, 0.5]})
    assert judge("new", "acc", least=0.9).passed
    assert not judge("new", "acc:last", least=0.9).passed
    support.write(project / "gitexp.toml", '[summary]\nacc = "mean"\n')
    assert results(judge("new", least="acc=0.7")) == [("min", "acc:mean", True)]
    assert results(judge("new", "acc:last", least="acc:last=0.5")) == [("min", "acc:last", True)]


@pytest.mark.parametrize("more", [{}, {"acc": NAN}])
def test_a_run_without_a_number_fails_whatever_is_asked(project: Path, more: dict[str, float]) -> None:
    make("base", acc=0.9)
    make("new", **more)
    assert results(judge("new", "acc")) == [("number", "acc:max", False)]
    assert results(judge("new", "acc", baseline="base", max_drop=9, least=-9)) == [("number", "acc:max", False)]


@pytest.mark.parametrize("status", ["failed", "killed"])
def test_only_a_completed_run_passes(project: Path, status: str) -> None:
    make("new", acc=0.9, status=status)
    verdict = judge("new", "acc")
    assert (verdict.passed, [check.title(rule) for rule in verdict.failed]) == (False, ["status"])
    with pytest.raises(CheckFailed) as caught:
        check.refuse(verdict)
    assert str(caught.value) == "kkkkkkk failed 1 of 2 checks: status"
    assert (caught.value.hint, caught.value.exit_code) == ("gitexp show kkkkkkk", 12)


def test_a_running_run_does_not_pass(project: Path) -> None:
    with stored.live(acc=[0.9]) as session:
        verdict = judge(session.start.record.id, "acc", require=("metrics.acc > 0.5",))
        assert [(rule.kind, rule.passed) for rule in verdict.rules] == [
            ("status", False), ("number", True), ("require", True),
        ]  # fmt: skip


def test_conditions_are_those_of_the_query_language(project: Path) -> None:
    make("new", acc=0.9, edits=["train.py"], given={"lr": 0.1})
    conditions = ("code.dirty = false", "params.lr < 1 and metrics.acc >= 0.9", "experiment = 'churn'", "tags.reviewed")
    verdict = judge("new", require=conditions)
    assert [rule.passed for rule in verdict.rules] == [True, False, True, True, False]
    assert [rule.value for rule in verdict.rules[1:]] == [
        {"code.dirty": True}, {"params.lr": 0.1, "metrics.acc": 0.9}, {"experiment": "churn"}, {"tags.reviewed": None},
    ]  # fmt: skip
    assert verdict.warnings == ("tags.reviewed: no run has tags.reviewed",)
    said.add(workspaces.open(), [said.about_run(make("other"), "tag", key="reviewed", value="")])
    assert judge("new", require=("tags.reviewed",)).warnings == ()


def test_a_condition_on_another_run_does_not_count(project: Path) -> None:
    make("other", given={"lr": 1})
    make("new", given={"lr": 2})
    assert not judge("new", require=("params.lr = 1",)).passed
    assert judge("new", require=("params.lr = 1 or params.lr = 2",)).passed


@pytest.mark.parametrize("condition", ["lr <", "nonsense = 1", "status = 'done'", "a) or (1 = 1"])
def test_a_condition_that_cannot_be_meant_shows_where(project: Path, condition: str) -> None:
    make("new", given={"lr": 2})
    with pytest.raises(BadQuery) as caught:
        judge("new", require=(condition,))
    assert caught.value.column and caught.value.hint.splitlines()[0].strip() == condition


def commit(project: Path, text: str) -> str:
    return support.commit(project, text, notes__md=text)


def test_a_branch_means_the_best_completed_run_of_its_code(project: Path) -> None:
    make("old", acc=0.99)
    tip = commit(project, "next")
    make("a", acc=0.9)
    make("b", acc=0.92)
    make("failed", acc=0.98, status="failed")
    make("dirty", acc=0.97, edits=["train.py"])
    make("nan", acc=NAN)
    removed = make("removed", acc=0.96)
    said.add(workspaces.open(), [said.about_run(removed, "remove", reason="")])
    support.git(project, "switch", "--quiet", "-c", "try")
    commit(project, "try something")
    make("new", acc=0.91)
    for name in ("main", tip, tip[:8], "HEAD^", "refs/heads/main"):
        verdict = judge("new", "acc", baseline=name, max_drop=0.01)
        assert verdict.passed and verdict.baseline is not None
        assert (verdict.baseline.run.name, verdict.baseline.how) == ("b", f"best of 2 runs of {tip[:7]} = {name}")


def test_of_a_commit_without_runs_the_nearest_one_before_it_with_runs_is_taken(project: Path) -> None:
    commit(project, "one")
    make("one", acc=0.9)
    at = support.git(project, "rev-parse", "--short=7", "HEAD")
    commit(project, "two")
    commit(project, "three")
    support.git(project, "switch", "--quiet", "-c", "try")
    make("new", acc=0.9)
    make("again", acc=0.8)
    verdict = judge("again", "acc", baseline="main", max_drop=1)
    assert verdict.baseline is not None and verdict.baseline.run.name == "new", "of the same commit, not itself"
    commit(project, "four")
    make("newer", acc=0.9)
    verdict = judge("newer", "acc", baseline="main^", max_drop=1)
    assert verdict.baseline is not None
    assert (verdict.baseline.run.name, verdict.baseline.how) == ("one", f"the run of {at}, 1 commit before main^")


def test_a_baseline_can_be_the_best_run_so_far(project: Path) -> None:
    make("a", acc=0.9)
    make("b", acc=0.95)
    make("new", acc=0.93)
    verdict = judge("new", "acc", baseline="@{max:acc}", max_drop=0.01)
    assert verdict.baseline is not None and verdict.baseline.run.name == "b" and not verdict.passed
    verdict = judge("b", "acc", baseline="@{max:acc}")
    assert verdict.passed and verdict.baseline is not None and verdict.baseline.how == "the run itself is the best"


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ("nothing", "no baseline: no run 'nothing', and no commit or branch of that name here"),
        ("@{max:rmse}", "no baseline: no completed run of churn has the metric 'rmse'"),
        ("gone", "no baseline: run 'gone' was removed, and no commit or branch of that name here"),
        ("blank", "baseline mmmmmmm has no 'acc'"),
        ("nan", "baseline nnnnnnn has only NaN for 'acc'"),
        ("main", "no baseline: no completed run without uncommitted edits has 'acc' for the code of 'main' "
                 "(HEAD), or of the commits before it"),
    ],
)  # fmt: skip
def test_a_baseline_that_is_not_there_is_an_error_unless_it_may_be_missing(
    project: Path, baseline: str, message: str
) -> None:
    make("new", acc=0.9)
    said.add(workspaces.open(), [said.about_run(make("gone", acc=1), "remove", reason="")])
    make("blank")
    make("nan", acc=NAN)
    expected = message.replace("HEAD", support.git(project, "rev-parse", "--short=7", "HEAD"))
    with pytest.raises(NotFound) as caught:
        judge("new", "acc", baseline=baseline)
    assert caught.value.message == expected
    assert caught.value.hint == "bring the runs with: gitexp fetch   (or let it pass: --allow-missing-baseline)"
    verdict = judge("new", "acc", baseline=baseline, max_drop=0.01, least=0.95, allow=True)
    assert (verdict.missing, results(verdict)) == (expected, [("min", "acc:max", False)])
    assert judge("new", "acc", baseline=baseline, allow=True).passed


def test_a_name_of_several_runs_is_no_baseline(project: Path) -> None:
    make("twin", acc=0.9)
    make("twin", acc=0.8)
    make("new", acc=0.7)
    with pytest.raises(Ambiguous):
        judge("new", "acc", baseline="twin", allow=True)


@pytest.mark.parametrize(
    ("metrics", "more", "message"),
    [
        ((), {}, "nothing to check"),
        (("acc",), {"max_drop": 0.1}, "a drop is one from a baseline, and none was given"),
        ((), {"baseline": "base", "require": ("live",)}, "a baseline is compared by a metric, and none was given"),
        (("size",), {"baseline": "base"}, "whether more or less of 'size' is better is not known"),
        (("acc",), {"baseline": "new"}, "the baseline 'new' is the run itself"),
        (("acc",), {"max_drop": -1, "baseline": "base"}, "--max-drop '-1': '-1' is not a number"),
        (("acc",), {"least": "acc=high"}, "--least 'acc=high': 'high' is not a number"),
        (("acc",), {"least": "nan"}, "--least 'nan': 'nan' is not a number"),
    ],
)
def test_what_cannot_be_meant_is_no_failed_check(
    project: Path, metrics: tuple[str, ...], more: dict[str, object], message: str
) -> None:
    make("base", acc=0.9, size=1)
    make("new", acc=0.9, size=2)
    with pytest.raises(UsageError) as caught:
        judge("new", *metrics, **more)  # type: ignore[arg-type]
    assert caught.value.message.replace(", 0 or more", "") == message


def test_no_direction_is_needed_where_no_baseline_is(project: Path) -> None:
    make("base", acc=0.9, size=1)
    make("new", acc=0.9, size=2)
    assert judge("new", "acc", baseline="base", most="size=3").passed


def test_a_gate_on_a_test_metric_is_a_use_of_it(project: Path) -> None:
    for number in range(4):
        make(f"run{number}", test_acc=number / 10)
        verdict = judge(f"run{number}", "test_acc", least=-1)
        assert bool(verdict.warnings) == (number >= 2)
    assert verdict.warnings[0].startswith("test_acc has now decided over 4 sets of runs in this clone (check): ")
    verdict = judge("run0", require=("last(metrics.test_acc) < 9",))
    assert len(verdict.warnings) == 1, "a condition is one too"
