"""One run as the rows of the index: read from its record, then laid under what is said of it."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from gitexp import canonical
from gitexp.errors import Damaged, Unsupported
from gitexp.git import folders, objects
from gitexp.git.folders import Folder
from gitexp.index import catalogue as catalogues
from gitexp.index import stamps, values
from gitexp.index.values import Stored
from gitexp.record import dataset, logged, params, pointer, summary, used
from gitexp.record.facts import EMPTY, State
from gitexp.record.logged import Logged
from gitexp.record.run import RunRecord
from gitexp.record.summary import Aggregate
from gitexp.record.used import Use
from gitexp.store import runs
from gitexp.store.live import LiveRun
from gitexp.store.runs import Head, Run
from gitexp.store.workspace import Workspace

MAX_NAMES = 20_000  # params or metrics of one run; more is no record that a person made
MAX_ITEMS = 10_000  # artifacts or datasets of one run that are listed
_LEAF = re.compile(r"(.*)-([k-z]{7})", re.DOTALL)

Key = tuple[str, str, str]  # kind, name, aggregate


@dataclass(slots=True)
class Row:
    """A run: its fields, its values by kind, name and aggregate, and what it has several of."""

    fields: dict[str, Any]
    values: dict[Key, Stored] = field(default_factory=dict)
    metrics: dict[str, tuple[Stored, ...]] = field(default_factory=dict)  # in the order of catalogue.AGGREGATES
    artifacts: list[tuple[Any, ...]] = field(default_factory=list)
    datasets: list[tuple[Any, ...]] = field(default_factory=list)
    used: list[tuple[Any, ...]] = field(default_factory=list)
    logged: list[tuple[str, str, str]] = field(default_factory=list)  # kind, id of the model, JSON
    environment: str | None = None  # the blob of environment.json


def leaf(ref: str) -> tuple[str, str, str] | None:
    """Return the path, slug and first letters of the id that a ref names; None for one that cannot be a run's."""
    path, _, last = ref.removeprefix(stamps.RUNS_PREFIX).removeprefix(stamps.PUBLISHED_PREFIX).rpartition("/")
    match = _LEAF.fullmatch(last)
    return (path, match[1], match[2]) if path and match else None


def stored(workspace: Workspace, ref: str, commit: str) -> Row | None:
    """Read the run of a ref; None where it holds none. A record that does not parse gives what its commit says."""
    try:
        row = _of_stored(runs.load(workspace, commit, ref))
    except (Damaged, Unsupported) as error:
        row = _damaged(workspace, ref, commit, error.message)
    if row is None:
        return None
    return _placed(row, ref, commit)


def given(workspace: Workspace, ref: str, commit: str, folder: Folder, artifacts: list[tuple[Any, ...]]) -> Row | None:
    """Return the row of a run whose files were handed over; reads nothing; raises Damaged or Unsupported."""
    row = _of_folder(runs.load(workspace, commit, ref), folder)
    if row is None:
        return None
    row.artifacts = [tuple(item) for item in artifacts]
    return _placed(row, ref, commit)


def _placed(row: Row, ref: str, commit: str) -> Row:
    path, slug, _ = leaf(ref) or ("", "", "")
    is_live = ref.startswith(stamps.PUBLISHED_PREFIX)
    row.fields |= {"ref": ref, "commit_oid": commit, "path": path, "slug": slug, "live": int(is_live)}
    return row


def _of_stored(run: Run) -> Row | None:
    """Return the row of a stored run, but for where it stands; None of no run; raises Damaged or Unsupported."""
    folder = files_of(run) or _unusual(run)
    row = _of_folder(run, folder)
    if row is not None and "artifacts" in folder.entries:
        row.artifacts = artifacts_of(run)
    return row


def _of_folder(run: Run, folder: Folder) -> Row | None:
    if runs.trailers(folder.message) is None:
        return None
    if "run.json" in folder.files:
        run.take(folder.files["run.json"])
    row = Row(_of_record(run.record))
    if (data := folder.files.get("params.json")) is not None:
        _add_params(row.values, _params(data), "")
    if (data := folder.files.get("summary.json")) is not None:
        row.metrics, row.fields["steps"] = _metrics(data)
    _add_rest(row, run.record)
    row.environment = folder.entries.get("environment.json")
    row.datasets = _datasets(folder.files.get("data.json"))
    row.used = _used_in(folder.files.get("used.json"))
    row.logged = _logged_in(folder.files.get("logged-models.json"), folder.files.get("data.json"))
    return row


