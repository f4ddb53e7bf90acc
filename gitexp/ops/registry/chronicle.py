"""The events of a model as people read them: who did what and when, what came of it, and what was refused and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitexp import canonical, ids, text
from gitexp.ops.registry import models as named
from gitexp.ops.registry.models import Known
from gitexp.record import event as events
from gitexp.record import headline
from gitexp.record import rules as ruling
from gitexp.record.event import Logged, Signer
from gitexp.record.model import Passage, Version
from gitexp.store import models
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Item:
    """One event: `what` is a sentence, `said` the words of who did it, `refused` why it changed nothing."""

    id: str
    op: str
    time_ms: int
    name: str
    person: str
    signer: Signer
    version: Version | None
    what: str
    said: str
    refused: str
    arguments: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp model log --json` prints of it."""
        return {
            "id": self.id,
            "op": self.op,
            "time": canonical.iso(self.time_ms),
            "author": {"name": self.name, "email": self.person},
            "signature": {"status": self.signer.status, "person": self.signer.person, "key": self.signer.key},
            "version": self.version.number if self.version else None,
            "version_id": self.version.id if self.version else None,
            "what": self.what,
            "refused": self.refused or None,
            "arguments": dict(self.arguments),
        }


@dataclass(frozen=True, slots=True)
class _Story:
    """A model whose events are told, with the ways into stages that each event took."""

    known: Known
    passages: Mapping[str, list[Passage]]

    def number(self, version: Version) -> str:
        """Return a version's number as people see it."""
        return self.known.number(version)


def of(workspace: Workspace, found: Known, version: Version | None = None) -> list[Item]:
    """Return the events of a model, or those about one version of it, in their order."""
    if version is not None:
        return by_version(found, of(workspace, found)).get(version.id, [])
    return told(found, models.history(workspace, ids.model_ref(found.model.first), found.model.tip))


def told(found: Known, entries: Iterable[Logged]) -> list[Item]:
    """Return some events of a model as they are told."""
    passages: dict[str, list[Passage]] = {}
    for passage in found.model.passages:
        passages.setdefault(passage.id, []).append(passage)
    return [_item(_Story(found, passages), entry) for entry in entries]


def by_version(found: Known, items: Iterable[Item]) -> dict[str, list[Item]]:
    """Return {version id: the events about it}: a transition is about those that it sent away, too."""
    found_of: dict[str, list[Item]] = {}
    moved: dict[str, set[str]] = {}
    for passage in found.model.passages:
        moved.setdefault(passage.id, set()).add(passage.version)
    for item in items:
        own = {item.version.id} if item.version is not None else set[str]()
        for version_id in own | moved.get(item.id, set()):
            found_of.setdefault(version_id, []).append(item)
    return found_of


def latest(workspace: Workspace, said: str | None, *, refused: bool = False) -> Iterator[tuple[Known, Item]]:
    """Yield the events of a model or version, of all models where none is named, the newest first.

    Of one model that is the chain's order, which decides; of several their times.
    """
    if said is None:
        rows = [(found, item) for found in named.every(workspace, removed=True) for item in of(workspace, found)]
        rows.sort(key=lambda row: row[1].time_ms)
    else:
        model, version = named.find(workspace, said, removed=True)
        found = named.known(workspace, model)
        rows = [(found, item) for item in of(workspace, found, version)]
    return (row for row in reversed(rows) if row[1].refused or not refused)


def _item(story: _Story, entry: Logged) -> Item:
    event = entry.event
    version = story.known.model.versions.get(entry.id if event.op == events.REGISTER else event.version or "")
    said = next((_word(entry, key) for key in ("note", "reason", "text") if _word(entry, key)), "")
    sentence = _SENTENCES.get(event.op, _unknown)(story, entry, _number(story, version, entry))
    return Item(
        id=entry.id,
        op=event.op,
        time_ms=event.time_ms,
        name=entry.author.name or entry.person,
        person=entry.person,
        signer=entry.signer,
        version=version,
        what=sentence,
        said=said,
        refused=story.known.model.refused.get(entry.id, ""),
        arguments=event.arguments,
    )


