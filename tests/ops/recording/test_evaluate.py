"""Confusion matrices, ROC and precision-recall curves: held against scikit-learn, and against bad input."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics

from gitexp.errors import UsageError
from gitexp.ops.recording import evaluate
from gitexp.record import evaluation


def samples(draw: Any, classes: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return classes and coarse scores, with ties."""
    size = draw(st.integers(2, 60))
    true = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=size, max_size=size)))
    true[:classes] = np.arange(classes)[: len(true)]
    seed = draw(st.integers(0, 2**32 - 1))
    scores = np.random.default_rng(seed).integers(0, 12, (size, classes)) / 10
    return true, scores


@given(st.data())
def test_a_binary_roc_is_that_of_scikit_learn(data: st.DataObject) -> None:
    true, scores = samples(data.draw, 2)
    found = evaluate.roc(true, scores[:, 1], None, None, "roc").curves[0]
    fpr, tpr, thresholds = metrics.roc_curve(true, scores[:, 1], drop_intermediate=False)
    assert found.area == pytest.approx(metrics.roc_auc_score(true, scores[:, 1]))
    assert found.x == pytest.approx(fpr, abs=1e-6)
    assert found.y == pytest.approx(tpr, abs=1e-6)
    assert found.thresholds == pytest.approx(thresholds)


@given(st.data())
def test_average_precision_is_that_of_scikit_learn(data: st.DataObject) -> None:
    true, scores = samples(data.draw, 2)
    found = evaluate.pr(true, scores, None, None, "pr").curves[0]
    assert found.area == pytest.approx(metrics.average_precision_score(true, scores[:, 1]))


@given(st.data())
def test_each_class_is_held_against_the_rest(data: st.DataObject) -> None:
    true, scores = samples(data.draw, 4)
    if len(true) < 5:
        return
    found = evaluate.roc(true, scores, None, None, "roc")
    wanted = [metrics.roc_auc_score(true == at, scores[:, at]) for at in range(4) if 0 < (true == at).sum() < len(true)]
    assert [curve.area for curve in found.curves if curve.area is not None] == pytest.approx(wanted)
    assert found.area == pytest.approx(float(np.mean(wanted)))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1))
def test_a_confusion_matrix_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    true, guessed = [one for one, _ in pairs], [other for _, other in pairs]
    found = evaluate.confusion(true, guessed, None, "m")
    assert found.classes == tuple(sorted({*true, *guessed}))
    if len(found.classes) > 1:  # of one, scikit-learn warns
        assert np.array_equal(found.counts, metrics.confusion_matrix(true, guessed))


@pytest.mark.parametrize(("kind", "bound"), [("roc", 0.002), ("pr", 0.008)])
def test_a_long_curve_is_thinned_and_keeps_its_area(kind: str, bound: float) -> None:
    random = np.random.default_rng(3)
    true = random.integers(0, 2, 100_000)
    scores = true + random.normal(0, 1.5, len(true))
    found = getattr(evaluate, kind)(true, scores, None, None, kind)
    curve = found.curves[0]
    x, y = np.array(curve.x), np.array(curve.y)
    drawn = np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2 if kind == "roc" else np.sum(np.diff(x) * y[1:])
    assert len(x) <= evaluate.POINTS + 2
    assert curve.area is not None
    assert abs(drawn - curve.area) <= bound
    assert len(evaluation.encode(found)) < 100 * 1024


def test_labels_are_classes_in_their_order_or_names_of_numbers() -> None:
    assert evaluate.confusion(["b", "a"], ["b", "b"], ["b", "a"], "m").counts == ((1, 0), (1, 0))
    named = evaluate.confusion([0, 2], [2.0, 2.0], ["cat", "dog", "owl"], "m")
    assert (named.classes, named.counts) == (("cat", "dog", "owl"), ((0, 0, 1), (0, 0, 0), (0, 0, 1)))


def test_the_positive_class_can_be_said() -> None:
    scores = [0.1, 0.9]
    assert evaluate.roc(["ham", "spam"], scores, None, "spam", "roc").area == 1.0
    assert evaluate.roc(["ham", "spam"], scores, ["ham", "spam"], None, "roc").curves[0].label == "spam"
    assert evaluate.roc(["ham", "spam"], scores, None, "ham", "roc").area == 0.0
    assert evaluate.roc([-1, 1], scores, None, None, "roc").curves[0].label == "1"
    assert evaluate.roc([False, True], scores, ["no", "yes"], None, "roc").curves[0].label == "yes"


