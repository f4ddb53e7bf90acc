"""An artifact of a recorded run, as Python reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gitexp.errors import NotFound
from gitexp.store.runs import Artifact, Run

MAX_BYTES = 1 << 62  # `read` takes what the user asks for


@dataclass(frozen=True, slots=True)
class RecordedArtifact:
    """A file that a run kept, or a link to what stays elsewhere (`uri`); `facts` is all that is said of it."""

    name: str
    size_bytes: int | None
    sha256: str | None
    uri: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    _run: Run | None = field(default=None, repr=False, compare=False)
    _artifact: Artifact | None = field(default=None, repr=False, compare=False)

    @property
    def type(self) -> str | None:
        """model, image, table, figure, audio, html, text, dict, histogram, checkpoint, folder, or another word."""
        return self.facts.get("type")

    @property
    def role(self) -> str | None:
        """What it is for."""
        return self.facts.get("role")

    @property
    def step(self) -> int | None:
        """The step that it belongs to."""
        return self.facts.get("step")

    @property
    def caption(self) -> str | None:
        """Text for people."""
        return self.facts.get("caption")

    @property
    def metadata(self) -> dict[str, Any]:
        """What was logged beside it."""
        found = self.facts.get("metadata")
        return found if isinstance(found, dict) else {}

    def read(self) -> bytes:
        """Return the bytes; raises NotFound where they are not in this clone, and for a link."""
        data = None
        if self._run is not None and self._artifact is not None:
            data = self._run.artifact_bytes(self._artifact, MAX_BYTES)
        if data is None:
            where = f"stay at {self.uri}" if self.uri else "are not in this clone"
            raise NotFound(f"the bytes of {self.name!r} {where}", hint="gitexp fetch --artifacts")
        return data


def of(run: Run) -> list[RecordedArtifact]:
    """Return the artifacts and links of a run, by name."""
    found = [
        RecordedArtifact(
            item.name, item.size_bytes, item.sha256, None, dict(run.facts_of(item.name)), _run=run, _artifact=item
        )
        for item in run.artifacts
    ]
    for name, link in run.links.items():
        size, sha256 = link.get("size"), link.get("sha256")
        found.append(
            RecordedArtifact(
                name,
                size if isinstance(size, int) else None,
                sha256 if isinstance(sha256, str) else None,
                str(link.get("uri", "")),
                dict(link),
            )
        )
    return sorted(found, key=lambda item: item.name)
