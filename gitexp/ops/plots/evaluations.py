"""What runs have logged of confusion matrices, ROC and precision-recall curves, put side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitexp import text
from gitexp.errors import Damaged, NotFound
from gitexp.ops.finding import find
from gitexp.ops.plots import figure
from gitexp.ops.plots.figure import Figure, Labels, Request
from gitexp.plots.matrix import Matrices
from gitexp.plots.rates import Line, RateCurves
from gitexp.record import evaluation
from gitexp.record.evaluation import Confusion, Evaluation, Rates
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry

MAX_PANELS = 9
MAX_LINES = 40
_METHODS = {"confusion": "run.log_confusion_matrix(y_true, y_pred)", "roc": "run.log_roc(y_true, scores)",
            "pr": "run.log_pr(y_true, scores)"}  # fmt: skip
Found = list[tuple["Entry", Evaluation]]


def gather(workspace: Workspace, runs: Sequence[Entry], request: Request) -> Figure:
    """Return the drawing of one kind of evaluation; raises NotFound where no run has logged one."""
    found, notes = _read(workspace, runs, request)
    lacking = len(runs) - len({run.id for run, _ in found})
    if not found:
        what = f"{request.kind} {request.name!r}" if request.name else request.kind
        raise NotFound(f"none of these runs has logged {what}", hint=f"log it: {_METHODS[request.kind]}")
    if lacking:
        notes.append(f"{lacking} of {text.plural(len(runs), 'run')} have logged none")
    labels = figure.labels(list({run.id: run for run, _ in found}.values()))
    drawing = _matrices(found, labels, notes) if request.kind == "confusion" else _curves(found, labels, request, notes)
    return Figure(drawing, figure.stem(request.kind, request.name), tuple(notes))


def of(workspace: Workspace, run: Run) -> list[Evaluation]:
    """Return all evaluations of a run, by name; raises Damaged for one that does not parse."""
    found = []
    for artifact in run.artifacts:
        if evaluation.is_path(artifact.name) and artifact.size_bytes <= evaluation.MAX_BYTES:
            data = run.artifact_bytes(artifact, evaluation.MAX_BYTES)
            if data is not None and (known := evaluation.decode(data)) is not None:
                found.append(known)
    return found


def _read(workspace: Workspace, runs: Sequence[Entry], request: Request) -> tuple[Found, list[str]]:
    found: Found = []
    notes: list[str] = []
    for run in runs:
        try:
            known = of(workspace, find.load(workspace, run))
        except Damaged as error:
            notes.append(f"{text.safe(run.name)} is left out: {error.message}")
            continue
        found += [
            (run, item)
            for item in known
            if item.kind == request.kind and (not request.name or item.name == request.name)
        ]
    return found, notes


def _title(run: Entry, item: Evaluation, labels: Labels, several: bool) -> str:
    """Return what one evaluation is called: by its run, and by its own name where a run has several."""
    label = labels.full[run.id]
    return f"{label}: {text.safe(item.name)}" if several else label


def _several(found: Found) -> bool:
    return len({run.id for run, _ in found}) < len(found)


def _matrices(found: Found, labels: Labels, notes: list[str]) -> Matrices:
    if len(found) > MAX_PANELS:
        notes.append(f"the first {MAX_PANELS} of {len(found)} matrices are drawn; name runs, or one with --name")
    several = _several(found)
    return Matrices(
        tuple(
            (_title(run, item, labels, several), run.id, item)
            for run, item in found[:MAX_PANELS]
            if isinstance(item, Confusion)
        )
    )


def _curves(found: Found, labels: Labels, request: Request, notes: list[str]) -> RateCurves:
    """Return one panel of all curves where each has one, else a panel for each evaluation with a curve a class."""
    rates = [(run, item) for run, item in found if isinstance(item, Rates)]
    kind = "roc" if request.kind == "roc" else "pr"
    several = _several(found)
    if all(len(item.curves) == 1 for _, item in rates):
        if len(rates) > MAX_LINES:
            notes.append(f"the first {MAX_LINES} of {len(rates)} curves are drawn; name runs, or one with --name")
        lines = tuple(
            Line(labels.of[run.id] + (f": {text.safe(item.name)}" if several else ""), run.id, number, item.curves[0])
            for number, (run, item) in enumerate(rates[:MAX_LINES])
        )
        return RateCurves("roc" if kind == "roc" else "pr", (("", lines),), labels.title)
    if len(rates) > MAX_PANELS:
        notes.append(f"the first {MAX_PANELS} of {len(rates)} evaluations are drawn; name runs, or one with --name")
    panels = tuple(
        (_title(run, item, labels, several) + _mean(item), _classes(run, item, notes))
        for run, item in rates[:MAX_PANELS]
    )
    return RateCurves("roc" if kind == "roc" else "pr", panels, "class against the rest")


def _mean(item: Rates) -> str:
    word = ("" if len(item.curves) == 1 else "mean ") + ("AUC" if item.kind == "roc" else "AP")
    return f"   {word} {item.area:.4f}" if item.area is not None else ""


def _classes(run: Entry, item: Rates, notes: list[str]) -> tuple[Line, ...]:
    """Return a line a class; of many those with the smallest area: they are what one looks for."""
    shown = list(item.curves)
    if len(shown) > MAX_LINES:
        notes.append(f"of {len(shown)} classes the {MAX_LINES} with the smallest area are drawn")
        kept = sorted(shown, key=lambda curve: curve.area if curve.area is not None else 2.0)[:MAX_LINES]
        shown = [curve for curve in shown if curve in kept]
    return tuple(Line(text.safe(curve.label), run.id, number, curve) for number, curve in enumerate(shown))
