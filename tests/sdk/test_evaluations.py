"""Confusion matrices, ROC and precision-recall curves that a script logs."""

from __future__ import annotations

from pathlib import Path

import pytest

import gitexp
from gitexp.errors import UsageError
from tests import support


def test_evaluations_are_artifacts_and_their_areas_metrics(project: Path, untouched: None) -> None:
    labels = [0, 1, 1, 0]
    scores = [0.1, 0.8, 0.4, 0.5]
    with gitexp.start_run("churn") as run:
        run.log_confusion_matrix(labels, [0, 1, 0, 0], labels=["stays", "leaves"], name="val")
        run.log_roc(labels, scores, step=7)
        scores[:] = [0.0] * 4  # what is given can be used again at once
        run.log_pr(
            [0, 1, 2], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], labels=["a", "b", "c"], name="test/pr"
        )
    ref = run.ref
    matrix = support.record(project, ref, "artifacts/evaluation/val.json")
    assert (matrix["kind"], matrix["classes"], matrix["counts"]) == ("confusion", ["stays", "leaves"], [[2, 0], [1, 1]])
    roc = support.record(project, ref, "artifacts/evaluation/roc.json")
    assert (roc["area"], roc["curves"][0]["fpr"]) == (0.75, [0.0, 0.0, 0.5, 0.5, 1.0])
    summary = support.record(project, ref, "summary.json")
    assert (summary["roc_auc"]["last"], summary["roc_auc"]["last_step"], summary["test/pr_ap"]["max"]) == (0.75, 7, 1.0)


def test_an_evaluation_of_the_same_name_takes_the_place_of_the_first(project: Path) -> None:
    with gitexp.start_run("churn") as run:
        run.log_roc([0, 1], [0.9, 0.1])
        run.log_roc([0, 1], [0.1, 0.9])
    assert support.record(project, run.ref, "artifacts/evaluation/roc.json")["area"] == 1.0
    assert support.record(project, run.ref, "summary.json")["roc_auc"]["count"] == 2


def test_a_large_evaluation_is_kept_beside_the_commit(project: Path) -> None:
    with gitexp.start_run("churn") as run:
        run.log_confusion_matrix(list(range(150)), list(range(150)))
    shown = support.git(project, "show", f"{run.ref}:.gitexp/artifacts/evaluation/confusion_matrix.json")
    assert shown.startswith("version https://git-lfs")


def test_bad_values_warn_once_and_misuse_raises(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with gitexp.start_run("churn") as run:
        run.log_roc([], [])
        run.log_roc([1, 1], [0.5, float("nan")])
        run.log_confusion_matrix(range(300), range(300))
        for names, message in (("", "no name for an evaluation"), ("../x", "evaluation/../x.json")):
            with pytest.raises(UsageError, match=message):
                run.log_roc([0, 1], [0, 1], name=names)
        with pytest.raises(UsageError, match="y_true has 2 samples, y_pred 1"):
            run.log_confusion_matrix([0, 1], [0])
    assert capsys.readouterr().err.count("warning") == 1
    assert support.record(project, run.ref)["lost"] == {"evaluations": 2}
    assert "summary.json" not in support.git(project, "ls-tree", "--name-only", f"{run.ref}:.gitexp")
    with pytest.raises(UsageError, match="has finished"):
        run.log_pr([0, 1], [0, 1])
