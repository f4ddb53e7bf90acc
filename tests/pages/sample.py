"""Reports made of plain values, for tests of how they are laid out."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import replace
from functools import cache
from typing import Any

from gitexp.pages import parts
from gitexp.pages.parts import Cell, Chart, Column, Fact, Note, Picture, Report, Run, Section, Series, Sheet, Table

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "'\"><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "a|b\\|c`d``e",
    "[x](http://evil.example) ![y](http://evil.example/z.png) @everyone #1",
    "line\u2028sep\u2029\u202eright\x1b[31m\x00\ud800",
    "\n# heading\n- item\n1. item\n---",
)


@cache
def png(width: int = 40, height: int = 30) -> bytes:
    """Return a small image."""
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (width, height), (30, 110, 180)).save(made, "PNG")
    return made.getvalue()


def report(runs: int = 2, points: int = 200, *, name: str = "", **more: Any) -> Report:
    """Return a report of runs with everything in it; `name` stands wherever a record could say something."""
    said = [name or f"lr0.{at + 1}" for at in range(runs)]
    labels = [chr(65 + at) for at in range(runs)]
    uri = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    heads = (
        Column("run"),
        Column("status"),
        Column(f"{name}val_auc:max", True, "higher is better"),
        Column("lr", True),
    )
    rows = tuple(
        (
            Cell(said[at], said[at], note="kqzvmxr", run=at),
            Cell("completed", marks="completed"),
            Cell(f"0.9{at}", 0.9 + at / 100, marks="best" if at == runs - 1 else ""),
            Cell("–", marks="faint") if at == 0 else Cell(f"0.{at}", at / 10),
        )
        for at in range(runs)
    )
    table = Table(heads, rows)
    found = Report(
        title=name or "churn: two runs",
        subtitle=(f"{runs} runs", name),
        warnings=(name,) if name else (),
        runs=tuple(
            Run(labels[at], "kqzvmxrkqzvmxrkq", "kqzvmxr", said[at], "churn", "completed") for at in range(runs)
        ),
        table=table,
        charts=tuple(Chart(f"{name}{metric}", "", _series(runs, points), "max") for metric in ("val_auc", "loss")),
        charts_left_out=(name,) if name else (),
        compared=True,
        sections=(
            Section(name or "params", (name,), table, "2 equal", table, patch=name.replace("\n", " ")),
            Section("seeds", (), None, "all 2 equal", table),
        ),
        pictures=(Picture(0, name or "confusion.png", uri, "1 kB", 40, 30),),
        pictures_left_out=(),
        notes=(Note(0, name or "Ana Ruiz", "2026-11-20 15:00 UTC", name or "looks good"),),
        sheets=tuple(Sheet(at, (Fact("command", name or "python train.py", code=True),)) for at in range(runs)),
        made="2026-11-20 15:00 UTC",
    )
    return replace(found, **more)


def _series(runs: int, points: int) -> tuple[Series, ...]:
    steps = range(points)
    return tuple(
        parts.Series(at, steps, [step / 2 for step in steps], [1 - math.exp(-step / (20 + at)) for step in steps])
        for at in range(runs)
    )
