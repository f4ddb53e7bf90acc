"""Events of models looked at one by one: what a server asks of a push, and what `gitexp model verify` asks of all.

Each event is judged by what stood behind it, not by what others did meanwhile: an event that was allowed when it was
made, and that a join put after another, is no fault. The fold shows it as refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace

from gitexp import clock, ids, text
from gitexp.errors import GitexpError, UsageError
from gitexp.git import chain, compare, objects
from gitexp.git.objects import Commit
from gitexp.ops.registry import gates
from gitexp.record import event as events
from gitexp.record import model as folding
from gitexp.record.event import Logged
from gitexp.record.model import Model
from gitexp.record.rules import Rules
from gitexp.store import models, rulebook
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace

AHEAD_S = 86_400  # how far a clock may be ahead
MAX_FRESH = 20_000  # events of one push to one model
MAX_JOINS = 200  # among them: what stood behind each is folded anew
_GUARDED = (events.DEPRECATE, events.REMOVE, events.ALIAS)  # beside transitions, what rules may forbid
_OUTDATED = (events.REVOKED, events.EXPIRED, events.UNKNOWN)  # what a list may come to say of a key that was good
_BROKEN = {
    events.BAD: "its signature does not fit: it was changed, or forged",
    events.REVOKED: "its key was revoked",
    events.EXPIRED: "its key was out of its dates",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an event; `event` is "" where it is the chain as a whole.

    `sure` is False where it may be right, and somebody should look.
    """

    ref: str
    event: str
    why: str
    sure: bool = True


def vet(
    workspace: Workspace,
    ref: str,
    old: str | None,
    new: str,
    *,
    beside: Mapping[str, str] | None = None,
    attested: Collection[str] = (),
) -> list[Fault]:
    """Return what is wrong with the events that `new` adds to `old` (None: to nothing).

    Of `attested` events somebody saw that their keys were good, whatever the lists say of these now.

    `beside` {ref: head}: they come with a push, and these are the models that stand then. So they are held to the rules
    now in force, too, to the clock here, and to the names of the others.
    """
    arriving = beside is not None
    try:
        commits = chain.order(workspace.repo, new)
        if old is not None and not chain.is_behind(workspace.repo, old, new):
            return [Fault(ref, "", f"a model only moves forward, and {new[:7]} does not follow {old[:7]}; fetch first")]
        known = chain.order(workspace.repo, old).keys() if old is not None else set[str]()
        fresh = {oid: commit for oid, commit in commits.items() if oid not in known}
        if len(fresh) > MAX_FRESH and arriving:
            return [Fault(ref, "", f"{len(fresh):,} events at once: at most {MAX_FRESH:,}")]
        joins = sum(len(commit.parents) > 1 for commit in fresh.values())
        if joins > MAX_JOINS and arriving:
            return [Fault(ref, "", f"{joins:,} joins at once: at most {MAX_JOINS:,}")]
        return _Vetting(workspace, ref, commits, beside, attested).faults(fresh)
    except GitexpError as error:
        return [Fault(ref, "", error.message)]


