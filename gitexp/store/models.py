"""Models of the registry: chains of events at refs/models/, folded, added to and joined (docs/registry.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gitexp import clock, ids, locks, text
from gitexp.errors import Ambiguous, Conflict, Damaged, GitexpError, NotFound, Refused, UsageError
from gitexp.git import chain, compare, objects, refs, transport
from gitexp.git.objects import Commit, Signature
from gitexp.record import event as events
from gitexp.record import model as folding
from gitexp.record.author import Author
from gitexp.record.event import Event, Logged
from gitexp.record.model import Model
from gitexp.record.rules import Rules
from gitexp.store import heads, modelcache, remotes, rulebook
from gitexp.store import workspace as workspaces
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace

PREFIX = ids.MODELS
_TRIES = 20
_LOCK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be: `subject` is the line for people, `version` the id of the version it is about."""

    op: str
    subject: str
    version: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of taking in another head: the model before and after, and the head now."""

    ref: str
    tip: str
    moved: tuple[tuple[str, int, int], ...] = ()  # (version id, number before, number now)
    refused: Mapping[str, str] = field(default_factory=dict)  # events that counted before: why they do not now

    @property
    def changed(self) -> bool:
        """Say whether something means another thing than before."""
        return bool(self.moved or self.refused)


def listing(workspace: Workspace) -> dict[str, str]:
    """Return {ref: last event} of all models."""
    return refs.listing(workspace.repo, PREFIX)


def every(workspace: Workspace, *, removed: bool = False) -> list[Model]:
    """Return all models by name; raises Damaged for a chain that cannot be read."""
    found, damaged = readable(workspace, removed=removed)
    if damaged:
        raise next(iter(damaged.values()))
    return found


def readable(workspace: Workspace, *, removed: bool = False) -> tuple[list[Model], dict[str, GitexpError]]:
    """Return the models that can be read, by name, and {ref: why not} of the others: one hides no other."""
    found: list[Model] = []
    damaged: dict[str, GitexpError] = {}
    for ref, tip in listing(workspace).items():
        try:
            found.append(load(workspace, ref, tip))
        except GitexpError as error:
            damaged[ref] = error
    return sorted((item for item in found if removed or item.removed is None), key=lambda item: item.name), damaged


def get(workspace: Workspace, name: str, *, removed: bool = False) -> Model:
    """Return the model that a name means now, else the one that was first called so; raises NotFound."""
    name = ids.check_model(name)
    tip = refs.get(workspace.repo, ids.model_ref(name))
    first = load(workspace, ids.model_ref(name), tip) if tip else None
    if first is None or first.name != name:
        called = [item for item in readable(workspace, removed=True)[0] if item.name == name]
        if len(called) > 1:
            raise Ambiguous(f"models are called {text.safe(name)!r}", candidates=[item.first for item in called])
        first = called[0] if called else first
    if first is None:
        raise _not_found(workspace, name)
    if first.removed is not None and not removed:
        raise NotFound(f"model {text.safe(name)!r} was removed", hint=f"gitexp model undelete {first.name}")
    return first


def _not_found(workspace: Workspace, name: str) -> NotFound:
    import difflib

    near = difflib.get_close_matches(name, [item.name for item in readable(workspace)[0]], n=3, cutoff=0.5)
    hint = f"did you mean: {', '.join(near)}" if near else "list them with: gitexp model ls"
    return NotFound(f"no model {text.safe(name)!r}", hint=hint)


def get_ref(workspace: Workspace, ref: str) -> Model:
    """Return the model of a ref; raises NotFound."""
    tip = refs.get(workspace.repo, ref)
    if tip is None:
        raise NotFound(f"no model at {text.safe(ref)}", hint="list them with: gitexp model ls")
    return load(workspace, ref, tip)


def load(workspace: Workspace, ref: str, tip: str) -> Model:
    """Return a model as folded up to `tip`, from the cache where that is enough."""
    known = modelcache.read(workspace, ref)
    if known is not None and known.tip == tip:
        return known
    fresh = (
        chain.after(workspace.repo, tip, known.tip) if known is not None and _is_here(workspace, known.tip) else None
    )
    if known is None or fresh is None:
        fresh, known = chain.order(workspace.repo, tip), None
    entries = logged(workspace, fresh)
    if known is None:
        if not entries:
            raise Damaged(f"{ref} holds no model", hint=f"git log {ref}")
        known = Model(entries[0].event.model)
    rules = _Rules(workspace)
    model = folding.fold(entries, rules, known)
    if ids.model_ref(model.first) != ref:
        raise Damaged(f"{ref} holds the model {text.safe(model.first)!r}", hint=f"git log {ref}")
    if not rules.lacking:
        modelcache.write(workspace, ref, model)
    return model


def history(workspace: Workspace, ref: str, tip: str | None = None) -> list[Logged]:
    """Return all events of a model in their order."""
    tip = tip or refs.get(workspace.repo, ref)
    return logged(workspace, chain.order(workspace.repo, tip)) if tip else []


def logged(workspace: Workspace, commits: Mapping[str, Commit]) -> list[Logged]:
    """Return commits of a chain as events; raises Damaged for one that is none."""
    from gitexp.store import signers  # whoever finds a model in the cache does without

    signed = signers.of(workspace, list(commits))
    found = []
    for oid, commit in commits.items():
        try:
            event = events.decode(commit.message)
        except ValueError as error:
            raise Damaged(f"{oid[:7]} is no event of a model: {error}", hint=f"git show {oid}") from error
        author = Author(commit.author.name, commit.author.email)
        found.append(Logged(oid, commit.parents, event, author, commit.committer.time_s, signed[oid]))
    return found


class _Rules:
    """The rules of commits, each read once; `lacking` are commits that are not here, which a fetch may bring."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: dict[str | None, Rules] = {}
        self.lacking: set[str] = set()

    def __call__(self, commit: str | None) -> Rules:
        if commit is not None and not _is_here(self._workspace, commit):
            self.lacking.add(commit)
        if commit not in self._known:
            self._known[commit] = rulebook.at(self._workspace, commit)
        return self._known[commit]


