"""How an exception ends a run, and how it is recorded."""

from __future__ import annotations

import traceback
from typing import Any

from gitexp import redact

MAX_TRACEBACK = 20_000  # characters


def outcome(error: BaseException | None) -> tuple[str, int | None]:
    """Return the status and exit code that an exception means for its run."""
    if error is None:
        return "completed", None
    if isinstance(error, KeyboardInterrupt):
        return "killed", None
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        return ("completed" if code == 0 else "failed"), code
    return "failed", None


def described(error: BaseException | None) -> dict[str, Any] | None:
    """Return an exception as run.json has it: type, message, traceback, secrets taken out."""
    if error is None:
        return None
    trace = "".join(traceback.format_exception(error))
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return {
        "type": name,
        "message": redact.text(str(error))[:MAX_TRACEBACK],
        "traceback": redact.text(trace)[-MAX_TRACEBACK:],
    }
