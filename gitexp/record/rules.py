"""The rules of the model registry: `[registry]` of gitexp.toml (docs/registry.md, "Rules").

They are read from a commit of the branch that the project reviews, never from the tree of who promotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from gitexp.errors import UsageError
from gitexp.record.numbers import is_number

NONE = "none"  # the stage of a version that is in none
ARCHIVED = "archived"  # the stage that takes what an exclusive one gives up; needs no rules
_STAGE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_AGE = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*(m|h|d|w)")
_AGE_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PERSON = re.compile(r"[^\s@,]+@[^\s@,]+|@[^\s@,]+")


@dataclass(frozen=True, slots=True)
class Better:
    """A version must beat the one in `stage` on a metric by more than `margin`; "": the project's main metric."""

    stage: str
    metric: str = ""
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class StageRules:
    """What a version has to have before it may enter a stage; all empty: anything goes."""

    approvals: int = 0
    approvers: tuple[str, ...] = ()  # whose approval counts: addresses and @teams; (): anybody's
    promoters: tuple[str, ...] = ()  # who may make the transition; (): anybody
    not_by_author: bool = False  # who registered a version, or made its run, cannot approve it
    signed: bool = False  # approvals and transitions count only when their signature is good
    require: str = ""  # a query that the version's run must fit
    better_than: Better | None = None
    max_age_ms: int | None = None  # from the end of the run
    tags: tuple[str, ...] = ()  # tags the version or its run must have: KEY or KEY=VALUE
    notes: int = 0  # how many notes the version must have
    exclusive: bool = False  # one version a stage: who enters moves the other to ARCHIVED
    after: tuple[str, ...] = ()  # the stages it may come from; (): any
    merged: bool = False  # only by a proposal that was merged into the branch of the rules


FREE = StageRules()


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one commit; `stages` empty: none are named, so any stage may be used."""

    stages: Mapping[str, StageRules] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gpg: Mapping[str, str] = field(default_factory=dict)  # e-mail address: fingerprint
    models: Mapping[str, Mapping[str, StageRules]] = field(default_factory=dict)  # glob of names: stages

    def stage(self, model: str, name: str) -> StageRules:
        """Return what a stage asks of a model's versions: the first glob that fits the model's name, else all's."""
        for pattern, stages in self.models.items():
            if name in stages and fnmatchcase(model, pattern):
                return stages[name]
        return self.stages.get(name, FREE)

    def names(self, model: str) -> tuple[str, ...]:
        """Return the stages that the rules name for a model, in their order."""
        own = [name for pattern, stages in self.models.items() if fnmatchcase(model, pattern) for name in stages]
        return tuple(dict.fromkeys([*self.stages, *own]))

    def people(self, words: Iterable[str]) -> frozenset[str]:
        """Return the addresses, in lower case, of people and @teams; a team that is not defined has nobody."""
        found: set[str] = set()
        for word in words:
            found.update(self.teams.get(word[1:], ()) if word.startswith("@") else (word,))
        return frozenset(person.lower() for person in found)


EMPTY = Rules()


def read(data: bytes, file: str = "gitexp.toml") -> Rules:
    """Return the rules of a file's bytes; raises UsageError, naming the key, for what means nothing."""
    import tomllib  # a list of versions, whose state is known, reads no rules

    try:
        content: Any = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}", hint=f"correct {file} on the branch of the rules"
        ) from error
    if file == "pyproject.toml":
        content = _table(_table(content, "tool", file), "gitexp", file)
    return parse(_table(content, "registry", file), file)


def parse(table: Mapping[str, Any], file: str = "gitexp.toml") -> Rules:
    """Return the rules of the table `registry`."""
    where = f"{file}: registry"
    _known(table, ("stages", "teams", "gpg", "models", "webhooks", *_READERS), where)
    common = {key: table[key] for key in table if key in _READERS}
    stages = _stages(_table(table, "stages", where), common, f"{where}.stages")
    models = {}
    named = _table(table, "models", where)
    for pattern in named:
        inner = f'{where}.models."{pattern}"'
        own = _table(named, pattern, f"{where}.models")
        _known(own, ("stages",), inner)
        overrides = _table(own, "stages", inner)
        models[pattern] = _stages(_over(_table(table, "stages", where), overrides), common, f"{inner}.stages")
    teams = {name: _people(value, f"{where}.teams.{name}") for name, value in _table(table, "teams", where).items()}
    gpg = {name.lower(): _text(value, f"{where}.gpg.{name}") for name, value in _table(table, "gpg", where).items()}
    rules = Rules(stages, teams, gpg, models)
    _check_teams(rules, where)
    return rules


