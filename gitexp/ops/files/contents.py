"""What differs between the artifacts of two runs: lines of text, sizes of images, columns and rows of tables."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp.capture import profile, tables
from gitexp.capture.profile import Sample
from gitexp.errors import Damaged, GitexpError, NotFound
from gitexp.git import compare
from gitexp.ops.files import artifacts
from gitexp.store import objects as large
from gitexp.store.runs import Artifact, Run
from gitexp.store.workspace import Workspace

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_TEXT_BYTES = 4 << 20  # of each side, up to which lines are compared
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_DAMAGED_IMAGE = (OSError, ValueError, SyntaxError)


@dataclass(frozen=True, slots=True)
class Table:
    """What is said of a table: rows (None: nobody knows), how many columns, and the type of each that was looked at."""

    rows: int | None
    columns: int
    schema: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of one side."""
        return {"rows": self.rows, "columns": self.columns, "schema": self.schema}


@dataclass(frozen=True, slots=True)
class Change:
    """One artifact that only one of the runs has, or that differs; the sides are None where there is none.

    `lines` is a diff as Git writes it, `tables` and `images` (width, height, mode) are what is known of the sides;
    `why` says what kept the contents from being compared.
    """

    name: str
    what: str
    sides: tuple[Artifact | None, Artifact | None]
    lines: str = ""
    tables: tuple[Table, Table] | None = None
    images: tuple[tuple[int, int, str], tuple[int, int, str]] | None = None
    mode: bool = False
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp artifact diff --json` prints of it."""
        sizes = [None if side is None else side.size_bytes for side in self.sides]
        hashes = [None if side is None else side.sha256 for side in self.sides]
        return {
            "name": self.name,
            "change": self.what,
            "sizes": sizes,
            "sha256": hashes,
            "mode": self.mode,
            "diff": self.lines or None,
            "tables": [side.to_json() for side in self.tables] if self.tables else None,
            "images": [list(side) for side in self.images] if self.images else None,
            "why": self.why or None,
        }


@dataclass(slots=True)
class Difference:
    """What differs, and how many artifacts are equal."""

    runs: tuple[Run, Run]
    changes: list[Change] = field(default_factory=list)
    equal: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp artifact diff --json` prints."""
        return {
            "runs": [run.id for run in self.runs],
            "equal": self.equal,
            "changes": [change.to_json() for change in self.changes],
        }


def difference(workspace: Workspace, old: Run, new: Run, patterns: Sequence[str] = ()) -> Difference:
    """Compare the artifacts that the patterns mean (default: all); raises NotFound for one that is in neither."""
    sides = [_chosen(run, patterns) for run in (old, new)]
    if patterns and not any(sides):
        artifacts.chosen(old, patterns)  # says what there is
    found = Difference((old, new))
    for name in sorted({*sides[0], *sides[1]}):
        a, b = sides[0].get(name), sides[1].get(name)
        if a is None or b is None:
            found.changes.append(Change(name, ADDED if a is None else REMOVED, (a, b)))
        elif _is_equal(old, a, new, b):
            found.equal += 1
        else:
            found.changes.append(_changed(workspace, (old, new), name, (a, b)))
    return found


def _chosen(run: Run, patterns: Sequence[str]) -> dict[str, Artifact]:
    if not patterns:
        return {item.name: item for item in run.artifacts}
    found: dict[str, Artifact] = {}
    for pattern in patterns:
        with suppress(NotFound):  # the other run may have it
            found |= {item.name: item for item in artifacts.chosen(run, [pattern])}
    return found


def _is_equal(old: Run, a: Artifact, new: Run, b: Artifact) -> bool:
    if a.mode != b.mode or a.size_bytes != b.size_bytes:
        return False
    if a.oid and a.oid == b.oid:
        return True
    return artifacts.sha256_of(old, a) == artifacts.sha256_of(new, b)


def _changed(workspace: Workspace, runs: tuple[Run, Run], name: str, sides: tuple[Artifact, Artifact]) -> Change:
    mode = sides[0].mode != sides[1].mode
    absent = [run for run, side in zip(runs, sides, strict=True) if not run.is_here(side)]
    if absent:
        why = f"not here: gitexp get {absent[0].id[:7]}:{name}"
        return Change(name, CHANGED, sides, mode=mode, why=why)
    try:
        with _shown(workspace, runs[0], sides[0]) as old, _shown(workspace, runs[1], sides[1]) as new:
            return _compared(name, sides, mode, old, new)
    except (GitexpError, OSError) as error:
        return Change(name, CHANGED, sides, mode=mode, why=getattr(error, "message", "") or str(error))


def _compared(name: str, sides: tuple[Artifact, Artifact], mode: bool, old: Path, new: Path) -> Change:
    lines, why = "", ""
    if name.lower().endswith(_IMAGES):
        seen = _image(old), _image(new)
        images = (seen[0], seen[1]) if seen[0] and seen[1] else None
        return Change(name, CHANGED, sides, images=images, mode=mode, why="" if images else "an image does not open")
    if max(side.size_bytes for side in sides) <= _TEXT_BYTES:
        lines = compare.contents(old, new)
    told = None
    if tables.is_table(name):
        try:
            first, second = _table(old), _table(new)
            told = (first, second) if first and second else None
        except tables.Unreadable as error:
            why = str(error)
    return Change(name, CHANGED, sides, lines=lines, tables=told, mode=mode, why=why)


def _table(path: Path) -> Table | None:
    sample: Sample | None = tables.read(path)
    if sample is None:
        return None
    columns = profile.schema(sample)
    return Table(sample.rows, sample.columns or len(columns), {item.name: item.dtype for item in columns})


def _image(path: Path) -> tuple[int, int, str] | None:
    """Return width, height and mode of an image, from its header only."""
    from PIL import Image

    try:
        with Image.open(path, formats=_FORMATS) as image:
            return (*image.size, image.mode)
    except (*_DAMAGED_IMAGE, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


@contextmanager
def _shown(workspace: Workspace, run: Run, item: Artifact) -> Iterator[Path]:
    """Yield a file with an artifact's bytes, to be read only, whose ending is that of its name."""
    ending = "".join(Path(item.name).suffixes[-2:])
    suffix = ending if len(ending) <= 20 and ending.replace(".", "").isalnum() else ""
    workspace.tmp.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workspace.tmp, prefix="shown.") as folder:
        path = Path(folder, "artifact" + suffix)
        if item.sha256 is not None:
            path.symlink_to(large.place(workspace, item.sha256))
        else:
            data = run.artifact_bytes(item, item.size_bytes)
            if data is None:
                raise Damaged(f"{run.label} ended just now", hint="try again")
            path.write_bytes(data)
        yield path