def _is_here(workspace: Workspace, oid: str) -> bool:
    return objects.exists(workspace.repo, oid)


def append(workspace: Workspace, first: str, drafts: Sequence[Draft], *, create: bool = False) -> Model:
    """Add events to the model first called `first`, all or none, and return it as it is then.

    Raises NotFound without `create` where there is no such model, Refused, moving nothing, where the fold says that
    one of them would change nothing, Conflict where others never stop writing.
    """
    first = ids.check_model(first)
    ref = ids.model_ref(first)
    with _writing(workspace):
        for _ in range(_TRIES):
            tip = refs.get(workspace.repo, ref)
            if tip is None and not create:
                raise _not_found(workspace, first)
            model = load(workspace, ref, tip) if tip else Model(first)
            _extend(workspace, model, tip, drafts)
            try:
                refs.update(workspace.repo, ref, model.tip, old=tip)
            except Conflict:
                continue
            heads.remember(workspace, {ref: model.tip})
            modelcache.write(workspace, ref, model)
            return model
    raise Conflict(f"{ref} changes all the time", hint="try again")


@contextmanager
def _writing(workspace: Workspace) -> Iterator[None]:
    """Keep our own processes from racing in vain; the ref's compare-and-swap decides."""
    with locks.hold(workspace.home / "models" / "lock", timeout_seconds=_LOCK_SECONDS):
        yield


def _extend(workspace: Workspace, model: Model, tip: str | None, drafts: Sequence[Draft]) -> None:
    """Write events and fold them into a model; raises Refused where one would change nothing."""
    book = rulebook.now(workspace)
    _check_age(workspace, tip, book)
    commits: dict[str, Commit] = {}
    for draft in drafts:
        event = Event(draft.op, model.first, clock.now_ms(), book.commit, draft.version, draft.arguments)
        commit = commit_of(workspace, event, draft.subject, [tip] if tip else [])
        tip = _write(workspace, commit)
        commits[tip] = commit
    folding.fold(logged(workspace, commits), _Rules(workspace), model)
    refused = [(draft, model.refused[oid]) for draft, oid in zip(drafts, commits, strict=True) if oid in model.refused]
    if refused:
        draft, why = refused[0]
        raise Refused(f"refused: {draft.subject}: {why}", hint=f"gitexp model check {model.name or model.first}")


def _write(workspace: Workspace, commit: Commit) -> str:
    from gitexp.store import signers

    return signers.write(workspace, commit)


