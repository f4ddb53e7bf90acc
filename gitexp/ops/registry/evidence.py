"""What a version of a model rests on: its run, exactly as the commit that was registered has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gitexp import ids
from gitexp.errors import Damaged, GitexpError
from gitexp.git import objects
from gitexp.ops.files import artifacts
from gitexp.ops.finding import find, goals, terms
from gitexp.query import nodes, parser
from gitexp.record import merkle
from gitexp.record.merkle import Leaf
from gitexp.record.model import Version
from gitexp.record.numbers import is_nan
from gitexp.store import annotations as said
from gitexp.store import live, runs
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.database import Index
    from gitexp.record.facts import State

MAX_READ_BYTES = 1 << 28  # of small files that are hashed for one version


def sha256_of(run: Run, name: str) -> str | None:
    """Return the sha256 of an artifact, of a folder its Merkle hash; None where the run has no such artifact.

    Raises Damaged where bytes are needed that are not here.
    """
    found = run.artifacts
    own = next((item for item in found if item.name == name), None)
    if own is not None:
        _bound([own])
        return artifacts.sha256_of(run, own)
    below = f"{name.rstrip('/')}/"
    inside = [item for item in found if item.name.startswith(below)]
    if inside:
        return merkle.root(_leaves(run, inside, below))
    link = run.links.get(name)
    return str(link["sha256"]) if link is not None and link.get("sha256") else None


def _leaves(run: Run, inside: Sequence[Artifact], below: str) -> list[Leaf]:
    _bound(inside)
    leaves = []
    for item in inside:
        sha256 = artifacts.sha256_of(run, item)
        if sha256 is None:
            raise Damaged(f"the bytes of {item.name} are not here", hint=f"gitexp show {ids.short(run.id)}")
        leaves.append(Leaf(item.name.removeprefix(below), sha256))
    return leaves


def _bound(found: Sequence[Artifact]) -> None:
    """Raise Damaged where more would have to be read than gitexp ever puts into Git: a server is not to be held."""
    size = sum(item.size_bytes for item in found if item.sha256 is None)
    if size > MAX_READ_BYTES:
        most = f"at most {MAX_READ_BYTES:,} are read"
        raise Damaged(f"{size:,} bytes of it stand in Git itself: {most}", hint="git config gitexp.inlineLimit")


@dataclass(frozen=True)
class Evidence:
    """The run of a version. `workspace` has the settings that count: those of the rules, not those of who asks."""

    workspace: Workspace
    version: Version
    at_ms: int

    @cached_property
    def run(self) -> Run:
        """The run as it was registered; raises Damaged where its commit is not here, or is another run's."""
        if not self.version.run:
            raise Damaged(f"version {self.version.number} names no run", hint="gitexp model register RUN NAME")
        if not self.version.commit:  # it was registered while its run was running
            return self._ended()
        if not objects.exists(self.workspace.repo, self.version.commit):
            why = f"the run {ids.short(self.version.run)} of version {self.version.number} is not here"
            raise Damaged(why, hint="gitexp fetch")
        found = runs.load(self.workspace, self.version.commit)
        if found.id != self.version.run:
            raise Damaged(
                f"commit {self.version.commit[:7]} is the run {ids.short(found.id)}, not {ids.short(self.version.run)}",
                hint="gitexp model verify",
            )
        return found

    def _ended(self) -> Run:
        """Return the run by its id: it may be running still."""
        found = runs.by_id(self.workspace, self.version.run) or live.by_id(self.workspace, self.version.run)
        if found is None:
            why = f"the run {ids.short(self.version.run)} of version {self.version.number} is not here"
            raise Damaged(why, hint="gitexp fetch")
        return found

    @cached_property
    def state(self) -> State:
        """What facts say of the run."""
        return said.state(self.workspace, self.run)

    @cached_property
    def _index(self) -> Index:
        from gitexp.index import alone  # only rules that ask something of the run

        if self.run.live:
            short = ids.short(self.run.id)
            raise Damaged(f"the run {short} has not ended: what it comes to is not known", hint=f"gitexp stop {short}")
        return alone.of(self.workspace, self.run, self.state)

    @property
    def makers(self) -> frozenset[str]:
        """The addresses, in lower case, of who made the run, as its record and its commit say it."""
        run = self.run
        said = [str(run.record.user.get("email") or "")]
        if run.commit:
            said.append(objects.read_commit(self.workspace.repo, run.commit).author.email)
        return frozenset(who.lower() for who in said if who)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the run."""
        return self.state.tags_over(self.run.record.tags)

    @property
    def fault(self) -> str:
        """Why the artifact is not what was registered, "" where it is."""
        try:
            sha256 = sha256_of(self.run, self.version.artifact)
        except GitexpError as error:
            return error.message
        if sha256 is None:
            return f"run {ids.short(self.run.id)} has no artifact {self.version.artifact!r}"
        if sha256 != self.version.sha256:
            return f"the artifact has sha256 {sha256[:8]}, the version {self.version.sha256[:8]}"
        return ""

    def fits(self, condition: str) -> tuple[bool, dict[str, Any]]:
        """Say whether the run fits a condition, and what it has of the values that are asked for; raises BadQuery."""
        from dataclasses import replace

        from gitexp.index import search

        node = parser.parse(condition)
        context = replace(goals.context(self.workspace), now_ms=self.at_ms)
        here = nodes.All(())
        held = terms.held(self._index, node, here, context)
        return search.count(self._index, node, context=context) > 0, held.get(self.run.id, {})

    def metric(self, name: str) -> float | None:
        """Return what stands for a metric (`val_auc`, `loss:last`), None where the run has no number for it."""
        metric, aggregate = goals.split(name)
        value = find.value_of(self.run, metric, aggregate or goals.of(self.workspace, metric).aggregate)
        return None if value is None or is_nan(value) else float(value)
