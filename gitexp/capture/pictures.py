"""Folders of images: how many, which formats and sizes, and which classes (folders) they are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
_OPENED = 500  # images of which the sizes are looked at
_LISTED, _CLASSES = 5, 100


def among(files: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the images among files (where they are, path), by their names; in the order of the paths."""
    return sorted((item for item in files if item[1].lower().endswith(_SUFFIXES)), key=lambda item: item[1])


def describe(images: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the profile of a folder's images; sizes are those of a sample where there are many."""
    from PIL import Image

    sizes, modes, damaged = Counter[tuple[int, int]](), Counter[str](), 0
    step = max(1, len(images) // _OPENED)
    opened = images[::step][:_OPENED]
    for where, _ in opened:
        try:
            with Image.open(where) as image:  # its header only
                sizes[image.size] += 1
                modes[image.mode] += 1
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            damaged += 1
    classes = Counter(path.split("/", 1)[0] for _, path in images if "/" in path)
    found: dict[str, Any] = {
        "images": len(images),
        "opened": len(opened),
        "sizes": [
            [*size, count] for size, count in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:_LISTED]
        ],
        "modes": dict(sorted(modes.items())),
        "formats": dict(sorted(Counter(path.rpartition(".")[2].lower() for _, path in images).items())),
    }
    if damaged:
        found["damaged"] = damaged
    if classes:
        found["classes"] = {name[:100]: count for name, count in sorted(classes.items())[:_CLASSES]}
    return found
