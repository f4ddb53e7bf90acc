"""gitexp show and ref: one run in full, and its name for plain Git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gitexp
from gitexp.store import objects as large
from gitexp.store import workspace as workspaces
from tests import stored, support

A, B = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz"
ENVIRONMENT = {
    "python": {"version": "3.11.9"},
    "packages": {"lightgbm": {"version": "4.5.0"}, "numpy": {"version": "2.0"}, "click": {"version": "8.1"}},
    "gpus": [{"name": "H100 80GB"}],
    "cuda": "12.4",
}
DATA = [{"role": "train", "uri": "s3://ml-data/v1.parquet", "sha256": "7be1c04a" * 8, "rows": 1_204_331}]


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the short code commit of a project with one run that has everything."""
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    stored.make(
        None, "lr0.05", A, at="13:02", took=252, exit_code=0, seeds={"python": 42, "numpy": 42},
        command=("python", "train.py", "--lr", "0.05", "--name", "two words"), description="with the new weights",
        tags={"production-candidate": "", "owner": "ana"},
        given={"lr": 0.05, "num_leaves": 32, "split": {"test": 0.1}},
        logged={"val_auc": [0.812, 0.941, 0.9398], "loss": [0.6931, 0.2031, 0.2049], "epoch": [1, 2, 3]},
        files={"environment.json": json.dumps(ENVIRONMENT).encode(), "data.json": json.dumps(DATA).encode(),
               "output.log": b"epoch 1\nloss 0.5\x1b[0m\n", "artifacts/model.txt": b"x" * 200_000,
               "artifacts/plots/roc.png": b"y" * 384},
    )  # fmt: skip
    return support.git(project, "rev-parse", "HEAD")[:7]


def test_the_page_tells_all_that_a_run_has(run: str, project: Path) -> None:
    commit = support.git(project, "rev-parse", "--short=7", f"refs/experiments/churn/lr0.05-{A[:7]}")
    assert (
        support.gitexp("show", "kqz").stdout
        == f"""\
run kqzvmxr   churn / lr0.05                                              completed (exit 0) in 4:12
  when      2026-11-20 14:02 +0100, Ana Ruiz <ana@acme.io> on gpu01
  command   python train.py --lr 0.05 --name 'two words'
  code      {run} "train a model" on main, no uncommitted edits
  data      train  s3://ml-data/v1.parquet  sha256 7be1c04a  1,204,331 rows
  machine   Python 3.11.9, lightgbm 4.5.0 (+2 packages), 1 x H100 80GB, CUDA 12.4, seed 42
  git       {commit} refs/experiments/churn/lr0.05-kqzvmxr
  tags      owner=ana  production-candidate
  about     with the new weights
  better    lower loss, higher val_auc (guessed from the name)

params (3)            metrics (3)    last    best  at step   first
  lr          0.05      epoch           3       -        -       1
  num_leaves  32        loss       0.2049  0.2031        1  0.6931
  split.test  0.1       val_auc    0.9398  0.9410        1  0.8120
                      artifacts (2, 200.4 kB)
                        model.txt       200.0 kB
                        plots/roc.png  384 bytes
"""
    )


