"""A static site of an experiment's runs: an index, a page a run, shared files; only what changed is written."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gitexp import canonical, files, locks
from gitexp.errors import Damaged, Unsupported, UsageError, WriteFailed
from gitexp.index import database, search
from gitexp.index.entry import Entry
from gitexp.ops import dirty
from gitexp.ops.finding import find, goals, scope
from gitexp.ops.pages import overview, report
from gitexp.pages import html
from gitexp.query import nodes
from gitexp.record.facts import EMPTY, State
from gitexp.store import annotations as annotated
from gitexp.store.workspace import Workspace

Page = tuple[str, tuple[str, ...]]  # what its content depends on, in one word, and the images it shows

MARKER = ".gitexp-site.json"
FORMAT = 1
_SHARED, _RUNS, _IMAGES = "assets", "runs", "images"
_OURS = re.compile(
    r"runs/[k-z]{16}\.html|images/[0-9a-f]{32}\.(?:png|jpeg|gif|webp)|assets/page-[0-9a-f]{12}\.(?:css|js)"
)
_SAMPLE = 500  # newest runs that decide which columns it has


@dataclass(slots=True)
class Written:
    """What a call did: pages written, left as they were, taken away; and runs that could not be shown, with why."""

    folder: Path
    total: int = 0
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    damaged: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Site:
    """A site while it is written.

    `known` is {page: (fingerprint, its images)} of the last time, `now` of this one; `kept` are all files of now.
    """

    folder: Path
    known: Mapping[str, Page]
    now: dict[str, Page] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)


def write(workspace: Workspace, folder: Path, experiment: str = "") -> Written:
    """Write the site of an experiment (and those below it) into a folder of its own, or bring it up to date.

    Every file is written aside and put in place whole; the index comes after the pages that it names, and what is
    not on it any more goes last, so that a reader meets no broken link. Raises UsageError for a folder that holds
    something else.
    """
    path = scope.path(workspace, experiment)
    folder = folder.absolute()
    with locks.hold(workspace.tmp / f"site-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.lock"):
        _claim(folder)
        site = _Site(folder, _read_marker(folder))
        _mark(site, path, site.known)  # a first call that is cut short leaves a folder that the next one knows
        return _write(workspace, site, path)


def _write(workspace: Workspace, site: _Site, path: str) -> Written:
    index, context = database.of(workspace), goals.context(workspace)
    wanted = nodes.All((scope.below(path), nodes.Not(nodes.Truth(nodes.Field("removed")))))
    done = Written(site.folder, search.count(index, wanted, context=context))
    for name, data in html.shared().items():
        _put(site, f"{_SHARED}/{name}", data)
    listed = overview.choose(workspace, search.entries(index, wanted, limit=_SAMPLE, context=context))
    states, same = annotated.states(workspace), _same(workspace)
    for entry in search.stream(index, wanted, context=context):
        listed.see(entry)
        _page(workspace, site, entry, states.get(entry.id, EMPTY), same, done)
    entries = search.stream(index, wanted, context=context)
    damaged = [f"{name}: {why}" for name, why in done.damaged]
    page = overview.page(path, listed, entries, lambda entry: _link(site, entry), damaged)
    _put_index(site, html.index(page, _SHARED))
    done.removed = _clear(site)
    _mark(site, path, site.now)
    shared = [site.folder / _SHARED / name for name in html.shared()]
    dirty.note_outputs(workspace, [site.folder / MARKER, *shared])
    return done


def _claim(folder: Path) -> None:
    """Make the folder, or see that it is empty or ours."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARKER).is_file():
            raise UsageError(
                f"{folder} holds something else: a site gets a folder of its own",
                hint=f"name one that is empty or does not exist: gitexp site {folder.name}/runs",
            )
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} is no folder", hint="gitexp site public/") from None
    except PermissionError as error:
        raise WriteFailed(f"cannot write into {folder}: {error.strerror}", hint=f"ls -ld {folder}") from error


