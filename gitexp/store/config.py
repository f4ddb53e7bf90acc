"""Every setting: one table, and where its value comes from.

Strongest first: an override of the call, the environment (GITEXP_*), the repository's `git config`, `gitexp.toml` or
`[tool.gitexp]` in the work tree, the user's and the system's `git config`, the default. What `gitexp.toml` lists as
`locked` is taken from there, whatever the others say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitexp.errors import UsageError

if TYPE_CHECKING:
    from gitexp.git.repo import Repo


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its key below `gitexp.`, its kind, its default as text, and what it does."""

    key: str
    kind: str
    default: str
    doc: str
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The full name, as `git config` knows it."""
        return "gitexp." + self.key

    @property
    def variable(self) -> str:
        """The environment variable: gitexp.inlineLimit is GITEXP_INLINE_LIMIT."""
        return _variable(self.key)


@cache
def _variable(key: str) -> str:
    return "GITEXP_" + re.sub(r"(?<=[a-z])([A-Z])", r"_\1", key).upper()


def _table(*rows: tuple[str, str, str, str] | tuple[str, str, str, str, tuple[str, ...]]) -> dict[str, Setting]:
    return {row[0].lower(): Setting(*row) for row in rows}


_MODELS = ".pt,.pth,.ckpt,.safetensors,.onnx,.gguf,.h5,.hdf5,.keras,.tflite,.pb,.mlmodel,.joblib,.pkl,.pickle,.npy,.npz"

_VALUES = ("last", "min", "max", "mean", "first")
_TESTS = "test/*,test_*,test-*,test.*,test[A-Z]*,*/test/*,*/test_*"

SETTINGS = _table(
    ("experiment", "text", "", "the experiment of a run that names none (else the branch, else `default`)"),
    ("metric", "text", "", "the main metric: first in lists, and what the header's best run is by"),
    ("maximize", "list", "", "metrics (names or globs) of which more is better"),
    ("minimize", "list", "", "metrics (names or globs) of which less is better"),
    ("summary", "map", "", "the value that stands for a metric, by name or glob: loss=min, val_*=last", _VALUES),
    (
        "testMetrics",
        "list",
        _TESTS,
        "metrics (names or globs) of a test set, of whose overuse is warned",
    ),
    ("testUses", "number", "3", "from how many sets of runs on that a test metric decided over (0: no warning)"),
    (
        "lossMetrics",
        "list",
        "",
        "metrics (names or globs) that tag a run nan where they are NaN or infinite (default: by their names)",
    ),
    ("aliases", "map", "", "names of one param, the first one shown: lr=learning_rate=optimizer.lr, bs=batch_size"),
    ("columns", "list", "", "columns of the log, beside those it chooses itself"),
    ("dirty", "choice", "snapshot", "what a run does in a dirty tree", ("snapshot", "refuse", "allow")),
    ("dirtyIgnore", "list", "", "pathspecs whose changes are not dirt"),
    ("snapshot", "choice", "source", "what a snapshot takes", ("tracked", "source", "all")),
    ("sourceSuffixes", "list", "", "endings of untracked files that count as source, beside the built-in ones"),
    ("inlineLimit", "size", "100k", "record files over this are stored as pointers, their bytes beside the commit"),
    (
        "artifacts",
        "text",
        "auto",
        "where the bytes of large files go: auto (the remote's Git LFS), lfs, none, s3://BUCKET/PREFIX, gs://…, az://… "
        "or file:///FOLDER; gitexp.artifacts.REMOTE for one remote",
    ),
    (
        "artifactsCacheLimit",
        "size",
        "0",
        "how much of what came from remotes stays here: beyond it what was used least goes (0: no limit)",
    ),
    ("metricsInlineLimit", "size", "1m", "the same for metrics.csv and system.csv"),
    ("outputLimit", "size", "100m", "how much of a wrapped command's output is kept, head and tail"),
    (
        "conventions",
        "choice",
        "refuse",
        "what a run that does not keep the conventions of its experiment meets at most",
        ("refuse", "warn", "off"),
    ),
    ("nameTemplate", "text", "", "how runs are named, from their params: `{model}-lr{lr}-seed{seed}`"),
    ("host", "text", "", "the name of this machine in records (default: the host name)"),
    ("privacy", "list", "", "what records leave out: host, user, output"),
    ("env", "list", "", "environment variables to store, beside the built-in list"),
    ("systemMetrics", "bool", "true", "whether CPU, memory, disk, network and GPU use are sampled"),
    ("systemInterval", "duration", "15s", "how often they are"),
    ("costPerHour", "number", "0", "what an hour of this machine costs, for the cost of a run"),
    ("deadAfter", "duration", "10m", "silence after which a run of another host counts as lost"),
    ("logAllRanks", "bool", "false", "whether ranks other than 0 log too, as rank1/loss"),
    ("sign", "bool", "false", "whether run commits are signed with the user's Git signing key"),
    (
        "signEvents",
        "choice",
        "auto",
        "whether events of models are signed: auto (where Git knows a signing key), always or never",
        ("auto", "always", "never"),
    ),
    (
        "publish",
        "bool",
        "false",
        "whether running runs are published to refs/experiments-live/ (default: where publishEvery is set)",
    ),
    ("publishEvery", "duration", "60s", "how often a running run is published; 0s: never"),
    ("autoPush", "bool", "false", "whether each run is pushed after its end, in the background"),
    ("remote", "text", "", "the remote that experiments are pushed to and fetched from"),
    ("runsBranch", "text", "", "one branch for all runs, for hosts that refuse custom refs: gitexp/runs"),
    (
        "registryRef",
        "text",
        "",
        "one branch for the registry, for hosts that protect branches and no other refs: refs/heads/gitexp/registry",
    ),
    (
        "rulesBranch",
        "text",
        "",
        "the branch whose gitexp.toml has the rules of the registry (default: the remote's default branch)",
    ),
    ("pushDirty", "choice", "allow", "whether runs of dirty trees may be pushed", ("allow", "refuse")),
    ("pushWithGit", "bool", "false", "whether the pre-push hook pushes experiments along"),
    ("runTrailer", "choice", "offer", "what prepare-commit-msg does with the newest run", ("offer", "fill", "off")),
    ("commitLimit", "size", "10m", "files over this belong in artifacts: the pre-commit hook refuses them"),
    ("artifactSuffixes", "list", _MODELS, "endings of new files that belong in artifacts: pre-commit refuses them"),
    ("artifactIgnore", "list", "", "pathspecs of files that may be committed all the same"),
    ("maintainers", "list", "", "who may delete runs on a server with the pre-receive hook (its own git config only)"),
    ("quiet", "bool", "false", "nothing on stderr but errors"),
    ("maintenance", "bool", "true", "whether loose objects of many runs are packed in the background"),
)
FILES = ("gitexp.toml", "pyproject.toml")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """The settings of one workspace; `overrides` are those of this call, by key in lower case."""

    repo: Repo | None
    overrides: Mapping[str, str] = field(default_factory=dict)
    _known: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False, compare=False)
    _pairs: dict[str, tuple[tuple[str, str, str], ...]] = field(default_factory=dict, repr=False, compare=False)

    def text(self, key: str) -> str:
        """Return a setting's text, "" where it is empty."""
        return self.origin(key)[0]

    def origin(self, key: str) -> tuple[str, str]:
        """Return a setting's value as text and where it comes from; raises UsageError for one that does not exist."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._origin(find(key))
        return known

    def _origin(self, setting: Setting) -> tuple[str, str]:
        found = list(self._places(setting)) or [(setting.default, "default")]
        if setting.kind != "map":
            return found[0]
        return ", ".join(value for value, _ in found), ", ".join(where for _, where in found)

    def _places(self, setting: Setting) -> Iterator[tuple[str, str]]:
        """Yield what each place says of a setting and which place that is, the strongest first."""
        lowered, name, (file, table) = setting.key.lower(), setting.name.lower(), self._file
        if lowered in self.locked and lowered in table:
            yield table[lowered], file + ", locked"
            return
        for value, where in (
            (self.overrides.get(lowered), "command line"),
            (os.environ.get(setting.variable), "environment " + setting.variable),
            (self._git["local"].get(name), "git config"),
            (table.get(lowered), file),
            (self._git["global"].get(name), "git config --global"),
        ):
            if value is not None:
                yield value, where

    def choice(self, key: str) -> str:
        """Return one of a setting's choices; raises UsageError for another word."""
        setting, value = find(key), self.text(key)
        if value not in setting.choices:
            raise _bad(setting, value, " | ".join(setting.choices))
        return value

    def flag(self, key: str) -> bool:
        """Return a yes or no, in Git's words for them."""
        value = self.text(key).lower()
        if value in ("true", "yes", "on", "1", ""):
            return value != ""
        if value in ("false", "no", "off", "0"):
            return False
        raise _bad(find(key), value, "true or false")

    def items(self, key: str) -> tuple[str, ...]:
        """Return a list's items; commas and new lines part them."""
        return split(self.text(key))

    def pairs(self, key: str) -> tuple[tuple[str, str, str], ...]:
        """Return a map's (name, value, where it is said), the strongest place first: no place hides the whole other."""
        known = self._pairs.get(key)
        if known is None:
            setting = find(key)
            known = self._pairs[key] = tuple(
                (*_pair(setting, item, where), where) for text, where in self._places(setting) for item in split(text)
            )
        return known

    def number(self, key: str) -> float:
        """Return a number."""
        try:
            return float(self.text(key) or 0)
        except ValueError:
            raise _bad(find(key), self.text(key), "a number") from None

    def size_bytes(self, key: str) -> int:
        """Return a size in bytes: 100k, 1m and 2GB are powers of 1024."""
        found = _SIZE.fullmatch(self.text(key).strip())
        if found is None:
            raise _bad(find(key), self.text(key), "a size such as 100k or 1m")
        return int(float(found[1]) * 1024 ** " kmgt".index(found[2].lower() or " "))

    def duration_seconds(self, key: str) -> float:
        """Return a duration in seconds: 15s, 10m, 1h; a bare number is seconds."""
        found = _DURATION.fullmatch(self.text(key).strip())
        if found is None:
            raise _bad(find(key), self.text(key), "a duration such as 15s or 10m")
        unit = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[(found[2] or "s").lower()]
        return float(found[1]) * unit

    @cached_property
    def locked(self) -> frozenset[str]:
        """The keys (lower case) that the tree's file does not let others weaken."""
        return frozenset(item.strip().lower() for item in self._file[1].get("locked", "").split(",") if item.strip())

    def raw(self, key: str) -> str | None:
        """Return a `gitexp.<key>` of git config that has no row in the table (gitexp.push.<remote>)."""
        name = "gitexp." + key
        return self._git["local"].get(name, self._git["global"].get(name))

    @cached_property
    def _git(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {"local": {}, "global": {}}
        for entry in self.repo.settings if self.repo is not None else ():
            if entry.name.startswith("gitexp."):
                where = found["local" if entry.own else "global"]
                name, value = _unfolded(entry.name, "true" if entry.value is None else entry.value)
                kind = _find_kind(name.removeprefix("gitexp.")) if name in where else None
                joined = {"list": f"{where.get(name)},{value}", "map": f"{value}, {where.get(name)}"}
                where[name] = joined.get(kind or "", value)  # of a map the last is the strongest: it goes first
        return found

    @cached_property
    def _tree(self) -> tuple[str, dict[str, Any]]:
        top = self.repo.work_tree if self.repo is not None else None
        for name in FILES if top is not None else ():
            table = _load(Path(str(top)) / name)
            if table is not None:
                return name, table
        return FILES[0], {}

    @cached_property
    def _file(self) -> tuple[str, dict[str, str]]:
        name, table = self._tree
        return name, _settings_of(table)

    @property
    def file(self) -> str:
        """The name of the tree's file: gitexp.toml, or pyproject.toml where that alone has settings."""
        return self._tree[0]

    @property
    def tree_file(self) -> dict[str, Any]:
        """The whole content of the tree's file, for what is more than a setting."""
        return self._tree[1]


def reviewed(data: bytes, name: str) -> Settings:
    """Return the settings that a file's bytes say, whatever this machine, its user and the work tree say; else none."""
    where = f"{name} on the branch of the rules"
    table = _settings_of(_parse(data.decode("utf-8", "replace"), name, where) or {})
    found = Settings(None)
    for lowered, setting in SETTINGS.items():
        said = (table[lowered], where) if lowered in table else (setting.default, "default")
        found._known[setting.key] = said
        if setting.kind == "map":
            items = split(said[0])
            found._pairs[setting.key] = tuple((*_pair(setting, item, said[1]), said[1]) for item in items)
    return found


def _unfolded(name: str, value: str) -> tuple[str, str]:
    """Return `gitexp.summary.loss`, `min` as what it says of the map: `gitexp.summary`, `loss=min`."""
    section, _, rest = name.removeprefix("gitexp.").partition(".")
    return (f"gitexp.{section}", f"{rest}={value}") if rest and _find_kind(section) == "map" else (name, value)


def find(key: str) -> Setting:
    """Return the setting of a key, in any case, with or without `gitexp.`; raises UsageError."""
    name = key.lower().removeprefix("gitexp.")
    setting = SETTINGS.get(name)
    if setting is None and _find_kind(name.partition(".")[0]) == "map":
        whole, _, inner = key.removeprefix("gitexp.").partition(".")
        raise UsageError(f"gitexp.{whole} is one setting", hint=f"gitexp config gitexp.{whole} {inner}=VALUE")
    if setting is None:
        raise UsageError(f"no setting {key!r}", hint="list them with: gitexp config")
    return setting


def _find_kind(key: str) -> str | None:
    """Return the kind of a setting, None where the table has none of that key."""
    setting = SETTINGS.get(key.lower())
    return setting.kind if setting is not None else None


def split(text: str) -> tuple[str, ...]:
    """Return the items of a list or map; commas and new lines part them."""
    return tuple(item.strip() for item in re.split(r"[,\n]", text) if item.strip())


def _pair(setting: Setting, item: str, where: str) -> tuple[str, str]:
    name, _, value = (part.strip() for part in item.rpartition("="))
    if not name or not value or (setting.choices and value not in setting.choices):
        form = f"NAME={'|'.join(setting.choices) or 'VALUE'}"
        raise UsageError(f"{setting.name} has {item!r} ({where}), not {form}", hint="gitexp config --show-origin")
    return name, value


def _bad(setting: Setting, value: str, wanted: str) -> UsageError:
    return UsageError(f"{setting.name} is {value!r}, not {wanted}", hint=f"git config {setting.name} {setting.default}")


def _load(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}", hint=f"correct {path}") from error
    return _parse(text, path.name, str(path))


def _parse(text: str, name: str, where: str) -> dict[str, Any] | None:
    import tomllib  # only where there is such a file

    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} cannot be read: {error}", hint=f"correct {where}") from error
    return value if name == FILES[0] else value.get("tool", {}).get("gitexp")


def _settings_of(table: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of a file as text by key in lower case; nested tables but maps are not settings."""
    is_setting = {key: not isinstance(value, dict) or _find_kind(key) == "map" for key, value in table.items()}
    return {key.lower(): _as_text(value) for key, value in table.items() if is_setting[key]}


def _as_text(value: Any) -> str:
    if isinstance(value, dict):  # a name's own comma cannot part the items: as a glob, "?" stands for it
        return ", ".join(f"{name.replace(',', '?')}={_as_text(item)}" for name, item in value.items())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)
