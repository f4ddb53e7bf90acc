"""gitexp.runs: queries, orders, and records that are read when they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitexp
from gitexp.errors import BadQuery, NotFound
from tests import stored, support

A, B, C = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz", "wxlnptywxlnptywx"


@pytest.fixture(autouse=True)
def recorded(project: Path) -> None:
    stored.make(None, "a", A, at="14:00", given={"opt": {"lr": 0.1}}, logged={"val_acc": [0.7, 0.6]}, tags={"n": "1"})
    stored.make(None, "b", B, at="14:10", given={"opt": {"lr": 0.01}}, logged={"val_acc": [0.8]})
    stored.make(None, "c", C, at="14:20", experiment="vision/vit", logged={"val_acc": [0.75]})


def names(runs: gitexp.Runs) -> list[str]:
    return [run.name for run in runs]


def test_runs_come_newest_first_filtered_sorted_and_cut() -> None:
    assert names(gitexp.runs()) == ["c", "b", "a"]
    assert names(gitexp.runs("churn")) == ["b", "a"]
    assert names(gitexp.runs(where="val_acc > 0.72")) == ["c", "b"]
    assert names(gitexp.runs(sort="-metrics.val_acc")) == ["b", "c", "a"]
    assert names(gitexp.runs("churn", where="params.opt.lr < 1", sort="val_acc", limit=1)) == ["a"]
    with pytest.raises(BadQuery):
        gitexp.runs(where="val_acc >")
    with pytest.raises(NotFound):
        gitexp.runs("nothing")


def test_a_run_of_a_list_is_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    support.gitexp("title", "a", "the first")
    run, one = gitexp.runs(where="tags.n = '1'")[0], gitexp.get_run("a")
    assert (run.name, run.id, run.status, run.ref, run.commit) == ("the first", A, "completed", one.ref, one.commit)
    assert (run.params, run.tags, run.record) == (one.params, {"n": "1"}, one.record)
    assert run.summary["val_acc"].max_step == one.summary["val_acc"].max_step == 0
    assert list(run.metric("val_acc").values) == [0.7, 0.6]
    run.tag("good")
    assert names(gitexp.runs(where="tags.good")) == ["the first"]


def test_a_list_of_runs_reads_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    gitexp.runs()

    def refuse(*_: object) -> bytes:
        raise AssertionError("a record was read")

    monkeypatch.setattr("gitexp.git.objects.read_blob", refuse)
    runs = gitexp.runs("churn", where="val_acc > 0")
    assert [(run.name, run.experiment, run.tags) for run in runs[1:]] == [("a", "churn", {"n": "1"})]