def files_of(run: Run) -> Folder | None:
    """Return the files of a record that the index reads; None where one is kept as a pointer, missing or too large."""
    folder = folders.read(run.workspace.repo, str(run.commit), runs.FOLDER, _READ, runs.JSON_LIMIT)
    if folder is None or "run.json" not in folder.files or any(map(pointer.decode, folder.files.values())):
        return None
    return folder


_OPTIONAL = ("data.json", "used.json", "logged-models.json")  # without them a run can be listed
_READ = ("run.json", "params.json", "summary.json", *_OPTIONAL)


def _unusual(run: Run) -> Folder:
    """Read the long way what is kept as a pointer, is missing, too large or no file; raises Damaged as a run does."""
    message = objects.read_commit(run.workspace.repo, str(run.commit)).message
    entries = {name: entry.oid for name, entry in run.entries.items()}
    found: dict[str, bytes] = {}
    for name in _READ:
        with suppress(Damaged) if name in _OPTIONAL else nullcontext():
            data = run.file(name)
            found |= {} if data is None else {name: data}
    return Folder(message, found, entries)


def _damaged(workspace: Workspace, ref: str, commit: str, why: str) -> Row | None:
    try:
        head = runs.head(workspace, ref, commit)
    except Damaged:  # missing, or no commit at all
        return None
    return None if head is None else Row(_of_head(head, why))


def live(run: LiveRun, metrics: Mapping[str, Aggregate]) -> Row:
    """Return the row of a run that is running here, with the aggregates of its points so far."""
    path, slug, _ = leaf(run.named.ref) or ("", "", "")
    row = Row(_of_record(run.record))
    row.fields |= {"path": path, "slug": slug, "live": 1, "own": 1, "end_ms": None}
    _add_params(row.values, run.params, "")
    row.metrics = {name: _aggregates(aggregate) for name, aggregate in metrics.items()}
    row.fields["steps"] = _steps({name: aggregate.last_step for name, aggregate in metrics.items()})
    _add_rest(row, run.record)
    row.artifacts, row.datasets = artifacts_of(run), _datasets(run.file("data.json"))
    row.used = _used(run.used)
    row.logged = logged_of(run.logged, run.data)
    content = run.file("environment.json")
    if content is not None:
        row.environment = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return row


def of_params(nested: Mapping[str, Any]) -> Row:
    """Return a row that has nothing but params."""
    row = Row({})
    _add_params(row.values, nested, "")
    return row


def _params(data: bytes) -> dict[str, Any]:
    """Return params as they stand in JSON; `_add_params` takes the words for NaN and the infinities as numbers."""
    try:
        value = canonical.loads(data)
    except ValueError:
        value = None
    return value if type(value) is dict else params.decode(data)  # which raises


def _add_params(found: dict[Key, Stored], nested: Mapping[str, Any], above: str) -> None:
    """Add flat params, encoded: what `params.flatten` and `values.encode` would give, in one go."""
    for key, value in nested.items():
        path = above + (params.escape(key) if "." in key or "\\" in key else key)
        kind = type(value)
        if kind is float and value == value:  # what most of them are, without a call for each
            found[catalogues.PARAM, path, ""] = value
        elif kind is dict and value:
            _add_params(found, value, path + ".")
        elif kind is str:
            plain = canonical.special(value)
            found[catalogues.PARAM, path, ""] = values.encode(plain)
            if plain is value and (number := values.spelled(value)) is not None:
                found[catalogues.PARAM, path, catalogues.NUMBER] = number
        else:
            found[catalogues.PARAM, path, ""] = values.encode(canonical.special(value) if kind is list else value)


def _metrics(data: bytes) -> tuple[dict[str, tuple[Stored, ...]], str | None]:
    """Return the aggregates of a summary.json, the usual ones without a detour, and the last steps."""
    try:
        value = canonical.loads(data)
        found = {
            name: _plain_aggregates(item) or _aggregates(Aggregate.from_json(item)) for name, item in value.items()
        }
        return found, _steps({name: item.get("last_step", 0) for name, item in value.items()})
    except (ValueError, TypeError, AttributeError, OverflowError):
        read = summary.decode(data)  # which raises
        steps = _steps({name: item.last_step for name, item in read.items()})
        return {name: _aggregates(item) for name, item in read.items()}, steps


def _steps(last: Mapping[str, Any]) -> str | None:
    """Return the steps at which metrics stood last, but for those at 0, as JSON."""
    found = {values.clean(name): step for name, step in last.items() if step}
    return json.dumps(found) if found else None


