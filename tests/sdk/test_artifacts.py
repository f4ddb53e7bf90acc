"""Artifacts as a training logs them: taken over in the call, stored beside it, seen while the run is live."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import gitexp
from gitexp.errors import NotFound, UsageError
from gitexp.store import live, runs
from gitexp.store import workspace as workspaces
from tests import support

BIG = 200_000  # bytes: over the limit up to which a file stands in Git itself


def artifacts(run: gitexp.Run) -> dict[str, gitexp.RecordedArtifact]:
    return {item.name: item for item in gitexp.get_run(run.id).artifacts}


def lost(run: gitexp.Run) -> Any:
    return support.record(".", run.ref).get("lost")


def objects_here(project: Path) -> list[str]:
    return sorted(path.name for path in (project / ".git/gitexp/objects").rglob("*") if path.is_file())


def test_files_folders_bytes_and_file_objects_come_back_as_they_were(project: Path) -> None:
    support.write(project / "out/a.txt", "a")
    support.write(project / "out/sub/big.bin", b"x" * BIG)
    with gitexp.start_run() as run:
        run.log_artifact("out", name="kept")
        run.log_artifact(b"bytes", "raw.bin")
        run.log_artifact(bytearray(b"y" * BIG), name="deep/er/raw.big")
        run.log_artifact(io.BytesIO(b"stream"), "stream.bin")
        run.log_artifact(io.StringIO("größe"), "stream.txt")
        with open(project / "out/sub/big.bin", "rb") as file:
            run.log_artifact(file)
    found = artifacts(run)
    assert {name: item.read()[:6] for name, item in found.items()} == {
        "kept/a.txt": b"a",
        "kept/sub/big.bin": b"xxxxxx",
        "raw.bin": b"bytes",
        "deep/er/raw.big": b"yyyyyy",
        "stream.bin": b"stream",
        "stream.txt": "größe".encode()[:6],
        "big.bin": b"xxxxxx",
    }
    assert found["kept/sub/big.bin"].sha256 == found["big.bin"].sha256
    assert len(objects_here(project)) == 2
    assert list((project / ".git/gitexp/tmp").iterdir()) == []


def test_what_is_said_of_an_artifact_stands_in_the_record(project: Path, untouched: None) -> None:
    with gitexp.start_run() as run:
        run.log_artifact(b"w", "model.pt", type="model", role="best", step=3, caption="c", metadata={"k": [1]})
        run.log_artifact(b"n", "nothing.said")
    assert support.record(".", run.ref, "artifacts.json") == {
        "artifacts": {"model.pt": {"type": "model", "role": "best", "step": 3, "caption": "c", "metadata": {"k": [1]}}}
    }
    found = artifacts(run)["model.pt"]
    assert (found.type, found.role, found.step, found.caption, found.metadata) == ("model", "best", 3, "c", {"k": [1]})
    assert artifacts(run)["nothing.said"].facts == {}
    shown = {item["name"]: item for item in gitexp.get_run(run.id).record["artifacts"]}
    assert shown["model.pt"]["role"] == "best"


def test_a_run_of_which_nothing_is_said_has_no_artifacts_json(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log_artifact("train.py")
    assert "artifacts.json" not in runs.load(workspaces.open(), str(run.commit)).entries


def test_a_link_names_what_stays_elsewhere_without_its_password(project: Path) -> None:
    with gitexp.start_run() as run:
        run.link_artifact("s3://ana:secret@bucket/models/m.pt", sha256="AB" * 32, size=5, type="model", version="v7")
        run.link_artifact("https://example.com/data.csv?token=ghp_0123456789012345678901234567890123456789", "d.csv")
    found = artifacts(run)
    link = found["m.pt"]
    assert (link.uri, link.sha256, link.size_bytes, link.type) == ("s3://bucket/models/m.pt", "ab" * 32, 5, "model")
    assert "secret" not in support.git(project, "show", f"{run.ref}:.gitexp/artifacts.json")
    assert "ghp_" not in support.git(project, "show", f"{run.ref}:.gitexp/artifacts.json")
    with pytest.raises(NotFound, match=r"stay at s3://bucket/models/m\.pt"):
        link.read()


@pytest.mark.parametrize("wrong", [{"sha256": "abc"}, {"size": -1}, {"sha256": "g" * 64}])
def test_a_link_with_a_hash_or_size_that_cannot_be_is_refused(project: Path, wrong: dict[str, Any]) -> None:
    with gitexp.start_run() as run, pytest.raises(UsageError):
        run.link_artifact("s3://bucket/m.pt", **wrong)


def test_the_caller_may_change_or_remove_what_was_logged(project: Path) -> None:
    data, small = bytearray(b"a" * BIG), support.write(project / "small.txt", "first")
    big = support.write(project / "big.bin", b"1" * BIG)
    with gitexp.start_run() as run:
        run.log_artifact(data, "data.bin")
        data[:] = b"b" * BIG
        run.log_artifact(small)
        small.write_text("second")
        run.log_artifact(big)
        big.unlink()
    found = artifacts(run)
    assert found["data.bin"].read() == b"a" * BIG
    assert found["small.txt"].read() == b"first"
    assert found["big.bin"].read() == b"1" * BIG


def test_a_file_that_is_replaced_after_the_call_is_kept_as_it_was(project: Path) -> None:
    path = support.write(project / "model.pt", b"1" * BIG)
    with gitexp.start_run() as run:
        run._storer.take(hold := Hold())
        run.log_artifact(path)
        support.write(project / "aside", b"2" * BIG).replace(path)
        hold.go.set()
    assert artifacts(run)["model.pt"].read() == b"1" * BIG
    assert artifacts(run)["model.pt"].facts == {}


class Hold:
    """A job that keeps the thread until it may go on."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self) -> None:
        assert self.go.wait(30)


