"""Values that become files: what the bytes are, and what is refused."""

from __future__ import annotations

import io
import wave
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import gitexp
from gitexp import canonical
from gitexp.errors import UsageError
from gitexp.sdk import kinds
from tests import support

matplotlib.use("Agg")


def logged(run: gitexp.Run) -> dict[str, bytes]:
    return {item.name: item.read() for item in gitexp.get_run(run.id).artifacts}


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_tables_are_parquet_or_csv_by_their_name(project: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2], "name": ["a,b", None], "day": [date(2026, 1, 2)] * 2})
    with gitexp.start_run() as run:
        run.log_table(frame, "predictions", role="test")
        run.log_table(frame, "predictions.csv")
        run.log_table([{"x": 1}, {"x": 2}], "rows.csv", step=4)
        frame.loc[0, "id"] = 99
    found = logged(run)
    assert sorted(found) == ["predictions.csv", "predictions.parquet", "rows/4.csv"]
    assert list(pd.read_parquet(io.BytesIO(found["predictions.parquet"]))["id"]) == [1, 2]
    assert found["predictions.csv"] == b'id,name,day\n1,"a,b",2026-01-02\n2,,2026-01-02\n'
    assert found["rows/4.csv"] == b"x\n1\n2\n"


WITHOUT = """
import sys
sys.modules["pyarrow"] = None
import importlib.util
import gitexp
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "pyarrow" else find(name, package)
with gitexp.start_run(name="plain") as run:
    run.log_table({"x": [1, 2]})
"""


def test_without_pyarrow_tables_are_csv(project: Path) -> None:
    support.python(project, WITHOUT)
    assert [item.name for item in gitexp.get_run("plain").artifacts] == ["table.csv"]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 128, 255]], np.uint8), [[0, 128, 255]]),
        (np.array([[0.0, 0.5, 1.0, 7.0, -1.0, np.nan]]), [[0, 128, 255, 255, 0, 0]]),
        (np.array([[True, False]]), [[255, 0]]),
        (np.array([[-5, 300]]), [[0, 255]]),
        (np.zeros((1, 1, 1), np.uint8), [[0]]),
        (np.full((1, 2, 3), 9, np.uint8), [[[9] * 3] * 2]),
        (np.full((3, 5, 5), 0.0), [[[0] * 3] * 5] * 5),
    ],
)
def test_arrays_are_images_of_what_they_hold(project: Path, array: Any, expected: Any) -> None:
    data = kinds.image(array, "").encode()
    assert pixels(data).tolist() == expected


def test_images_keep_step_and_caption_and_are_taken_over_in_the_call(project: Path) -> None:
    array = np.zeros((2, 2), np.uint8)
    drawn = Image.new("RGBA", (2, 2), (255, 0, 0, 255))
    with gitexp.start_run() as run:
        for step in (1, 2):
            run.log_image(array, "sample", step=step, caption=f"after {step}")
            array += 100
        run.log_image(drawn, "photo.JPG")
        drawn.paste((0, 0, 255, 255), (0, 0, 2, 2))
    found = {item.name: item for item in gitexp.get_run(run.id).artifacts}
    assert sorted(found) == ["photo.JPG", "sample/1.png", "sample/2.png"]
    assert [int(pixels(found[f"sample/{step}.png"].read())[0, 0]) for step in (1, 2)] == [0, 100]
    assert found["sample/2.png"].facts == {"type": "image", "step": 2, "caption": "after 2"}
    assert pixels(found["photo.JPG"].read())[0, 0, 0] > 200


def test_figures_are_drawn_as_their_name_says(project: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2])
    with gitexp.start_run() as run:
        run.log_figure(figure)
        run.log_figure(axes, "curve.svg", step=3)
        run.log_figure(figure, "paper.pdf")
    found = logged(run)
    assert found["figure.png"].startswith(b"\x89PNG")
    assert b"<svg" in found["curve/3.svg"] and found["paper.pdf"].startswith(b"%PDF")


class Plotly:
    """What of a plotly figure is used."""

    def to_html(self, include_plotlyjs: str) -> str:
        return f"<div>{include_plotlyjs}</div>"

    def to_json(self) -> str:
        return "{}"


def test_figures_of_plotly_are_pages(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log_figure(Plotly(), "loss")
        run.log_figure(Plotly(), "loss.json")
    assert logged(run) == {"loss.html": b"<div>cdn</div>", "loss.json": b"{}"}


@pytest.mark.parametrize("shape", [(100,), (100, 2), (2, 100)])
def test_sound_is_wav(shape: tuple[int, ...]) -> None:
    made = kinds.audio(np.full(shape, 0.5), 8000, "")
    with wave.open(io.BytesIO(made.encode())) as found:
        assert (found.getframerate(), found.getnframes(), found.getsampwidth()) == (8000, 100, 2)
        assert found.getnchannels() == len(shape)
        assert np.frombuffer(found.readframes(1), "<i2")[0] == 16384
    assert made.facts == {"sample_rate": 8000}


def test_histograms_count_what_is_finite() -> None:
    found = canonical.loads(kinds.histogram([0.0, 1.0, 1.0, float("nan"), float("inf")], 2, "").encode())
    assert found == {"count": 3, "left_out": 2, "counts": [1, 2], "edges": [0.0, 0.5, 1.0]}


def test_documents_are_converted_as_params_are(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log_dict({"b": np.float32(0.5), "a": {float("nan")}}, "deep/values.json", step=1)
    assert canonical.loads(logged(run)["deep/values/1.json"]) == {"a": ["NaN"], "b": 0.5}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda run: run.log_image(np.zeros(3)),
        lambda run: run.log_image(np.zeros((2, 2)), "image.xyz.gz") if False else run.log_image("text"),
        lambda run: run.log_audio(np.array(["a"]), 8000),
        lambda run: run.log_histogram(["a"]),
        lambda run: run.log_histogram([1.0], bins=0),
        lambda run: run.log_figure(3),
        lambda run: run.log_figure(Plotly(), "loss.png"),
    ],
)
def test_values_that_cannot_be_that_are_refused_in_the_call(project: Path, wrong: Any) -> None:
    with gitexp.start_run() as run, pytest.raises(UsageError):
        wrong(run)


def test_a_value_that_fails_while_it_is_written_is_counted(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log_image(np.zeros((2, 2, 7)))
        run.log_table({"a": [1, 2], "b": [1]})
        run.log_text("kept")
    assert list(logged(run)) == ["text.txt"]
    assert support.record(".", run.ref)["lost"] == {"artifacts": 2}