def _check_age(workspace: Workspace, tip: str | None, book: Rulebook) -> None:
    """Raise Refused where the last event was made under newer rules than we know of: nobody would take the next one."""
    last = events.decode(objects.read_commit(workspace.repo, tip).message).rules if tip else None
    if last is None or last == book.commit:
        return
    if book.commit is None or not _is_here(workspace, last) or not compare.contains(workspace.repo, book.commit, last):
        raise Refused(f"the rules here are older than those of the last event, {last[:7]}", hint="git fetch")


def commit_of(workspace: Workspace, event: Event, subject: str, parents: Sequence[str]) -> Commit:
    """Return the commit of an event; its time is never before that of what it follows."""
    repo, who = workspace.repo, workspaces.user(workspace)
    earlier = [objects.read_commit(repo, parent).committer.time_s for parent in parents]
    seconds = max([event.time_ms // 1000, *earlier])
    person = Signature(who["name"], who["email"], seconds)
    try:
        message = events.encode(event, subject)
    except ValueError as error:
        raise UsageError(str(error), hint="say less") from error
    return Commit(objects.write_tree(repo, {}), tuple(parents), person, person, message)


def join(workspace: Workspace, ref: str, other: str) -> Joined:
    """Take in another head of a model, as a remote holds it: what that has counts first, ours goes after it.

    Where neither follows from the other, a signed merge commit with `other` as its first parent joins them. Raises
    Damaged where `other` is no chain of this model.
    """
    with _writing(workspace):
        for _ in range(_TRIES):
            tip = refs.get(workspace.repo, ref)
            before = load(workspace, ref, tip) if tip else None
            new = _joined(workspace, ref, tip, other)
            after = load(workspace, ref, new)
            try:
                if new != tip:
                    refs.update(workspace.repo, ref, new, old=tip)
            except Conflict:
                continue
            heads.remember(workspace, {ref: new})
            return _changes(ref, before, after)
    raise Conflict(f"{ref} changes all the time", hint="try again")


def _joined(workspace: Workspace, ref: str, tip: str | None, other: str) -> str:
    repo = workspace.repo
    if tip is None or tip == other or chain.is_behind(repo, tip, other):
        return other
    if chain.is_behind(repo, other, tip):
        return tip
    theirs = load(workspace, ref, other)
    if tip in chain.order(repo, other):
        return other  # what was added here is there already, as what came second
    event = Event(events.JOIN, theirs.first, clock.now_ms(), rulebook.now(workspace).commit)
    return _write(workspace, commit_of(workspace, event, f"join two heads of {theirs.first}", [other, tip]))


def _changes(ref: str, before: Model | None, after: Model) -> Joined:
    if before is None:
        return Joined(ref, after.tip)
    moved = tuple(
        (id, version.number, after.versions[id].number)
        for id, version in before.versions.items()
        if id in after.versions and after.versions[id].number != version.number
    )
    refused = {id: why for id, why in after.refused.items() if id not in before.refused}
    return Joined(ref, after.tip, moved, refused)


def reset(workspace: Workspace, ref: str, tip: str | None, *, old: str) -> None:
    """Put a model back to an earlier head, or take its ref away (None); raises Conflict where it is not at `old`."""
    with _writing(workspace):
        if tip is None:
            refs.delete(workspace.repo, ref, old=old)
        else:
            refs.update(workspace.repo, ref, tip, old=old)
        heads.remember(workspace, {ref: tip})


def loose(workspace: Workspace, model: Model) -> frozenset[str]:
    """Return the versions whose number may still move: a remote is there, and none was seen to hold them."""
    ref = ids.model_ref(model.first)
    held = [found[ref] for found in remotes.holdings(workspace).values() if ref in found]
    if model.tip in held or not transport.names(workspace.repo):
        return frozenset()
    here = [tip for tip in held if _is_here(workspace, tip)]
    if len(here) < len(held):  # others went on there: what it held before it still holds
        from gitexp.store import furthest

        before = furthest.remembered(workspace).values()
        here += [far[ref] for far in before if ref in far and _is_here(workspace, far[ref])]
    fixed: set[str] = set()
    for tip in here:
        fixed.update(chain.order(workspace.repo, tip))
    return frozenset(id for id in model.versions if id not in fixed)