def _read_marker(folder: Path) -> dict[str, Page]:
    """Return the pages of the last time, {} where they are not known: all are written anew then."""
    try:
        found = canonical.loads((folder / MARKER).read_bytes())
        pages = found["pages"].items() if found["format"] == FORMAT else ()
        return {str(name): (str(word), tuple(map(str, images))) for name, (word, images) in pages}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _mark(site: _Site, path: str, pages: Mapping[str, Page]) -> None:
    value = {"format": FORMAT, "made_by": "gitexp", "experiment": path, "pages": pages}
    files.write(site.folder / MARKER, canonical.dumps(value))


def _same(workspace: Workspace) -> str:
    """Return what all pages depend on beside their run: the templates, and what the settings say of metrics."""
    settings = workspace.settings
    said = [settings.text(key) for key in ("metric", "maximize", "minimize")]
    said += [str(pair) for pair in settings.pairs("summary")]
    return html.fingerprint() + json.dumps(said)


def _fingerprint(entry: Entry, state: State, same: str) -> str:
    """Return a word that changes when the page of a run would; "" for one that is still running."""
    if entry.live or entry.commit is None:
        return ""
    said = [entry.commit, entry.experiment, entry.name, asdict(state), same]
    return hashlib.sha256(json.dumps(said, default=sorted, sort_keys=True).encode()).hexdigest()[:32]  # sets: sorted


def _page(workspace: Workspace, site: _Site, entry: Entry, state: State, same: str, done: Written) -> None:
    """Write the page of a run, where it is not what it was."""
    name, word = f"{_RUNS}/{entry.id}.html", _fingerprint(entry, state, same)
    before = site.known.get(name)
    if before is not None and word == before[0] != "" and _is_whole(site, name, before):
        site.now[name] = before
        site.kept |= {name, *before[1]}
        done.unchanged += 1
        return
    images: list[str] = []
    options = report.Options(sink=lambda data, kind: _image(site, images, data, kind), home="../index.html")
    try:
        page = report.build(workspace, [find.load(workspace, entry)], options)
    except (Damaged, Unsupported) as error:
        done.damaged.append((entry.name, error.message))
        return
    _put(site, name, html.run(page, f"../{_SHARED}").encode())
    site.now[name] = (word, tuple(images))
    done.written += 1


def _link(site: _Site, entry: Entry) -> str:
    name = f"{_RUNS}/{entry.id}.html"
    return name if name in site.now else ""


def _is_whole(site: _Site, name: str, page: Page) -> bool:
    """Say whether a page is there with its images."""
    return all(_OURS.fullmatch(item) and (site.folder / item).is_file() for item in (name, *page[1]))


def _image(site: _Site, images: list[str], data: bytes, kind: str) -> str:
    """Keep an image beside the pages, by what it is: equal ones are one file; returns where a page finds it."""
    name = f"{_IMAGES}/{hashlib.sha256(data).hexdigest()[:32]}.{kind}"
    _put(site, name, data)
    images.append(name)
    return f"../{name}"


def _put(site: _Site, name: str, data: bytes) -> None:
    """Write a file of the site, where it is not the same already."""
    path = site.folder / name
    site.kept.add(name)
    try:
        if path.read_bytes() == data:
            return
    except FileNotFoundError:
        pass
    files.write(path, data)


def _put_index(site: _Site, pieces: Iterator[str]) -> None:
    """Write the index piece by piece, where it is not the same already."""
    path, aside = site.folder / "index.html", site.folder / ".index.html.tmp"
    try:
        with open(aside, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
        if not (path.is_file() and filecmp.cmp(aside, path, shallow=False)):
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _clear(site: _Site) -> int:
    """Delete the pages, images and assets of earlier times, and nothing else; returns how many pages."""
    gone = 0
    for top in (_SHARED, _RUNS, _IMAGES):
        for path in (site.folder / top).glob("*"):
            name = f"{top}/{path.name}"
            if name not in site.kept and _OURS.fullmatch(name) and not path.is_dir():
                path.unlink()
                gone += top == _RUNS
    return gone


def describe(done: Written) -> dict[str, Any]:
    """Return the JSON of what was done (docs/scripting.md)."""
    return {
        "folder": str(done.folder),
        "total": done.total,
        "written": done.written,
        "unchanged": done.unchanged,
        "removed": done.removed,
        "damaged": [{"name": name, "why": why} for name, why in done.damaged],
    }
