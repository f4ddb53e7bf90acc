"""Models of the registry by the names people give them, and what is told of them (docs/registry.md).

`NAME`, `NAME:3`, `NAME:4f2a9c1` (the event that registered it), `NAME:latest`, `NAME@STAGE`, `NAME@ALIAS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import Ambiguous, NotFound, UsageError
from gitexp.record import model as folding
from gitexp.record import rules as ruling
from gitexp.record.model import Model, Remark, Version, Word
from gitexp.store import models, rulebook
from gitexp.store.workspace import Workspace

_NUMBER = re.compile(r"v?(\d{1,9})\??", re.IGNORECASE)
_EVENT = re.compile(r"[0-9a-f]{7,40}")
_PARTS = re.compile(r"([^:@]*)(?:([:@])(.*))?", re.DOTALL)


def find(workspace: Workspace, said: str, *, removed: bool = False) -> tuple[Model, Version | None]:
    """Return the model, and the version if one is named, that a text means; removed ones only when asked for.

    Raises NotFound with what there is, Ambiguous, UsageError.
    """
    name, mark, what = _split(said)
    model = models.get(workspace, name, removed=removed)
    return model, _version(workspace, model, mark, what, removed=removed) if mark else None


def _is_version(word: str) -> bool:
    return word[:1] in (":", "@") or word == folding.LATEST or bool(_NUMBER.fullmatch(word) or _EVENT.fullmatch(word))


def one(workspace: Workspace, name: str, *, removed: bool = False) -> Model:
    """Return the model that a name means; raises UsageError for what names a version."""
    model, found = find(workspace, name, removed=removed)
    if found is not None:
        raise UsageError(f"{text.safe(name)} is a version, not a model", hint=f"gitexp model show {name}")
    return model


def version(workspace: Workspace, said: str, *, removed: bool = False) -> tuple[Model, Version]:
    """Return the version that a text means; raises UsageError where it names a model alone."""
    model, found = find(workspace, said, removed=removed)
    if found is None:
        raise _which(model)
    return model, found


def take(workspace: Workspace, words: Sequence[str], *, removed: bool = False) -> tuple[Model, Version, list[str]]:
    """Return the version that words begin with, `churn:3 …` or `churn 3 …`, and the words after it.

    Apart from its model a version is a number, `latest`, or begins with `:` or `@`: a stage could be another word's.
    """
    if not words:
        raise UsageError("which version?", hint="gitexp model ls NAME")
    model, found = find(workspace, words[0], removed=removed)
    if found is not None:
        return model, found, list(words[1:])
    if len(words) < 2 or not _is_version(words[1]):
        raise _which(model)
    return model, of(workspace, model, words[1], removed=removed), list(words[2:])


def pair(workspace: Workspace, words: Sequence[str]) -> tuple[tuple[Model, Version], tuple[Model, Version]]:
    """Return two versions, the older first: `churn:2 churn:3`, `churn 2 3`; one alone against the one in production.

    A model alone means its last two. Raises UsageError and NotFound where there are not two.
    """
    model, found = find(workspace, words[0])
    if found is None and len(words) == 1:
        last = versions(model)[:2]
        if len(last) < 2:
            raise NotFound(f"{safe(model)} has {text.plural(len(last), 'version')}, not two", hint=_numbers(model))
        return (model, last[1]), (model, last[0])
    model, found, rest = take(workspace, words)
    if not rest:
        held = of(workspace, model, "@production")
        if held.id == found.id:
            raise UsageError(f"{label(model, found)} is the one in production", hint=f"{label(model, found)} VERSION")
        return (model, held), (model, found)
    if len(rest) > 1:
        raise UsageError("two versions are compared", hint=f"gitexp model diff {model.name} 2 3")
    if is_address(rest[0]) and rest[0][0] not in ":@":
        return (model, found), version(workspace, rest[0])
    return (model, found), (model, of(workspace, model, rest[0]))


def of(workspace: Workspace, model: Model, said: str, *, removed: bool = False) -> Version:
    """Return the version of a model that `3`, `:3`, `@production`, `latest` or an alias means."""
    if said[:1] in (":", "@"):
        return _version(workspace, model, said[0], said[1:], removed=removed)
    is_number = _NUMBER.fullmatch(said) or _EVENT.fullmatch(said)
    return _version(workspace, model, ":" if is_number else "@", said, removed=removed)


def is_address(said: str) -> bool:
    """Say whether a text names a version by its form: NAME:… or NAME@…."""
    return bool(_split(said)[1])


def _split(said: str) -> tuple[str, str, str]:
    parts = _PARTS.fullmatch(said)
    name, mark, what = (parts[1], parts[2] or "", parts[3] or "") if parts else (said, "", "")
    if mark and not what.strip():
        raise UsageError(f"{text.safe(said)!r} names no version", hint=f"{name}:3  {name}:latest  {name}@production")
    return name, mark, what.strip()


def _version(workspace: Workspace, model: Model, mark: str, what: str, *, removed: bool) -> Version:
    found = _latest(model) if what.lower() == folding.LATEST else None
    found = found or (_by_number(model, what) if mark == ":" else _by_place(workspace, model, what))
    if found.removed is not None and not removed:
        raise NotFound(f"{label(model, found)} was removed", hint=f"gitexp model undelete {label(model, found)}")
    return found


def _latest(model: Model) -> Version:
    found = model.latest()
    if found is None:
        raise NotFound(f"{safe(model)} has no version", hint=f"gitexp model register RUN {model.name}")
    return found


def _by_number(model: Model, what: str) -> Version:
    number = _NUMBER.fullmatch(what)
    found = model.by_number(int(number[1])) if number else None
    if found is not None:
        return found
    begun = [item for id, item in model.versions.items() if id.startswith(what)] if _EVENT.fullmatch(what) else []
    if len(begun) == 1:
        return begun[0]
    if len(begun) > 1:
        raise Ambiguous(f"{what} begins {len(begun)} events", candidates=[label(model, item) for item in begun])
    if number is None and what in {*model.aliases, *(item.stage for item in model.versions.values())}:
        raise UsageError(f"{text.safe(what)} is no number", hint=f"{model.name}@{what}")
    raise NotFound(f"{safe(model)} has no version {text.safe(what)!r}", hint=_numbers(model))


def _numbers(model: Model) -> str:
    kept = [item.number for item in model.versions.values() if item.removed is None]
    if not kept:
        return f"gitexp model register RUN {model.name}"
    return f"it has {kept[0]} to {kept[-1]}" if len(kept) > 1 else f"it has {kept[0]}"


def _by_place(workspace: Workspace, model: Model, what: str) -> Version:
    """Return the version in a stage, the one that came last where there are several, or under an alias.

    Where the rules name a stage so, the name means the stage, whoever is in it.
    """
    held = model.holders(what.lower()) if what.lower() != ruling.NONE else []
    named = model.versions.get(model.aliases.get(what, ""))
    if named is not None and what.lower() in rulebook.now(workspace).rules.names(model.first):
        if not held:
            hint = (
                f"an alias of before the stage names {label(model, named)}: gitexp model alias -d {model.name} {what}"
            )
            raise NotFound(f"no version of {safe(model)} is in {text.safe(what.lower())}", hint=hint)
        named = None
    if held and named is not None and named is not held[0]:
        candidates = [f"{label(model, held[0])}, in that stage", f"{label(model, named)}, under that alias"]
        raise Ambiguous(f"{text.safe(what)} is a stage and an alias of {safe(model)}", candidates=candidates)
    if held or named is not None:
        return held[0] if held else named  # type: ignore[return-value]  # one of them is there
    if _NUMBER.fullmatch(what):
        raise NotFound(f"no stage or alias {text.safe(what)!r}", hint=f"{model.name}:{what}")
    hint = "there is: " + ", ".join(_places(model))
    raise NotFound(f"no version of {safe(model)} is {text.safe(what)!r}", hint=hint)


def _places(model: Model) -> list[str]:
    """Return what stands for a version of it, as it is typed: its aliases and stages, churn@production."""
    return [text.safe(f"{model.name}@{place}") for place in sorted({*model.aliases, *_stages(model), folding.LATEST})]


def _stages(model: Model) -> set[str]:
    return {item.stage for item in versions(model)} - {ruling.NONE}


def _which(model: Model) -> UsageError:
    latest = model.latest()
    number = f"{model.name}:{latest.number if latest else 1}"
    return UsageError(f"which version of {safe(model)}?", hint="  ".join([number, *_places(model)]))


def completions(workspace: Workspace, beginning: str) -> list[tuple[str, str]]:
    """Return (what can be typed, what it is) for models, and for versions where `:` or `@` was typed."""
    name, mark, _ = _PARTS.fullmatch(beginning).groups()  # type: ignore[union-attr]  # it fits any text
    if not mark:
        every_one = (model for model in models.readable(workspace)[0] if model.name.startswith(name))
        return [(model.name, text.plural(len(versions(model)), "version")) for model in every_one]
    model = models.get(workspace, name)
    found = [(f"{name}:{item.number}", item.stage) for item in versions(model)]
    found += [(f"{name}@{stage}", "stage") for stage in sorted(_stages(model))]
    found += [(f"{name}@{alias}", "alias") for alias in sorted(model.aliases)]
    return [item for item in found if item[0].startswith(beginning)]


def safe(model: Model) -> str:
    """Return a model's name as people may see it."""
    return text.safe(model.name)


