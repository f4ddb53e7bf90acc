"""Seeds: one number for every source of randomness that a training uses."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from typing import Any

from gitexp.errors import UsageError

_MAX = 2**32 - 1  # what NumPy takes


def seed_everything(seed: int) -> dict[str, Any]:
    """Seed Python's `random`, NumPy, PyTorch and TensorFlow, and return what was seeded: {"python": 7, "numpy": 7 …}.

    NumPy is imported for it where it is installed. PyTorch and TensorFlow take seconds to import, so they are seeded
    only when the script has imported them: call this after the imports. Hash randomisation is fixed when Python
    starts, so PYTHONHASHSEED is recorded as it is ("random" when it was not set), and set for child processes.

    Raises UsageError for a seed that is no whole number from 0 to 4294967295.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MAX:
        raise UsageError(
            f"seed {seed!r}: a whole number from 0 to {_MAX}", hint="for example: gitexp.seed_everything(42)"
        )
    random.seed(seed)
    seeded: dict[str, Any] = {"python": seed, "python_hash": os.environ.get("PYTHONHASHSEED") or "random"}
    os.environ.setdefault("PYTHONHASHSEED", str(seed))
    if importlib.util.find_spec("numpy") is not None:
        import numpy

        numpy.random.seed(seed)  # the global state is what scripts draw from
        seeded["numpy"] = seed
    torch = sys.modules.get("torch")
    if torch is not None and callable(getattr(torch, "manual_seed", None)):
        torch.manual_seed(seed)  # CPU and, as soon as they are used, all GPUs
        seeded["torch"] = seed
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and hasattr(getattr(tensorflow, "random", None), "set_seed"):
        tensorflow.random.set_seed(seed)
        seeded["tensorflow"] = seed
    return seeded
