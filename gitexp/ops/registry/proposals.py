"""Promotions proposed as files of the branch of the rules, so that whoever guards that branch decides.

A proposal is gitexp/promotions/<model>/<stage>-<version>.toml. It says which bytes of which version are to enter which
stage, in whose place; what counts is what was merged, however it was merged.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import Damaged, UsageError
from gitexp.git import compare, objects, refs
from gitexp.ops.registry.cases import Case
from gitexp.record import event as events
from gitexp.record import rules as ruling
from gitexp.record.model import Model, Version
from gitexp.store import models
from gitexp.store.rulebook import Rulebook
from gitexp.store.workspace import Workspace

FOLDER = "gitexp/promotions"
MAX_BYTES = 64 * 1024
MAX_FILES = 10_000
MAX_HISTORY = 100_000  # commits of the branch in which the merge of a file is looked for
_KEYS = ("model", "version", "sha256", "stage", "replaces")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a file asks for; `replaces` is the version whose place is taken, None where there is none."""

    model: str
    version: str
    sha256: str
    stage: str
    replaces: str | None
    note: str = ""
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Merged:
    """A file of the branch of the rules: its proposal, or why it is none."""

    path: str
    blob: str
    proposal: Proposal | None
    why: str = ""


def path_of(model: Model, version: Version, stage: str) -> str:
    """Return where the file of a proposal is."""
    return f"{FOLDER}/{ids.model_ref(model.first).removeprefix(ids.MODELS)}/{stage}-{version.id[:7]}.toml"


def encode(proposal: Proposal, remarks: list[str]) -> bytes:
    """Return the bytes of a proposal's file; `remarks` are lines for those who review it."""
    lines = [f"# {text.safe(remark)}".rstrip() for remark in remarks]
    for key in _KEYS:
        lines.append(f"{key} = {_quoted(getattr(proposal, key) or '')}")
    lines.append(f"note = {_quoted(proposal.note)}")
    lines.append(f'proposed = "{canonical.iso(proposal.time_ms)}"')
    return ("\n".join(lines) + "\n").encode()


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def decode(data: bytes) -> Proposal:
    """Return the proposal of a file's bytes; raises ValueError, in words for people, for what is none."""
    try:
        found: Mapping[str, Any] = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"it cannot be read: {error}") from error
    said = {key: found.get(key, "") for key in (*_KEYS, "note", "proposed")}
    wrong = next((key for key, value in said.items() if not isinstance(value, str)), None)
    wrong = wrong or next((key for key in _KEYS[:4] if not said[key]), None)
    if wrong:
        raise ValueError(f"it has no {wrong}")
    try:
        stage = ruling.check_stage(said["stage"])
        model = ids.check_model(said["model"])
        time_ms = canonical.from_iso(said["proposed"]) if said["proposed"] else 0
    except UsageError as error:
        raise ValueError(error.message) from error
    return Proposal(model, said["version"], said["sha256"], stage, said["replaces"] or None, said["note"], time_ms)


def merged(workspace: Workspace, book: Rulebook) -> Iterator[Merged]:
    """Yield the files of proposals that are on the branch of the rules now; raises Damaged for too many."""
    if book.commit is None:
        return
    repo = workspace.repo
    folder = objects.subtree(repo, objects.tree_of(repo, book.commit), FOLDER)
    found = objects.walk(repo, folder, f"{FOLDER}/") if folder else iter(())
    for count, (path, entry) in enumerate(found):
        if count >= MAX_FILES:
            raise Damaged(f"{FOLDER} has more than {MAX_FILES:,} files", hint=f"git rm those of old: {FOLDER}")
        if path.endswith(".toml") and entry.is_file:
            yield _read(workspace, path, entry.oid)


def _read(workspace: Workspace, path: str, blob: str) -> Merged:
    try:
        data = objects.read_blob(workspace.repo, blob, limit_bytes=MAX_BYTES)
        return Merged(path, blob, decode(data))
    except (Damaged, ValueError) as error:
        return Merged(path, blob, None, getattr(error, "message", str(error)))


