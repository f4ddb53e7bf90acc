"""What a project wants of the runs of its experiments: `[experiments."churn-*"]` in gitexp.toml, read and merged.

Tables that match an experiment hold together, in the order of the file: requirements add up, of one tag, param or name
the last table that speaks of it counts. What a `locked` table asks holds whatever comes after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from gitexp import text
from gitexp.errors import BadQuery, UsageError
from gitexp.ops.comparing import declared
from gitexp.ops.comparing.declared import Key, Table
from gitexp.query import nodes, parser
from gitexp.store.workspace import Workspace

TABLE = "experiments"
NAME, TAG, PARAM = "name", "tag", "param"
START, END = "start", "end"
WARN, REFUSE = "warn", "refuse"
_OPERATOR = re.compile(r"\s*(=|!=|<|>|~|!~|(not\s+)?(in|like|ilike|between)\b|is\b)", re.IGNORECASE)
_SCALARS = (str, int, float, bool)


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement: of the name, or of a tag or param `key`; `at` is when it is looked for first.

    `wanted` says what its value is to be, "" for anything; `pattern` tells that of a text, `condition` of a param.
    """

    kind: str
    key: str
    table: str
    wanted: str = ""
    pattern: tuple[str, ...] = ()
    condition: nodes.Node | None = None
    at: str = START
    locked: bool = False

    @property
    def what(self) -> str:
        """What it is about: `name`, `tag owner`, `param lr`."""
        return self.kind if self.kind == NAME else f"{self.kind} {text.safe(self.key)}"

    @property
    def title(self) -> str:
        """It in words: `param lr between 1e-5 and 0.1`."""
        return f"{self.what} {text.safe(self.wanted)}".rstrip()

    def fits(self, value: str) -> bool:
        """Say whether a name or the text of a tag is as wanted."""
        return not self.pattern or any(_is_like(value, pattern) for pattern in self.pattern)


@dataclass(frozen=True, slots=True)
class Conventions:
    """All that holds for one experiment, and what a run meets that does not keep it; `tables` by their headers."""

    experiment: str
    file: str
    tables: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    on_violation: str = WARN
    why: str = ""

    @property
    def refuses(self) -> bool:
        """Say whether a run that does not keep them does not begin."""
        return self.on_violation == REFUSE


def describe(found: Conventions) -> dict[str, Any]:
    """Return the JSON of what holds for an experiment (docs/scripting.md)."""
    return {
        "experiment": found.experiment,
        "file": found.file,
        "tables": list(found.tables),
        "on_violation": found.on_violation,
        "rules": [
            {
                "kind": rule.kind,
                "key": rule.key or None,
                "wanted": rule.wanted or None,
                "at": rule.at,
                "table": rule.table,
                "locked": rule.locked,
            }
            for rule in found.rules
        ],
    }


def of(workspace: Workspace, experiment: str) -> Conventions | None:
    """Return what holds for an experiment, None where no table is about it; raises UsageError for what is not meant."""
    found = Conventions(experiment, workspace.settings.file)
    for pattern, values in _tables(workspace).items():
        if fnmatchcase(experiment, pattern):
            found = _added(found, Table(found.file, (TABLE, pattern), values))
    return found if found.tables else None


def example(found: Conventions) -> str:
    """Return what can be written to have some for an experiment that has none."""
    return f'{Table(found.file, (TABLE, found.experiment), {}).header}  required_tags = ["owner"]'


def are_any(workspace: Workspace) -> bool:
    """Say whether the project has conventions at all."""
    return bool(_tables(workspace))


def check_file(workspace: Workspace) -> None:
    """Raise UsageError for a table that is not understood, whichever experiments it is about."""
    for pattern, values in _tables(workspace).items():
        _added(Conventions(pattern, workspace.settings.file), Table(workspace.settings.file, (TABLE, pattern), values))


def _tables(workspace: Workspace) -> dict[str, dict[str, Any]]:
    file, found = workspace.settings.file, workspace.settings.tree_file.get(TABLE, {})
    if not isinstance(found, dict) or not all(isinstance(values, dict) for values in found.values()):
        example = Table(file, (TABLE, "churn-*"), {}).header
        message = f"{file}: {TABLE} is to be tables, one for each pattern of experiments"
        raise UsageError(message, hint=f'write in {file}:  {example}  required_tags = ["owner"]')
    return found


def _added(found: Conventions, table: Table) -> Conventions:
    """Lay one table over those before it."""
    said = table.read(_KEYS)
    locked = said.get("locked", False)
    rules = list(found.rules)
    for rule, is_wanted in _rules(table, said):
        rules = [kept for kept in rules if kept.locked or (kept.kind, kept.key) != (rule.kind, rule.key)]
        if is_wanted:
            rules.append(replace(rule, table=table.header, locked=locked))
    on_violation, why = found.on_violation, found.why
    if said.get("on_violation") and not (why.endswith(_LOCKED) and on_violation == REFUSE):
        on_violation, why = said["on_violation"], table.header + (_LOCKED if locked else "")
    return replace(found, tables=(*found.tables, table.header), rules=tuple(rules), on_violation=on_violation, why=why)


