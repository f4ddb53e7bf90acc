"""A model of the registry: what the events of its chain come to, one after the other (docs/registry.md, "The state").

Everything here is a function of the events, who signed them and the rules they name: every clone comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp import ids
from gitexp.errors import UsageError
from gitexp.record import event as events
from gitexp.record import rules as ruling
from gitexp.record.author import MAX_KEY, MAX_TEXT
from gitexp.record.event import Logged
from gitexp.record.rules import Rules, StageRules

LATEST = "latest"  # an alias that every model has: its newest version
NOT_SIGNED = "no good signature"
RulesOf = Callable[[str | None], Rules]


@dataclass(slots=True)
class Remark:
    """Something somebody said: a note, or why a version was deprecated or removed."""

    id: str
    person: str
    name: str
    time_ms: int
    text: str


@dataclass(slots=True)
class Word:
    """An approval (`yes`) or rejection of a version for a stage (None: any), by a person; `signed`: surely theirs."""

    id: str
    yes: bool
    person: str
    name: str
    time_ms: int
    stage: str | None
    note: str
    signed: bool


@dataclass(slots=True)
class Version:
    """A version of a model as folded so far. `id` is its register event, `number` its place among these."""

    id: str
    number: int
    time_ms: int
    person: str
    name: str  # of who registered it
    signed: bool
    run: str
    commit: str
    artifact: str
    sha256: str
    size: int
    details: dict[str, Any]  # framework, signature, metrics, files, run_name, experiment, run_author, source, …
    stage: str = ruling.NONE
    stage_ms: int = 0
    changed_ms: int = 0
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    notes: list[Remark] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    requests: list[Word] = field(default_factory=list)
    deprecated: Remark | None = None
    removed: Remark | None = None

    @property
    def authors(self) -> frozenset[str]:
        """The addresses, in lower case, of who registered it and of who made its run."""
        return frozenset(who.lower() for who in (self.person, str(self.details.get("run_author") or "")) if who)


@dataclass(slots=True)
class Passage:
    """A version's way into a stage, as it was taken."""

    id: str
    version: str
    stage: str
    left: str
    person: str
    time_ms: int


@dataclass(slots=True)
class Model:
    """A model as folded so far: `first` is its first name, which tells its ref, `tip` the last event."""

    first: str
    name: str = ""
    tip: str = ""
    created_ms: int = 0
    changed_ms: int = 0
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    notes: list[Remark] = field(default_factory=list)
    versions: dict[str, Version] = field(default_factory=dict)  # by id, in the order of their numbers
    aliases: dict[str, str] = field(default_factory=dict)  # alias: version id
    passages: list[Passage] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # event id: why it changed nothing
    removed: Remark | None = None
    count: int = 0  # events

    def by_number(self, number: int) -> Version | None:
        """Return the version of a number, None where there is none (removed ones too)."""
        return next((item for item in self.versions.values() if item.number == number), None)

    def holders(self, stage: str) -> list[Version]:
        """Return the versions in a stage, who came last first."""
        found = [item for item in self.versions.values() if item.stage == stage and item.removed is None]
        if len(found) < 2:
            return found
        came = {passage.version: at for at, passage in enumerate(self.passages)}  # times are what their writers say
        return sorted(found, key=lambda item: (came.get(item.id, -1), item.number), reverse=True)

    def latest(self) -> Version | None:
        """Return the newest version that was not removed."""
        return next((item for item in reversed(self.versions.values()) if item.removed is None), None)

    def was_in(self, version: Version, stage: str) -> bool:
        """Say whether a version was let into a stage before."""
        return any(item.version == version.id and item.stage == stage for item in self.passages)

    def aliases_of(self, version: Version) -> list[str]:
        """Return the aliases of a version, sorted."""
        return sorted(alias for alias, id in self.aliases.items() if id == version.id)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the approvals of a version stand for a stage: who counts, who is against, and {who does not count: why}."""

    approved: tuple[str, ...]
    rejected: tuple[str, ...]
    ignored: Mapping[str, str]


def standing(version: Version, stage: str, asked: StageRules, rules: Rules) -> Standing:
    """Return whose approvals and rejections of a version count for a stage; a person's last word counts."""
    allowed = rules.people(asked.approvers)
    last: dict[str, bool] = {}
    ignored: dict[str, str] = {}
    for word in version.words:
        if word.stage not in (None, stage):
            continue
        person = word.person.lower()
        why = unheard(word, version, asked, allowed)
        if why:
            ignored.setdefault(person, why)
        else:
            last[person] = word.yes
    approved = tuple(who for who, yes in last.items() if yes)
    rejected = tuple(who for who, yes in last.items() if not yes)
    return Standing(approved, rejected, {who: why for who, why in ignored.items() if who not in last})


