"""An artifact of a recorded run, as Python reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp.errors import NotFound, RemoteError, UsageError
from gitexp.git.transport import Options
from gitexp.ops.files import restore
from gitexp.ops.finding import using
from gitexp.ops.finding.using import Found
from gitexp.ops.storage import supply
from gitexp.store.runs import Run


@dataclass(frozen=True, slots=True)
class RecordedArtifact:
    """A file that a run kept, a folder of them (its name ends in `/`), or a link to what stays elsewhere (`uri`).

    `facts` is all that is said of it. Bytes that are not in this clone are brought from a remote when they are wanted.
    """

    name: str
    size_bytes: int | None
    sha256: str | None
    uri: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    _found: Found | None = field(default=None, repr=False, compare=False)

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
        """Return the bytes of a file.

        Raises NotFound and RemoteError where they cannot be had, and for a link; UsageError for a folder.
        """
        found = self._here()
        if found.name.endswith("/"):
            raise UsageError(f"{self.name!r} is a folder", hint="path(), or name a file of it")
        data = found.run.artifact_bytes(found.items[0], found.items[0].size_bytes)
        if data is None:
            raise NotFound(f"the bytes of {self.name!r} are not in this clone", hint=f"gitexp get {found.label}")
        return data

    def path(self) -> Path:
        """Return a file or folder with its bytes, under its own name, to be read and never written.

        It is the same one each time and takes no space of its own. Raises what `read` raises.
        """
        found = self._here()
        return using.place(found.run.workspace, found)

    def get(self, to: str | os.PathLike[str] = "./", *, force: bool = False) -> Path:
        """Write a copy, as `git exp get` does, and return where it is.

        to: a folder that is there, or the new name. Raises Conflict where a file of other content is in the way, unless
        `force`; and what `read` raises.
        """
        found = self._asked()
        made = restore.plan_one(found.run, found.name, found.items, os.fspath(to))
        restore.execute(found.run.workspace, made, force=force, options=Options())
        return made.top / made.files[0].parts[0] if found.name.endswith("/") else made.top / made.files[0].path

    def _asked(self) -> Found:
        if self._found is None:
            raise NotFound(f"the bytes of {self.name!r} stay at {self.uri}", hint="get them from there")
        return self._found

    def _here(self) -> Found:
        """Bring the bytes that are not here."""
        found = self._asked()
        workspace = found.run.workspace
        if missing := supply.missing(workspace, found.items):
            why = supply.bring(workspace, missing, None, Options())
            if why:
                raise RemoteError(f"of {self.name!r}, {why}", hint=f"gitexp get {found.label}")
        for item in found.items:
            supply.used(workspace, item.sha256)
        return found


def one(run: Run, name: str) -> RecordedArtifact:
    """Return the artifact, folder or link of a name; raises NotFound with what there is."""
    link = next((item for item in _links(run) if item.name == name), None)
    return link or made(using.of_run(run, name.rstrip("/"), name))


def of(run: Run) -> list[RecordedArtifact]:
    """Return the artifacts and links of a run, by name."""
    found = [made(Found(run, item.name, (item,), item.name)) for item in run.artifacts]
    return sorted([*found, *_links(run)], key=lambda item: item.name)


def made(found: Found) -> RecordedArtifact:
    """Return an artifact that was found, as Python reads it."""
    size = sum(item.size_bytes for item in found.items)
    sha256 = None if found.name.endswith("/") else found.items[0].sha256
    facts = dict(found.run.facts_of(found.name.rstrip("/")))
    return RecordedArtifact(found.name, size, sha256, None, facts, _found=found)


def _links(run: Run) -> list[RecordedArtifact]:
    found = []
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
    return found
