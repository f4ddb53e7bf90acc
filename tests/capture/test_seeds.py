"""Seeding every source of randomness."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from gitexp.capture import seeds
from gitexp.errors import UsageError
from tests import support


def draw() -> tuple[float, float]:
    return random.random(), float(np.random.rand())


def test_the_same_seed_draws_the_same_numbers() -> None:
    assert seeds.seed_everything(7)["numpy"] == 7
    first = draw()
    seeds.seed_everything(7)
    assert draw() == first
    seeds.seed_everything(8)
    assert draw() != first


def test_what_was_seeded_is_told_and_hash_randomisation_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    assert seeds.seed_everything(3) == {"python": 3, "python_hash": "random", "numpy": 3}
    assert os.environ["PYTHONHASHSEED"] == "3"
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    assert seeds.seed_everything(3)["python_hash"] == "0"


def test_torch_is_seeded_when_the_script_imported_it_and_never_imported_for_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("seeds = []\nmanual_seed = seeds.append\n")
    script = """
        import json, sys
        from gitexp.capture import seeds
        before = seeds.seed_everything(5), "torch" in sys.modules
        import torch
        print(json.dumps([before, seeds.seed_everything(6), torch.seeds]))
    """
    code = "\n".join(line.strip() for line in script.splitlines())
    done = support.python(tmp_path, code, env={"PYTHONPATH": str(tmp_path)})
    before, after, given = json.loads(done.stdout)
    assert before[1] is False and "torch" not in before[0]
    assert after["torch"] == 6 and given == [6]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True, "7", None])
def test_a_seed_that_is_no_whole_number_in_range_is_refused(seed: object) -> None:
    with pytest.raises(UsageError, match="seed"):
        seeds.seed_everything(seed)  # type: ignore[arg-type]  # on purpose