def label(model: Model, found: Version) -> str:
    """Return what people see of a version, and can type: churn:3."""
    return f"{safe(model)}:{found.number}"


@dataclass(frozen=True, slots=True)
class Known:
    """A model with what this clone knows of it beside the events: `loose` are versions whose number may still move."""

    model: Model
    loose: frozenset[str] = frozenset()

    def number(self, found: Version) -> str:
        """Return a version's number as people see it: `3?` where it may still move."""
        return f"{found.number}{'?' if found.id in self.loose else ''}"


def known(workspace: Workspace, model: Model) -> Known:
    """Return a model with what is known of its numbers."""
    return Known(model, models.loose(workspace, model))


def every(workspace: Workspace, *, removed: bool = False) -> list[Known]:
    """Return all models that can be read, by name."""
    return [known(workspace, model) for model in models.readable(workspace, removed=removed)[0]]


def damaged(workspace: Workspace) -> list[str]:
    """Return a line for each model that cannot be read."""
    found = models.readable(workspace, removed=True)[1]
    return [f"{text.safe(ref)} cannot be read: {error.message}" for ref, error in sorted(found.items())]


def versions(model: Model, *, removed: bool = False, stage: str = "") -> list[Version]:
    """Return the versions of a model, the newest first."""
    found = [item for item in model.versions.values() if removed or item.removed is None]
    return [item for item in reversed(found) if not stage or item.stage == stage]


