"""Confusion matrices, ROC and precision-recall curves as artifacts (docs/format.md, "Evaluations")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gitexp import canonical
from gitexp.errors import Damaged

FOLDER = "evaluation/"
SUFFIX = ".json"
KINDS = ("confusion", "roc", "pr")
MAX_CLASSES = 200
MAX_POINTS = 2000  # of one curve
MAX_LABEL = 200  # characters
MAX_BYTES = 4 << 20
_AXES = {"roc": ("fpr", "tpr"), "pr": ("recall", "precision")}


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each class (row: true) was taken for each (column: predicted); `left_out` samples had no class."""

    name: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    left_out: int = 0

    kind = "confusion"

    def to_json(self) -> dict[str, Any]:
        """Return the document that is stored."""
        return {
            "format": 1, "kind": self.kind, "name": self.name, "classes": list(self.classes),
            "counts": [list(row) for row in self.counts], "left_out": self.left_out,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Curve:
    """One class against the rest. `area` is that of all samples, before thinning; None where it is not defined.

    ROC: x the false, y the true positive rate. PR: x the recall, y the precision. `thresholds` belong to the points:
    a score of at least so much is taken for the class.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    thresholds: tuple[float, ...]
    area: float | None
    positives: int
    negatives: int


@dataclass(frozen=True, slots=True)
class Rates:
    """The curves of one evaluation, one for a binary problem; `area` is the mean of their areas."""

    kind: Literal["roc", "pr"]
    name: str
    curves: tuple[Curve, ...]
    left_out: int = 0

    @property
    def area(self) -> float | None:
        """The unweighted mean over the classes that have an area ("macro"), None where none has."""
        known = [curve.area for curve in self.curves if curve.area is not None]
        return sum(known) / len(known) if known else None

    def to_json(self) -> dict[str, Any]:
        """Return the document that is stored."""
        x, y = _AXES[self.kind]
        curves = [
            {
                "class": curve.label, x: list(curve.x), y: list(curve.y), "thresholds": list(curve.thresholds),
                "area": curve.area, "positives": curve.positives, "negatives": curve.negatives,
            }
            for curve in self.curves
        ]  # fmt: skip
        return {
            "format": 1, "kind": self.kind, "name": self.name, "curves": curves, "area": self.area,
            "left_out": self.left_out,
        }  # fmt: skip


Evaluation = Confusion | Rates


def path(name: str) -> str:
    """Return the artifact's name of an evaluation."""
    return FOLDER + name + SUFFIX


def is_path(artifact: str) -> bool:
    """Say whether an artifact's name is that of an evaluation."""
    return artifact.startswith(FOLDER) and artifact.endswith(SUFFIX)


def encode(evaluation: Evaluation) -> bytes:
    """Return the artifact's bytes."""
    return canonical.dumps(evaluation.to_json())


def decode(data: bytes) -> Evaluation | None:
    """Read an artifact; None for JSON of another kind. Raises Damaged for one whose parts do not fit together."""
    try:
        value = canonical.loads(data) if len(data) <= MAX_BYTES else None
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(value, dict) or kind not in KINDS:
            return None
        return _confusion(value) if kind == "confusion" else _rates(value, "roc" if kind == "roc" else "pr")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Damaged(f"an evaluation does not parse: {error}", hint="gitexp fsck") from error


def _confusion(value: dict[str, Any]) -> Confusion:
    classes = tuple(_label(item) for item in value["classes"])
    counts = tuple(tuple(_count(item) for item in row) for row in value["counts"])
    if not 0 < len(classes) <= MAX_CLASSES or {len(counts), *map(len, counts)} != {len(classes)}:
        raise ValueError(f"counts are not {len(classes)} times {len(classes)}")
    return Confusion(_label(value.get("name", "")), classes, counts, _count(value.get("left_out", 0)))


def _rates(value: dict[str, Any], kind: Literal["roc", "pr"]) -> Rates:
    curves = tuple(_curve(item, kind) for item in value["curves"])
    if not 0 < len(curves) <= MAX_CLASSES:
        raise ValueError(f"{len(curves)} curves")
    return Rates(kind, _label(value.get("name", "")), curves, _count(value.get("left_out", 0)))


def _curve(value: dict[str, Any], kind: str) -> Curve:
    x, y = (tuple(_rate(item) for item in value[key]) for key in _AXES[kind])
    thresholds = tuple(float(canonical.number(item)) for item in value.get("thresholds", ()))
    area = value.get("area")
    if len(x) != len(y) or not 0 < len(x) <= MAX_POINTS or len(thresholds) not in (0, len(x)):
        raise ValueError(f"a curve of {len(x)}, {len(y)} and {len(thresholds)} points")
    return Curve(
        _label(value.get("class", "")), x, y, thresholds, None if area is None else _rate(area),
        _count(value.get("positives", 0)), _count(value.get("negatives", 0)),
    )  # fmt: skip


def _label(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a name that is no text: {value!r}"[:80])
    return value[:MAX_LABEL]


def _count(value: Any) -> int:
    number = canonical.number(value)
    if not 0 <= number < 1 << 62 or number != int(number):
        raise ValueError(f"not a count: {number!r}")
    return int(number)


def _rate(value: Any) -> float:
    number = float(canonical.number(value))
    if not -1e-9 <= number <= 1 + 1e-9:
        raise ValueError(f"not between 0 and 1: {number!r}")
    return number


def labels(values: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of classes as text, cut to what is stored."""
    return tuple(str(value)[:MAX_LABEL].encode("utf-8", "backslashreplace").decode() for value in values)
