"""used.json: which artifacts of other runs a run has read (docs/format.md, "used.json")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gitexp import canonical, ids
from gitexp.errors import Damaged
from gitexp.record import names

MAX_SAID = 5_000  # characters of what the user typed
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Use:
    """One artifact that was read: whose, its name (a folder's ends in `/`), its sha256 ("" of a folder), as typed."""

    run: str
    artifact: str
    sha256: str
    said: str
    time_ms: int

    def to_json(self) -> dict[str, Any]:
        """Return the item of used.json."""
        found = {"run": self.run, "artifact": self.artifact, "sha256": self.sha256, "as": self.said}
        return {key: value for key, value in found.items() if value} | {"time": canonical.iso(self.time_ms)}

    @classmethod
    def from_json(cls, value: Any) -> Use:
        """Read an item; raises ValueError where it is none."""
        if not isinstance(value, Mapping) or not ids.is_run_id(value.get("run", "")):
            raise ValueError("no run id")
        artifact, sha256, said = (_text(value, key) for key in ("artifact", "sha256", "as"))
        names.check(artifact.removesuffix("/"))
        if sha256 and not _SHA256.fullmatch(sha256):
            raise ValueError("not a sha256")
        return cls(value["run"], artifact, sha256, said[:MAX_SAID], canonical.from_iso(value["time"]))


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key, "")
    if not isinstance(found, str):
        raise ValueError(f"{key} is not a text")
    return found


def once(found: Iterable[Use]) -> list[Use]:
    """Return each artifact once, as it was read first: several processes of a run read the same ones."""
    first: dict[tuple[str, str, str], Use] = {}
    for use in found:
        key = use.run, use.artifact, use.sha256
        if key not in first or use.time_ms < first[key].time_ms:
            first[key] = use
    return sorted(first.values(), key=lambda use: (use.time_ms, use.run, use.artifact))


def encode(found: Iterable[Use]) -> bytes:
    """Return used.json."""
    return canonical.dumps([use.to_json() for use in once(found)])


def decode(data: bytes) -> list[Use]:
    """Read used.json; raises Damaged."""
    try:
        value = canonical.loads(data)
        if not isinstance(value, list):
            raise ValueError("not a list")
        return [Use.from_json(item) for item in value]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"used.json does not parse: {error}", hint="gitexp fsck") from error