def _plain_aggregates(item: Any) -> tuple[Stored, ...] | None:
    """Return the aggregates of a metric of plain floats, None for all others."""
    try:
        found: tuple[Any, ...] = _aggregates_of(item)
        steps = _steps_of(item)
    except (KeyError, TypeError):
        return None
    if (*map(type, found), *map(type, steps)) != _PLAIN or "set" in item:
        return None
    # NaN must not reach SQLite; a total that is none tells that no part of it is.
    total = sum(found)
    return found if total == total and 0 <= found[-1] < _MANY_POINTS else None


_aggregates_of = itemgetter(*catalogues.AGGREGATES)
_steps_of = itemgetter("first_step", "last_step", "min_step", "max_step")
_PLAIN = (*[float] * 5, *[int] * 5)
_MANY_POINTS = 1 << 53


def _aggregates(value: Aggregate) -> tuple[Stored, ...]:
    """Return a metric's aggregates as they are stored; what the user set stands for all but the count."""
    found = [value.last, value.min, value.max, value.mean, value.first]
    if value.set is not None:
        found = [value.set] * 5
    return tuple(map(values.encode, [*found, value.count]))


def _add_rest(row: Row, record: RunRecord) -> None:
    """Add what stored and running runs have alike; raises Damaged for more names than a person gives."""
    for what, count in (("params", len(row.values)), ("metrics", len(row.metrics))):
        if count > MAX_NAMES:
            raise Damaged(f"a run of {count:,} {what}, more than the {MAX_NAMES:,} that lists take", hint="gitexp fsck")
    for name, value in list(record.seeds.items())[:MAX_NAMES]:
        row.values[catalogues.SEED, name, ""] = values.encode(value)


def _of_record(record: RunRecord) -> dict[str, Any]:
    code, user, error, cost = record.code, record.user, record.error or {}, record.cost or {}
    return {
        "id": record.id,
        "first_experiment": values.clean(record.experiment),
        "name": values.clean(record.name),
        "status": record.status,
        "author": values.text(user.get("name")),
        "email": values.text(user.get("email")),
        "host": values.text(record.host),
        "start_ms": record.start_ms,
        "end_ms": record.end_ms,
        "exit_code": values.integer(record.exit_code),
        "error": values.text(error.get("type")),
        "command": values.text(shlex.join(record.command)),
        "parent": values.text(record.parent),
        "forked_from": values.text(record.forked_from),
        "code_commit": values.text(code.get("commit")),
        "code_snapshot": values.text(code.get("snapshot")),
        "code_tree": values.text(code.get("tree")),
        "code_branch": values.text(code.get("branch")),
        "code_remote": values.text(code.get("remote")),
        "code_dirty": int(bool(code.get("dirty"))),
        "cost": values.real(cost.get("total")),
        "told": _told(record),
        "reason": values.clean(record.reasons[0].tag) if record.reasons else None,
    }


def _told(record: RunRecord) -> str | None:
    """Return the record's own tags and description as JSON: what facts are laid over."""
    tags = {values.clean(key): values.clean(value) for key, value in list(record.tags.items())[:MAX_NAMES]}
    found: dict[str, Any] = {"tags": tags} if tags else {}
    if record.description:
        found["description"] = values.clean(record.description)
    return json.dumps(found) if found else None


def _of_head(head: Head, why: str) -> dict[str, Any]:
    name, _, email = head.author.rpartition(" <")
    return {
        "id": head.id,
        "first_experiment": values.clean(head.experiment),
        "name": values.clean(head.name),
        "status": values.clean(head.status),
        "author": values.text(name),
        "email": values.text(email.removesuffix(">")),
        "start_ms": values.integer(head.start_ms) or 0,
        "end_ms": values.integer(head.end_ms),
        "code_dirty": int(head.dirty),
        "damaged": values.clean(why),
    }


def artifacts_of(run: Run) -> list[tuple[Any, ...]]:
    """Return (name, bytes, sha256, blob) of a run's artifacts; the sha256 of large ones, the blob of small ones."""
    try:
        found = run.artifacts[:MAX_ITEMS]
    except Damaged:  # `fsck` names what is missing; the run itself can be listed
        return []
    return [
        (values.clean(item.name), item.size_bytes, item.sha256, None if item.sha256 else item.oid or None)
        for item in found
    ]


def _datasets(data: bytes | None) -> list[tuple[Any, ...]]:
    try:
        found = canonical.loads(data) if data is not None else []
    except ValueError:
        return []
    return [_dataset(item) for item in found[:MAX_ITEMS] if isinstance(item, dict)] if isinstance(found, list) else []