def _number(story: _Story, version: Version | None, entry: Logged) -> str:
    """Return which version an event is about, as a word of a sentence; the model where it is about no version."""
    if version is not None:
        return story.number(version)
    return entry.event.version[:7] if entry.event.version else named.safe(story.known.model)


def _word(entry: Logged, key: str) -> str:
    value = entry.event.arguments.get(key)
    return value if isinstance(value, str) else ""


def _shown(entry: Logged, key: str) -> str:
    return text.shorten(text.safe(_word(entry, key)), 60)


def _register(story: _Story, entry: Logged, which: str) -> str:
    run = f" of run {ids.short(_shown(entry, 'run'))}" if _word(entry, "run") else ""
    values = story.known.model.versions.get(entry.id)
    numbers = named.numbers(values) if values is not None else {}
    main = headline.metrics(numbers)[:1]
    metric = f", {text.safe(main[0])} {text.number(numbers[main[0]])}" if main else ""
    return f"registered {which}: {_shown(entry, 'artifact') or _shown(entry, 'source') or 'nothing'}{run}{metric}"


def _transition(story: _Story, entry: Logged, which: str) -> str:
    stage = _shown(entry, "stage")
    taken = story.passages.get(entry.id, [])
    left = next((item.left for item in taken if item.version == entry.event.version), "")
    others = [story.known.model.versions[item.version] for item in taken if item.version != entry.event.version]
    gone = f"; {', '.join(story.number(item) for item in others)} archived" if others else ""
    if stage == ruling.ARCHIVED:
        return f"archived {which}" + (f", from {left}" if left not in ("", ruling.NONE) else "")
    if stage == ruling.NONE:
        return f"took {which} out of {left or 'its stage'}"
    return f"moved {which} to {stage}" + (f" from {left}" if left not in ("", ruling.NONE, stage) else "") + gone


def _about_stage(verb: str) -> Callable[[_Story, Logged, str], str]:
    def sentence(story: _Story, entry: Logged, which: str) -> str:
        stage = _shown(entry, "stage")
        return f"{verb} {which}" + (f" for {stage}" if stage else "")

    return sentence


def _alias(story: _Story, entry: Logged, which: str) -> str:
    alias = _shown(entry, "alias")
    return f"called {which} {alias}" if entry.event.version else f"took the alias {alias} away"


def _tag(story: _Story, entry: Logged, which: str) -> str:
    key, value = _shown(entry, "key"), _shown(entry, "value")
    return f"tagged {which} {key}={value}" if value else f"tagged {which} {key}"


def _plainly(words: str) -> Callable[[_Story, Logged, str], str]:
    return lambda story, entry, which: words.format(which=which)


def _unknown(story: _Story, entry: Logged, which: str) -> str:
    return f"{text.shorten(text.safe(entry.event.op), 40)} {which}"


_SENTENCES: dict[str, Callable[[_Story, Logged, str], str]] = {
    events.CREATE: _plainly("created {which}"),
    events.RENAME: lambda story, entry, which: f"called the model {_shown(entry, 'name')}",
    events.REGISTER: _register,
    events.REQUEST: _about_stage("asked for an approval of"),
    events.APPROVE: _about_stage("approved"),
    events.REJECT: _about_stage("rejected"),
    events.TRANSITION: _transition,
    events.ALIAS: _alias,
    events.TAG: _tag,
    events.UNTAG: lambda story, entry, which: f"took the tag {_shown(entry, 'key')} from {which}",
    events.NOTE: _plainly("noted on {which}"),
    events.DESCRIBE: _plainly("described {which}"),
    events.DEPRECATE: _plainly("deprecated {which}"),
    events.REMOVE: _plainly("removed {which}"),
    events.UNDELETE: _plainly("brought {which} back"),
    events.JOIN: _plainly("joined two heads of {which}"),
}
