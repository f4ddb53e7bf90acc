"""Params: nested as they were given, flat as they are compared (docs/format.md, "params.json")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitexp import canonical
from gitexp.errors import Damaged


def encode(params: Mapping[str, Any]) -> bytes:
    """Return params.json."""
    return canonical.dumps(dict(params))


def decode(data: bytes) -> dict[str, Any]:
    """Return the nested params of a params.json, non-finite numbers as numbers again; raises Damaged."""
    try:
        value = canonical.special(canonical.loads(data))
    except ValueError as error:
        raise Damaged(f"params.json does not parse: {error}") from error
    if not isinstance(value, dict):
        raise Damaged("params.json is not an object")
    return value


def flatten(params: Mapping[str, Any]) -> dict[str, Any]:
    r"""Return {dotted path: value}; a dot inside a key is written `\.`, a backslash `\\`; lists are values."""
    return dict(_leaves(params, ""))


def _leaves(params: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in params.items():
        path = above + escape(key)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path + ".")
        else:
            yield path, value


def escape(key: str) -> str:
    """Return one key as it stands in a dotted path."""
    return key.replace("\\", "\\\\").replace(".", "\\.")


def split(path: str) -> list[str]:
    """Return the keys of a dotted path."""
    keys, key, quoted = [], "", False
    for character in path:
        if quoted:
            key, quoted = key + character, False
        elif character == "\\":
            quoted = True
        elif character == ".":
            keys.append(key)
            key = ""
        else:
            key += character
    return [*keys, key]


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested params of {dotted path: value}."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, last = split(path)
        level = nested
        for folder in folders:
            below = level.setdefault(folder, {})
            if not isinstance(below, dict):
                below = level[folder] = {"": below}
            level = below
        level[last] = value
    return nested


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested params in which `above` wins, key by key at every level."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
