"""Runs in one file: all that belongs to them goes along, and nothing in a file is believed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.errors import Damaged, NotFound, Unsupported
from gitexp.ops.sharing import bundle
from gitexp.store import objects, runs
from gitexp.store.workspace import Workspace
from tests import sharing, support


@pytest.fixture
def ours(project: Path) -> Workspace:
    return sharing.opened(project)


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Workspace]:
    """A repository that has nothing of ours, not even the code."""
    support.git(tmp_path, "init", "--quiet", "theirs")
    support.commit(tmp_path / "theirs", "another project", README="other\n")
    with support.untouched(tmp_path / "theirs"):
        yield sharing.opened(tmp_path / "theirs")
    assert sharing.stray_refs(sharing.opened(tmp_path / "theirs")) == {}


def test_runs_facts_and_large_files_arrive(ours: Workspace, theirs: Workspace, tmp_path: Path) -> None:
    model = objects.put_bytes(ours, b"weights" * 100_000)
    run = sharing.make_run(ours, files={"artifacts/model.bin": model}, dirty=True)
    sharing.tag(ours, run, "candidate")
    made = bundle.create(ours, tmp_path / "runs.zip", [])
    assert (made.runs, made.objects, made.missing) == (1, 1, 0)
    done = bundle.take_in(theirs, tmp_path / "runs.zip")
    assert bundle.describe(done) == ["1 new run, 1 new fact, 1 large file"]
    assert runs.listing(theirs) == {run.ref: run.commit}
    assert sharing.tags(theirs, run.id) == {"candidate": ""}
    kept = objects.path(theirs, model.sha256)
    assert kept is not None and kept.read_bytes() == b"weights" * 100_000
    assert bundle.describe(bundle.take_in(theirs, tmp_path / "runs.zip")) == ["0 new runs"]


def test_only_the_named_runs_and_what_is_said_of_them_go(ours: Workspace, theirs: Workspace, tmp_path: Path) -> None:
    run, other = sharing.make_run(ours), sharing.make_run(ours, "secret")
    sharing.tag(ours, other, "password")
    bundle.create(ours, tmp_path / "runs.zip", ["baseline"])
    bundle.take_in(theirs, tmp_path / "runs.zip")
    assert list(runs.listing(theirs)) == [run.ref]
    assert sharing.tags(theirs, other.id) == {}
    assert b"password" not in (tmp_path / "runs.zip").read_bytes()


def test_plain_git_reads_the_bundle_inside(ours: Workspace, tmp_path: Path) -> None:
    run = sharing.make_run(ours)
    bundle.create(ours, tmp_path / "runs.zip", [])
    zipfile.ZipFile(tmp_path / "runs.zip").extract("runs.bundle", tmp_path)
    support.git(tmp_path, "init", "--quiet", "plain")
    support.git(
        tmp_path / "plain", "fetch", "--quiet", str(tmp_path / "runs.bundle"), "refs/experiments/*:refs/experiments/*"
    )
    assert support.run_refs(tmp_path / "plain") == {run.ref: run.commit}


def test_no_runs_make_no_bundle(ours: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        bundle.create(ours, tmp_path / "runs.zip", [])
    assert not (tmp_path / "runs.zip").exists()


def test_an_object_with_other_bytes_is_left_out_and_named(ours: Workspace, theirs: Workspace, tmp_path: Path) -> None:
    model = objects.put_bytes(ours, b"weights")
    run = sharing.make_run(ours, files={"artifacts/model.bin": model})
    bundle.create(ours, tmp_path / "runs.zip", [])
    rewrite(tmp_path / "runs.zip", {f"objects/{model.sha256}": b"WEIGHTS"})
    done = bundle.take_in(theirs, tmp_path / "runs.zip")
    assert (done.objects, done.damaged) == (0, [model.sha256])
    assert list(runs.listing(theirs)) == [run.ref]
    assert objects.path(theirs, model.sha256) is None


def test_an_object_longer_than_said_is_not_read_to_its_end(ours: Workspace, theirs: Workspace, tmp_path: Path) -> None:
    model = objects.put_bytes(ours, b"weights")
    sharing.make_run(ours, files={"artifacts/model.bin": model})
    bundle.create(ours, tmp_path / "runs.zip", [])
    rewrite(tmp_path / "runs.zip", {f"objects/{model.sha256}": bytes(50_000_000)}, compressed=True)
    assert bundle.take_in(theirs, tmp_path / "runs.zip").damaged == [model.sha256]
    assert list(theirs.tmp.iterdir()) == []


def test_names_that_lead_outside_and_refs_of_other_kinds_are_passed_over(
    ours: Workspace, theirs: Workspace, tmp_path: Path
) -> None:
    run = sharing.make_run(ours)
    bundle.create(ours, tmp_path / "runs.zip", [])
    manifest = json.loads(zipfile.ZipFile(tmp_path / "runs.zip").read("bundle.json"))
    manifest["refs"]["refs/heads/main"] = run.commit
    manifest["objects"].append({"sha256": "../../../evil", "size": 4})
    extra = {"bundle.json": json.dumps(manifest).encode(), "objects/../../../evil": b"evil", "../evil": b"evil"}
    rewrite(tmp_path / "runs.zip", extra)
    bundle.take_in(theirs, tmp_path / "runs.zip")
    assert list(runs.listing(theirs)) == [run.ref]
    assert list(tmp_path.rglob("evil")) == []


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"bundle.json": b"{"}, Damaged),
        ({"bundle.json": b"[]"}, Damaged),
        ({"bundle.json": b'{"format": 1, "refs": []}'}, Damaged),
        ({"bundle.json": b'{"format": 2, "refs": {}}'}, Unsupported),
        ({"bundle.json": b'{"refs": {}}'}, Unsupported),
        ({"runs.bundle": b"no bundle"}, Damaged),
        ({"runs.bundle": b"# v2 git bundle\n\nPACK"}, Damaged),
    ],
)
def test_a_damaged_file_is_refused(
    ours: Workspace, theirs: Workspace, tmp_path: Path, changed: dict[str, bytes], error: type[Exception]
) -> None:
    sharing.make_run(ours)
    bundle.create(ours, tmp_path / "runs.zip", [])
    rewrite(tmp_path / "runs.zip", changed)
    with pytest.raises(error):
        bundle.take_in(theirs, tmp_path / "runs.zip")
    assert runs.listing(theirs) == {}


def test_a_file_that_is_no_zip_or_is_cut_off_is_refused(ours: Workspace, theirs: Workspace, tmp_path: Path) -> None:
    sharing.make_run(ours)
    bundle.create(ours, tmp_path / "runs.zip", [])
    data = (tmp_path / "runs.zip").read_bytes()
    for content in (b"", b"hello", data[: len(data) // 2]):
        (tmp_path / "runs.zip").write_bytes(content)
        with pytest.raises(Damaged):
            bundle.take_in(theirs, tmp_path / "runs.zip")
    with pytest.raises(NotFound):
        bundle.take_in(theirs, tmp_path / "none.zip")


def test_the_commands_say_what_they_did(ours: Workspace, project: Path, tmp_path: Path) -> None:
    run = sharing.make_run(ours)
    made = support.gitexp("bundle", str(tmp_path / "runs.zip"), "--json").json
    assert (made["runs"], made["objects"]) == (1, 0)
    support.git(project, "update-ref", "-d", run.ref or "")
    (ours.home / "refs.log").unlink()
    assert support.gitexp("unbundle", str(tmp_path / "runs.zip")).stdout == "1 new run\n"


def rewrite(path: Path, changed: dict[str, bytes], *, compressed: bool = False) -> None:
    """Put other members into a zip."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, data in {**content, **changed}.items():
            archive.writestr(name, data)