def named(workspace: Workspace, book: Rulebook, found: Merged) -> dict[str, Any]:
    """Return how a transition names a merged file: with the commit that brought it to the branch, a merge or not."""
    repo, at = workspace.repo, str(book.commit)
    for _ in range(MAX_HISTORY):
        parents = objects.read_commit(repo, at).parents
        if not parents or not objects.exists(repo, parents[0]):
            break
        if _blob_at(workspace, parents[0], found.path) != found.blob:
            break
        at = parents[0]
    return {"path": found.path, "blob": found.blob, "commit": at}


def waiting(case: Case) -> Merged | None:
    """Return the merged file that would carry a version into a stage and was not used yet."""
    path = path_of(case.model, case.version, case.stage)
    blob = _blob_at(case.workspace, case.book.commit, path) if case.book.commit else None
    if blob is None or blob in used(case.workspace, case.model):
        return None
    found = _read(case.workspace, path, blob)
    return found if found.proposal is not None else None


def _blob_at(workspace: Workspace, commit: str, path: str) -> str | None:
    """Return the blob that a commit has at a path, None where there is no file."""
    entry = objects.entry(workspace.repo, objects.tree_of(workspace.repo, commit), path)
    return entry.oid if entry is not None and entry.is_file else None


def fault(case: Case) -> str:
    """Return why the proposal that an act names does not carry it, "" where it does."""
    named = dict(case.act.proposal or {})
    path, blob, commit = (str(named.get(key) or "") for key in ("path", "blob", "commit"))
    if not path.startswith(f"{FOLDER}/") or not (events.is_commit(blob) and events.is_commit(commit)):
        return "it names no file of a proposal"
    try:
        return _not_merged(case, path, blob, commit) or _not_this(case, blob) or _used(case, blob)
    except (Damaged, ValueError) as error:
        return getattr(error, "message", str(error))


def _not_merged(case: Case, path: str, blob: str, commit: str) -> str:
    repo, rules, branch = case.workspace.repo, case.book.commit, case.book.branch
    tip = refs.get(repo, branch) if branch else None
    if rules is None or tip is None or not compare.contains(repo, tip, rules):
        return "there is no branch of the rules that could have it"
    if not objects.exists(repo, commit) or not compare.contains(repo, rules, commit):
        return f"commit {commit[:7]} is not on the branch of the rules"
    if _blob_at(case.workspace, commit, path) != blob or _blob_at(case.workspace, rules, path) != blob:
        return f"the branch of the rules does not have {path} as it is named"
    return ""


def _not_this(case: Case, blob: str) -> str:
    said = decode(objects.read_blob(case.workspace.repo, blob, limit_bytes=MAX_BYTES))
    version = case.version
    for what, one, other in (
        ("model", said.model, case.model.first),
        ("version", said.version, version.id),
        ("sha256", said.sha256, version.sha256),
        ("stage", said.stage, case.stage),
    ):
        if one != other:
            return f"the merged file says {what} {one[:40]!r}, not {other[:40]!r}"
    rival = case.rival
    if said.replaces != (rival.id if rival else None):
        before, now = (_number(case.model, id) for id in (said.replaces, rival.id if rival else None))
        return f"it was proposed beside {before}, and now there is {now}: propose it again"
    return ""


def _number(model: Model, version: str | None) -> str:
    found = model.versions.get(version or "")
    return f"version {found.number}" if found else "no version"


def _used(case: Case, blob: str) -> str:
    """Say whether an earlier transition came of the same file: a review is good for one."""
    before = used(case.workspace, case.model)
    return f"it was used by {before[blob][:7]}: propose it again" if blob in before else ""


def used(workspace: Workspace, model: Model) -> dict[str, str]:
    """Return {blob of a proposal: the transition that it led to}."""
    found: dict[str, str] = {}
    history = models.history(workspace, ids.model_ref(model.first), model.tip) if model.tip else []
    for entry in history:
        named = entry.event.arguments.get("proposal")
        if entry.event.op == events.TRANSITION and isinstance(named, dict) and entry.id not in model.refused:
            found.setdefault(str(named.get("blob") or ""), entry.id)
    return found
