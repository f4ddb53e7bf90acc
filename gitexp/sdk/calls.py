"""What keeps files of the run that is active: the methods of `Run` as functions."""

from __future__ import annotations

import os
from typing import Any, Unpack

from gitexp.sdk import active
from gitexp.sdk.artifacts import Linked, Metadata, More
from gitexp.sdk.datasets import MoreData


def log_artifact(
    path: Any,
    name: str | None = None,
    *,
    type: str | None = None,
    step: int | None = None,
    role: str | None = None,
    caption: str | None = None,
    metadata: Metadata | None = None,
    wait: bool = False,
) -> None:
    """Keep a file, a folder, bytes or what a file object gives with the active run; see `Run.log_artifact`."""
    active.needed().log_artifact(
        path, name, type=type, step=step, role=role, caption=caption, metadata=metadata, wait=wait
    )


def log_text(said: str, name: str = "text.txt", *, step: int | None = None, **more: Unpack[More]) -> None:
    """Keep a text with the active run; see `Run.log_text`."""
    active.needed().log_text(said, name, step=step, **more)


def log_dict(value: Any, name: str = "values.json", *, step: int | None = None, **more: Unpack[More]) -> None:
    """Keep a mapping or list with the active run; see `Run.log_dict`."""
    active.needed().log_dict(value, name, step=step, **more)


def log_table(frame: Any, name: str = "table", *, step: int | None = None, **more: Unpack[More]) -> None:
    """Keep a DataFrame with the active run; see `Run.log_table`."""
    active.needed().log_table(frame, name, step=step, **more)


def log_figure(figure: Any, name: str = "figure", *, step: int | None = None, **more: Unpack[More]) -> None:
    """Keep a figure with the active run; see `Run.log_figure`."""
    active.needed().log_figure(figure, name, step=step, **more)


def log_image(image: Any, name: str = "image", *, step: int | None = None, **more: Unpack[More]) -> None:
    """Keep an image with the active run; see `Run.log_image`."""
    active.needed().log_image(image, name, step=step, **more)


def log_audio(
    samples: Any, sample_rate: int, name: str = "audio", *, step: int | None = None, **more: Unpack[More]
) -> None:
    """Keep sound with the active run; see `Run.log_audio`."""
    active.needed().log_audio(samples, sample_rate, name, step=step, **more)


def log_html(page: str, name: str = "page.html", *, step: int | None = None, **more: Unpack[More]) -> None:
    """Keep a page of HTML with the active run; see `Run.log_html`."""
    active.needed().log_html(page, name, step=step, **more)


def log_histogram(
    numbers: Any, name: str = "histogram", *, bins: int = 64, step: int | None = None, **more: Unpack[More]
) -> None:
    """Keep a histogram with the active run; see `Run.log_histogram`."""
    active.needed().log_histogram(numbers, name, bins=bins, step=step, **more)


def link_artifact(
    uri: str,
    name: str | None = None,
    *,
    sha256: str | None = None,
    size: int | None = None,
    etag: str | None = None,
    version: str | None = None,
    **more: Unpack[Linked],
) -> None:
    """Name an artifact that stays elsewhere, of the active run; see `Run.link_artifact`."""
    active.needed().link_artifact(uri, name, sha256=sha256, size=size, etag=etag, version=version, **more)


def log_checkpoint(
    path: str | os.PathLike[str],
    *,
    step: int | None = None,
    metric: str | None = None,
    value: float | None = None,
    best: int | None = None,
    last: int | None = None,
    top: int | None = None,
    mode: str | None = None,
    name: str | None = None,
    **more: Unpack[More],
) -> None:
    """Keep a checkpoint with the active run; see `Run.log_checkpoint`."""
    active.needed().log_checkpoint(
        path, step=step, metric=metric, value=value, best=best, last=last, top=top, mode=mode, name=name, **more
    )


def log_dataset(
    data_or_path: Any, name: str | None = None, *, role: str = "", store: bool = False, **more: Unpack[MoreData]
) -> None:
    """Record which data the active run reads; see `Run.log_dataset`."""
    active.needed().log_dataset(data_or_path, name, role=role, store=store, **more)
