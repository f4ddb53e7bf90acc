"""Figures of what runs logged as evaluations, for a page: confusion matrices, ROC and precision-recall curves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitexp import text
from gitexp.errors import Damaged
from gitexp.index import database, search
from gitexp.ops.pages.pictures import Pictures, Sink
from gitexp.ops.plots import evaluations
from gitexp.ops.plots.figure import Figure, Request
from gitexp.pages import parts
from gitexp.record import evaluation
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.entry import Entry

_TITLES = {"confusion": "confusion matrix", "roc": "ROC curves", "pr": "precision-recall curves"}
_DPI = 110


def gather(workspace: Workspace, runs: Sequence[Run], sink: Sink) -> Pictures:
    """Return a figure for each kind of evaluation that runs have logged, with all of these runs in it."""
    shown: list[parts.Picture] = []
    notes: list[str] = []
    logged = _logged(workspace, runs, notes)
    for kind, title in _TITLES.items():
        if entries := logged.get(kind):
            figure = evaluations.gather(workspace, entries, Request(kind=kind))
            shown.append(_picture(figure, title, sink))
            notes += figure.notes
    return Pictures(tuple(shown), tuple(notes))


def _logged(workspace: Workspace, runs: Sequence[Run], notes: list[str]) -> dict[str, list[Entry]]:
    """Return {kind: the runs that have logged such an evaluation}."""
    found: dict[str, list[Entry]] = {}
    for run in runs:
        if not any(evaluation.is_path(artifact.name) for artifact in run.artifacts):
            continue
        try:
            kinds = {item.kind for item in evaluations.of(workspace, run)}
        except Damaged as error:
            notes.append(f"evaluations of {text.safe(run.name)} are not drawn: {error.message}")
            continue
        if (entry := search.get(database.of(workspace), run.id)) is not None:
            for kind in kinds:
                found.setdefault(kind, []).append(entry)
    return found


def _picture(figure: Figure, title: str, sink: Sink) -> parts.Picture:
    from PIL import Image

    from gitexp.plots import sheet

    data = sheet.render(figure.drawing, "png", dpi=_DPI).data
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    return parts.Picture(None, title, sink(data, "png"), "drawn by gitexp", width, height)
