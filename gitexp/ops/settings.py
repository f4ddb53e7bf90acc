"""Settings: what each is and where that comes from; written through `git config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitexp import text
from gitexp.errors import NotFound, Refused
from gitexp.git import config as gitconfig
from gitexp.store import config
from gitexp.store.config import Setting, Settings
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Value:
    """A setting, its value as text, and where that comes from."""

    setting: Setting
    value: str
    origin: str


def listing(workspace: Workspace) -> list[Value]:
    """Return all settings as they hold now."""
    return [Value(setting, *workspace.settings.origin(setting.key)) for setting in config.SETTINGS.values()]


def get(workspace: Workspace, name: str) -> Value:
    """Return one setting; raises UsageError for one that does not exist."""
    setting = config.find(name)
    return Value(setting, *workspace.settings.origin(setting.key))


def put(workspace: Workspace, name: str, value: str, *, everywhere: bool = False) -> Value:
    """Set a setting in the repository's git config, or in the user's own with `everywhere`, and return what holds.

    Raises UsageError for a value that is none of its kind, Refused for a setting that gitexp.toml locks.
    """
    setting = _writable(workspace, name)
    check(setting, value)
    gitconfig.put(workspace.repo, setting.name, value, everywhere=everywhere)
    return _reread(workspace, setting)


def unset(workspace: Workspace, name: str, *, everywhere: bool = False) -> Value:
    """Take a setting out of git config and return what holds then; raises NotFound where it is not there."""
    setting = _writable(workspace, name)
    if not gitconfig.unset(workspace.repo, setting.name, everywhere=everywhere):
        where = "git config --global" if everywhere else "the repository's git config"
        raise NotFound(f"{setting.name} is not set in {where}", hint="see where with: gitexp config --show-origin")
    return _reread(workspace, setting)


def check(setting: Setting, value: str) -> None:
    """Raise UsageError where a value is none of the setting's kind."""
    read = Settings(None, {setting.key.lower(): value})
    readers = {
        "bool": read.flag, "number": read.number, "size": read.size_bytes, "duration": read.duration_seconds,
        "choice": read.choice, "list": read.items, "text": read.text, "map": read.pairs,
    }  # fmt: skip
    readers[setting.kind](setting.key)


def describe(value: Value) -> dict[str, Any]:
    """Return the JSON of a setting."""
    setting = value.setting
    return {
        "name": setting.name,
        "value": value.value,
        "origin": value.origin,
        "kind": setting.kind,
        "default": setting.default,
        "choices": list(setting.choices),
        "variable": setting.variable,
        "doc": setting.doc,
    }


def _writable(workspace: Workspace, name: str) -> Setting:
    setting = config.find(name)
    if setting.key.lower() in workspace.settings.locked:
        raise Refused(f"{setting.name} is locked by the project", hint=f"change it in {text.safe(config.FILES[0])}")
    return setting


def _reread(workspace: Workspace, setting: Setting) -> Value:
    return Value(setting, *Settings(workspace.repo, workspace.settings.overrides).origin(setting.key))
