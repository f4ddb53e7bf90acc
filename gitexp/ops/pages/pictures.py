"""Images that runs logged as artifacts, as far as a page can show them: known formats, bounded in bytes and pixels."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gitexp import text
from gitexp.errors import Damaged
from gitexp.pages import parts
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp"}
DRAWN = {".svg", ".svgz", ".pdf", ".html"}  # figures too, but they can hold scripts
_FORMATS = {"PNG": "png", "JPEG": "jpeg", "GIF": "gif", "WEBP": "webp"}
_SAID = 8  # of those left out, by name
Sink = Callable[[bytes, str], str]  # bytes and kind (png, jpeg …) of an image -> where the page finds it


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a page takes."""

    each_bytes: int = 2_000_000
    total_bytes: int = 16_000_000
    count: int = 120
    pixels: int = 40_000_000


@dataclass(frozen=True, slots=True)
class Pictures:
    """The images of a page, and what was left out, and why."""

    shown: tuple[parts.Picture, ...]
    left_out: tuple[str, ...]


def inline(data: bytes, kind: str) -> str:
    """Return an image as a part of the page itself."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def gather(workspace: Workspace, runs: Sequence[Run], sink: Sink = inline, limits: Limits | None = None) -> Pictures:
    """Return the images of runs, those of one name side by side, as far as the limits go."""
    limits = limits or Limits()
    shown: list[parts.Picture] = []
    refused: list[tuple[str, str]] = []
    total = 0
    for name, place, artifact in sorted(_candidates(runs), key=lambda item: item[:2]):
        why = _too_much(artifact, total, len(shown), limits)
        found = why or _read(runs[place], artifact, limits)
        if isinstance(found, str):
            refused.append((f"{name} of {runs[place].name}" if len(runs) > 1 else name, found))
            continue
        total += artifact.size_bytes
        source, size = sink(found.data, found.kind), text.size(artifact.size_bytes)
        shown.append(parts.Picture(place, name, source, size, found.width, found.height))
    return Pictures(tuple(shown), tuple(_told(refused)))


def _candidates(runs: Sequence[Run]) -> Iterator[tuple[str, int, Artifact]]:
    for place, run in enumerate(runs):
        for artifact in run.artifacts:
            if PurePosixPath(artifact.name).suffix.lower() in SUFFIXES | DRAWN:
                yield artifact.name, place, artifact


def _too_much(artifact: Artifact, total: int, count: int, limits: Limits) -> str:
    if PurePosixPath(artifact.name).suffix.lower() in DRAWN:
        return "may hold scripts"
    if artifact.size_bytes > limits.each_bytes:
        return f"over {text.size(limits.each_bytes)}"
    if total + artifact.size_bytes > limits.total_bytes or count >= limits.count:
        return "the page is full"
    return ""


@dataclass(frozen=True, slots=True)
class _Image:
    data: bytes
    kind: str
    width: int
    height: int


def _read(run: Run, artifact: Artifact, limits: Limits) -> _Image | str:
    """Return an image by what its bytes are, not by its name; else why it cannot be shown."""
    try:
        data = run.artifact_bytes(artifact, limits.each_bytes)
    except (Damaged, FileNotFoundError):
        data = None
    if data is None:
        return "its bytes are not here"
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as image:  # reads the header alone
                kind, (width, height) = _FORMATS[str(image.format)], image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError):
        return "not an image that a browser shows safely"
    return _Image(data, kind, width, height) if width * height <= limits.pixels else "too many pixels"


def _told(refused: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each reason, with the first names."""
    for why in dict.fromkeys(reason for _, reason in refused):
        names = [text.safe(name) for name, reason in refused if reason == why]
        yield f"Not shown ({why}): {text.some(names, _SAID)}"
