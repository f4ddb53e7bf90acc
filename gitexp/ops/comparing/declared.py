"""Tables of the project's file, read key by key; errors say where they stand and what to type there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gitexp import text
from gitexp.errors import UsageError
from gitexp.store.config import FILES

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: what reads its value (raises ValueError), what it is called, and an example to type."""

    read: Callable[[Any], Any]
    called: str
    example: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file, by the keys that lead to it."""

    file: str
    path: tuple[str, ...]
    values: Mapping[str, Any]

    @property
    def header(self) -> str:
        """How it is written in the file: `[experiments."churn-*"]`."""
        return f"[{self._name()}]"

    def _name(self, *keys: str) -> str:
        before = () if self.file == FILES[0] else ("tool", "gitexp")
        return ".".join(map(quoted, (*before, *self.path, *keys)))

    def read(self, keys: Mapping[str, Key]) -> dict[str, Any]:
        """Return its values as they are meant; raises UsageError for a key that does not exist or fit."""
        found = {}
        for name, value in self.values.items():
            if name not in keys:
                raise UsageError(
                    f"{self.file}: {self.header} has no key {text.safe(name)!r}",
                    hint=f"the keys are: {', '.join(keys)}",
                )
            key = keys[name]
            try:
                found[name] = key.read(value)
            except ValueError as error:
                raise self.error(name, str(error) or f"is to be {key.called}", key.example) from None
        return found

    def error(self, name: str, message: str, example: str) -> UsageError:
        """Return the error for one of its keys, with what to write there."""
        said = f"{self.file}: {self._name(name)} {message}"
        return UsageError(text.safe(said), hint=f"write in {self.file}:  {self.header}  {quoted(name)} = {example}")


def quoted(key: str) -> str:
    """Return a key as TOML wants it."""
    return key if _BARE.fullmatch(key) else '"' + text.safe(key).replace("\\", "\\\\").replace('"', '\\"') + '"'


def words(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def names(value: Any) -> tuple[str, ...]:
    """Read a text or a list of texts."""
    if not isinstance(value, str | list) or not value:
        raise ValueError
    return tuple(map(words, [value] if isinstance(value, str) else value))


def numbers(value: Any) -> tuple[int, ...]:
    """Read a whole number or a list of them."""
    found = value if isinstance(value, list) else [value]
    if not found or any(type(item) is not int for item in found):
        raise ValueError
    return tuple(found)


def regex(value: Any) -> str:
    """Read a regular expression."""
    try:
        re.compile(words(value))
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return str(value)
