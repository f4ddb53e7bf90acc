"""A new version of a model: the artifact of a run, named by its bytes."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import GitexpError, NotFound, Refused, UsageError
from gitexp.ops import annotate
from gitexp.ops.finding import find, goals, using
from gitexp.ops.finding.using import Found
from gitexp.ops.registry import evidence, flavour
from gitexp.ops.registry import models as named
from gitexp.record import event as events
from gitexp.record import headline
from gitexp.record.author import MAX_TEXT
from gitexp.record.model import Model, Version
from gitexp.store import models
from gitexp.store.models import Draft
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

MAX_METRICS = 500  # numbers that stand in the event; the run has all


@dataclass(frozen=True, slots=True)
class Options:
    """What is said of a new version beside its bytes; what is empty is found out."""

    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    framework: str = ""
    signature: Mapping[str, Any] | None = None
    source: str = ""
    again: bool = False  # register bytes that are a version of this run already
    running: bool = False  # of a run that has not ended too: the version names no commit of it


@dataclass(frozen=True, slots=True)
class Registered:
    """What came of it: `is_new` is False where this artifact of this run was a version already."""

    model: Model
    version: Version
    is_new: bool = True


def register(workspace: Workspace, said: str, name: str, options: Options | None = None) -> Registered:
    """Make the artifact that `RUN:PATH`, or `RUN` where it has one model, names a new version of a model.

    The model is made where there is none. Raises what `using.find` raises, and Refused for a run that is not recorded.
    """
    return add(workspace, _found(workspace, said), name, options or Options())


def add(workspace: Workspace, found: Found, name: str, options: Options) -> Registered:
    """Register an artifact that was found."""
    first, model = _target(workspace, name)
    sha256 = _content(found)
    known = _known(model, found, sha256) if model is not None and not options.again else None
    if model is not None and known is not None:
        return Registered(model, known, is_new=False)
    arguments = _arguments(workspace, found, sha256, options)
    subject = f"register {found.label} as a version of {text.safe(model.name if model else first)}"
    after = models.append(workspace, first, [Draft(events.REGISTER, subject, arguments=arguments)], create=True)
    return Registered(after, after.versions[after.tip])


def create(workspace: Workspace, name: str, description: str = "") -> Model:
    """Make a model without a version; raises Refused where there is one of that name."""
    first, model = _target(workspace, name)
    if model is not None:
        raise Refused(f"there is a model {named.safe(model)} already", hint=f"gitexp model show {model.name}")
    subject = f"create {text.safe(first)}"
    words = annotate.check_text(description, "description") if description else ""
    return models.append(
        workspace, first, [Draft(events.CREATE, subject, arguments={"description": words})], create=True
    )


def alike(workspace: Workspace, model: Model) -> str:
    """Return the name of another model that differs by case or Unicode's forms alone, "" where there is none."""
    plain = _plain(model.name)
    every = models.readable(workspace)[0]
    return next((item.name for item in every if item.first != model.first and _plain(item.name) == plain), "")


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _target(workspace: Workspace, name: str) -> tuple[str, Model | None]:
    """Return the first name of the model that a name means, and the model where it is there."""
    checked = ids.check_model(name)
    try:
        model = models.get(workspace, checked, removed=True)
    except NotFound:
        return checked, None
    if model.removed is not None:
        raise NotFound(f"model {named.safe(model)} was removed", hint=f"gitexp model undelete {model.name}")
    return model.first, model


def _known(model: Model, found: Found, sha256: str) -> Version | None:
    same = (item for item in named.versions(model) if (item.run, item.sha256) == (found.run.id, sha256))
    return next(same, None)


def _found(workspace: Workspace, said: str) -> Found:
    """Return the artifact that is meant; of a run alone its only one, else the only one that can be a model."""
    try:
        return using.find(workspace, said)
    except NotFound as error:
        try:
            run = find.one(workspace, said)
        except GitexpError:
            raise error from None
        chosen = flavour.models_of(run)
        if len(chosen) != 1:
            raise
        return using.of_run(run, chosen[0], said)


def _content(found: Found) -> str:
    sha256 = evidence.sha256_of(found.run, found.name)
    if sha256 is None:
        raise NotFound(f"{found.label} is gone", hint=f"gitexp artifact ls {ids.short(found.run.id)}")
    return sha256


def _arguments(workspace: Workspace, found: Found, sha256: str, options: Options) -> dict[str, Any]:
    run = found.run
    if (run.live or not run.commit) and not options.running:
        raise Refused(
            f"{run.label} is running: a version is of a recorded run",
            hint=f"gitexp stop {ids.short(run.id)}; or wait until it has ended",
        )
    made = flavour.of(run, found.items, found.name if found.name.endswith("/") else "")
    return {
        "run": run.id,
        "commit": run.commit or "",
        "artifact": found.name,
        "sha256": sha256,
        "size": sum(item.size_bytes for item in found.items),
        "files": len(found.items),
        "framework": options.framework or made.framework or None,
        "signature": _signature(options.signature or made.signature),
        "metrics": _metrics(workspace, run),
        "run_name": run.name,
        "experiment": run.experiment,
        "run_author": str(run.record.user.get("email") or "") or None,
        "code": _code(run),
        "source": options.source or None,
        "description": annotate.check_text(options.description, "description") if options.description else "",
        "tags": {annotate.check_tag(key, value): value for key, value in options.tags.items()},
    }


def _code(run: Run) -> dict[str, Any] | None:
    said = run.record.code
    commit = said.get("commit")
    return {"commit": commit, "dirty": bool(said.get("dirty"))} if isinstance(commit, str) else None


def _metrics(workspace: Workspace, run: Run) -> dict[str, float]:
    """Return the value that stands for each metric; where there are many, those of a headline first."""
    names = list(dict.fromkeys([*headline.metrics(run.summary), *run.summary]))[:MAX_METRICS]
    found = {name: find.value_of(run, name, goals.of(workspace, name).aggregate) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _signature(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if said is None:
        return None
    try:
        if len(canonical.line(dict(said))) <= MAX_TEXT:
            return dict(said)
    except (TypeError, ValueError):
        raise UsageError("the signature is no JSON", hint='{"inputs": [{"name": "x", "type": "double"}]}') from None
    raise UsageError(f"the signature has more than {MAX_TEXT:,} characters", hint="name fewer columns")
