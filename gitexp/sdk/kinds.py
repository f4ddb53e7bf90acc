"""What a training logs besides files, as the bytes of files: tables, figures, images, sounds, histograms, documents.

Each function takes the value over in the call (it may be changed right after) and returns the ending of the file's name
and how its bytes are made, later and in another thread. Only what cannot be copied is drawn at once: figures.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from gitexp import canonical
from gitexp.errors import UsageError
from gitexp.record import values

IMAGES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP", ".tif": "TIFF",
          ".tiff": "TIFF"}  # fmt: skip
FIGURES = (".png", ".svg", ".pdf", ".jpg", ".jpeg")
MAX_BINS = 10_000


@dataclass(frozen=True, slots=True)
class Made:
    """A file to be: its ending, how its bytes are made, how many bytes wait in memory, and facts that come of it."""

    suffix: str
    encode: Callable[[], bytes]
    held_bytes: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


def text(said: Any, suffix: str) -> Made:
    """Take text as UTF-8; lone surrogates are written as escapes."""
    data = str(said).encode("utf-8", "backslashreplace")
    return Made(suffix, lambda: data, len(data))


def document(value: Any, suffix: str) -> Made:
    """Take anything that params could be, as canonical JSON."""
    converted, _ = values.plain(value)
    data = canonical.dumps(converted)
    return Made(suffix, lambda: data, len(data))


def table(value: Any, suffix: str) -> Made:
    """Take a DataFrame, or what one is made of: Parquet where pyarrow is there (or asked for by the name), else CSV."""
    import pandas as pd

    frame = value.copy() if isinstance(value, pd.DataFrame) else pd.DataFrame(value).copy()
    if suffix not in ("", ".csv", ".parquet"):
        raise UsageError(f"a table cannot be written as {suffix!r}", hint='name="predictions.parquet", or .csv')
    chosen = suffix or (".parquet" if _has_pyarrow() else ".csv")
    held = int(frame.memory_usage(deep=False).sum())
    return Made(chosen, lambda: _table(frame, chosen), held)


def _has_pyarrow() -> bool:
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


def _table(frame: Any, suffix: str) -> bytes:
    import pandas as pd

    plain_rows = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    if suffix == ".csv":
        return str(frame.to_csv(index=not plain_rows, lineterminator="\n")).encode("utf-8", "backslashreplace")
    file = io.BytesIO()
    frame.to_parquet(file, index=None)
    return file.getvalue()


def figure(value: Any, suffix: str) -> Made:
    """Draw a figure of matplotlib, or what has one (axes, seaborn's grids), to PNG, SVG or PDF; plotly's as a page.

    It is drawn in the call: figures cannot be copied, and matplotlib draws in one thread only.
    """
    if callable(getattr(value, "to_html", None)) and not hasattr(value, "savefig"):  # plotly
        if suffix not in ("", ".html", ".json"):
            raise UsageError(f"a plotly figure cannot be written as {suffix!r}", hint='name="loss.html", or .json')
        made = value.to_json() if suffix == ".json" else value.to_html(include_plotlyjs="cdn")
        return text(made, suffix or ".html")
    drawn = value if hasattr(value, "savefig") else getattr(value, "figure", None)
    if drawn is None or not callable(getattr(drawn, "savefig", None)):
        raise UsageError(
            f"{values.short_repr(value)[:80]} is no figure", hint="a figure of matplotlib or plotly: log_figure(fig)"
        )
    if suffix not in ("", *FIGURES):
        raise UsageError(f"a figure cannot be written as {suffix!r}", hint="one of: " + ", ".join(FIGURES))
    file = io.BytesIO()
    drawn.savefig(file, format=(suffix or ".png")[1:], bbox_inches="tight")
    return Made(suffix or ".png", file.getvalue, file.getbuffer().nbytes)


def image(value: Any, suffix: str) -> Made:
    """Take an image: PIL's, or an array or tensor.

    Arrays have the shape (height, width), or (height, width, 1 | 3 | 4), or channels first as torch has them; of whole
    numbers 0 to 255, of floats 0 to 1, of bools black and white. Values outside are cut off.
    """
    from PIL import Image

    if suffix not in ("", *IMAGES):
        raise UsageError(f"an image cannot be written as {suffix!r}", hint="one of: " + ", ".join(IMAGES))
    chosen = suffix or ".png"
    if isinstance(value, Image.Image):
        taken = value.copy()
        return Made(chosen, lambda: _image(taken, chosen), taken.width * taken.height * len(taken.getbands()))
    pixels = _array(value)
    if pixels.ndim not in (2, 3):
        raise UsageError(f"an array of shape {pixels.shape} is no image", hint="shape (height, width, 3)")
    return Made(chosen, lambda: _image(_from_array(pixels), chosen), int(pixels.nbytes))


def _array(value: Any) -> Any:
    """Return a copy of an array, a tensor of any device, or nested lists."""
    import numpy as np

    for method in ("detach", "cpu"):
        if callable(convert := getattr(value, method, None)):
            value = convert()
    return np.array(value)


def _from_array(pixels: Any) -> Any:
    import numpy as np
    from PIL import Image

    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        raise ValueError(f"an array of shape {pixels.shape} is no image")
    if pixels.dtype.kind == "b":
        pixels = pixels * np.uint8(255)
    elif pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels.astype(np.float64), nan=0.0).clip(0.0, 1.0) * 255.0 + 0.5
    return Image.fromarray(np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8)))


def _image(drawn: Any, suffix: str) -> bytes:
    file = io.BytesIO()
    kind = IMAGES[suffix]
    if kind == "JPEG" and drawn.mode not in ("RGB", "L", "CMYK"):
        drawn = drawn.convert("RGB")
    drawn.save(file, format=kind)
    return file.getvalue()


def audio(value: Any, sample_rate: int, suffix: str) -> Made:
    """Take samples as WAV: shape (samples,) or (samples, channels); floats of -1 to 1, or 16-bit whole numbers."""
    if suffix not in ("", ".wav"):
        raise UsageError(f"samples cannot be written as {suffix!r}", hint='name="speech.wav"')
    samples = _array(value)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "fiu":
        raise UsageError(
            f"an array of shape {samples.shape} is no sound", hint="shape (samples,) or (samples, channels)"
        )
    return Made(".wav", lambda: _wav(samples, sample_rate), int(samples.nbytes), {"sample_rate": sample_rate})


def _wav(samples: Any, sample_rate: int) -> bytes:
    import numpy as np

    if samples.ndim == 2 and samples.shape[0] < samples.shape[1] and samples.shape[0] <= 8:
        samples = samples.T  # channels first, as torchaudio has them
    if samples.dtype.kind == "f":
        samples = np.nan_to_num(samples.astype(np.float64), nan=0.0).clip(-1.0, 1.0) * 32767.0
    data: bytes = np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
    channels = samples.shape[1] if samples.ndim == 2 else 1
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * channels * 2, channels * 2, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def histogram(value: Any, bins: int, suffix: str) -> Made:
    """Count them in bins of equal width: {"count", "left_out", "edges", "counts"}; left out is what is not finite."""
    if not 1 <= bins <= MAX_BINS:
        raise UsageError(f"a histogram of {bins} bins", hint=f"bins: 1 to {MAX_BINS:,}")
    if suffix not in ("", ".json"):
        raise UsageError(f"a histogram cannot be written as {suffix!r}", hint='name="weights.json"')
    numbers = _array(value).ravel()
    if numbers.dtype.kind not in "fiub":
        raise UsageError(f"a histogram is of numbers, not {values.short_repr(value)[:80]}", hint="an array of numbers")
    return Made(".json", lambda: _histogram(numbers, bins), int(numbers.nbytes))


def _histogram(numbers: Any, bins: int) -> bytes:
    import numpy as np

    finite = numbers.astype(np.float64)
    finite = finite[np.isfinite(finite)]
    counts, edges = np.histogram(finite, bins=bins)
    found = {"count": int(finite.size), "left_out": int(numbers.size - finite.size)}
    return canonical.dumps({**found, "counts": counts.tolist(), "edges": edges.tolist()})


def ending(name: str, known: tuple[str, ...] | None = None) -> str:
    """Return the ending of a name in lower case, "" where it has none (`.v2` of `model.v2` counts as one)."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if known is None or suffix in known else ""