def _used_in(data: bytes | None) -> list[tuple[Any, ...]]:
    try:
        return _used(used.decode(data)) if data is not None else []
    except Damaged:
        return []


def _used(found: Sequence[Use]) -> list[tuple[Any, ...]]:
    return [
        (use.run, values.clean(use.artifact), use.sha256 or None, values.clean(use.said)) for use in found[:MAX_ITEMS]
    ]


def _logged_in(data: bytes | None, datasets: bytes | None) -> list[tuple[str, str, str]]:
    try:
        found = canonical.loads(datasets) if datasets is not None and b'"mlflow"' in datasets else []
        return logged_of(logged.decode(data) if data is not None else Logged(), found)
    except (Damaged, ValueError):
        return []


def logged_of(found: Logged, datasets: Any) -> list[tuple[str, str, str]]:
    """Return what a run says of logged models, and the datasets that MLflow described."""
    whole = found.to_json()
    rows = [("model", key, item) for key, item in whole.get("models", {}).items()]
    rows += [("input", key, {}) for key in found.inputs]
    rows += [("output", item["model"], item) for item in whole.get("outputs", ())]
    rows += [("metrics", item["model"], item) for item in whole.get("metrics", ())]
    for item in datasets if isinstance(datasets, list) else ():
        if isinstance(item, dict) and isinstance(said := _folder(item, "metadata").get("mlflow"), dict):
            rows.append(("dataset", str(said.get("name", "")), said))
    return [(kind, values.clean(key), canonical.line(item).decode()) for kind, key, item in rows[:MAX_ITEMS]]


def _dataset(item: Mapping[str, Any]) -> tuple[Any, ...]:
    texts = [values.text(item.get(key)) for key in ("name", "role", "uri", "sha256")]
    numbers = [values.real(number) for number in (item.get("rows"), dataset.size(item), item.get("files"))]
    texts[0] = texts[0] or texts[1] or texts[2]
    return (*texts, *numbers)


@dataclass(slots=True)
class Environment:
    """What queries ask of an environment.json."""

    fields: tuple[Any, ...]
    packages: list[tuple[str, str]]


def environment(found: Any) -> Environment:
    """Read an environment.json's content, whatever it is."""
    found = found if isinstance(found, dict) else {}
    python, platform, container = (_folder(found, key) for key in ("python", "platform", "container"))
    gpus = [_folder({"gpu": item}, "gpu").get("name") for item in _items(found, "gpus")]
    names = ", ".join(sorted({str(name) for name in gpus if name}))
    packages = _folder(found, "packages")
    versions = {values.clean(str(key)): _folder(packages, key).get("version") for key in list(packages)[:MAX_ITEMS]}
    fields = (
        values.text(python.get("version")),
        values.text(python.get("implementation")),
        values.text(" ".join(str(platform[key]) for key in ("system", "machine") if platform.get(key))),
        values.text(found.get("cuda")),
        values.text(found.get("driver")),
        values.text(names),
        len(gpus),
        values.text(container.get("image")),
    )
    return Environment(
        fields, [(key, values.clean(str(value))) for key, value in versions.items() if value is not None]
    )


def _folder(found: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _items(found: Mapping[str, Any], key: str) -> list[Any]:
    value = found.get(key)
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Said:
    """What facts say of a run, laid over what its record says."""

    fields: dict[str, Any]
    tags: dict[str, str]
    posts: dict[str, Stored]
    verdicts: dict[str, str]
    notes: list[tuple[int, str, str]]


def said(state: State, told: str | None) -> Said:
    """Lay what is said over a record's own tags and description (`told`, the JSON that its row keeps)."""
    record = json.loads(told) if told else {}
    if state is EMPTY:
        return Said(_UNSAID | {"description": record.get("description")}, record.get("tags", {}), {}, {}, [])
    tags = state.tags_over(record.get("tags", {}))
    return Said(
        {
            "said": 1,
            "title": values.text(state.title),
            "description": values.text(state.description or record.get("description")),
            "archived": int(state.archived),
            "favourite": int(state.favourite),
            "removed": int(state.removed),
        },
        {values.clean(key): values.clean(value) for key, value in tags.items()},
        {name: values.encode(value) for name, value in state.posts.items()},
        {values.clean(key): values.clean(value) for key, value in state.verdicts.items()},
        [_note(note.time_ms, note.author.name, note.text) for note in state.notes],
    )


_UNSAID = {"said": 0, "title": None, "archived": 0, "favourite": 0, "removed": 0}


def _note(time_ms: int, author: str, words: str) -> tuple[int, str, str]:
    return values.integer(time_ms) or 0, values.clean(author), values.clean(words)
