"""Runs, facts and large files in one file, for where there is no network between two clones (docs/howto-remotes.md).

A zip of `bundle.json` (what is in it), `runs.bundle` (a git bundle, of use with plain Git too) and `objects/<sha256>`.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from gitexp import canonical, clock, files, ids, text
from gitexp.errors import Damaged, NotFound, Unsupported
from gitexp.git import bundles, notes, refs, transport
from gitexp.git.transport import Options
from gitexp.ops.finding import find
from gitexp.ops.sharing import fetch, land, unite
from gitexp.ops.sharing.land import Landed
from gitexp.ops.sharing.unite import United
from gitexp.ops.storage import largefiles
from gitexp.record.pointer import Pointer
from gitexp.store import annotations as said
from gitexp.store import models, objects, runs
from gitexp.store.workspace import Workspace

FORMAT = 1
_MANIFEST, _BUNDLE, _FOLDER = "bundle.json", "runs.bundle", "objects/"
_OBJECT = re.compile(r"objects/([0-9a-f]{64})")
_MANIFEST_BYTES = 64 << 20
_INCOMING, _FACTS = "refs/gitexp/incoming/bundle/", "/notes/experiments"
_SAFE_REF = re.compile(r"refs/((?:experiments|models)/[^\x00-\x20\x7f~^:?*\[\\]+|notes/experiments)")


@dataclass(frozen=True, slots=True)
class Bundled:
    """What a file holds."""

    path: str
    runs: int
    objects: int
    size_bytes: int
    missing: int  # large files whose bytes were not here
    models: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `gitexp bundle --json`."""
        return {
            "path": self.path,
            "runs": self.runs,
            "objects": self.objects,
            "size": self.size_bytes,
            "missing": self.missing,
            "models": self.models,
        }


@dataclass(slots=True)
class Unbundled:
    """What came out of a file."""

    landed: Landed
    facts: int = 0
    models: United = field(default_factory=United)
    objects: int = 0
    damaged: list[str] = field(default_factory=list)  # sha256 of objects whose bytes are not theirs

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `gitexp unbundle --json`."""
        counted = {"facts": self.facts, "objects": self.objects, "damaged": self.damaged}
        return {**self.landed.to_json(), **counted, "models": self.models.to_json()}


def create(workspace: Workspace, path: Path, names: Sequence[str]) -> Bundled:
    """Write the runs that the names mean, their facts and large files to one file; raises NotFound for nothing.

    Without names: all runs but removed ones, and all models.
    """
    chosen, released = _chosen(workspace, names), {} if names else models.listing(workspace)
    if not chosen and not released:
        raise NotFound("there are no runs to bundle", hint="list the runs with: gitexp log --all")
    told = _facts(workspace, chosen)
    wanted = list(largefiles.named(workspace, chosen.values()))
    here = [item for item in wanted if objects.path(workspace, item.sha256) is not None]
    held = {**chosen, **released, **({notes.REF: told} if told else {})}
    manifest = {
        "format": FORMAT,
        "created": canonical.iso(clock.now_ms()),
        "refs": held,
        "objects": [{"sha256": item.sha256, "size": item.size_bytes} for item in here],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(_MANIFEST), canonical.dumps(manifest))
        with _packed(workspace, held) as pack:
            _add(archive, _BUNDLE, pack)
        for item in here:
            _add(archive, _FOLDER + item.sha256, objects.place(workspace, item.sha256))
    lacking = len(wanted) - len(here)
    return Bundled(str(path), len(chosen), len(here), path.stat().st_size, lacking, len(released))


def _chosen(workspace: Workspace, names: Sequence[str]) -> dict[str, str]:
    if names:
        found = find.many(workspace, names)
        return {run.ref: run.commit for run in found if run.ref and run.commit}
    removed = {run_id for run_id, state in said.states(workspace).items() if state.removed}
    listed = runs.listing(workspace)
    if not removed:
        return listed
    heads = {ref: runs.head(workspace, ref, commit) for ref, commit in listed.items()}
    return {ref: listed[ref] for ref, head in heads.items() if head is not None and head.id not in removed}


def _facts(workspace: Workspace, chosen: Mapping[str, str]) -> str | None:
    run_ids, experiments = set(), set()
    for ref, commit in chosen.items():
        record = runs.load(workspace, commit, ref).record
        run_ids.add(record.id)
        experiments.add(record.experiment_id)
    return said.outgoing(workspace, None, run_ids, experiments)


@contextmanager
def _packed(workspace: Workspace, held: Mapping[str, str]) -> Iterator[Path]:
    with _aside(workspace) as path:
        with open(path, "xb") as file:
            bundles.write(workspace.repo, held, file)
        yield path


@contextmanager
def _aside(workspace: Workspace) -> Iterator[Path]:
    workspace.tmp.mkdir(parents=True, exist_ok=True)
    path = workspace.tmp / f"bundle.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry with a date that is always the same, so that equal content is an equal file."""
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    with open(path, "rb") as source, archive.open(_entry(name), "w", force_zip64=True) as target:
        shutil.copyfileobj(source, target, files.BLOCK_BYTES)