@dataclass
class _Vetting:
    """One chain being looked at."""

    workspace: Workspace
    ref: str
    commits: Mapping[str, Commit]
    beside: Mapping[str, str] | None
    attested: Collection[str] = ()
    _states: dict[str, Model] = field(default_factory=dict)
    _children: Counter[str] = field(default_factory=Counter)
    _books: dict[str | None, str] = field(default_factory=dict)
    _terms: list[tuple[int, str]] | None = None
    _doubts: list[Fault] = field(default_factory=list)

    @property
    def arriving(self) -> bool:
        """Say whether the events come with a push."""
        return self.beside is not None

    def faults(self, fresh: Mapping[str, Commit]) -> list[Fault]:
        """Return what is wrong with these events."""
        found = [Fault(self.ref, oid, why) for oid, commit in fresh.items() for why in self._form(commit)]
        if found:  # what is no event cannot be folded
            return found
        entries = self._logged(fresh)
        self._children.update(parent for commit in fresh.values() for parent in commit.parents[:1])
        now = rulebook.now(self.workspace)
        for entry in entries:
            found += [Fault(self.ref, entry.id, why) for why in self._event(entry, now)]
        return found + self._doubts

    def _logged(self, commits: Mapping[str, Commit]) -> list[Logged]:
        return [
            as_signed(entry) if entry.id in self.attested else entry for entry in models.logged(self.workspace, commits)
        ]

    def _form(self, commit: Commit) -> list[str]:
        """Return what is wrong with a commit as such."""
        try:
            event = events.decode(commit.message)
        except ValueError as error:
            return [f"it is no event: {error}"]
        found = []
        if ids.model_ref(event.model) != self.ref:
            found.append(f"it is an event of {text.safe(event.model)!r}")
        if commit.tree != objects.EMPTY_TREE:
            found.append("it has files")
        if (len(commit.parents) == 2) != (event.op == events.JOIN) or len(commit.parents) > 2:
            found.append(f"{event.op} with {len(commit.parents)} parents")
        if not events.is_canonical(commit.message):
            found.append("its JSON is not in canonical form")
        earlier = [self.commits[parent].committer.time_s for parent in commit.parents]
        if earlier and commit.committer.time_s < max(earlier):
            found.append("its time is before that of what it follows")
        elif commit.committer.time_s != max([event.time_ms // 1000, *earlier]):
            found.append("it says another time than its commit")
        if self.arriving and commit.committer.time_s > clock.now_ms() // 1000 + AHEAD_S:
            found.append("its time is in the future")
        return found

    def _event(self, entry: Logged, now: Rulebook) -> list[str]:
        found = [_BROKEN[entry.signer.status]] if entry.signer.status in _BROKEN else []
        astray = self._rules(entry, now)
        found += astray
        before = self._before(entry)
        if entry.event.op == events.TRANSITION and not astray:
            found += self._transition(before, entry, now)
        if self.arriving and not astray:
            found += self._now(before, entry, now)
        elif not astray:
            self._doubt(before, entry, now)
        called = before.name
        after = folding.fold([entry], self._rules_of, before)
        if why := after.refused.get(entry.id):
            found.append(why)
        if entry.event.op == events.REGISTER and self.arriving:
            found += self._run(entry)
        if self.arriving and after.name != called:
            found += self._taken(after.name)
        self._states[entry.id] = after
        return list(dict.fromkeys(found))

    def _rules_of(self, commit: str | None) -> Rules:
        return rulebook.at(self.workspace, commit)

    def _before(self, entry: Logged) -> Model:
        """Return the model as it stood behind an event; the fold of a join is that of all that it joins."""
        parents = entry.parents
        if not parents:
            return Model(entry.event.model)
        if len(parents) == 1 and parents[0] in self._states:
            self._children[parents[0]] -= 1
            if not self._children[parents[0]]:
                return self._states.pop(parents[0])
            return deepcopy(self._states[parents[0]])
        past = chain.order(self.workspace.repo, entry.id)
        past.pop(entry.id)
        return folding.fold(self._logged(past), self._rules_of, Model(entry.event.model))

    def _rules(self, entry: Logged, now: Rulebook) -> list[str]:
        """Return what is wrong with the rules that an event names: not those of the branch, or older than before."""
        commit = entry.event.rules
        if commit is None:
            earlier = next((name for name in map(self._named, entry.parents) if name), None)
            if earlier:
                return [f"it names no rules, and those of {earlier[:7]} were in force"]
            ruled = entry.event.op == events.TRANSITION and bool(now.rules.names(entry.event.model))
            return ["it names no rules, and there are some"] if ruled and not self.arriving else []
        if now.commit is None:
            return [f"it names rules, {commit[:7]}, and there is no branch of them here"]
        if commit not in self._books:
            self._books[commit] = self._off_branch(commit, now)
        found = [self._books[commit]] if self._books[commit] else []
        if entry.event.op == events.JOIN:
            return found
        if any(name and name != commit and self._is_after(name, commit) for name in map(self._named, entry.parents)):
            found.append(f"its rules, {commit[:7]}, are older than those of what it follows")
        return found

    def _off_branch(self, commit: str, now: Rulebook) -> str:
        if now.commit is not None and self._is_after(now.commit, commit):
            return ""
        return f"its rules, {commit[:7]}, are not in the history of {now.label}"

    def _named(self, oid: str) -> str | None:
        try:
            return events.decode(self.commits[oid].message).rules
        except ValueError:
            return None

    def _is_after(self, later: str, earlier: str) -> bool:
        repo = self.workspace.repo
        here = objects.exists(repo, later) and objects.exists(repo, earlier)
        return here and compare.contains(repo, later, earlier)

    def _doubt(self, before: Model, entry: Logged, now: Rulebook) -> None:
        """Keep what the rules that stood when an event says it was made have against it, where it names older ones.

        Who was offline may have known of none: what a server would refuse is a doubt here, for somebody to look at.
        Commits know seconds: in the second in which rules changed, nobody can say which came first.
        """
        if entry.event.op not in (events.TRANSITION, *_GUARDED) or entry.event.rules == now.commit:
            return
        if self._terms is None:
            self._terms = rulebook.terms(self.workspace, now)
        stood = next((commit for time_s, commit in self._terms if time_s < entry.committed_s), None)
        if stood is None or not self._is_newer(stood, entry.event.rules):
            return
        if why := self._against(before, entry, Rulebook(self._rules_of(stood), stood, now.branch)):
            said = f"the rules of {stood[:7]}, which stood when it says it was made, have against it: {why}"
            self._doubts.append(Fault(self.ref, entry.id, said, sure=False))

    def _is_newer(self, stood: str, named: str | None) -> bool:
        try:
            return self._rules_of(stood) != self._rules_of(named) and (named is None or self._is_after(stood, named))
        except UsageError:  # rules that nobody can read stood for nothing
            return False

    def _against(self, before: Model, entry: Logged, book: Rulebook) -> str:
        """Return what rules have against an event, "" for nothing."""
        version = before.versions.get(entry.event.version or "")
        if entry.event.op != events.TRANSITION:
            return folding.fold([entry], lambda commit: book.rules, deepcopy(before)).refused.get(entry.id, "")
        if version is None:
            return ""
        stage, act = str(entry.event.arguments.get("stage", "")), gates.of_event(entry)
        judged = gates.evaluate(self.workspace, before, version, stage, act=act, book=book)
        return "; ".join(f"{gate.name}: {gate.detail}" for gate in gates.unmet(judged))

    def _transition(self, before: Model, entry: Logged, now: Rulebook) -> list[str]:
        """Return the gates that a transition did not meet: by the rules it names, and by those of now if it arrives."""
        judged = gates.of_transition(self.workspace, before, entry)
        version = before.versions.get(entry.event.version or "")
        stage = str(entry.event.arguments.get("stage", ""))
        ages = now.rules.stage(before.first, stage).max_age_ms is not None
        if self.arriving and version is not None and (ages or entry.event.rules != now.commit):
            act = gates.of_event(entry)
            act = replace(act, at_ms=max(act.at_ms, clock.now_ms()))  # who dates an event back makes no run younger
            try:
                judged += gates.evaluate(self.workspace, before, version, stage, act=act, book=now)
            except UsageError as error:
                return [error.message]
        return [f"{gate.name}: {gate.detail}" for gate in gates.unmet(judged)]

    def _now(self, before: Model, entry: Logged, now: Rulebook) -> list[str]:
        """Return what the rules now in force have against an event that names earlier ones, transitions aside."""
        if entry.event.op not in _GUARDED or entry.event.rules == now.commit:
            return []
        why = self._against(before, entry, now)
        return [why] if why else []

    def _taken(self, name: str) -> list[str]:
        """Return that a name is another model's: whoever asks for that one would get this one."""
        others = {ref: tip for ref, tip in (self.beside or {}).items() if ref != self.ref}
        for ref, tip in others.items():
            with suppress(GitexpError):  # what cannot be read has no name
                found = models.load(self.workspace, ref, tip)
                if name in (found.name, found.first):
                    return [f"there is a model {text.safe(name)!r} already"]
        return []

    def _run(self, entry: Logged) -> list[str]:
        commit = entry.event.arguments.get("commit")
        if not commit or not isinstance(commit, str) or objects.exists(self.workspace.repo, commit):
            return []
        run = ids.short(str(entry.event.arguments.get("run", "")))
        return [f"its run {text.safe(run)} is not here: gitexp push {text.safe(run)}"]


def as_signed(entry: Logged) -> Logged:
    """Return an event as it was when its key was good."""
    if entry.signer.status not in _OUTDATED:
        return entry
    return replace(
        entry, signer=replace(entry.signer, status=events.GOOD, person=entry.signer.person or entry.author.email)
    )


def faults(
    workspace: Workspace, moved: Sequence[tuple[str, str | None, str]], beside: Mapping[str, str]
) -> dict[str, str]:
    """Return {ref: why it cannot be taken} of models (ref, old, new) that arrive, without those that can.

    `beside` are the models that stand once all of the push is taken.
    """
    found: dict[str, str] = {}
    for ref, old, new in moved:
        wrong = vet(workspace, ref, old, new, beside=beside)
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            event = f"{wrong[0].event[:7]}: " if wrong[0].event else ""
            found[ref] = f"{event}{wrong[0].why}{more}"
    return found
