"""The pictures of the docs are those that their script draws."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from PIL import Image

from tests import support

IMAGES = support.ROOT / "docs/images"


def test_every_picture_is_small_drawn_by_the_script_and_shown() -> None:
    drawn = runpy.run_path(str(IMAGES / "make.py"), run_name="pictures")["PICTURES"]
    found = {path.name for path in IMAGES.glob("*.png")}
    assert found == {f"plot-{name}.png" for name in drawn}
    assert set(re.findall(r"images/([\w-]+\.png)", (support.ROOT / "docs/howto-plot.md").read_text())) == found
    assert [path.name for path in IMAGES.glob("*.png") if path.stat().st_size > 60_000] == []


@pytest.mark.slow
def test_the_script_draws_them_again(tmp_path: Path) -> None:
    support.python(tmp_path, IMAGES / "make.py", str(tmp_path))
    for path in IMAGES.glob("*.png"):
        with Image.open(path) as committed, Image.open(tmp_path / path.name) as again:
            assert committed.size == again.size