def take_in(workspace: Workspace, path: Path) -> Unbundled:
    """Land the runs, facts and large files of a file that `create` wrote, whoever it came from.

    Raises Damaged where it is no such file; objects whose bytes are not what their name says are left out and named.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive)
            done = _land(workspace, archive, manifest)
            _take_objects(workspace, archive, manifest, done)
    except FileNotFoundError as error:
        raise NotFound(f"no file {text.safe(str(path))!r}", hint="gitexp unbundle FILE") from error
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise Damaged(f"{text.safe(str(path))} is no bundle of runs: {error}", hint="gitexp bundle FILE") from error
    return done


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    if archive.getinfo(_MANIFEST).file_size > _MANIFEST_BYTES:
        raise Damaged("bundle.json is too large", hint="ask for the file again")
    try:
        value = canonical.loads(archive.read(_MANIFEST))
    except ValueError as error:
        raise Damaged(f"bundle.json does not parse: {error}", hint="ask for the file again") from error
    if not isinstance(value, dict) or not isinstance(value.get("refs"), dict):
        raise Damaged("bundle.json does not say what is in it", hint="ask for the file again")
    version = value.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise Unsupported(f"the bundle's format is {version!r}, newer than {FORMAT}", hint="pip install -U gitexp")
    return value


def _land(workspace: Workspace, archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> Unbundled:
    wanted = {ref: oid for ref, oid in manifest["refs"].items() if _SAFE_REF.fullmatch(ref) and isinstance(oid, str)}
    with _aside(workspace) as path:
        with open(path, "xb") as file:
            _copy(archive, _BUNDLE, file, archive.getinfo(_BUNDLE).file_size)
        bundles.verify(workspace.repo, path)
        try:
            _fetch(workspace, path)
            came = refs.listing(workspace.repo, _INCOMING)
            _check_all(wanted, came)
            facts = came.get(_INCOMING + "notes/experiments")
            count = fetch.merge_facts(workspace, facts) if facts else 0
            purged = {ids.short(run_id) for run_id in said.purged(workspace)}
            named = {ref: oid for ref, oid in _by_name(came).items() if ref in wanted}
            fit = {ref: oid for ref, oid in named.items() if ref[-ids.SHORT :] not in purged}
            released = {ref: named.pop(ref) for ref in list(named) if ref.startswith(models.PREFIX)}
            landed = land.land(workspace, "unbundle", {ref: oid for ref, oid in fit.items() if ref in named})
            return Unbundled(landed, count, unite.join(workspace, released))
        finally:
            _clear(workspace)


def _check_all(wanted: Mapping[str, str], came: Mapping[str, str]) -> None:
    for ref, oid in wanted.items():
        if came.get(_INCOMING + ref.removeprefix("refs/")) != oid:
            said_so = f"bundle.json names {text.safe(ref)}, which is not in the git bundle"
            raise Damaged(said_so, hint="ask for the file again")


def _fetch(workspace: Workspace, path: Path) -> None:
    _clear(workspace)
    refspecs = [f"refs/{kind}/*:{_INCOMING}{kind}/*" for kind in ("experiments", "models", "notes")]
    transport.fetch(workspace.repo, str(path), refspecs, Options())


def _clear(workspace: Workspace) -> None:
    left = refs.listing(workspace.repo, _INCOMING)
    refs.update_many(workspace.repo, [refs.Update(ref, None, oid) for ref, oid in left.items()])


def _by_name(came: Mapping[str, str]) -> dict[str, str]:
    return {"refs/" + ref.removeprefix(_INCOMING): oid for ref, oid in came.items() if not ref.endswith(_FACTS)}


def _take_objects(workspace: Workspace, archive: zipfile.ZipFile, manifest: Mapping[str, Any], done: Unbundled) -> None:
    listed = {
        str(item.get("sha256")): item.get("size") for item in manifest.get("objects", ()) if isinstance(item, dict)
    }
    for name in archive.namelist():
        match = _OBJECT.fullmatch(name)
        size = listed.get(match[1]) if match else None
        if match is None or not isinstance(size, int) or objects.path(workspace, match[1]) is not None:
            continue
        if _take_object(workspace, archive, name, Pointer(match[1], size)):
            done.objects += 1
        else:
            done.damaged.append(match[1])


def _take_object(workspace: Workspace, archive: zipfile.ZipFile, name: str, meant: Pointer) -> bool:
    """Keep an object whose bytes have the size and sha256 that were said, and nothing of any other."""
    with _aside(workspace) as path:
        with open(path, "xb") as file:
            whole = _copy(archive, name, file, meant.size_bytes)
        if not whole or files.sha256(path) != (meant.sha256, meant.size_bytes):
            return False
        objects.put_file(workspace, path, take=True)
    return True


def _copy(archive: zipfile.ZipFile, name: str, target: BinaryIO, limit_bytes: int) -> bool:
    """Copy a member, and stop where it is longer than it may be: what a zip says of sizes is only said."""
    with archive.open(name) as source:
        left = limit_bytes
        while block := source.read(min(files.BLOCK_BYTES, left + 1)):
            left -= len(block)
            if left < 0:
                return False
            target.write(block)
    return left == 0


def describe(done: Unbundled) -> list[str]:
    """Return the lines that tell a person what came."""
    parts = [text.plural(len(done.landed.new), "new run")]
    if done.landed.updated:
        parts.append(f"{text.plural(len(done.landed.updated), 'run')} went on there")
    if done.facts:
        parts.append(text.plural(done.facts, "new fact"))
    if news := [*done.models.new, *done.models.updated]:
        parts.append(unite.summary(news, "with news"))
    if done.objects:
        parts.append(text.plural(done.objects, "large file"))
    damaged = [f"left out object {sha256[:8]}: its bytes are not what its name says" for sha256 in done.damaged]
    return [", ".join(parts), *damaged, *land.describe(done.landed), *unite.describe(done.models)]
