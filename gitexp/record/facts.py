"""Facts: what is said of a run or an experiment at any time, one line of JSON each (docs/facts.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp import canonical, ids
from gitexp.record.author import MAX_KEY, MAX_TEXT, Author

RUN = "run"
EXPERIMENT = "experiment"
MAX_LINE_BYTES = 128 * 1024
MAX_CLOCK = 2**48  # a line that claims more is damaged, or nothing could ever come after it

CUT = "purge_artifact"
_COMMIT, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_OWN_KEYS = frozenset({"id", RUN, EXPERIMENT, "clock", "time", "author", "op"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing said of one run or experiment; never changed once written. `arguments` keeps unknown keys too."""

    id: str
    kind: str  # RUN or EXPERIMENT
    target: str  # the run's or the experiment's id
    clock: int
    time_ms: int
    author: Author
    op: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """A remark, with who wrote it and when."""

    id: str
    time_ms: int
    author: Author
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return its JSON (docs/scripting.md)."""
        author = {"name": self.author.name, "email": self.author.email}
        return {"id": self.id, "time": canonical.iso(self.time_ms), "author": author, "text": self.text}


@dataclass(frozen=True, slots=True)
class Removal:
    """Why something is hidden or purged; `experiment` is the id of the experiment it went away with."""

    time_ms: int
    author: Author
    reason: str
    experiment: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Bytes that were purged from a run: what they were, why, and {run commit: the one in its place}.

    `artifact` is the name under which they were given up, "" where their hash was: then all of them went.
    """

    time_ms: int
    author: Author
    reason: str
    artifact: str
    sha256: tuple[str, ...]
    commits: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class State:
    """What all facts about one run or experiment come to."""

    tags: dict[str, str] = field(default_factory=dict)
    untagged: frozenset[str] = frozenset()  # keys taken away: a tag of the record is hidden by it
    notes: tuple[Note, ...] = ()
    title: str | None = None
    description: str | None = None
    archived: bool = False
    favourite: bool = False
    removal: Removal | None = None
    purge: Removal | None = None
    cuts: tuple[Cut, ...] = ()
    posts: dict[str, int | float] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    name: str | None = None  # of an experiment: its display name now
    names: tuple[str, ...] = ()  # and every name it has had
    path: str | None = None  # and the path of its refs
    ignored: int = 0  # facts of an unknown op, or whose arguments make no sense

    @property
    def removed(self) -> bool:
        """Say whether lists skip it."""
        return self.removal is not None or self.purge is not None

    def tags_over(self, recorded: Mapping[str, str]) -> dict[str, str]:
        """Return the tags of a record as these facts leave them."""
        kept = {key: value for key, value in recorded.items() if key not in self.untagged}
        return {**kept, **self.tags}


EMPTY = State()


def encode_line(fact: Fact) -> bytes:
    """Return the canonical line of a fact, without the newline; raises ValueError when it would be too long."""
    line = canonical.line(
        {
            **fact.arguments,
            "id": fact.id,
            fact.kind: fact.target,
            "clock": fact.clock,
            "time": canonical.iso(fact.time_ms),
            "author": {"name": fact.author.name, "email": fact.author.email},
            "op": fact.op,
        }
    )
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a fact of {len(line)} bytes: at most {MAX_LINE_BYTES}")
    return line