def _check_teams(rules: Rules, where: str) -> None:
    named = [every for stages in (rules.stages, *rules.models.values()) for every in stages.values()]
    words = {word for stage in named for word in (*stage.approvers, *stage.promoters) if word.startswith("@")}
    missing = sorted(word for word in words if word[1:] not in rules.teams)
    if missing:
        raise UsageError(
            f"{where}: no team {missing[0]!r}", hint=f'[registry.teams]  {missing[0][1:]} = ["ana@acme.io"]'
        )


def _over(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides, each on what is said of the same stage for all models."""
    return {name: {**base.get(name, {}), **own} if isinstance(own, dict) else own for name, own in overrides.items()}


def check_stage(name: str) -> str:
    """Return a stage's name in lower case or raise UsageError."""
    lowered = name.strip().lower()
    if not _STAGE.fullmatch(lowered):
        raise UsageError(f"stage {name!r}: letters, digits, '-', '_' and '.' only", hint="for example: production")
    return lowered


def _stages(table: Mapping[str, Any], common: Mapping[str, Any], where: str) -> dict[str, StageRules]:
    found = {}
    for name, own in table.items():
        if not isinstance(own, dict):
            raise UsageError(f"{where}.{name} is no table", hint=f"[registry.stages.{name}]")
        if check_stage(name) != name or name == NONE:
            raise UsageError(f"{where}: stage {name!r} cannot be called so", hint="[registry.stages.production]")
        _known(own, tuple(_READERS), f"{where}.{name}")
        values = {**common, **own}
        found[name] = StageRules(
            **{_FIELDS.get(key, key): _READERS[key](value, f"{where}.{name}.{key}") for key, value in values.items()}
        )
    return found


def _table(table: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {key} is no table", hint="the rules are described in docs/registry.md")
    return value


def _known(table: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    # A misspelt rule that is passed over is a gate that stands open.
    unknown = [key for key in table if key not in keys]
    if unknown:
        raise UsageError(f"{where} has no rule {unknown[0]!r}", hint="one of: " + ", ".join(keys))


def _count(value: Any, where: str) -> int:
    if value is True or value is False:
        return int(value)
    if not isinstance(value, int) or value < 0:
        raise UsageError(f"{where} is {value!r}, not a number from 0 on", hint=f"{where.rpartition('.')[2]} = 1")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{where} is {value!r}, not true or false", hint=f"{where.rpartition('.')[2]} = true")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where} is {value!r}, not a text", hint=f'{where.rpartition(".")[2]} = "…"')
    return value.strip()


def _texts(value: Any, where: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(_text(item, where) for item in items)


def _people(value: Any, where: str) -> tuple[str, ...]:
    found = _texts(value, where)
    wrong = [item for item in found if not _PERSON.fullmatch(item)]
    if wrong:
        raise UsageError(f"{where}: {wrong[0]!r} is no address and no @team", hint='["ana@acme.io", "@ml-leads"]')
    return found


def _stage_names(value: Any, where: str) -> tuple[str, ...]:
    return tuple(check_stage(item) for item in _texts(value, where))


def _age(value: Any, where: str) -> int:
    found = _AGE.fullmatch(_text(value, where))
    if found is None:
        raise UsageError(f"{where} is {value!r}, not a time such as 30d or 12h", hint='max_age = "30d"')
    return round(float(found[1]) * _AGE_MS[found[2]])


def _better(value: Any, where: str) -> Better:
    if isinstance(value, str):
        return Better(check_stage(value))
    if not isinstance(value, dict):
        raise UsageError(f"{where} is {value!r}, not a stage", hint='better_than = "production"')
    _known(value, ("stage", "metric", "margin"), where)
    margin = value.get("margin", 0.0)
    if not is_number(margin) or not 0 <= margin < float("inf"):
        raise UsageError(f"{where}.margin is {margin!r}, not a number from 0 on", hint="margin = 0.002")
    stage = check_stage(_text(value.get("stage"), f"{where}.stage"))
    metric = _text(value["metric"], f"{where}.metric") if "metric" in value else ""
    return Better(stage, metric, float(margin))


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "approvals": _count,
    "approvers": _people,
    "promoters": _people,
    "not_by_author": _flag,
    "signed": _flag,
    "require": _text,
    "better_than": _better,
    "max_age": _age,
    "tags": _texts,
    "notes": _count,
    "exclusive": _flag,
    "after": _stage_names,
    "merged": _flag,
}
_FIELDS = {"max_age": "max_age_ms"}