_LOCKED = ", locked"


def _rules(table: Table, said: dict[str, Any]) -> Iterator[tuple[Rule, bool]]:
    """Yield what a table asks for, and with False what it asks for no more."""
    if "name" in said:
        yield _matching(table, "name", Rule(NAME, "", ""), said["name"]), True
    for key, value in said.get("required_tags", {}).items():
        yield _matching(table, "required_tags", Rule(TAG, key, ""), value), value is not False
    for name, at in (("required_params", START), ("params_at_end", END)):
        for key, value in said.get(name, {}).items():
            yield _param(table, name, Rule(PARAM, key, "", at=at), value), value is not False


def _matching(table: Table, name: str, rule: Rule, value: Any) -> Rule:
    """Return a rule on a text: anything, a pattern, or one of several."""
    if isinstance(value, bool):
        return rule
    patterns = tuple(value) if isinstance(value, list) else (value,)
    if not patterns or not all(isinstance(item, str) and item for item in patterns):
        raise table.error(
            name, f"has {value!r} for {rule.what}, not true, a pattern or a list of them", _EXAMPLES[name]
        )
    for pattern in patterns:
        if (expression := _expression(pattern)) is not None:
            try:
                declared.regex(expression)
            except ValueError as error:
                raise table.error(name, f"has {pattern!r}, which {error}", _EXAMPLES[name]) from None
    return replace(rule, pattern=patterns, wanted="like " + _or(f"'{pattern}'" for pattern in patterns))


def _or(items: Iterable[str]) -> str:
    *before, last = items
    return f"{', '.join(before)} or {last}" if before else last


def _expression(pattern: str) -> str | None:
    """Return the regular expression of `/…/`, None for a glob."""
    return pattern[1:-1] if len(pattern) > 2 and pattern[0] == pattern[-1] == "/" else None


def _is_like(value: str, pattern: str) -> bool:
    expression = _expression(pattern)
    return fnmatchcase(value, pattern) if expression is None else re.fullmatch(expression, value) is not None


def _param(table: Table, name: str, rule: Rule, value: Any) -> Rule:
    """Return a rule on a param: there, one of several values, or what a condition says behind its name."""
    if isinstance(value, bool):
        return rule
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, _SCALARS) for item in items):
        raise table.error(name, f"has {value!r} for {rule.what}, not true, values or a condition", _EXAMPLES[name])
    if isinstance(value, str) and _OPERATOR.match(value):
        wanted = " ".join(value.split())
        try:
            condition = parser.parse(f"{nodes.spell(nodes.Name('param', rule.key))} {wanted}")
            return replace(rule, condition=condition, wanted=wanted)
        except BadQuery as error:
            raise table.error(name, f"has {value!r} for {rule.what}: {error.reason}", _EXAMPLES[name]) from None
    left = nodes.Name("param", rule.key)
    same = tuple(nodes.Compare("=", left, nodes.Literal(item)) for item in items)
    return replace(rule, condition=nodes.Any(same), wanted=_or(map(text.value, items)))


def _listed(value: Any) -> dict[str, Any]:
    """Read names alone, or a table of names with what their values are to be."""
    if isinstance(value, dict) and value:
        return value
    return dict.fromkeys(declared.names(value), True)


def _one_of(*choices: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in choices or type(value) is not type(choices[0]):
            raise ValueError
        return value

    return read


def _patterns(value: Any) -> Any:
    return declared.words(value) if isinstance(value, str) else list(declared.names(value))


_EXAMPLES = {
    "name": '"lr*-seed*"',
    "required_tags": '["owner", "ticket"]',
    "required_params": '{ lr = "between 1e-5 and 0.1", optimizer = ["adam", "sgd"], seed = true }',
    "params_at_end": '["n_features"]',
}
_KEYS = {
    "name": Key(_patterns, "a glob, a /regular expression/, or a list of them", _EXAMPLES["name"]),
    "required_tags": Key(_listed, "a list of keys, or a table of them", _EXAMPLES["required_tags"]),
    "required_params": Key(_listed, "a list of params, or a table of them", _EXAMPLES["required_params"]),
    "params_at_end": Key(_listed, "a list of params, or a table of them", _EXAMPLES["params_at_end"]),
    "on_violation": Key(_one_of(WARN, REFUSE), '"warn" or "refuse"', '"refuse"'),
    "locked": Key(_one_of(True, False), "true or false", "true"),
}
