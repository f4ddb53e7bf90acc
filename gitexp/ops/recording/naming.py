"""Names of runs that were given none: from a template, from the command's own arguments, or two words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitexp import ids, text
from gitexp.record import params as nested

_FIELD = re.compile(r"\{([^{}]+)\}")
_FIRST = (
    "amber", "bold", "brisk", "calm", "clear", "cool", "coral", "crisp", "dawn", "deep", "dry", "early", "even", "fair",
    "fast", "fine", "firm", "fresh", "gentle", "glad", "gold", "grand", "green", "high", "keen", "kind", "late",
    "light", "lively",
    "long", "loud", "lucid", "mellow", "mild", "misty", "neat", "noble", "north", "open", "pale", "plain",
    "proud", "quick", "quiet", "rapid", "ripe", "round", "royal", "sharp", "silent", "silver", "slow", "smooth", "soft",
    "south", "stark", "still", "sunny", "swift", "tidy", "warm", "west", "wild", "wise",
)  # fmt: skip
_SECOND = (
    "aspen", "badger", "beech", "birch", "brook", "canyon", "cedar", "cliff", "cloud", "comet", "condor", "cove",
    "crane", "creek", "delta", "dune", "eagle", "elm", "falcon", "fern", "field", "fjord", "forest", "fox", "geyser",
    "glade", "grove", "harbor", "hawk", "heath", "heron", "hill", "island", "lagoon", "lake", "lark", "linden", "lynx",
    "maple", "marsh", "meadow", "mesa", "moor", "oak", "ocean", "otter", "owl", "peak", "pine", "plain", "pond", "rain",
    "raven", "reef", "ridge", "river", "shore", "spruce", "stone", "swan", "tide", "valley", "willow", "wren",
)  # fmt: skip


def choose(name: str | None, template: str, params: Mapping[str, Any], derived: str | None, run_id: str) -> str:
    """Return a run's name: the one given, else the template's, else the one derived from arguments, else two words.

    Raises UsageError for a name that cannot be.
    """
    if name is not None:
        return ids.check_name(name)
    return _filled(template, params) or (derived and derived[: ids.MAX_NAME]) or two_words(run_id)


def two_words(run_id: str) -> str:
    """Return two words that a run id always gives."""
    number = int.from_bytes(run_id.encode(), "big")
    return f"{_FIRST[number // 7 % len(_FIRST)]}-{_SECOND[number // 449 % len(_SECOND)]}"


def _filled(template: str, params: Mapping[str, Any]) -> str | None:
    """Return the template with its params filled in, None where one of them is not there."""
    flat = nested.flatten(params)
    if not template or any(field not in flat for field in _FIELD.findall(template)):
        return None
    name = _FIELD.sub(lambda found: value(flat[found[1]]), template)
    return text.safe(name)[: ids.MAX_NAME].strip() or None


def value(item: Any) -> str:
    """Return a param's value as it stands in a name."""
    return f"{item:g}" if isinstance(item, float) else str(item)