def decode_line(line: bytes) -> Fact:
    """Return the fact that a line holds; raises ValueError for a damaged one."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a line of {len(line)} bytes: at most {MAX_LINE_BYTES}")
    data = canonical.loads(line)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    kind, target = _target(data)
    clock = data.get("clock")
    if isinstance(clock, bool) or not isinstance(clock, int) or not 0 <= clock <= MAX_CLOCK:
        raise ValueError(f"clock {clock!r}: not a number from 0 to {MAX_CLOCK}")
    if not ids.is_run_id(_text(data.get("id"))):
        raise ValueError("no fact id")
    author = data.get("author")
    if not isinstance(author, dict):
        raise ValueError("no author")
    return Fact(
        id=data["id"],
        kind=kind,
        target=target,
        clock=clock,
        time_ms=canonical.from_iso(_text(data.get("time"))),
        author=Author(_text(author.get("name")), _text(author.get("email"))),
        op=_text(data.get("op")),
        arguments={key: value for key, value in data.items() if key not in _OWN_KEYS},
    )


def parse(lines: Iterable[bytes]) -> tuple[list[Fact], int]:
    """Return the facts that lines hold, and how many lines are damaged; empty lines count as nothing."""
    found, damaged = [], 0
    for line in lines:
        if not line.strip():
            continue
        try:
            found.append(decode_line(line))
        except ValueError:
            damaged += 1
    return found, damaged


def fold(facts: Iterable[Fact]) -> State:
    """Return what the facts about one run or experiment come to, whatever their order and however often each is there.

    The logical clock orders them, then the fact id; times decide nothing.
    """
    draft = _Draft()
    for fact in ordered(facts):
        change = _OPS.get(fact.op)
        try:
            if change is None:
                raise ValueError(f"unknown op {fact.op!r}")
            change(draft, fact)
        except ValueError:
            draft.ignored += 1
    return draft.state()


def ordered(facts: Iterable[Fact]) -> list[Fact]:
    """Return each fact once, in the order in which they count."""
    unique: dict[str, Fact] = {}
    for fact in facts:
        other = unique.get(fact.id)
        if other is None or (other is not fact and _rank(fact) > _rank(other)):
            unique[fact.id] = fact
    return sorted(unique.values(), key=lambda fact: (fact.clock, fact.id))


def _rank(fact: Fact) -> tuple[int, bytes]:
    """Order two facts that claim one id, so that all clones take the same one."""
    author = {"name": fact.author.name, "email": fact.author.email}
    content = [fact.kind, fact.target, fact.op, fact.time_ms, author, dict(fact.arguments)]
    return fact.clock, canonical.line(content)


@dataclass(slots=True)
class _Draft:
    """A State while facts are added to it."""

    tags: dict[str, str] = field(default_factory=dict)
    untagged: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)
    title: str | None = None
    description: str | None = None
    archived: bool = False
    favourite: bool = False
    removal: Removal | None = None
    purge: Removal | None = None
    cuts: list[Cut] = field(default_factory=list)
    posts: dict[str, int | float] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    first_name: str | None = None
    names: list[str] = field(default_factory=list)
    path: str | None = None
    ignored: int = 0

    def state(self) -> State:
        names = list(dict.fromkeys([*([self.first_name] if self.first_name else []), *self.names]))
        return State(
            tags=dict(sorted(self.tags.items())),
            untagged=frozenset(self.untagged),
            notes=tuple(self.notes),
            title=self.title,
            description=self.description,
            archived=self.archived,
            favourite=self.favourite,
            removal=self.removal,
            purge=self.purge,
            cuts=tuple(self.cuts),
            posts=dict(sorted(self.posts.items())),
            verdicts=dict(sorted(self.verdicts.items())),
            name=self.names[-1] if self.names else self.first_name,
            names=tuple(names),
            path=self.path,
            ignored=self.ignored,
        )


def _tag(draft: _Draft, fact: Fact) -> None:
    key, value = _key(fact, "key"), _argument(fact, "value")
    draft.tags[key] = value
    draft.untagged.discard(key)


def _untag(draft: _Draft, fact: Fact) -> None:
    key = _key(fact, "key")
    draft.tags.pop(key, None)
    draft.untagged.add(key)


def _note(draft: _Draft, fact: Fact) -> None:
    draft.notes.append(Note(fact.id, fact.time_ms, fact.author, _argument(fact, "text")))


def _title(draft: _Draft, fact: Fact) -> None:
    draft.title = _argument(fact, "text") or None


def _describe(draft: _Draft, fact: Fact) -> None:
    draft.description = _argument(fact, "text") or None


def _archive(draft: _Draft, fact: Fact) -> None:
    draft.archived = fact.op == "archive"


def _favour(draft: _Draft, fact: Fact) -> None:
    draft.favourite = fact.op == "favourite"


def _post(draft: _Draft, fact: Fact) -> None:
    values = fact.arguments.get("values")
    if not isinstance(values, dict) or any(len(name) > MAX_KEY for name in values):
        raise ValueError("no values")
    draft.posts.update({name: canonical.number(value) for name, value in values.items()})


def _verdict(draft: _Draft, fact: Fact) -> None:
    draft.verdicts[_key(fact, "key")] = _argument(fact, "value")


def _remove(draft: _Draft, fact: Fact) -> None:
    experiment = fact.arguments.get("with")
    if experiment is not None and not _is_experiment_id(experiment):
        raise ValueError("not an experiment id")
    draft.removal = Removal(fact.time_ms, fact.author, _argument(fact, "reason"), experiment)


def _undelete(draft: _Draft, fact: Fact) -> None:
    draft.removal = None


def _purge(draft: _Draft, fact: Fact) -> None:
    draft.purge = Removal(fact.time_ms, fact.author, _argument(fact, "reason"))


def _cut(draft: _Draft, fact: Fact) -> None:
    commits, hashes = fact.arguments.get("commits"), fact.arguments.get("sha256")
    pairs = commits.items() if isinstance(commits, dict) else ()
    if not all(isinstance(new, str) and _COMMIT.fullmatch(old) and _COMMIT.fullmatch(new) for old, new in pairs):
        raise ValueError("not commits")
    if not isinstance(hashes, list) or not all(isinstance(item, str) and _SHA256.fullmatch(item) for item in hashes):
        raise ValueError("not hashes")
    reason, artifact = _argument(fact, "reason"), _argument(fact, "artifact")
    draft.cuts.append(Cut(fact.time_ms, fact.author, reason, artifact, tuple(hashes), dict(pairs)))


def _create(draft: _Draft, fact: Fact) -> None:
    name = _experiment_name(fact)
    if ids.experiment_id(name) != fact.target:
        raise ValueError("the id is not of this name")
    if draft.first_name is None:
        draft.first_name, draft.path = name, ids.experiment_slug(name)


def _rename(draft: _Draft, fact: Fact) -> None:
    draft.names.append(_experiment_name(fact))


_EITHER: dict[str, Callable[[_Draft, Fact], None]] = {
    "tag": _tag,
    "untag": _untag,
    "note": _note,
    "description": _describe,
    "archive": _archive,
    "unarchive": _archive,
    "remove": _remove,
    "undelete": _undelete,
}
_OPS: dict[str, Callable[[_Draft, Fact], None]] = {
    **_EITHER,
    "title": _title,
    "favourite": _favour,
    "unfavourite": _favour,
    "post": _post,
    "verdict": _verdict,
    "purge": _purge,
    CUT: _cut,
    "create": _create,
    "rename": _rename,
}
OPS = frozenset(_OPS)


def _is_experiment_id(value: object) -> bool:
    """Say whether `value` is the id of an experiment."""
    return isinstance(value, str) and (value == "0" or ids.is_run_id(value))


def _target(data: Mapping[str, Any]) -> tuple[str, str]:
    if (RUN in data) == (EXPERIMENT in data):
        raise ValueError("a fact is about one run or one experiment")
    kind = RUN if RUN in data else EXPERIMENT
    target = data[kind]
    if not _is_experiment_id(target) or (kind == RUN and target == "0"):
        raise ValueError(f"not the id of {kind}: {target!r}")
    return kind, target


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"not a text: {value!r}")
    return value


def _argument(fact: Fact, name: str) -> str:
    text = _text(fact.arguments.get(name))
    if len(text) > MAX_TEXT:
        raise ValueError(f"{name} of {len(text)} characters")
    return text


def _key(fact: Fact, name: str) -> str:
    text = _argument(fact, name)
    if not text or len(text) > MAX_KEY:
        raise ValueError(f"{name} of {len(text)} characters")
    return text


def _experiment_name(fact: Fact) -> str:
    return ids.check_experiment(_argument(fact, "name"))
