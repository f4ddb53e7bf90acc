"""Confusion matrices, ROC and precision-recall curves from labels and scores, and how a run keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitexp.errors import UsageError
from gitexp.record import evaluation, values
from gitexp.record.evaluation import Confusion, Curve, Rates

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

POINTS = 500  # of a curve; of several curves fewer each, 2,000 in all
_FEWEST = 40
_DIGITS = 6  # of a stored rate


class Unusable(ValueError):
    """Values that cannot be evaluated though they are given as they should be: no samples, too many classes."""


def confusion(y_true: Any, y_pred: Any, labels: Sequence[Any] | None, name: str) -> Confusion:
    """Count how often each true class was taken for each (rows: true, columns: predicted).

    The matrix of Kohavi & Provost, "Glossary of Terms" (Machine Learning 30, 1998), as scikit-learn's
    confusion_matrix gives it. Samples with NaN or None on either side are left out and counted.
    """
    import numpy as np

    true, guessed = column(y_true, "y_true"), column(y_pred, "y_pred")
    if len(true) != len(guessed):
        raise _lengths("y_true", len(true), "y_pred", len(guessed))
    known = ~(_missing(true) | _missing(guessed))
    actual, taken = _plain(true[known]), _plain(guessed[known])
    classes, names = _classes([*actual, *taken], labels)
    rows, columns = _codes(actual, classes), _codes(taken, classes)
    size = len(classes)
    counts = np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)
    return Confusion(name, names, tuple(tuple(map(int, row)) for row in counts), int((~known).sum()))


def roc(y_true: Any, scores: Any, labels: Sequence[Any] | None, positive: Any, name: str) -> Rates:
    """Compute receiver operating characteristics: each class against the rest where there are more than two.

    T. Fawcett, "An introduction to ROC analysis" (Pattern Recognition Letters 27, 2006), algorithm 1; samples of
    equal score are one step. The area is by the trapezoidal rule, which equals the Mann–Whitney statistic with ties
    counted half (Hanley & McNeil, Radiology 143, 1982).
    """
    cases, left_out = _cases(y_true, scores, labels, positive)
    points = max(POINTS * 4 // max(len(cases), 4), _FEWEST)
    return Rates("roc", name, tuple(_roc(label, hit, score, points) for label, hit, score in cases), left_out)


def pr(y_true: Any, scores: Any, labels: Sequence[Any] | None, positive: Any, name: str) -> Rates:
    """Compute precision over recall: each class against the rest where there are more than two.

    The area is average precision, sum over thresholds of (R_n - R_{n-1})·P_n, without interpolation (as
    scikit-learn's average_precision_score; M. Zhu, "Recall, Precision and Average Precision", 2004).
    """
    cases, left_out = _cases(y_true, scores, labels, positive)
    points = max(POINTS * 4 // max(len(cases), 4), _FEWEST)
    return Rates("pr", name, tuple(_pr(label, hit, score, points) for label, hit, score in cases), left_out)


def column(given: Any, what: str) -> Array:
    """Return labels as a flat array, copied; tensors of any device too. Raises UsageError for another shape."""
    found = _array(given, what)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise UsageError(f"{what} has the shape {found.shape}, not (samples,)", hint="give one class for each sample")
    return found


def _array(given: Any, what: str) -> Array:
    import numpy as np

    for method in ("detach", "cpu"):  # torch tensors that have a gradient, or are on a GPU
        if callable(step := getattr(given, method, None)):
            given = step()
    try:
        found = np.array(given)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{what} is no array: {error}", hint="give lists or arrays of equal length") from error
    if found.dtype.kind not in "biufUSO":
        raise UsageError(f"{what} holds {found.dtype}", hint="give numbers or texts")
    return found


def _lengths(one: str, first: int, other: str, second: int) -> UsageError:
    return UsageError(f"{one} has {first:,} samples, {other} {second:,}", hint="give one of each for each sample")


def _missing(array: Array) -> Array:
    """Say which samples are NaN or None."""
    import numpy as np

    if array.dtype.kind == "f":
        return np.isnan(array)
    if array.dtype.kind == "O":
        return np.array([item is None or item != item for item in array], dtype=bool)
    return np.zeros(len(array), dtype=bool)


def _plain(array: Array) -> list[Any]:
    """Return classes as Python's own values: 1.0 is the class 1, as it is for y_true and y_pred of two dtypes."""
    items = array.tolist()
    return [int(item) if isinstance(item, float) and item.is_integer() else item for item in items]


def _classes(found: list[Any], labels: Sequence[Any] | None) -> tuple[list[Any], tuple[str, ...]]:
    """Return the classes in order, and their names. `labels` are the classes, or the names of 0, 1, 2 …"""
    present = set(found)
    if labels is None:
        classes = _sorted(present)
        names = evaluation.labels(classes)
    else:
        given = _plain(column(list(labels), "labels"))
        names = evaluation.labels(given)
        numbered = all(isinstance(item, int) and 0 <= item < len(given) for item in present)
        if len(set(given)) != len(given):
            raise UsageError("labels has the same class twice", hint="give each class once")
        if not present <= set(given) and not numbered:
            strange = values.short_repr(_sorted(present - set(given))[0])[:60]
            raise UsageError(f"labels lacks the class {strange}", hint="give all classes, or names for 0, 1, 2 …")
        classes = given if present <= set(given) else list(range(len(given)))
    if not classes:
        raise Unusable("there are no samples")
    if len(classes) > evaluation.MAX_CLASSES:
        raise Unusable(f"{len(classes):,} classes; up to {evaluation.MAX_CLASSES} are recorded")
    return classes, names


def _sorted(classes: set[Any]) -> list[Any]:
    try:
        return sorted(classes)
    except TypeError:  # numbers and texts
        return sorted(classes, key=lambda item: (type(item).__name__, str(item)))


def _codes(found: list[Any], classes: list[Any]) -> Array:
    import numpy as np

    number = {item: at for at, item in enumerate(classes)}
    return np.array([number[item] for item in found], dtype=np.int64)


Case = tuple[str, "Array", "Array"]  # name of the class, which samples are of it, their scores


def _cases(y_true: Any, scores: Any, labels: Sequence[Any] | None, positive: Any) -> tuple[list[Case], int]:
    """Return the binary problems that the labels and scores pose, and how many samples had to be left out."""
    import numpy as np

    true, score = column(y_true, "y_true"), _scores(scores)
    if len(true) != len(score):
        raise _lengths("y_true", len(true), "scores", len(score))
    nan = np.isnan(score)
    known = ~_missing(true) & ~(nan if nan.ndim == 1 else nan.any(axis=1))
    found, score = _plain(true[known]), score[known]
    left_out = int((~known).sum())
    if not found:
        raise Unusable("there are no samples")
    if score.ndim == 1 or (score.shape[1] == 2 and positive is not None):
        return [_binary(found, score if score.ndim == 1 else score[:, 1], labels, positive)], left_out
    if positive is not None:
        raise UsageError("positive= is for two classes", hint="leave it out: each class is compared with the rest")
    classes, names = _columns(found, score.shape[1], labels)
    if len(classes) == 2:
        return [_binary(found, score[:, 1], classes if labels is None else labels, None)], left_out
    codes = _codes(found, classes)
    return [(name, codes == at, score[:, at]) for at, name in enumerate(names)], left_out


def _scores(given: Any) -> Array:
    import numpy as np

    found = _array(given, "scores")
    if found.dtype.kind not in "biuf":
        raise UsageError("scores are no numbers", hint="give probabilities or decision values")
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim not in (1, 2) or 0 in found.shape[1:]:
        raise UsageError(
            f"scores has the shape {found.shape}, not (samples,) or (samples, classes)", hint="give a score a class"
        )
    return found.astype(np.float64)


def _columns(found: list[Any], count: int, labels: Sequence[Any] | None) -> tuple[list[Any], tuple[str, ...]]:
    """Return the class of each column of the scores, and its name."""
    present = set(found)
    if labels is None and len(present) != count:
        if not all(isinstance(item, int) and 0 <= item < count for item in present):
            raise UsageError(
                f"scores has {count:,} columns, y_true {len(present):,} classes",
                hint="give labels=[…], the classes in the order of the columns",
            )
        return _classes(list(range(count)), None)
    classes, names = _classes(found, labels)
    if len(classes) != count:
        raise UsageError(
            f"scores has {count:,} columns, labels {len(classes):,} classes", hint="give one label a column"
        )
    return classes, names


def _binary(found: list[Any], score: Array, labels: Sequence[Any] | None, positive: Any) -> Case:
    """Return the problem of two classes: `positive`, else the second label, else 1 (of 0, 1; -1, 1; False, True)."""
    import numpy as np

    present = set(found)
    name = None
    if positive is None and labels is not None:
        classes, names = _classes(found, labels)
        if len(classes) != 2:
            raise UsageError(f"labels has {len(classes):,} classes for one column of scores", hint="give two labels")
        positive, name = classes[1], names[1]
    elif positive is None:
        if not present <= {0, 1} and not present <= {-1, 1}:
            shown = values.short_repr(_sorted(present)[:4])[:60]
            raise UsageError(f"which class of {shown} is the positive one?", hint="say it: positive=…")
        positive = 1
    elif positive not in present and len(present) > 1:
        raise UsageError(f"no sample is {values.short_repr(positive)[:60]}", hint="give the class as y_true has it")
    hit = np.array([item == positive for item in found], dtype=bool)
    return name or evaluation.labels([positive])[0], hit, score


def _steps(hit: Array, score: Array) -> tuple[Array, Array, Array]:
    """Return true and false positives, and the threshold, at each distinct score from the highest down."""
    import numpy as np

    order = np.argsort(-score, kind="stable")
    hit, score = hit[order], score[order]
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    true = np.cumsum(hit)[last]
    return true, last + 1 - true, score[last]


def _roc(label: str, hit: Array, score: Array, points: int) -> Curve:
    import numpy as np

    true, false, thresholds = _steps(hit, score)
    positives, negatives = int(hit.sum()), int((~hit).sum())
    x = np.append(0.0, false / max(negatives, 1))
    y = np.append(0.0, true / max(positives, 1))
    thresholds = np.append(np.inf, thresholds)
    area = float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2) if positives and negatives else None
    kept = _thinned(x + y, points // 2)
    return _curve(label, (x, y, thresholds), kept, area, positives, negatives)


def _pr(label: str, hit: Array, score: Array, points: int) -> Curve:
    import numpy as np

    true, false, thresholds = _steps(hit, score)
    positives, negatives = int(hit.sum()), int((~hit).sum())
    x = np.append(0.0, true / max(positives, 1))
    y = np.append(1.0, true / np.maximum(true + false, 1))
    thresholds = np.append(np.inf, thresholds)
    area = float(np.sum(np.diff(x) * y[1:])) if positives else None
    kept = _extremes(x, y, points // 4)
    return _curve(label, (x, y, thresholds), kept, area, positives, negatives)


def _thinned(length: Array, cells: int) -> Array:
    """Return the first and the last point in each of equal cells of a monotone curve's length x + y.

    Within a cell of a ROC curve (dx + dy <= 2/cells) curve and chord lie in one rectangle, so the area changes by
    at most dx·dy/2 there, 1/(2·cells) in all.
    """
    import numpy as np

    cell = np.minimum((length / max(float(length[-1]), 1e-300) * cells).astype(np.int64), cells - 1)
    change = np.flatnonzero(np.diff(cell))
    return np.unique(np.concatenate(([0], change, change + 1, [len(length) - 1])))


def _extremes(x: Array, y: Array, cells: int) -> Array:
    """Return the first, last, lowest and highest point in each of equal cells of recall: 1/cells of area at most."""
    import numpy as np

    cell = np.minimum((x * cells).astype(np.int64), cells - 1)
    order = np.lexsort((y, cell))
    ends = np.flatnonzero(np.diff(cell[order]))
    bounds = order[np.concatenate(([0], ends, ends + 1, [len(order) - 1]))]
    change = np.flatnonzero(np.diff(cell))
    return np.unique(np.concatenate(([0], change, change + 1, bounds, [len(x) - 1])))


def _curve(
    label: str, points: tuple[Array, Array, Array], kept: Array, area: float | None, positives: int, negatives: int
) -> Curve:
    x, y = (tuple(round(float(value), _DIGITS) for value in part[kept]) for part in points[:2])
    thresholds = tuple(float(value) for value in points[2][kept])
    return Curve(label, x, y, thresholds, area, positives, negatives)
