"""Runs that are still running, read from their journals as if they were stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from gitexp import clock
from gitexp.errors import Damaged, GitexpError
from gitexp.git import objects, packs
from gitexp.git.objects import Entry
from gitexp.record import dataset, logged, params, reasons, used
from gitexp.record.logged import Logged
from gitexp.record.points import Point
from gitexp.record.run import RunRecord
from gitexp.record.summary import Aggregate
from gitexp.record.used import Use
from gitexp.store import events, journal, seal
from gitexp.store.journal import Start
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace


class LiveRun(Run):
    """A run that has not ended, or whose writer was lost; everything is as far as it is written."""

    live = True

    def __init__(self, workspace: Workspace, folder: Path, start: Start) -> None:
        super().__init__(workspace, "", None)
        self.commit = None
        self.folder = folder
        self.start = start

    def __repr__(self) -> str:
        return f"<LiveRun {self.start.record.id}>"

    @property
    def host(self) -> str:
        """The machine it runs on."""
        return self.start.record.host

    @property
    def pid(self) -> int:
        """The process that owns it, on its own machine."""
        return self.start.pid

    @property
    def alive(self) -> bool:
        """Whether it has a writer (docs/format.md, "Alive")."""
        limit = self.workspace.settings.duration_seconds("deadAfter")
        return journal.is_alive(self.folder, self.start, limit)

    @property
    def last_sign_ms(self) -> int:
        """When something of it was last written."""
        return journal.last_sign_ms(self.folder)

    @cached_property
    def _total(self) -> events.Sum:
        return events.of(self.folder)

    @cached_property
    def named(self) -> Start:
        """How it began, under the experiment and name that its script has given it since."""
        try:
            return seal.renamed(self.workspace, self.start, self._total.renamed)
        except GitexpError:  # a name that cannot be is said when the run ends
            return self.start

    @cached_property
    def record(self) -> RunRecord:
        """run.json as it would be now."""
        start, total = self.named.record, self._total
        why = reasons.merged(total.reasons)
        return replace(
            start,
            tags=reasons.tagged(why, total.tags_over(start.tags)),
            reasons=why,
            seeds={**start.seeds, **total.seeds},
            description=total.description or start.description,
        )

    def tags_over(self, before: Mapping[str, str]) -> dict[str, str]:
        """Return its tags, those of an earlier record among them as far as they stand."""
        return self._total.tags_over({**before, **self.record.tags})

    @cached_property
    def params(self) -> dict[str, Any]:
        """Nested params so far, those of the run that is resumed among them."""
        before = self.before
        return self._total.merged_params if before is None else params.merge(before.params, self._total.merged_params)

    @cached_property
    def summary(self) -> dict[str, Aggregate]:
        """{metric: its aggregates so far}, from the first session on."""
        found = self.summary_before
        for name, aggregate in events.summary(self.folder).items():
            found.setdefault(name, Aggregate()).join(aggregate)
        return events.with_set(found, self._total.summary)

    @property
    def before(self) -> Run | None:
        """The record of a run that is resumed; None of a new one, and of one whose journal has all of it."""
        if self.start.previous is None or self.start.replaces:
            return None
        return Run(self.workspace, self.start.previous)

    @property
    def summary_before(self) -> dict[str, Aggregate]:
        """{metric: its aggregates} of that record, to which those of this session are to be added."""
        before = self.before
        return {} if before is None else {name: item.weighed() for name, item in before.summary.items()}

    @cached_property
    def used(self) -> list[Use]:
        """What it has read of others so far."""
        before = self.start.previous
        earlier = Run(self.workspace, before).used if before is not None else []
        return used.once([*earlier, *self._total.used])

    @cached_property
    def logged(self) -> Logged:
        """What it has said of logged models so far."""
        before = self.start.previous
        return logged.fold(self._total.logged, Run(self.workspace, before).logged if before is not None else None)

    @property
    def set_values(self) -> dict[str, int | float]:
        """What the user set in the summary."""
        return self._total.summary

    @cached_property
    def data(self) -> list[dict[str, Any]]:
        """The datasets so far."""
        before = self.start.previous
        earlier = Run(self.workspace, before).data if before is not None else []
        return dataset.merge(earlier, super().data, self._total.datasets)

    def _points(self, name: str) -> Iterator[Point]:
        kind = name.partition(".")[0]
        for writer in journal.writers(self.folder):
            path = self.folder / f"{kind}-{writer}.csv"
            if path.exists():
                yield from events.read_points(path)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Nothing of it is in Git yet."""
        return {}

    def file(self, name: str) -> bytes | None:
        """Return a file of the record that is written whole already (environment.json, output.log …)."""
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            return None

    @cached_property
    def artifacts(self) -> list[Artifact]:
        """The files logged so far, those of the run that is resumed among them."""
        found = {} if self.before is None else {item.name: item for item in self.before.artifacts}
        kept = {name: item for name, item in found.items() if name not in self._total.dropped}
        kept |= {name: _artifact(name, event) for name, event in self._total.artifacts.items()}
        return [item for _, item in sorted(kept.items())]

    @cached_property
    def artifact_facts(self) -> dict[str, dict[str, Any]]:
        """What is said of artifacts so far."""
        gone = {*self._total.artifacts, *self._total.dropped}
        found = {} if self.before is None else self.before.artifact_facts
        return {name: said for name, said in found.items() if name not in gone} | self._total.facts

    @cached_property
    def links(self) -> dict[str, dict[str, Any]]:
        """The artifacts whose bytes stay elsewhere, so far."""
        return self._total.links if self.before is None else {**self.before.links, **self._total.links}

    def artifact_bytes(self, artifact: Artifact, limit_bytes: int) -> bytes | None:
        """Return an artifact's bytes from the journal, where small ones wait."""
        is_before = bool(artifact.oid) and artifact.name not in self._total.artifacts  # of an earlier commit of the run
        if is_before or artifact.sha256 is not None or artifact.size_bytes > limit_bytes:
            return super().artifact_bytes(artifact, limit_bytes)
        try:
            if artifact.oid:
                pack = str(self._total.artifacts[artifact.name]["pack"])
                return packs.read(journal.packs(self.folder) / pack, artifact.oid)
            return (self.folder / "files" / artifact.stored).read_bytes()
        except (FileNotFoundError, KeyError):  # the run ended meanwhile
            return None