def of_run(workspace: Workspace, run_id: str) -> list[tuple[Model, Version]]:
    """Return the versions that a run has, of all models, the newest of each first."""
    return of_runs(workspace, [run_id]).get(run_id, [])


def of_runs(workspace: Workspace, run_ids: Sequence[str]) -> dict[str, list[tuple[Model, Version]]]:
    """Return {run: its versions} of the runs that have any; each model is read once."""
    from gitexp.index import database, kept  # a list of models does without

    known = kept.versions(database.of(workspace), run_ids)
    found: dict[str, list[tuple[Model, Version]]] = {}
    for name in sorted({name for rows in known.values() for name, _ in rows}):
        model = models.get(workspace, name)
        for item in versions(model):
            if item.run in known:
                found.setdefault(item.run, []).append((model, item))
    return found


def describe(found: Known) -> dict[str, Any]:
    """Return the JSON of a model, without its versions (docs/scripting.md)."""
    model = found.model
    stages: dict[str, list[int]] = {}
    for item in model.versions.values():
        if item.removed is None and item.stage != ruling.NONE:
            stages.setdefault(item.stage, []).append(item.number)
    latest = model.latest()
    return {
        "name": model.name,
        "first_name": model.first,
        "ref": ids.model_ref(model.first),
        "commit": model.tip,
        "created": canonical.iso(model.created_ms),
        "changed": canonical.iso(model.changed_ms),
        "description": model.description,
        "tags": model.tags,
        "notes": [describe_remark(item) for item in model.notes],
        "versions": sum(item.removed is None for item in model.versions.values()),
        "latest": latest.number if latest else None,
        "stages": stages,
        "aliases": {name: model.versions[id].number for name, id in sorted(model.aliases.items())},
        "events": model.count,
        "refused": len(model.refused),
        "removed": describe_remark(model.removed),
    }


def describe_version(found: Known, item: Version) -> dict[str, Any]:
    """Return the JSON of one version."""
    details = item.details
    return {
        "model": found.model.name,
        "version": item.number,
        "fixed": item.id not in found.loose,
        "id": item.id,
        "stage": item.stage,
        "stage_since": canonical.iso(item.stage_ms) if item.stage_ms else None,
        "aliases": found.model.aliases_of(item),
        "run": item.run or None,
        "run_name": details.get("run_name"),
        "experiment": details.get("experiment"),
        "run_author": details.get("run_author"),
        "commit": item.commit or None,
        "code": details.get("code"),
        "artifact": item.artifact or None,
        "sha256": item.sha256 or None,
        "size": item.size,
        "files": details.get("files"),
        "framework": details.get("framework"),
        "signature": details.get("signature"),
        "metrics": details.get("metrics") or {},
        "source": details.get("source"),
        "time": canonical.iso(item.time_ms),
        "changed": canonical.iso(item.changed_ms),
        "author": {"name": item.name, "email": item.person},
        "signed": item.signed,
        "description": item.description,
        "tags": dict(sorted(item.tags.items())),
        "notes": [describe_remark(note) for note in item.notes],
        "words": [_word(word) for word in item.words],
        "requests": [_word(word) for word in item.requests],
        "deprecated": describe_remark(item.deprecated),
        "removed": describe_remark(item.removed),
    }


def describe_remark(said: Remark | None) -> dict[str, Any] | None:
    """Return the JSON of a note or a reason."""
    if said is None:
        return None
    author = {"name": said.name, "email": said.person}
    return {"id": said.id, "time": canonical.iso(said.time_ms), "author": author, "text": said.text}


def _word(said: Word) -> dict[str, Any]:
    return {
        "id": said.id,
        "approved": said.yes,
        "stage": said.stage,
        "note": said.note,
        "time": canonical.iso(said.time_ms),
        "author": {"name": said.name, "email": said.person},
        "signed": said.signed,
    }


def metrics(found: Iterable[Version]) -> dict[str, list[float]]:
    """Return {metric: its numbers} of some versions; what is no number is left out."""
    values: dict[str, list[float]] = {}
    for item in found:
        for name, value in numbers(item).items():
            values.setdefault(name, []).append(value)
    return values


def numbers(item: Version) -> dict[str, float]:
    """Return the metrics of a version that are numbers: events come from elsewhere, too."""
    said = item.details.get("metrics")
    found: dict[str, float] = {}
    for name, value in said.items() if isinstance(said, dict) else ():
        try:
            found[name] = canonical.number(value)
        except ValueError:
            continue
    return found
