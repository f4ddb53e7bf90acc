"""Figures as files: real formats, the same bytes each time, whatever the user's settings and names."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gitexp.plots import sheet
from gitexp.plots.curves import Curve, Curves, Panel
from tests import support


def drawing(label: str = "lr", metric: str = "loss", runs: int = 2) -> Curves:
    """Return a small drawing."""
    x = np.arange(50.0)
    curves = tuple(Curve(f"{label}{at}", at, (f"run{at}",), x, np.exp(-x / (10 + at))) for at in range(runs))
    return Curves((Panel(metric, curves),), "step", looks={curve.number: curve.label for curve in curves})


MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.mark.parametrize("format", sheet.FORMATS)
def test_a_figure_is_a_real_file_and_the_same_each_time(format: str) -> None:
    one, other = (sheet.render(drawing(), format, title="two runs").data for _ in range(2))
    assert one.startswith(MAGIC[format])
    assert one == other
    for word in (b"CreationDate", b"dc:date", b"matplotlib.org", b"Matplotlib v"):
        assert word not in one


def test_the_size_of_a_png_is_what_was_asked_for() -> None:
    with Image.open(io.BytesIO(sheet.render(drawing(), "png", size=(5, 3), dpi=100).data)) as image:
        assert image.size == (500, 300)


RC = """\
backend: nonsense
lines.linewidth: 30
text.usetex: True
figure.facecolor: black
font.family: Nowhere
savefig.dpi: 10
savefig.bbox: tight
svg.fonttype: path
axes.formatter.use_mathtext: True
no such setting: 3
"""


def test_neither_a_matplotlibrc_nor_a_backend_of_the_user_spoils_it(tmp_path: Path) -> None:
    support.write(tmp_path / "matplotlibrc", RC)
    code = """
import hashlib, sys
from gitexp.plots import sheet
from tests.plots.test_sheet import drawing
print(hashlib.sha256(sheet.render(drawing(), "png").data).hexdigest())
import matplotlib
print(matplotlib.rcParams["lines.linewidth"], "matplotlib.pyplot" in sys.modules)
"""
    plain = support.python(tmp_path, code, env={"MATPLOTLIBRC": str(tmp_path / "none")})
    spoiled = support.python(
        tmp_path, code, env={"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "MPLBACKEND": "module://nowhere"}
    )
    assert plain.stdout.split()[0] == spoiled.stdout.split()[0]
    assert spoiled.stdout.split()[1:] == ["30.0", "False"]
    assert spoiled.stderr == ""


def texts(svg: bytes) -> str:
    return svg.decode()


def test_names_are_shown_as_they_are() -> None:
    name = r"$\alpha$ & <b> _{x} \frac"
    svg = texts(sheet.render(drawing(name, name), "svg", title=name).data)
    assert svg.count(r"$\alpha$ &amp; &lt;b&gt; _{x} \frac") >= 4


def any_font_has(letter: int) -> bool:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    usable = (entry for entry in font_manager.fontManager.ttflist if not entry.name.startswith("Last Resort"))
    return any(letter in FT2Font(entry.fname).get_charmap() for entry in usable)


def test_letters_that_no_font_has_are_told_and_nothing_warns(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        found = sheet.render(drawing("\U0002a6d6", "größe"), "png")
        assert sheet.render(drawing("größe ± ∑"), "png").unknown == ""
    assert found.unknown == ("" if any_font_has(0x2A6D6) else "\U0002a6d6")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [("short", "short"), ("a b\n c", "a b c"), ("x" * 30 + "y" * 30, "x" * 23 + "…" + "y" * 24)],
)
def test_a_long_label_keeps_its_beginning_and_its_end(text: str, shown: str) -> None:
    assert sheet.shorten(text) == shown


def test_many_panels_make_a_grid() -> None:
    assert [sheet.grid(count) for count in (1, 2, 3, 4, 5, 12)] == [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2), (3, 4)]


def test_the_settings_of_the_process_are_as_before() -> None:
    import matplotlib

    before: dict[str, Any] = dict(matplotlib.rcParams)
    sheet.render(drawing(), "png")
    assert dict(matplotlib.rcParams) == before


def test_a_hostile_name_does_not_break_an_svg() -> None:
    from xml.etree import ElementTree

    evil = "a\x1b[2J\x00\ud800\u202e<script>\n" + "x" * 300
    assert ElementTree.fromstring(sheet.render(drawing(evil, evil), "svg", title=evil).data).tag.endswith("svg")
    many = Curves(drawing(evil, runs=40).panels * 2, evil, legend_title=evil, looks=dict.fromkeys(range(40), evil))
    ElementTree.fromstring(sheet.render(many, "svg").data)