def unheard(word: Word, version: Version, asked: StageRules, allowed: frozenset[str]) -> str:
    """Return why a word does not count, "" where it does; `allowed` are the approvers' addresses."""
    if asked.signed and not word.signed:
        return NOT_SIGNED
    if not word.person:
        return "names nobody"
    if asked.approvers and word.person.lower() not in allowed:
        return "not among the approvers"
    if asked.not_by_author and word.yes and word.person.lower() in version.authors:
        return "is its author"
    return ""


def fold(entries: Iterable[Logged], rules_of: RulesOf, model: Model) -> Model:
    """Apply events in the order of the chain to `model` (a new one: `Model(name)`) and return it.

    Events that the rules do not allow, or that make no sense, change nothing and stand in `refused` with the reason.
    """
    for entry in entries:
        model.tip, model.count = entry.id, model.count + 1
        model.created_ms = model.created_ms or entry.event.time_ms
        change = _OPS.get(entry.event.op)
        try:
            if change is None:
                raise ValueError(f"unknown op {entry.event.op!r}")
            if entry.event.model != model.first:
                raise ValueError(f"it is an event of {entry.event.model!r}")
            change(model, entry, rules_of)
        except (ValueError, UsageError) as error:
            model.refused[entry.id] = getattr(error, "message", str(error))
        else:
            model.changed_ms = max(model.changed_ms, entry.event.time_ms)
    model.name = model.name or model.first
    return model


