"""Who is told of events: `[[registry.webhooks]]` of gitexp.toml, as the rules are read (docs/howto-promotion.md)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from gitexp.errors import UsageError
from gitexp.record import event as events
from gitexp.record import model as folding
from gitexp.record.numbers import is_number

USUAL = (events.REGISTER, events.APPROVE, events.REJECT, events.TRANSITION)
TIMEOUT_SECONDS = 10.0
_MAX_TIMEOUT_SECONDS = 120.0
_KEYS = ("url", "name", "events", "models", "secret_env", "secret_config", "timeout")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONFIG = re.compile(r"[A-Za-z][A-Za-z0-9-]*\.(?:.*\.)?[A-Za-z][A-Za-z0-9-]*")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s?")


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told of events; what is sent is signed with a secret that stands elsewhere."""

    url: str
    name: str
    events: tuple[str, ...] = USUAL
    models: tuple[str, ...] = ("*",)  # globs of first names and of names
    secret_env: str = ""
    secret_config: str = ""
    timeout_seconds: float = TIMEOUT_SECONDS

    def wants(self, op: str, names: tuple[str, ...]) -> bool:
        """Say whether an event of a model of these names is to be told."""
        return op in self.events and any(fnmatchcase(name, glob) for glob in self.models for name in names)


def read(data: bytes, file: str) -> tuple[Webhook, ...]:
    """Return the webhooks of a file's bytes; raises UsageError, naming the key, for what means nothing."""
    try:
        content: Any = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}", hint=f"correct {file} on the branch of the rules"
        ) from error
    if file == "pyproject.toml":
        tool = content.get("tool", {})
        content = tool.get("gitexp", {}) if isinstance(tool, dict) else {}
    if not isinstance(content, dict):
        raise UsageError(f"{file}: gitexp is no table", hint="[[registry.webhooks]]")
    registry = content.get("registry", {})
    tables = registry.get("webhooks", []) if isinstance(registry, dict) else []
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{file}: registry.webhooks is no list of tables", hint="[[registry.webhooks]]")
    found = tuple(_read(table, f"{file}: registry.webhooks[{at}]") for at, table in enumerate(tables))
    names = [item.name for item in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{file}: two webhooks are called {twice!r}", hint='name = "deploy"')
    return found


def _read(table: Mapping[str, Any], where: str) -> Webhook:
    if "secret" in table:
        raise UsageError(f"{where}.secret would stand in Git", hint='secret_env = "GITEXP_WEBHOOK_SECRET"')
    if unknown := [key for key in table if key not in _KEYS]:
        raise UsageError(f"{where} has no key {unknown[0]!r}", hint="one of: " + ", ".join(_KEYS))
    url = _url(_text(table, "url", where), where)
    name = _text(table, "name", where) if "name" in table else str(urlsplit(url).hostname)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}.name is {name!r}: letters, digits, '-', '_' and '.' only", hint='name = "deploy"')
    variable, config = (_text(table, key, where) if key in table else "" for key in ("secret_env", "secret_config"))
    if not (_VARIABLE.fullmatch(variable) if variable else _CONFIG.fullmatch(config)):
        raise UsageError(f"{where} names no secret", hint='secret_env = "GITEXP_WEBHOOK_SECRET"')
    ops = _texts(table, "events", where) or USUAL
    if wrong := [op for op in ops if op not in folding.OPS]:
        raise UsageError(f"{where}.events: {wrong[0]!r} is no event", hint="one of: " + ", ".join(sorted(folding.OPS)))
    globs = _texts(table, "models", where) or ("*",)
    return Webhook(url, name, ops, globs, variable, "" if variable else config, _timeout(table, where))


def _url(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{where}.url: {error}", hint='url = "https://ci.acme.io/hooks/models"') from error
    if not url.isprintable() or " " in url:  # urlsplit passes over line feeds, who sends it may not
        raise UsageError(f"{where}.url has blanks or control characters", hint="%20 stands for a blank")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{where}.url is no address of http or https", hint='url = "https://ci.acme.io/hooks/models"')
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{where}.url has a password, which would stand in Git", hint="what is sent is signed instead")
    return url


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where}.{key} is no text", hint=f'{key} = "…"')
    return value.strip()


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) and item.strip() for item in items):
        raise UsageError(f"{where}.{key} is no list of texts", hint=f'{key} = ["…"]')
    return tuple(item.strip() for item in items)


def _timeout(table: Mapping[str, Any], where: str) -> float:
    value = table.get("timeout", TIMEOUT_SECONDS)
    match = _SECONDS.fullmatch(value.strip()) if isinstance(value, str) else None
    number = float(match[1]) if match else value
    if not is_number(number) or not 0 < number <= _MAX_TIMEOUT_SECONDS:
        raise UsageError(
            f"{where}.timeout is {value!r}, not seconds up to {_MAX_TIMEOUT_SECONDS:g}", hint='timeout = "10s"'
        )
    return float(number)