def test_a_narrow_terminal_gets_one_block_below_the_other(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_FORCE_TERMINAL", "1")
    monkeypatch.setenv("COLUMNS", "60")
    lines = support.gitexp("show").lines
    assert lines.index("metrics (3)    last    best  at step   first") > lines.index("params (3)")


def test_edits_and_what_was_left_out_are_named(project: Path) -> None:
    stored.make(None, "dirty", A, edits=["train.py", "new\x1b.py"])
    snapshot = support.gitexp("ref", "--code").stdout[:7]
    shown = support.gitexp("show").lines
    head = support.git(project, "rev-parse", "--short=7", "HEAD")
    assert f'  code      {head} "train a model" on main, with uncommitted edits ({snapshot})' in shown
    assert "  edits     train.py, new\\x1b.py" in shown
    code = {"commit": None, "dirty": True, "policy": "allow", "left_out": [{"path": ".env", "reason": "a secret"}],
            "edited": ["a.py"]}  # fmt: skip
    stored.make(None, "allowed", B, code=code, at="14:10")
    shown = support.gitexp("show").lines
    assert "  code      no commit yet, with uncommitted edits, which are not recorded" in shown
    assert "  left out  .env (a secret)" in shown
    assert "  changed   a.py, since the process began: what ran may be older than what is recorded" in shown


def test_a_failed_run_says_why(project: Path) -> None:
    error = {"type": "ValueError", "message": "bad\x1b", "traceback": "Traceback:\n  File x\nValueError: bad\x1b\n"}
    stored.make(None, "failed", A, status="failed", error=error, lost={"points": 3}, cost={"total": 1.5})
    shown = support.gitexp("show").lines
    assert shown[0].endswith("failed in 1:00")
    at = shown.index("  lost      3 points")
    assert shown[at + 1 : at + 6] == [
        "  cost      total 1.5",
        "  error     ValueError: bad\\x1b",
        "            Traceback:",
        "              File x",
        "            ValueError: bad\\x1b",
    ]
    assert " failed ValueError " in support.gitexp("log").stdout


def test_what_was_said_later_is_on_the_page(run: str) -> None:
    support.gitexp("note", "@", "first above 0.94\ncheck the calibration")
    support.gitexp("title", "@", "the good one")
    support.gitexp("tag", "@", "owner=bob")
    shown = support.gitexp("show").lines
    assert shown[0].startswith("run kqzvmxr   churn / the good one ")
    assert "  name      lr0.05" in shown
    assert "  tags      owner=bob  production-candidate" in shown
    assert shown[shown.index("            check the calibration") - 1].endswith(": first above 0.94")


def test_parents_and_children_name_each_other(project: Path) -> None:
    stored.make(None, "sweep", A, at="14:00", took=600)
    stored.make(None, "trial", B, at="14:05", parent=A, experiment="other")
    assert "  children  mzrokvu trial" in support.gitexp("show", "sweep").lines
    assert "  parent    kqzvmxr" in support.gitexp("show", "trial").lines
    assert support.gitexp("show", "sweep", "--json").json["children"] == [B]


def test_where_a_run_and_its_bytes_are(run: str, project: Path, tmp_path: Path) -> None:
    support.git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    support.git(project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    shown = support.gitexp("show").stdout
    assert "lr0.05-kqzvmxr, not pushed\n" in shown
    assert "model.txt       200.0 kB  here only\n" in shown
    support.gitexp("push", "--yes")
    assert "lr0.05-kqzvmxr, on origin\n" in support.gitexp("show").stdout
    value = support.gitexp("show", "--json").json
    artifacts = {item["name"]: item for item in value["artifacts"]}
    assert (value["pushed"], artifacts["model.txt"]["here"], artifacts["plots/roc.png"]["sha256"]) == (
        ["origin"],
        True,
        None,
    )
    path = large.path(workspaces.open(), artifacts["model.txt"]["sha256"])
    assert path is not None
    path.unlink()
    assert "model.txt       200.0 kB  not here: gitexp fetch\n" in support.gitexp("show").stdout


def test_a_running_run_has_a_page(project: Path) -> None:
    with stored.live(loss=[0.5, 0.4]) as session:
        shown = support.gitexp("show")
        assert "last sign of life" in shown.lines[0]
        assert "  git       not a commit until it ends" in shown.lines
        value = support.gitexp("show", "--json").json
        assert (value["status"], value["live"], value["alive"], value["commit"]) == ("running", True, True, None)
        refused = support.gitexp("ref", expect=4).stderr
        assert refused.endswith(f"still running: it has no commit yet\ngitexp show {session.id[:7]}\n")


def test_several_runs_and_json(run: str) -> None:
    stored.make(None, "lr0.1", B, at="13:10")
    assert [line for line in support.gitexp("show", "lr*").lines if line.startswith("run ")] == [
        line for line in support.gitexp("show", B, A).lines if line.startswith("run ")
    ]
    assert support.gitexp("show", "--json").json["name"] == "lr0.1"
    assert [item["id"] for item in support.gitexp("show", A, B, "--json").json] == [A, B]
    value = support.gitexp("show", A, "--json").json
    assert (value["subject"], value["environment"]["cuda"], value["data"]) == ("train a model", "12.4", DATA)


def test_the_output_of_a_wrapped_command_is_printed_safely(run: str) -> None:
    assert support.gitexp("show", "--output").stdout == "epoch 1\nloss 0.5\\x1b[0m\n"


def test_a_removed_run_can_still_be_shown(run: str) -> None:
    support.gitexp("rm", A)
    assert "  marks     removed" in support.gitexp("show", "lr0.05").lines


def test_hostile_records_do_not_reach_the_terminal(project: Path) -> None:
    evil = "\x1b[2J\u202e\x9b"
    environment = {"python": {"version": evil}, "packages": {evil: 3}, "gpus": [evil], "cuda": {"a": evil}}
    stored.make(
        None, f"evil{evil}", A, host=evil, description=evil, tags={evil: evil}, seeds={"a": evil}, parent=evil,
        command=(evil,), error={"type": evil, "message": evil, "traceback": evil}, given={evil: evil},
        lost={evil: 1}, cost={evil: evil}, logged={f"loss{evil}": [1.0]}, who=(evil, evil),
        code={"commit": evil, "branch": evil, "dirty": True, "snapshot": evil, "changed": [evil], "left_out": [{}]},
        files={"environment.json": json.dumps(environment).encode(), "data.json": json.dumps([{"uri": evil}]).encode()},
    )  # fmt: skip
    shown = support.gitexp("show").stdout
    assert not any(c in shown for c in evil if c not in "[2J")


def test_a_damaged_record_is_an_error_not_a_bug(project: Path) -> None:
    for name, data in (
        ("environment.json", b"[1]"),
        ("environment.json", b"{"),
        ("data.json", b"3"),
        ("params.json", b"["),
    ):
        stored.make(None, "odd", A, files={name: data}, took=len(data))
        assert support.gitexp("show", expect=None).code in (0, 8)
        support.git(project, "update-ref", "-d", f"refs/experiments/churn/odd-{A[:7]}")
        (project / ".git/gitexp/refs.log").unlink()


def test_the_ref_is_for_plain_git(run: str, project: Path) -> None:
    ref = support.gitexp("ref", "@").stdout.strip()
    assert ref == "refs/experiments/churn/lr0.05-kqzvmxr"
    commit = support.git(project, "rev-parse", ref)
    assert support.gitexp("ref", "-c", "@").stdout.strip() == commit
    assert support.gitexp("ref", "--code").stdout.strip() == support.git(project, "rev-parse", f"{ref}^")
    assert support.gitexp("ref", "--json").json == [
        {"id": A, "ref": ref, "commit": commit, "code": support.git(project, "rev-parse", "HEAD")}
    ]


def test_what_is_said_of_artifacts_and_where_links_lead_is_shown(project: Path) -> None:
    with gitexp.start_run(name="files") as run:
        run.log_artifact(b"w", "model.pt", type="model", role="best", step=3)
        run.log_artifact(b"plain", "notes.txt")
        run.log_checkpoint("train.py", step=7, value=0.5, metric="auc")
        run.link_artifact("s3://bucket/big.bin", size=5_000_000)
        for number in range(60):
            run.log_text("x", f"zz/{number:02}.txt")
    found = [" ".join(line.split()) for line in support.gitexp("show", run.id).lines]
    assert any("artifacts (64, " in line for line in found)
    assert any(line.endswith("model.pt 1 byte model, best, step 3") for line in found)
    assert any(line.endswith("bytes checkpoint, step 7, auc 0.5") for line in found)
    assert any(line.endswith("big.bin 5.0 MB stays at s3://bucket/big.bin") for line in found)
    assert any(line.endswith(f"and 13 more: gitexp artifact ls {run.id[:7]}") for line in found)