def test_a_file_that_is_written_over_before_it_is_read_is_said_to_have_changed(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = support.write(project / "model.pt", b"1" * BIG)
    with gitexp.start_run() as run:
        run._storer.take(hold := Hold())
        run.log_artifact(path)
        path.write_bytes(b"2" * (BIG + 1))
        hold.go.set()
    found = artifacts(run)["model.pt"]
    assert found.read() == b"2" * (BIG + 1)
    assert found.facts == {"changed": True}
    assert "'model.pt' changed after it was logged" in capfd.readouterr().err


def test_with_wait_the_bytes_are_those_of_the_call(project: Path) -> None:
    path = support.write(project / "model.pt", b"1" * BIG)
    with gitexp.start_run() as run:
        run.log_artifact(path, wait=True)
        path.write_bytes(b"2" * BIG)
    assert artifacts(run)["model.pt"].read() == b"1" * BIG


def test_artifacts_are_seen_while_the_run_is_live(project: Path) -> None:
    for number in range(250):
        support.write(project / f"many/{number}.txt", str(number))
    with gitexp.start_run() as run:
        run.log_artifact("many", role="predictions", wait=True)
        run.log_text("hello", wait=True)
        run.log_artifact(b"x" * BIG, "big", wait=True)
        found = artifacts(run)
        assert len(found) == 252
        assert (found["many/7.txt"].read(), found["text.txt"].read(), found["big"].read()) == (
            b"7",
            b"hello",
            b"x" * BIG,
        )
        assert found["many/7.txt"].role == "predictions"
        assert support.gitexp("show", run.id, "--json").json["artifacts"][1]["name"] == "many/0.txt"
    assert len(artifacts(run)) == 252


KILLED = """
import gitexp, os, signal
run = gitexp.start_run("churn", name="long")
run.log_artifact("many", wait=True)
run.log_artifact(b"x" * 200_000, "big.bin", role="best", wait=True)
print(run.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_has_what_was_complete(project: Path) -> None:
    for number in range(250):
        support.write(project / f"many/{number}.txt", str(number))
    with support.untouched(project):
        done = support.python(project, KILLED, check=False)
        support.gitexp("recover")
    found = {item.name: item for item in gitexp.get_run(done.stdout.strip()).artifacts}
    assert len(found) == 251
    assert found["many/249.txt"].read() == b"249"
    assert (found["big.bin"].role, len(found["big.bin"].read())) == ("best", BIG)


def test_a_large_folder_is_one_pack_and_no_loose_objects(project: Path, untouched: None, tmp_path: Path) -> None:
    for number in range(1000):
        support.write(tmp_path / f"many/{number % 7}/{number}.txt", f"file {number}\n")
    support.write(tmp_path / "many/pointer.txt", support.git(project, "show", "HEAD:README.md"))
    support.write(tmp_path / "many/big.bin", b"x" * BIG)
    (tmp_path / "many/run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "many/run.sh").chmod(0o755)
    before = int(support.git(project, "count-objects").split()[0])
    with gitexp.start_run() as run:
        run.log_artifact(tmp_path / "many")
    assert len(list((project / ".git/objects/pack").glob("*.pack"))) == 1
    assert int(support.git(project, "count-objects").split()[0]) - before < 30
    tree = support.git(project, "ls-tree", "-r", f"{run.ref}:.gitexp/artifacts").splitlines()
    assert len(tree) == 1003
    assert support.git(project, "show", f"{run.ref}:.gitexp/artifacts/many/3/3.txt") == "file 3"
    assert any(line.startswith("100755") and line.endswith("many/run.sh") for line in tree)


def test_many_small_artifacts_one_by_one_are_one_pack_too(project: Path, untouched: None) -> None:
    with gitexp.start_run() as run:
        for number in range(300):
            run.log_text(f"note {number}", f"notes/{number}.txt")
    assert len(list((project / ".git/objects/pack").glob("*.pack"))) == 1
    assert artifacts(run)["notes/299.txt"].read() == b"note 299"


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 5\n"


def test_a_file_that_looks_like_a_pointer_is_kept_as_itself(project: Path, tmp_path: Path) -> None:
    for number in range(250):
        support.write(tmp_path / f"many/{number}.txt", str(number))
    support.write(tmp_path / "many/model.pt", POINTER)
    with gitexp.start_run() as run:
        run.log_artifact(tmp_path / "many")
        run.log_text(POINTER, "single.pt")
    found = artifacts(run)
    assert found["many/model.pt"].read() == found["single.pt"].read() == POINTER.encode()


@pytest.mark.parametrize(
    "name",
    [".git/config", "a\\b", "CON", "aux.txt", "ü\u0308", "x" * 4000, "a/" * 150 + "b", "tab\t?", "end.", "\ud800"],
)
def test_names_are_kept_exactly_and_stored_so_that_git_takes_them(project: Path, untouched: None, name: str) -> None:
    with gitexp.start_run() as run:
        run.log_artifact(b"data", name, role="odd")
    (found,) = gitexp.get_run(run.id).artifacts
    assert (found.name, found.read(), found.role) == (name, b"data", "odd")


def test_names_that_differ_in_case_or_form_alone_are_kept_apart(project: Path, untouched: None) -> None:
    names = ["model.pt", "Model.pt", "MODEL.PT", "é", "e\u0301"]
    with gitexp.start_run() as run:
        for name in names:
            run.log_text(name, name)
    assert {name: item.read().decode() for name, item in artifacts(run).items()} == {name: name for name in names}
    stored = support.git(project, "ls-tree", "-r", "-z", "--name-only", f"{run.ref}:.gitexp/artifacts").split("\0")
    assert len({path.casefold() for path in stored}) == len(stored)


@pytest.mark.parametrize("name", ["../up", "/abs", "a//b", "a/./b", "x" * 4001, "a/" * 201 + "b", ""])
def test_names_that_cannot_be_are_refused_in_the_call(project: Path, name: str) -> None:
    with gitexp.start_run() as run:
        with pytest.raises(UsageError):
            run.log_artifact(b"data", name)
        with pytest.raises(UsageError):
            run.log_text("said", name)
    assert artifacts(run) == {}


def test_misuse_raises_in_the_call(project: Path) -> None:
    with gitexp.start_run() as run:
        with pytest.raises(UsageError, match="needs a name"):
            run.log_artifact(b"data")
        with pytest.raises(UsageError, match="no file 'gone'"):
            run.log_artifact("gone")
        with pytest.raises(UsageError, match="a step is a whole number"):
            run.log_artifact(b"data", "name", step=0.5)
        with pytest.raises(UsageError, match="metadata is a mapping"):
            run.log_text("said", metadata=["no"])
        with pytest.raises(TypeError, match="unexpected keyword argument 'captoin'"):
            run.log_text("said", captoin="typo")
    with pytest.raises(UsageError, match="has finished"):
        run.log_text("late")


def test_what_is_no_file_is_said_and_counted_and_the_rest_is_kept(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(project / "pipe")
    os.mkfifo(support.write(project / "out/a.txt", "a").with_name("pipe"))
    with socket.socket(socket.AF_UNIX) as unix, gitexp.start_run() as run:
        unix.bind("out/socket")
        run.log_artifact("pipe")
        run.log_artifact("out")
    assert list(artifacts(run)) == ["out/a.txt"]
    assert lost(run) == {"artifacts": 3}
    assert "'pipe' could not be kept: is a pipe" in capfd.readouterr().err


UNREADABLE = """
import gitexp
with gitexp.start_run(name="here") as run:
    run.log_artifact("out")
    run.log_artifact("out/secret")
"""


def test_an_unreadable_file_is_said_and_counted(project: Path) -> None:
    support.write(project / "out/secret", "s").chmod(0)
    support.write(project / "out/open", "o")
    command = [sys.executable, "-c", UNREADABLE]
    if os.geteuid() == 0:  # who reads everything, but for these two powers
        support.needs("setpriv")
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    support.execute(project, *command)
    found = gitexp.get_run("here")
    assert [item.name for item in found.artifacts] == ["out/open"]
    assert found.record["lost"] == {"artifacts": 2}


def test_empty_files_and_folders_are_kept(project: Path) -> None:
    support.write(project / "out/empty.txt", "")
    (project / "out/none/deep").mkdir(parents=True)
    (project / "nothing").mkdir()
    with gitexp.start_run() as run:
        run.log_artifact("out")
        run.log_artifact("nothing")
    assert {name: item.read() for name, item in artifacts(run).items()} == {"out/empty.txt": b""}
    assert gitexp.get_run(run.id)._run.artifact_facts == {
        "out": {"type": "folder", "empty_folders": ["none/deep"]},
        "nothing": {"type": "folder", "empty_folders": ["."]},
    }


@pytest.mark.slow
def test_a_sparse_file_of_gigabytes_takes_no_space(project: Path) -> None:
    with open(project / "sparse.bin", "wb") as file:
        file.truncate(10 << 30)
        file.seek(5 << 30)
        file.write(b"in the middle")
    with gitexp.start_run() as run:
        run.log_artifact("sparse.bin")
    (found,) = gitexp.get_run(run.id).artifacts
    assert found.size_bytes == 10 << 30
    path = project / ".git/gitexp/objects" / found.sha256[:2] / found.sha256[2:4] / found.sha256
    assert path.stat().st_blocks * 512 < 1 << 20


def test_a_full_disk_loses_what_does_not_fit_and_nothing_else(
    project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, template: Path
) -> None:
    with support.small_disk(project.parent / "disk", "6m") as disk:
        subprocess.run(["cp", "-r", str(template), str(disk / "repo")], check=True)
        monkeypatch.chdir(disk / "repo")
        with gitexp.start_run() as run:
            run.log({"loss": 1.0})
            run.log_artifact(b"x" * BIG, "fits.bin")
            run.log_artifact(os.urandom(20 << 20), "large.bin")
            run.log_text("after", "after.txt")
        found = artifacts(run)
        assert sorted(found) == ["after.txt", "fits.bin"]
        assert found["fits.bin"].read() == b"x" * BIG
        assert lost(run) == {"artifacts": 1}
        assert gitexp.get_run(run.id).summary["loss"].last == 1.0
        assert list((disk / "repo/.git/gitexp/tmp").iterdir()) == []
    assert "'large.bin' could not be kept: cannot write into" in capfd.readouterr().err


def test_resuming_keeps_what_was_said_before(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log_artifact(b"1", "model.pt", role="best")
        run.log_artifact(b"1", "again.pt", role="old")
        run.link_artifact("s3://bucket/a")
    with gitexp.start_run(resume=run.id) as more:
        more.log_artifact(b"2", "again.pt")
        more.log_text("new", role="note")
    found = artifacts(more)
    assert {name: item.facts.get("role") for name, item in found.items()} == {
        "a": None, "again.pt": None, "model.pt": "best", "text.txt": "note",
    }  # fmt: skip
    assert found["again.pt"].read() == b"2"


def test_a_forked_child_logs_for_itself(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log_text("parent", "parent.txt")
        child = os.fork()
        if child == 0:
            try:
                run.log_text("child", "child.txt", wait=True)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    assert sorted(artifacts(run)) == ["child.txt", "parent.txt"]


def test_a_rank_that_records_nothing_takes_all_calls(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with gitexp.start_run() as run:
        run.log_artifact("train.py")
        run.log_text("said")
        run.log_checkpoint("train.py", value=1.0, best=1, mode="max")
        run.link_artifact("s3://bucket/a")
    assert not support.run_refs(project)


def test_the_functions_log_into_the_active_run(project: Path) -> None:
    with gitexp.start_run() as run:
        gitexp.log_artifact("train.py", role="code")
        gitexp.log_text("t")
        gitexp.log_dict({"a": 1})
        gitexp.log_html("<p>")
        gitexp.link_artifact("s3://bucket/a")
        gitexp.log_checkpoint("train.py", step=1)
    assert sorted(artifacts(run)) == ["a", "checkpoints/1/train.py", "page.html", "text.txt", "train.py", "values.json"]


def test_the_repository_itself_is_not_logged_with_its_folder(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log_artifact(".", "here")
    assert sorted(artifacts(run)) == ["here/README.md", "here/train.py"]


FORGOTTEN = """
import gitexp
run = gitexp.start_run("churn", name="forgotten")
open("big.bin", "wb").write(bytes(8 << 20))
run.log_artifact("big.bin")
"""


def test_a_run_that_nobody_finished_keeps_what_it_logged(project: Path) -> None:
    support.python(project, FORGOTTEN)
    (ref,) = support.run_refs(project)
    run = runs.load(workspaces.open(), support.run_refs(project)[ref], ref)
    assert [(item.name, item.size_bytes) for item in run.artifacts] == [("big.bin", 8 << 20)]
    assert live.listing(workspaces.open()) == []
