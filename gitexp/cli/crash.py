"""The crash log: what a bug leaves behind, instead of a traceback in the user's face."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from gitexp import canonical, clock, files, redact, text


def describe(error: BaseException) -> str:
    """Return an unexpected error in one line."""
    return text.shorten(text.safe(f"{type(error).__name__}: {error}"), 200)


def write(error: BaseException, arguments: Sequence[str]) -> Path:
    """Write the log of this crash and return its path: in the repository's own folder, else a temporary one."""
    lines = [
        f"time     {canonical.iso(clock.now_ms())}",
        f"command  {' '.join(redact.command(['gitexp', *arguments]))}",
        f"python   {platform.python_version()} on {platform.platform()}",
        "",
        redact.text("".join(traceback.format_exception(error))),
    ]
    data = "\n".join(lines).encode("utf-8", "backslashreplace")
    for folder in (_own_folder(), Path(tempfile.gettempdir()) / f"gitexp-{os.getuid()}"):
        if folder is not None:
            try:
                path = folder / "crash.log"
                files.write(path, data)
                return path
            except OSError:
                continue
    return Path("nowhere (nothing could be written)")


def _own_folder() -> Path | None:
    from gitexp.errors import GitexpError
    from gitexp.git import discover

    try:
        return discover.find(None).common_dir / "gitexp"
    except (GitexpError, OSError):
        return None