def _artifact(name: str, event: Mapping[str, Any]) -> Artifact:
    mode = objects.EXECUTABLE if event.get("executable") else objects.FILE
    oid = str(event.get("oid", ""))
    return Artifact(name, int(event["size"]), event.get("sha256"), oid, mode, "" if oid else seal.staged(name))


def folders(workspace: Workspace) -> list[Path]:
    """Return the journals' folders, those that a recovery has claimed too."""
    try:
        return sorted(path for path in workspace.live.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def listing(workspace: Workspace) -> list[LiveRun]:
    """Return the runs that are running or were lost and not yet recovered, oldest first."""
    found = []
    for folder in folders(workspace):
        if journal.is_claimed(folder) or (folder / seal.LATE).exists():
            continue
        try:
            found.append(LiveRun(workspace, folder, Start.read(folder)))
        except Damaged:
            continue  # `status` and `recover` name it; a list cannot show it
    return sorted(found, key=lambda run: run.start.record.start_ms)


def by_id(workspace: Workspace, run_id: str) -> LiveRun | None:
    """Return the live run of a whole id."""
    folder = workspace.live / run_id
    if not (folder / "start.json").exists() or (folder / seal.LATE).exists():
        return None
    return LiveRun(workspace, folder, Start.read(folder))


def age_seconds(run: LiveRun) -> float:
    """Return how long ago a live run last gave a sign of life."""
    return max(0.0, (clock.now_ms() - run.last_sign_ms) / 1000)