def _create(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    model.description = model.description or _text(entry, "description", needed=False)


def _rename(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    model.name = ids.check_model(_text(entry, "name"))


def _register(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    arguments = dict(entry.event.arguments)
    run, commit, artifact, sha256 = (_text(entry, key, needed=False) for key in ("run", "commit", "artifact", "sha256"))
    if commit and not events.is_commit(commit):
        raise ValueError("commit is no commit id")
    size = arguments.get("size", 0)
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ValueError("size is no number of bytes")
    tags = arguments.pop("tags", None) or {}
    if not isinstance(tags, dict):
        raise ValueError("tags are no table")
    for key in ("run", "commit", "artifact", "sha256", "size"):
        arguments.pop(key, None)
    model.versions[entry.id] = Version(
        id=entry.id,
        number=len(model.versions) + 1,
        time_ms=entry.event.time_ms,
        person=entry.person,
        name=entry.author.name,
        signed=entry.signer.status == events.GOOD,
        run=run,
        commit=commit,
        artifact=artifact,
        sha256=sha256,
        size=size,
        details=arguments,
        changed_ms=entry.event.time_ms,
        description=str(arguments.pop("description", "") or "")[:MAX_TEXT],
        tags={str(key): str(value) for key, value in tags.items()},
    )


def _word(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    version, stage = _version(model, entry), entry.event.arguments.get("stage")
    if entry.event.arguments.get("sha256") != version.sha256:
        raise ValueError("its sha256 is not that of the version")
    word = Word(
        id=entry.id,
        yes=entry.event.op == events.APPROVE,
        person=entry.person,
        name=entry.author.name,
        time_ms=entry.event.time_ms,
        stage=None if stage is None else ruling.check_stage(str(stage)),
        note=_text(entry, "note", needed=False),
        signed=entry.signer.status == events.GOOD,
    )
    if entry.signer.status not in (events.GOOD, events.UNSIGNED):
        raise ValueError(f"its signature is {entry.signer.status}")
    (version.requests if entry.event.op == events.REQUEST else version.words).append(word)
    version.changed_ms = entry.event.time_ms


def _transition(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    version, rules = _version(model, entry), rules_of(entry.event.rules)
    stage = ruling.check_stage(_text(entry, "stage"))
    if entry.event.arguments.get("sha256") != version.sha256:
        raise ValueError("its sha256 is not that of the version")
    _may_enter(model, entry, version, stage, rules)
    held = [item for item in model.holders(stage) if item is not version]
    if rules.stage(model.first, stage).exclusive:
        for other in held:
            _move(model, entry, other, ruling.ARCHIVED)
    _move(model, entry, version, stage)


def _move(model: Model, entry: Logged, version: Version, stage: str) -> None:
    time_ms = entry.event.time_ms
    model.passages.append(Passage(entry.id, version.id, stage, version.stage, entry.person, time_ms))
    version.stage, version.stage_ms, version.changed_ms = stage, time_ms, time_ms


def _may_enter(model: Model, entry: Logged, version: Version, stage: str, rules: Rules) -> None:
    """Raise ValueError, saying why, where the rules do not let a version into a stage."""
    named = rules.names(model.first)
    if named and stage not in (*named, ruling.NONE, ruling.ARCHIVED):
        raise ValueError(f"the rules know no stage {stage!r}: {', '.join(named)}")
    _by_promoter(model, entry, version.stage, rules)
    asked = rules.stage(model.first, stage)
    if asked.promoters and entry.person.lower() not in rules.people(asked.promoters):
        raise ValueError(f"{entry.person} is not among the promoters of {stage}")
    if stage not in (ruling.NONE, ruling.ARCHIVED) and version.deprecated is not None:
        raise ValueError("the version is deprecated")
    if asked.after and version.stage not in asked.after and not model.was_in(version, stage):
        raise ValueError(f"it comes from {version.stage}, not from {' or '.join(asked.after)}")
    if asked.merged and not isinstance(entry.event.arguments.get("proposal"), dict):
        raise ValueError("it is no proposal that was merged")
    _by_signature(entry, version, asked)
    _by_approvals(version, stage, asked, rules)
    _as_it_was(model, entry, version, stage, asked)


def _by_promoter(model: Model, entry: Logged, left: str, rules: Rules) -> None:
    """What a listed person put into a stage only a listed person takes out of it."""
    asked = rules.stage(model.first, left)
    if asked.promoters and entry.person.lower() not in rules.people(asked.promoters):
        raise ValueError(f"{entry.person} is not among the promoters of {left}, where it is")
    if asked.promoters and asked.signed and entry.signer.status != events.GOOD:
        raise ValueError(f"the signature is {entry.signer.status}")


def _by_signature(entry: Logged, version: Version, asked: StageRules) -> None:
    if not asked.signed:
        return
    if entry.signer.status != events.GOOD:
        raise ValueError(f"the signature of the transition is {entry.signer.status}")
    if not version.signed:  # else anybody could claim that another registered it
        raise ValueError("the registration of the version has no good signature")


def _by_approvals(version: Version, stage: str, asked: StageRules, rules: Rules) -> None:
    if not asked.approvals and not asked.approvers:
        return
    found = standing(version, stage, asked, rules)
    if found.rejected:
        raise ValueError(f"rejected by {', '.join(found.rejected)}")
    if len(found.approved) < asked.approvals:
        ignored = "".join(f"; {who} {why}" for who, why in found.ignored.items())
        raise ValueError(f"{len(found.approved)} of {asked.approvals} approvals{ignored}")


def _as_it_was(model: Model, entry: Logged, version: Version, stage: str, asked: StageRules) -> None:
    """Refuse what was decided against another state: of two promotions made apart the first to be pushed counts."""
    compared = asked.better_than.stage if asked.better_than is not None else stage if asked.exclusive else None
    if compared is None:
        return
    holder = next((item for item in model.holders(compared) if item is not version), None)
    expected = entry.event.arguments.get("from")
    if (holder.id if holder else None) != expected and version.stage != stage:
        seen = model.versions.get(str(expected))
        before = f"version {seen.number}" if seen else "nothing"
        now = f"version {holder.number}" if holder else "nothing"
        raise ValueError(f"decided when {compared} held {before}; it held {now} by then")


def _alias(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    alias = check_alias(_text(entry, "alias"))
    if entry.event.version is not None and alias.lower() in rules_of(entry.event.rules).names(model.first):
        raise ValueError(f"{alias} is a stage")
    if entry.event.version is None:
        model.aliases.pop(alias, None)
    else:
        model.aliases[alias] = _version(model, entry).id


def check_alias(alias: str) -> str:
    """Return an alias or raise UsageError: letters, digits, `-`, `_` and `.`, not a number, not `latest`."""
    plain = alias.strip()
    if not plain or len(plain) > MAX_KEY or not all(c.isalnum() or c in "-_." for c in plain):
        raise UsageError(f"alias {alias!r}: letters, digits, '-', '_' and '.' only", hint="for example: champion")
    if plain.lower() == LATEST or plain.lower().removeprefix("v").isdigit():
        raise UsageError(f"alias {alias!r} means a version already", hint="for example: champion")
    return plain


def _tag(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    key = _text(entry, "key")
    if len(key) > MAX_KEY:
        raise ValueError(f"a tag of {len(key)} characters")
    tags = model.tags if entry.event.version is None else _version(model, entry).tags
    if entry.event.op == events.TAG:
        tags[key] = _text(entry, "value", needed=False)
    else:
        tags.pop(key, None)
    _touch(model, entry)


def _note(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    notes = model.notes if entry.event.version is None else _version(model, entry).notes
    notes.append(_remark(entry, "text"))
    _touch(model, entry)


def _describe(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    text = _text(entry, "text", needed=False)
    if entry.event.version is None:
        model.description = text
    else:
        _version(model, entry).description = text
    _touch(model, entry)


def _deprecate(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    version = _version(model, entry)
    _by_promoter(model, entry, version.stage, rules_of(entry.event.rules))
    version.deprecated = _remark(entry, "reason")
    _touch(model, entry)


def _remove(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    gone = list(model.versions.values()) if entry.event.version is None else [_version(model, entry)]
    for version in gone:
        _by_promoter(model, entry, version.stage, rules_of(entry.event.rules))
    if entry.event.version is None:
        model.removed = _remark(entry, "reason")
    else:
        gone[0].removed = _remark(entry, "reason")
        model.aliases = {alias: id for alias, id in model.aliases.items() if id != gone[0].id}
    _touch(model, entry)


def _undelete(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    if entry.event.version is None:
        model.removed = None
    else:
        version = model.versions.get(entry.event.version)
        if version is None:
            raise ValueError("no such version")
        if version.removed is None:  # else anybody could take it out of a stage
            raise ValueError(f"version {version.number} was not removed")
        version.removed, version.stage = None, ruling.NONE  # its stage may have another by now
    _touch(model, entry)


def _join(model: Model, entry: Logged, rules_of: RulesOf) -> None:
    return None


def _touch(model: Model, entry: Logged) -> None:
    version = model.versions.get(entry.event.version or "")
    if version is not None:
        version.changed_ms = max(version.changed_ms, entry.event.time_ms)


def _version(model: Model, entry: Logged) -> Version:
    version = model.versions.get(entry.event.version or "")
    if version is None:
        raise ValueError("no such version")
    if version.removed is not None:
        raise ValueError(f"version {version.number} was removed")
    return version


def _remark(entry: Logged, key: str) -> Remark:
    text = _text(entry, key, needed=False)
    return Remark(entry.id, entry.person, entry.author.name, entry.event.time_ms, text)


def _text(entry: Logged, key: str, *, needed: bool = True) -> str:
    value = entry.event.arguments.get(key, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT or (needed and not value):
        raise ValueError(f"{key} is no text of at most {MAX_TEXT:,} characters")
    return value


_OPS: dict[str, Callable[[Model, Logged, RulesOf], None]] = {
    events.CREATE: _create,
    events.RENAME: _rename,
    events.REGISTER: _register,
    events.REQUEST: _word,
    events.APPROVE: _word,
    events.REJECT: _word,
    events.TRANSITION: _transition,
    events.ALIAS: _alias,
    events.TAG: _tag,
    events.UNTAG: _tag,
    events.NOTE: _note,
    events.DESCRIBE: _describe,
    events.DEPRECATE: _deprecate,
    events.REMOVE: _remove,
    events.UNDELETE: _undelete,
    events.JOIN: _join,
}
OPS = frozenset(_OPS)
