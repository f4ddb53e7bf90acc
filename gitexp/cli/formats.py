"""`--format`: a line for each run, with {keys} of its JSON in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitexp import ids, text
from gitexp.errors import UsageError

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\0": "\0", "\\\\": "\\"}


def line(template: str, run: Mapping[str, Any]) -> str:
    r"""Return a template filled: `{name}`, `{params.lr}`, `{metrics.loss.min}`, `{metrics.loss.min:.3f}`, \t, \n, {{.

    `{short}` is the short id; what a run does not have is "-". Raises UsageError for a key that no run has.
    """
    template = re.sub(r"\\[tn0\\]", lambda match: _ESCAPES[match[0]], template)
    return _FIELD.sub(lambda match: _field(match, run), template)


def _field(match: re.Match[str], run: Mapping[str, Any]) -> str:
    if match[1] is None:
        return match[0][0]
    path, _, form = match[1].partition(":")
    if path == "short":
        return ids.short(run["id"])
    if path.partition(".")[0] not in run:
        raise UsageError(f"--format: no key {path!r}", hint="the keys are: short, " + ", ".join(run))
    value = _lookup(run, path)
    try:
        return text.safe(format(value, form)) if form else _shown(value)
    except (TypeError, ValueError):
        return _shown(value)


def _lookup(value: Any, path: str) -> Any:
    """Follow a dotted path; keys may hold dots themselves, so the longest that fits is taken."""
    if not path:
        return value
    if not isinstance(value, Mapping):
        return None
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        key = ".".join(parts[:end])
        if key in value:
            return _lookup(value[key], ".".join(parts[end:]))
    return None


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and "value" in value:
        value = value["value"]  # a metric by its name alone
    if value is None or value == "":
        return "-"
    return text.value(value)
