"""Reading a live run on, and drawing curves."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.ops.showing import watch
from gitexp.store import live
from gitexp.store import workspace as workspaces
from tests import stored


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ([], 10, ""),
        ([math.nan, math.inf], 10, ""),
        ([1.0], 10, "▄"),
        ([2.0, 2.0], 10, "▄▄"),
        ([0, 1, 2, 3, 4, 5, 6, 7], 10, "▁▂▃▄▅▆▇█"),
        ([0, 0, 7, 7], 2, "▁█"),
        ([0.0, math.nan, 7.0], 3, "▁ █"),
    ],
)
def test_a_curve_is_drawn_in_blocks_from_its_least_to_its_greatest_value(
    values: list[float], width: int, drawn: str
) -> None:
    assert watch.draw(values, width) == drawn


@given(st.lists(st.floats(), max_size=200), st.integers(1, 60))
def test_a_curve_fits_its_width_whatever_the_values(values: list[float], width: int) -> None:
    for ascii_only in (False, True):
        assert len(watch.draw(values, width, ascii_only=ascii_only)) in (0, min(width, len(values)))


def test_a_long_curve_is_thinned_evenly() -> None:
    curve = watch.Curve()
    for value in range(100_000):
        curve.add(float(value))
    gaps = {b - a for a, b in zip(curve.values, curve.values[1:], strict=False)}
    assert len(curve.values) <= 2048 and gaps == {float(curve.every)}


def test_a_feed_reads_on_and_leaves_torn_lines(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LOOK_BYTES", 64)
    with stored.live(loss=[1.0, 0.5, 0.25]) as session:
        feed = watch.Feed(live.listing(workspaces.open())[0])
        counts = []
        while count := feed.read():
            counts.append(count)
        assert sum(counts) == 3 and len(counts) > 1
        with open(session.folder / "metrics-main.csv", "ab") as file:
            file.write(b"torn line\nloss,3,1.000,0.1")
        assert feed.read() == 0
        with open(session.folder / "metrics-main.csv", "ab") as file:
            file.write(b"25\n")
        assert feed.read() == 1
        assert (feed.summary["loss"].last, feed.curves["loss"].values) == (0.125, [1.0, 0.5, 0.25, 0.125])
