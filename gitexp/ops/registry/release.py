"""What people do with versions of models: words, aliases, tags, notes, removal; an event or a few each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitexp import ids, text
from gitexp.errors import NotFound, Refused, UsageError
from gitexp.ops import annotate
from gitexp.ops.registry import gates, promote
from gitexp.ops.registry import models as named
from gitexp.ops.registry.promote import Plan
from gitexp.record import event as events
from gitexp.record import model as folding
from gitexp.record import rules as ruling
from gitexp.record.model import Model, Standing, Version, Word
from gitexp.store import models, rulebook
from gitexp.store.models import Draft
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace

_VERBS = {events.APPROVE: "approve", events.REJECT: "reject", events.REQUEST: "ask for an approval of"}


@dataclass(frozen=True, slots=True)
class Said:
    """A word that was said: for which stage (None: any), and how the version stands for it then."""

    model: Model
    version: Version
    stage: str | None
    standing: Standing | None = None
    needed: int = 0


def approve(workspace: Workspace, model: Model, version: Version, stage: str = "", note: str = "") -> Said:
    """Approve a version for a stage; without one for the only stage that asks for approvals, else for any.

    Raises Refused, saying why, where the approval would count for nothing.
    """
    return _say(workspace, model, version, events.APPROVE, stage, note)


def reject(workspace: Workspace, model: Model, version: Version, stage: str = "", note: str = "") -> Said:
    """Speak against a version; whoever did and approves later has changed their mind. Raises as `approve` does."""
    return _say(workspace, model, version, events.REJECT, stage, note)


def request(workspace: Workspace, model: Model, version: Version, stage: str = "", note: str = "") -> Said:
    """Ask for approvals of a version."""
    return _say(workspace, model, version, events.REQUEST, stage, note)


def _say(workspace: Workspace, model: Model, version: Version, op: str, stage: str, note: str) -> Said:
    book = rulebook.now(workspace)
    wanted = _stage(book, model, stage)
    _check_present(model, version)
    if op != events.REQUEST:
        _check_counts(workspace, book, model, version, op == events.APPROVE, wanted)
    words = annotate.check_text(note, "note") if note else ""
    subject = f"{_VERBS[op]} {_subject(model, version)}" + (f" for {wanted}" if wanted else "")
    arguments = {"sha256": version.sha256, "stage": wanted, "note": words}
    after = models.append(workspace, model.first, [Draft(op, subject, version.id, arguments)])
    now = after.versions[version.id]
    if wanted is None:
        return Said(after, now, None)
    asked = book.rules.stage(model.first, wanted)
    return Said(after, now, wanted, folding.standing(now, wanted, asked, book.rules), asked.approvals)


def _stage(book: Rulebook, model: Model, said: str) -> str | None:
    """Return the stage that a word is for; raises UsageError where several ask for approvals and none is named."""
    known = book.rules.names(model.first)
    if said:
        stage = ruling.check_stage(said)
        if known and stage not in known:
            raise UsageError(f"the rules know no stage {stage!r}", hint=f"one of: {', '.join(known)}")
        return stage
    asking = [stage for stage in known if book.rules.stage(model.first, stage).approvals]
    if len(asking) > 1:
        raise UsageError(f"for which stage? {', '.join(asking)} ask for approvals", hint=f"name it: {asking[0]}")
    return asking[0] if asking else None


def _check_present(model: Model, version: Version) -> None:
    if version.removed is not None:
        label = named.label(model, version)
        raise Refused(f"{label} was removed", hint=f"gitexp model undelete {label}")


def _check_counts(
    workspace: Workspace, book: Rulebook, model: Model, version: Version, yes: bool, stage: str | None
) -> None:
    """Raise Refused where a word by who works here would count for nothing."""
    act = gates.own(workspace)
    if act.signature not in (events.GOOD, events.UNSIGNED):
        raise Refused(
            f"the signature would count for nothing: {gates.signature(act.signature)}", hint="gitexp keys check"
        )
    stages = [stage] if stage else list(book.rules.names(model.first))
    signed = act.signature == events.GOOD
    word = Word("", yes, act.person, "", act.at_ms, stage, "", signed)
    asked = {name: book.rules.stage(model.first, name) for name in stages}
    unheard = {
        name: folding.unheard(word, version, rules, book.rules.people(rules.approvers)) for name, rules in asked.items()
    }
    if stages and all(unheard.values()):
        name, why = next(iter(unheard.items()))
        what = "an approval" if yes else "a rejection"
        hint = (
            "gitexp keys setup"
            if why == folding.NOT_SIGNED
            else f"gitexp model check {model.name}:{version.number} {name}"
        )
        raise Refused(f"{what} by {text.safe(act.person)} would not count for {name}: {why}", hint=hint)


def alias(workspace: Workspace, model: Model, version: Version, name: str) -> Model:
    """Let an alias name a version; it names no other one any more. Raises UsageError for one that means something."""
    checked = folding.check_alias(name)
    if model.aliases.get(checked) == version.id:
        return model
    subject = f"call {_subject(model, version)} {text.safe(checked)}"
    return models.append(workspace, model.first, [Draft(events.ALIAS, subject, version.id, {"alias": checked})])


def unalias(workspace: Workspace, model: Model, name: str) -> Model:
    """Take an alias away; raises NotFound where there is none of that name."""
    if name not in model.aliases:
        known = ", ".join(map(text.safe, sorted(model.aliases))) or "none"
        raise NotFound(f"{named.safe(model)} has no alias {text.safe(name)!r}", hint=f"it has: {known}")
    subject = f"take the alias {text.safe(name)} of {named.safe(model)} away"
    return models.append(workspace, model.first, [Draft(events.ALIAS, subject, None, {"alias": name})])


def tag(workspace: Workspace, model: Model, version: Version | None, tags: Mapping[str, str]) -> Model:
    """Set tags of a version, of the model where none is named; those that are so already add nothing."""
    known = model.tags if version is None else version.tags
    for key, value in tags.items():
        annotate.check_tag(key, value)
    new = {key: value for key, value in tags.items() if known.get(key) != value}
    return _each(workspace, model, version, events.TAG, "tag", [{"key": key, "value": new[key]} for key in new])


def untag(workspace: Workspace, model: Model, version: Version | None, keys: Iterable[str]) -> Model:
    """Take tags away; raises NotFound for one that is not there."""
    known, wanted = model.tags if version is None else version.tags, list(dict.fromkeys(keys))
    for key in wanted:
        if key not in known:
            listed = ", ".join(map(text.safe, sorted(known))) or "none"
            raise NotFound(f"{_label(model, version)} has no tag {text.safe(key)!r}", hint=f"it has: {listed}")
    return _each(workspace, model, version, events.UNTAG, "untag", [{"key": key} for key in wanted])


def note(workspace: Workspace, model: Model, version: Version | None, words: str) -> Model:
    """Add a note to a version, to the model where none is named."""
    checked = annotate.check_text(words, "note")
    return _each(workspace, model, version, events.NOTE, "note on", [{"text": checked}])


def describe(workspace: Workspace, model: Model, version: Version | None, words: str) -> Model:
    """Replace the description of a version, of the model where none is named; an empty one takes it away."""
    checked = annotate.check_text(words, "description") if words else ""
    return _each(workspace, model, version, events.DESCRIBE, "describe", [{"text": checked}])


def _each(
    workspace: Workspace,
    model: Model,
    version: Version | None,
    op: str,
    verb: str,
    every: Sequence[Mapping[str, str]],
) -> Model:
    if not every:
        return model
    if version is not None:
        _check_present(model, version)
    subject, about = f"{verb} {_subject(model, version)}", version.id if version else None
    return models.append(workspace, model.first, [Draft(op, subject, about, arguments) for arguments in every])


def _subject(model: Model, version: Version | None) -> str:
    """Return what the line of an event calls a version: by its id, since its number may still move."""
    return named.safe(model) if version is None else version.id[:7]


def _label(model: Model, version: Version | None) -> str:
    return named.safe(model) if version is None else named.label(model, version)


def deprecate(workspace: Workspace, model: Model, version: Version, reason: str = "") -> Model:
    """Say that a version is not to be promoted any more; it stays where it is."""
    return _with_reason(workspace, model, version, events.DEPRECATE, reason)


def remove(
    workspace: Workspace, model: Model, version: Version | None, reason: str = "", *, force: bool = False
) -> Model:
    """Hide a version, or a model whose version none is; nothing is deleted, and `undelete` brings it back.

    Raises Refused for what is in a stage, unless `force`.
    """
    gone = [version] if version is not None else named.versions(model)
    busy = [item for item in gone if item.stage not in (ruling.NONE, ruling.ARCHIVED) and item.removed is None]
    if busy and not force:
        label = named.label(model, busy[0])
        more = f" and {len(busy) - 1} more" if len(busy) > 1 else ""
        raise Refused(
            f"{label}{more} is in {busy[0].stage}", hint=f"first: gitexp model stage {label} archived; or: --force"
        )
    return _with_reason(workspace, model, version, events.REMOVE, reason)


def undelete(workspace: Workspace, model: Model, version: Version | None, reason: str = "") -> Model:
    """Bring a removed version or model back; raises NotFound where it was not removed."""
    if (model if version is None else version).removed is None:
        raise NotFound(f"{_label(model, version)} was not removed", hint=f"gitexp model ls {model.name} --all")
    return _with_reason(workspace, model, version, events.UNDELETE, reason)


def _with_reason(workspace: Workspace, model: Model, version: Version | None, op: str, reason: str) -> Model:
    words = annotate.check_text(reason, "reason") if reason else ""
    about = version.id if version else None
    draft = Draft(op, f"{op} {_subject(model, version)}", about, {"reason": words})
    return models.append(workspace, model.first, [draft])


def rename(workspace: Workspace, model: Model, name: str) -> Model:
    """Give a model another name; its ref stays, and the first name still finds it. Raises Refused for a taken one."""
    checked = ids.check_model(name)
    if checked == model.name:
        return model
    others = [item for item in models.readable(workspace, removed=True)[0] if item.first != model.first]
    if any(checked in (item.name, item.first) for item in others):
        raise Refused(f"there is a model {text.safe(checked)} already", hint=f"gitexp model show {checked}")
    subject = f"call {named.safe(model)} {text.safe(checked)}"
    return models.append(workspace, model.first, [Draft(events.RENAME, subject, None, {"name": checked})])


def rollback(workspace: Workspace, model: Model, stage: str) -> tuple[Plan, Plan | None]:
    """Return what leads back to the version that was in a stage before, and what then takes the present one out.

    Going back again goes one further. Raises NotFound where no version was there before.
    """
    name = ruling.check_stage(stage)
    present = next(iter(model.holders(name)), None)
    held = line(model, name)
    before = held[: held.index(present.id)] if present is not None else held
    usable = [item for item in map(model.versions.__getitem__, before) if not (item.removed or item.deprecated)]
    if not usable:
        raise NotFound(f"no version of {named.safe(model)} was in {name} before", hint=f"gitexp model log {model.name}")
    back = promote.plan(workspace, model, usable[-1], name)
    leaves = present is not None and present not in back.displaced
    return back, promote.plan(workspace, model, present, ruling.ARCHIVED) if present and leaves else None


def line(model: Model, stage: str) -> list[str]:
    """Return the versions that were in a stage, the one of now last: going back takes what came after out of it."""
    found: list[str] = []
    for passage in model.passages:
        if passage.stage == stage:
            found = found[: found.index(passage.version)] if passage.version in found else found
            found.append(passage.version)
    return found
