"""Random seeds, set and recorded."""

from __future__ import annotations

import os
import random
import sys
from typing import Any

from gitexp.errors import UsageError

MAX_SEED = 2**32 - 1  # what NumPy takes


def seed_everything(seed: int) -> dict[str, Any]:
    """Seed Python's `random`, and NumPy and torch where the program has imported them; returns {library: seed}.

    PYTHONHASHSEED is recorded as it is: it cannot be changed in a running interpreter. Raises UsageError for what is
    no seed.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise UsageError(f"a seed is a whole number from 0 to {MAX_SEED}, not {seed!r}", hint="seed_everything(42)")
    random.seed(seed)
    done: dict[str, Any] = {"python": seed}
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)
        done["numpy"] = seed
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
        done["torch"] = seed
    if os.environ.get("PYTHONHASHSEED", "").isdigit():
        done["PYTHONHASHSEED"] = int(os.environ["PYTHONHASHSEED"])
    return done
