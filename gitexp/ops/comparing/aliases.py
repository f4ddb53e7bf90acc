"""Params that are one under several names: as the project says it (`gitexp.aliases`), or as equal values suggest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from gitexp.ops.comparing.difference import MISSING, Row, same
from gitexp.store.workspace import Workspace

GUESS = "a guess"
_COMPARED = 200  # rows that some run lacks; guesses among more of them would be chance
_COUNTERS = frozenset({"n", "num", "number", "no", "of", "count"})
_COMMON: tuple[Any, ...] = (0, 1, -1, True, False, None, "")  # equal by chance


@dataclass(frozen=True, slots=True)
class Group:
    """Names of one param, and where that is said."""

    names: tuple[str, ...]
    where: str


def groups(workspace: Workspace) -> list[Group]:
    """Return what `gitexp.aliases` says: `lr=learning_rate=optimizer.lr, bs=batch_size`."""
    found = []
    for name, value, where in workspace.settings.pairs("aliases"):
        names = tuple(part.strip() for part in f"{name}={value}".split("="))
        found.append(Group(tuple(filter(None, dict.fromkeys(names))), where))
    return found


def merge(rows: Sequence[Row], known: Iterable[Group]) -> tuple[Row, ...]:
    """Return rows with those that are one param under other names in one row, named as the setting's first name.

    What a run has under two of the names stays apart.
    """
    found = list(rows)
    for group in known:
        named = [row for name in group.names for row in found if row.name == name]
        if len(named) > 1 and _apart(named):
            found = [row for row in found if row not in named]
            found.append(_joined(named, group.names[0], group.where))
    for one, other in _guesses(found):
        found = [row for row in found if row is not one and row is not other]
        usual = min((one, other), key=lambda row: sum(value is MISSING for value in row.values))
        found.append(_joined([one, other], usual.name, GUESS))
    return tuple(sorted(found, key=lambda row: row.name))


def _apart(rows: Sequence[Row]) -> bool:
    """Say whether no run has two of the names."""
    return all(
        sum(value is not MISSING for value in side) < 2 for side in zip(*(row.values for row in rows), strict=True)
    )


def _joined(rows: Sequence[Row], name: str, alias: str) -> Row:
    values: list[Any] = [MISSING] * len(rows[0].values)
    names = [""] * len(values)
    for row in rows:
        for side, value in enumerate(row.values):
            if value is not MISSING:
                values[side], names[side] = value, row.name
    return Row(name, tuple(values), tuple(names), alias)


def _guesses(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Yield pairs that no run has both of, with one value everywhere and near names; each row once."""
    lacking = [row for row in rows if MISSING in row.values and not row.alias]
    taken: set[str] = set()
    for one, other in combinations(lacking if len(lacking) <= _COMPARED else (), 2):
        if one.name in taken or other.name in taken or not _apart([one, other]):
            continue
        values = [value for row in (one, other) for value in row.values if value is not MISSING]
        if all(same(values[0], value) for value in values) and near(one.name, other.name, _is_common(values[0])):
            taken |= {one.name, other.name}
            yield one, other


def _is_common(value: Any) -> bool:
    return any(same(value, item) for item in _COMMON)


def near(one: str, other: str, strictly: bool = False) -> bool:
    """Say whether two names can mean one param: lr and optimizer.lr, batchSize and batch_size, lr and learning_rate.

    `strictly`: only where the words are the same.
    """
    words = sorted((_words(one), _words(other)), key=len)
    short, long = ([word for word in side if word not in _COUNTERS] or side for side in words)
    if "".join(short) == "".join(long) or short == long[-len(short) :]:
        return True
    if strictly:
        return False
    initials = "".join(word[0] for word in long)
    is_acronym = len(short) == 1 and len(short[0]) > 1 and initials.endswith(short[0])
    return is_acronym or (len(short) == len(long) and all(map(_abbreviates, short, long)))


def _words(name: str) -> list[str]:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return [word for word in re.split(r"[^a-z0-9]+", parted) if word] or [name]


def _abbreviates(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) > 2 and long.startswith(short))