def test_samples_without_a_score_or_class_are_left_out_and_counted() -> None:
    found = evaluate.roc([0, 1, 1, 0], [0.1, float("nan"), 0.9, 0.2], None, None, "roc")
    assert (found.left_out, found.area, found.curves[0].positives) == (1, 1.0, 1)
    matrix = evaluate.confusion(["a", None, "b"], ["a", "a", "b"], None, "m")
    assert (matrix.left_out, matrix.classes) == (1, ("a", "b"))


def test_one_class_alone_has_no_area() -> None:
    found = evaluate.roc([1, 1], [0.5, 0.6], None, None, "roc")
    assert (found.area, found.curves[0].negatives) == (None, 0)


class Tensor:
    """What torch gives: an array only once it is detached and on the CPU."""

    def __init__(self, values: list[float], steps: int = 2) -> None:
        self.values, self.steps = values, steps

    def detach(self) -> Tensor:
        return Tensor(self.values, self.steps - 1)

    def cpu(self) -> Tensor:
        return Tensor(self.values, self.steps - 1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self.steps:
            raise TypeError("cannot convert")
        return np.array(self.values)


def test_tensors_of_any_device_are_taken() -> None:
    assert evaluate.roc(Tensor([0, 1]), Tensor([0.1, 0.9]), None, None, "roc").area == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0.5], None, None), "y_true has 2 samples, scores 1"),
        (([[0, 1], [1, 0]], [0.5, 0.5], None, None), "y_true has the shape (2, 2), not (samples,)"),
        (([0, 1], ["a", "b"], None, None), "scores are no numbers"),
        (([0, 1], [[[0.5]], [[0.5]]], None, None), "scores has the shape (2, 1, 1)"),
        (([[0], [1, 2]], [0.5, 0.5], None, None), "y_true is no array"),
        (([0, 2], [0.1, 0.2], None, None), "which class of [0, 2] is the positive one?"),
        (([0, 1], [0.1, 0.2], ["a", "b", "c"], None), "labels has 3 classes for one column of scores"),
        (([0, 5], [[0.1] * 3, [0.2] * 3], None, None), "scores has 3 columns, y_true 2 classes"),
        ((["a", "b"], [[0.1] * 3, [0.2] * 3], ["a", "b"], None), "scores has 3 columns, labels 2 classes"),
        ((["a", "b"], [[0.1] * 2, [0.2] * 2], ["a", "c"], None), "labels lacks the class 'b'"),
        ((["a", "b"], [[0.1] * 2, [0.2] * 2], ["a", "a"], None), "labels has the same class twice"),
        (([0, 1, 2], [[0.1] * 3] * 3, None, 1), "positive= is for two classes"),
        ((["a", "b"], [0.1, 0.2], None, "c"), "no sample is 'c'"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_so(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate.roc(*arguments, "roc")
    assert message in str(caught.value)
    assert caught.value.hint


def test_what_cannot_be_evaluated_is_no_misuse() -> None:
    with pytest.raises(evaluate.Unusable, match="no samples"):
        evaluate.roc([], [], None, None, "roc")
    with pytest.raises(evaluate.Unusable, match="300 classes"):
        evaluate.confusion(range(300), range(300), None, "m")


@given(st.binary(max_size=200) | st.sampled_from([b'{"kind": "roc", "curves": 3}', b'{"kind": "confusion"}', b'"x"']))
def test_an_artifact_of_any_bytes_is_an_evaluation_or_not_or_damaged(data: bytes) -> None:
    from gitexp.errors import Damaged

    try:
        assert evaluation.decode(data) is None
    except Damaged as error:
        assert "an evaluation does not parse" in error.message


def test_what_is_stored_is_read_back() -> None:
    matrix = evaluate.confusion(["ä", "b"], ["b", "b"], None, "val")
    curves = evaluate.pr([0, 1, 2], np.eye(3), None, None, "pr")
    assert evaluation.decode(evaluation.encode(matrix)) == matrix
    assert evaluation.decode(evaluation.encode(curves)) == curves
