"""gitexp artifact, get and du as they are typed, and what they print."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests import recording, support

ID, OTHER = "kqzvmxr" + "k" * 9, "mzrokvu" + "k" * 9
MODEL = b"m" * 200_000
KEPT = {"a.txt": b"one\ntwo\n", "plots/a.png": b"1", "plots/b.png": b"2", "model.pt": MODEL}


@pytest.fixture
def one(project: Path) -> Path:
    recording.record(project, "base", run_id=ID, artifacts=KEPT)
    return project


def test_ls_folds_folders_and_opens_them(one: Path) -> None:
    assert support.gitexp("artifact", "ls", "base").stdout == (
        "NAME          SIZE  SHA256        TYPE     WHERE\n"
        f"a.txt      8 bytes  {hashed(KEPT['a.txt'])}           here\n"
        f"model.pt  200.0 kB  {hashed(MODEL)}           here\n"
        "plots/     2 bytes                2 files  here\n"
    )
    lines = support.gitexp("artifact", "ls", "base", "plots").lines
    assert [line.split()[0] for line in lines] == ["NAME", "plots/a.png", "plots/b.png"]
    lines = support.gitexp("artifact", "ls", "base", "--all").lines
    assert [line.split()[0] for line in lines[1:]] == sorted(KEPT)
    lines = support.gitexp("artifact", "ls", "base", "*.png").lines
    assert [line.split()[0] for line in lines[1:]] == ["plots/a.png", "plots/b.png"]


def hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def test_ls_of_a_run_that_kept_nothing_says_how_to_add(project: Path) -> None:
    recording.record(project, "base", run_id=ID)
    done = support.gitexp("artifact", "ls", "base")
    assert (done.stdout, done.stderr) == (
        "",
        "churn/base (kqzvmxr) kept no files; add some: gitexp artifact add kqzvmxr FILE\n",
    )


def test_get_writes_all_some_and_nothing_twice(one: Path) -> None:
    assert support.gitexp("artifact", "get", "base", "--to", "out").stdout == "4 files (200.0 kB) in out\n"
    assert support.gitexp("artifact", "get", "base", "--to", "out").stdout == "4 files there already\n"
    assert support.gitexp("artifact", "get", "base", "plots", "--to", "two").stdout == "2 files (2 bytes) in two\n"
    support.write("out/a.txt", "mine")
    failed = support.gitexp("artifact", "get", "base", "--to", "out", expect=7)
    assert failed.stderr == (
        "gitexp: 1 file of other content in out would be lost: a.txt\n"
        "get it elsewhere: --to FOLDER; or over them: --force\n"
    )
    support.gitexp("artifact", "get", "base", "--to", "out", "--force")
    assert Path("out/a.txt").read_bytes() == KEPT["a.txt"]


def test_get_of_one_file_is_as_cp(one: Path) -> None:
    assert support.gitexp("get", "base:plots/a.png").stdout == "a.png (1 byte)\n"
    assert support.gitexp("get", "kqz:model.pt", "--to", "best.pt").stdout == "best.pt (200.0 kB)\n"
    Path("into").mkdir()
    assert support.gitexp("get", "base:model.pt", "--to", "into").stdout == "into/model.pt (200.0 kB)\n"
    assert support.gitexp("get", "base:model.pt", "--to", "new/").stdout == "new/model.pt (200.0 kB)\n"
    assert support.gitexp("get", "base:plots").stdout == "2 files (2 bytes) in .\n"
    assert support.gitexp("get", "base:plots", "--to", "shots").stdout == "2 files (2 bytes) in .\n"
    assert sorted(path.name for path in Path("shots").iterdir()) == ["a.png", "b.png"]
    assert Path("best.pt").read_bytes() == MODEL
    failed = support.gitexp("get", "base:nix", expect=4)
    assert "it has: a.txt, model.pt, plots/a.png, plots/b.png" in failed.stderr


def test_get_tells_in_json_what_it_wrote(one: Path) -> None:
    assert support.gitexp("get", "base:a.txt", "--json").json == {
        "run": ID,
        "to": ".",
        "files": [{"name": "a.txt", "path": "a.txt", "size": 8, "state": "written"}],
        "size": 8,
        "fetched": 0,
    }


def test_add_says_what_was_added_and_to_which_run(one: Path) -> None:
    support.write("late.md", "# late\n")
    support.write("made/x.txt", "x")
    before = support.state(one)
    done = support.gitexp("artifact", "add", "base", "late.md", "--type", "report")
    assert done.stdout == "added late.md (7 bytes) to churn/base (kqzvmxr)\n"
    done = support.gitexp("artifact", "add", "base", "made", "--name", "kept")
    assert done.stdout == "added kept/x.txt (1 byte) to churn/base (kqzvmxr)\n"
    assert support.state(one)["HEAD"] == before["HEAD"]
    rows = {row["name"]: row for row in support.gitexp("artifact", "ls", "base", "--json").json}
    assert rows["late.md"]["type"] == "report"
    assert "kept/x.txt" in rows
    support.gitexp("artifact", "add", "base", "late.md", "made", "--name", "x", expect=2)
    support.gitexp("artifact", "add", "base", "nix", expect=2)


def test_verify_says_what_is_right_and_its_exit_code_what_is_not(one: Path) -> None:
    assert support.gitexp("artifact", "verify", "base").stdout == "4 files right (200.0 kB)\n"
    assert support.gitexp("artifact", "verify", "--all").stdout == "4 files right (200.0 kB)\n"
    support.gitexp("artifact", "verify", expect=2)
    (path,) = [path for path in (one / ".git/gitexp/objects").rglob("*") if path.is_file()]
    path.chmod(0o644)
    path.write_bytes(b"x" * 200_000)
    done = support.gitexp("artifact", "verify", "base", expect=8)
    assert done.stdout == (
        "damaged  model.pt of churn/base (kqzvmxr): has other bytes than its name says\n"
        "3 files right (10 bytes), 1 damaged\n"
    )
    path.unlink()
    done = support.gitexp("artifact", "verify", "base")
    assert done.stdout == (
        "missing  model.pt of churn/base (kqzvmxr): not here, and at no remote that was seen\n"
        "3 files right (10 bytes), 1 missing\n"
    )


def test_diff_tells_added_removed_and_changed(one: Path) -> None:
    kept = {"a.txt": b"one\n2\n", "model.pt": MODEL, "new.txt": b"new", "plots/a.png": b"1"}
    recording.record(one, "next", run_id=OTHER, artifacts=kept)
    assert support.gitexp("artifact", "diff", "base", "next").stdout == (
        "* a.txt  8 bytes -> 6 bytes\n"
        "  @@ -1,2 +1,2 @@\n"
        "   one\n"
        "  -two\n"
        "  +2\n"
        "+ new.txt  3 bytes\n"
        "- plots/b.png  1 byte\n"
        "2 files equal\n"
    )
    found = support.gitexp("artifact", "diff", "base", "next", "plots", "--json").json
    assert [(change["name"], change["change"]) for change in found["changes"]] == [("plots/b.png", "removed")]
    recording.record(one, "long", artifacts={**kept, "a.txt": b"x" * 1000 + b"\n"})
    assert "  +" + "x" * 299 + "…  (1,000 characters)" in support.gitexp("artifact", "diff", "next", "long").lines
    assert "  +" + "x" * 1000 in support.gitexp("artifact", "diff", "next", "long", "a.txt").lines


def test_drop_says_what_goes_and_what_stays(one: Path, bare: Path) -> None:
    assert support.gitexp("artifact", "drop", "base").stderr == (
        "1 file (200.0 kB) stays: origin does not have it; gitexp push origin kqzvmxr\n"
    )
    support.gitexp("push", "--yes")
    said = "1 file (200.0 kB) of churn/base (kqzvmxr): origin has it\n"
    assert support.gitexp("artifact", "drop", "base", "--dry-run").stdout == f"would drop {said}"
    assert support.gitexp("artifact", "drop", "base").stdout == f"dropped {said}"
    assert support.gitexp("artifact", "ls", "base", "model.pt").lines[1].split()[-1] == "origin"
    assert support.gitexp("artifact", "drop", "base").stdout == "nothing of churn/base (kqzvmxr) to drop\n"
    assert support.gitexp("get", "base:model.pt").stdout == "model.pt (200.0 kB), 200.0 kB from a remote\n"
    assert Path("model.pt").read_bytes() == MODEL


def test_a_push_that_names_a_run_sends_files_that_the_remote_has_lost(one: Path, bare: Path) -> None:
    support.gitexp("push", "--yes")
    (stored,) = (path for path in (bare / "lfs/objects").rglob("*") if path.is_file())
    stored.unlink()
    said = support.gitexp("artifact", "drop", "base").stderr
    assert said == "1 file (200.0 kB) stays: origin does not have it; gitexp push origin kqzvmxr\n"
    assert support.gitexp(*said.rpartition("gitexp ")[2].split()).stdout == "origin: everything is there already\n"
    assert stored.read_bytes() == MODEL


def test_du_adds_up(one: Path) -> None:
    lines = support.gitexp("du").lines
    assert lines[0].split() == ["EXPERIMENT", "RUNS", "FILES", "SIZE", "SHARED", "RECORDS", "ELSEWHERE"]
    assert lines[1].split()[:3] == ["churn", "1", "1"]
    assert lines[2].startswith("total ")
    report = support.gitexp("du", "--by", "artifact", "--json").json
    parts = report["file_bytes"] + report["record_bytes"] + report["unnamed_bytes"] + sum(report["parts"].values())
    assert report["total"] == parts
    assert {row["name"] for row in report["rows"]} == {f"kqzvmxr:{name}" for name in KEPT}
    assert support.gitexp("du", "--by", "artifact", "-n", "1").lines[2] == "3 more, all smaller (-n 0)"


def test_hostile_names_do_not_reach_the_terminal(project: Path) -> None:
    recording.record(project, "base", run_id=ID, artifacts={"a\x1b[2Jb.txt": b"\x1b[31m\n"})
    recording.record(project, "next", run_id=OTHER, artifacts={"a\x1b[2Jb.txt": b"\x1b[32m\n"})
    for line in ("artifact ls base", "artifact diff base next", "du --by artifact", "artifact get base --to out"):
        assert "\x1b" not in support.gitexp(*line.split()).stdout
