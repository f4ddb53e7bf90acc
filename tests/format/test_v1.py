"""Format 1 to the byte: what a fixed journal becomes, and that its bytes are read for ever."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

from gitexp.store import runs, seal, workspace
from gitexp.store.workspace import Workspace
from tests import support

GOLDEN = Path(__file__).parent / "v1"
RUN_ID = "kqzvmxrlnopqstuv"
REF = "refs/experiments/vision/resnet/lr0.05-kqzvmxr"


def sealed(tmp_path: Path) -> tuple[Workspace, runs.Run]:
    """Seal the golden journal in an empty bare repository: there is no code, so nothing but the journal decides."""
    path = tmp_path / "runs.git"
    support.git(tmp_path, "init", "--quiet", "--bare", str(path))
    opened = workspace.open(path)
    folder = opened.live / RUN_ID
    shutil.copytree(GOLDEN / "journal", folder)
    return opened, seal.seal(opened, folder)


def test_a_journal_becomes_exactly_this_commit(tmp_path: Path) -> None:
    opened, run = sealed(tmp_path)
    assert run.ref == REF
    commit = support.git(opened.repo.git_dir, "cat-file", "commit", REF)
    assert commit == (GOLDEN / "commit").read_text().rstrip()


def test_every_file_of_the_record_has_exactly_these_bytes(tmp_path: Path) -> None:
    opened, _ = sealed(tmp_path)
    listed = support.git(opened.repo.git_dir, "ls-tree", "-r", REF)
    assert listed + "\n" == (GOLDEN / "tree").read_text()
    for line in listed.splitlines():
        path = line.partition("\t")[2].strip('"').removeprefix(".gitexp/")
        golden = (GOLDEN / "record" / path).read_bytes()
        assert support.git(opened.repo.git_dir, "cat-file", "blob", line.split()[2]) == golden.decode().rstrip(), path


def test_a_golden_record_is_read(tmp_path: Path) -> None:
    path = tmp_path / "written-by-git"
    support.git(tmp_path, "init", "--quiet", str(path))
    shutil.copytree(GOLDEN / "record", path / ".gitexp")
    support.git(path, "add", "--all", "--force")
    support.git(path, "commit", "--quiet", "-m", "a record that plain Git wrote")
    run = runs.load(workspace.open(path), support.git(path, "rev-parse", "HEAD"))
    assert (run.id, run.experiment, run.name, run.status) == (RUN_ID, "vision/resnet", "lr0.05", "completed")
    assert run.flat_params == {"lr": 0.05, "optimizer.name": "adam", r"a\.b": [1, "x", None], "limit": math.inf}
    points = list(run.points())
    assert [(p.metric, p.step, p.time_ms) for p in points[:3]] == [
        ("loss", 0, 1795233731123),
        ("loss", 1, 1795233731124),
        ('odd,"name"\nhere', -5, 1795233731125),
    ]
    assert points[1].value == 0.1 and isinstance(points[2].value, int) and math.isnan(points[3].value)
    assert run.summary["loss"].last == 0.1 and run.summary["loss"].set == 0.05
    assert run.record.lost == {"values": 2}
    assert [artifact.name for artifact in run.artifacts] == ["notes/con:1.txt", "weights.bin"]


def test_unknown_keys_and_files_are_accepted_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "newer"
    support.git(tmp_path, "init", "--quiet", str(path))
    shutil.copytree(GOLDEN / "record", path / ".gitexp")
    record = json.loads((path / ".gitexp/run.json").read_text())
    record["colour"] = {"of": "the future"}
    support.write(path / ".gitexp/run.json", json.dumps(record))
    support.write(path / ".gitexp/hologram.bin", "?")
    support.git(path, "add", "--all", "--force")
    support.git(path, "commit", "--quiet", "-m", "a later version's")
    support.git(path, "update-ref", REF, "HEAD")
    run = runs.load(workspace.open(path), support.git(path, "rev-parse", "HEAD"))
    assert run.record.extra["colour"] == {"of": "the future"}
    assert "hologram.bin" in run.entries
