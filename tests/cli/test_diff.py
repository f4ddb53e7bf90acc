"""gitexp diff: what it prints of two runs and of more."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from gitexp.ops.recording import lifecycle
from tests import recording, support

DATA = [{"role": "train", "sha256": "7be1c04a" + "0" * 56, "rows": 1_204_331}]
SEEDS = {"python": 42, "numpy": 42, "python_hash": "random"}


def environment(**packages: str) -> dict[str, Any]:
    listed = {name: {"version": version, "origin": "index"} for name, version in packages.items()}
    return {**recording.ENVIRONMENT, "packages": {**recording.ENVIRONMENT["packages"], **listed}}


def run_id(head: str) -> str:
    return head + "k" * (16 - len(head))


@pytest.fixture
def two(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with two runs: of edited code, and of clean code with other params and another package."""
    support.write(project / "gitexp.toml", 'maximize = ["val_*"]\n')
    support.commit(project, "settings")
    support.write(project / "train.py", "print(1)\n")
    monkeypatch.setenv("GITEXP_NOW", "2026-11-20T14:00:00Z")
    recording.record(
        project, "lr0.1-leaves32", run_id=run_id("mzrokvu"), data=DATA, seeds=SEEDS,
        params={"lr": 0.1, "leaves": 32, "split": {"val": 0.1}}, environment=environment(lightgbm="4.4.0"),
        metrics={"val_auc": [0.9, 0.9312], "loss": [0.5, 0.226], "gap": [0.5, 1.5], "epochs": [2]},
        artifacts={"model.txt": b"a" * 200_000, "plots/confusion.png": b"1", "labels.txt": b"same"},
    )  # fmt: skip
    support.git(project, "checkout", "--quiet", "train.py")
    monkeypatch.setenv("GITEXP_NOW", "2026-11-20T14:08:00Z")
    recording.record(
        project, "lr0.05-leaves32-cw3", run_id=run_id("kqzvmxr"), data=DATA, seeds=SEEDS,
        params={"lr": 0.05, "leaves": 32, "split": {"val": 0.1}, "scale_pos_weight": 3},
        environment=environment(lightgbm="4.5.0"),
        metrics={"val_auc": [0.9, 0.941], "loss": [0.5, 0.2031], "gap": [0.5, 1.25], "epochs": [2]},
        artifacts={"model.txt": b"a" * 201_000, "plots/confusion.png": b"2", "labels.txt": b"same"},
    )  # fmt: skip
    monkeypatch.setenv("GITEXP_NOW", "2026-11-20T14:20:00Z")
    return project


def code(path: Path) -> str:
    return support.git(path, "rev-parse", "--short=7", "HEAD")


def test_two_runs_are_compared_section_by_section(two: Path, untouched: None) -> None:
    head = code(two)
    wanted = f"""\
A mzrokvu  churn/lr0.1-leaves32       20m ago  {head} + uncommitted edits
B kqzvmxr  churn/lr0.05-leaves32-cw3  12m ago  {head}

metrics                      A         B     change
  val_auc:max           0.9312    0.9410    +0.0098   +1.1 %  better (higher: gitexp.toml)
  loss:min              0.2260    0.2031    -0.0229  -10.1 %  better (lower: guessed from the name)
  gap:last               1.500     1.250     -0.250  -16.7 %  better or worse is not known
  1 metric more is equal
params               2 equal
  lr                       0.1      0.05
  scale_pos_weight           -         3   only in B
code                 same commit; A has edits: train.py | 4 +++-   (--code shows them)
data, seed           same: train 7be1c04a; 42
environment          lightgbm 4.4.0 -> 4.5.0; 3 packages, Python, host and GPU equal
artifacts            model.txt 200.0 -> 201.0 kB; plots/confusion.png differs; 1 equal
4 causes possible (2 params, code, 1 package): rerun with one changed to know which.
"""
    assert support.gitexp("diff", "mzrokvu", "kqzvmxr").stdout == wanted
    assert support.gitexp("diff").stdout == wanted
    assert support.gitexp("diff", "lr0.1-leaves32").stdout == wanted
    assert support.gitexp("diff", "lr0.*").stdout == wanted


def test_all_shows_what_is_equal_too(two: Path, untouched: None) -> None:
    shown = support.gitexp("diff", "--all").stdout
    assert "data, seed           same: train 7be1c04a, 1,204,331 rows; 42\n" in shown
    assert "  epochs:last                2         2          0           equal\n" in shown
    assert "  split.val                0.1       0.1\n" in shown
    assert "command              same: python train.py\n" in shown
    assert "artifacts            labels.txt equal; model.txt 200.0 -> 201.0 kB" in shown


def test_the_names_alone_are_lines_for_scripts(two: Path, untouched: None) -> None:
    assert support.gitexp("diff", "--name-only").stdout == (
        "metric\tval_auc\nmetric\tloss\nmetric\tgap\nparam\tlr\nparam\tscale_pos_weight\ncode\ttrain.py\n"
        "package\tlightgbm\nartifact\tmodel.txt\nartifact\tplots/confusion.png\n"
    )


def test_the_code_is_what_git_diff_says_between_the_parents(two: Path, untouched: None) -> None:
    a, b = (next(ref for ref in support.run_refs(two) if name in ref) for name in ("mzrokvu", "kqzvmxr"))
    assert support.gitexp("diff", "--code").stdout.rstrip() == support.git(two, "diff", f"{a}^", f"{b}^")
    assert support.gitexp("diff", "--stat").stdout.rstrip() == support.git(two, "diff", "--stat", f"{a}^", f"{b}^")


def test_equal_code_is_said(project: Path, untouched: None) -> None:
    for name in ("kkkk", "llll"):
        recording.record(project, name, run_id=run_id(name))
    shown = support.gitexp("diff", "--code", "kkkk", "llll")
    assert (shown.stdout, shown.stderr) == ("", "gitexp: the code is the same\n")


def test_a_whole_number_does_not_round_the_change(project: Path, untouched: None) -> None:
    for name, loss in (("kkkk", 0.1211), ("llll", 1.0)):
        recording.record(project, name, run_id=run_id(name), metrics={"loss": [loss]})
    assert "0.1211       1.0    +0.8789" in support.gitexp("diff", "kkkk", "llll").stdout


def test_json_has_all_of_it(two: Path, untouched: None) -> None:
    found = support.gitexp("diff", "--json").json
    assert [(run["label"], run["id"]) for run in found["runs"]] == [("A", run_id("mzrokvu")), ("B", run_id("kqzvmxr"))]
    assert [row["name"] for row in found["metrics"]] == ["val_auc", "loss", "epochs", "gap"]
    assert found["metrics"][1] == {
        "name": "loss",
        "aggregate": "min",
        "values": [0.226, 0.2031],
        "change": pytest.approx(-0.0229),
        "percent": pytest.approx(-10.13, abs=0.01),
        "verdict": "better",
        "goal": "min",
        "goal_from": "guessed from the name",
    }
    assert found["params"][2] == {
        "name": "scale_pos_weight", "equal": False, "values": [None, 3], "present": [False, True],
        "names": None, "alias": None,
    }  # fmt: skip
    assert found["code"]["files"] == [{"path": "train.py", "old_path": None, "added": 3, "deleted": 1}]
    assert found["code"]["same_commit"] is True
    assert [(cause["kind"], cause["name"]) for cause in found["causes"]] == [
        ("param", "lr"),
        ("param", "scale_pos_weight"),
        ("code", "code"),
        ("package", "lightgbm"),
    ]


def test_more_than_two_runs_are_a_table_of_what_differs(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = code(two)
    support.commit(two, "another model", model__py="x\n")
    monkeypatch.setenv("GITEXP_NOW", "2026-11-20T14:15:00Z")
    recording.record(
        two, "net", run_id=run_id("pqwtzno"), status="failed", params={"lr": 0.05, "leaves": 32, "split": {"val": 0.1}},
        metrics={"val_auc": [0.95], "epochs": [2]}, data=DATA, seeds={"python": 7}, command=("python", "net.py"),
    )  # fmt: skip
    monkeypatch.setenv("GITEXP_NOW", "2026-11-20T14:20:00Z")
    with support.untouched(two):
        shown = support.gitexp("diff", "mzrokvu", "kqzvmxr", "pqwtzno").stdout
    assert (
        shown
        == f"""\
A mzrokvu  churn/lr0.1-leaves32       20m ago  {head} + uncommitted edits
B kqzvmxr  churn/lr0.05-leaves32-cw3  12m ago  {head}
C pqwtzno  churn/net                  5m ago   {code(two)}                      failed

                                      A           B         C
metrics, 1 equal
  val_auc:max                    0.9312      0.9410   *0.9500
  loss:min                       0.2260     *0.2031         -
  gap:last                        1.500       1.250         -
params, 2 equal
  lr                                0.1        0.05      0.05
  scale_pos_weight                    -           3         -
command                      … train.py  … train.py  … net.py
code                           {head}+     {head}   {code(two)}
seed
  numpy                              42          42         -
  python                             42          42         7
  python_hash                    random      random         -
environment, 8 equal
  lightgbm                        4.4.0       4.5.0         -
artifacts
  labels.txt                    4 bytes     4 bytes         -
  model.txt                    200.0 kB    201.0 kB         -
  plots/confusion.png            1 byte      1 byte         -
  plots/confusion.png, hash    56a6051c    d8263ee9         -

* best: higher val_auc (gitexp.toml); lower loss (guessed from the name).
6 causes possible (2 params, command, code, seed, 1 package): rerun with one changed to know which.
"""
    )


def test_runs_of_other_commits_say_how_far_they_are_apart(project: Path) -> None:
    first = code(project)
    recording.record(project, "a", run_id=run_id("kkkk"), params={"lr": 0.1}, metrics={"loss": [0.5]})
    for number in range(3):
        support.commit(project, f"change {number}", **{f"file{number}__py": "x\n" * (number * 30 + 1)})
    recording.record(project, "b", run_id=run_id("llll"), params={"lr": 0.1}, metrics={"loss": [0.5]})
    support.git(project, "checkout", "--quiet", "-b", "side", first)
    support.commit(project, "elsewhere", side__py="another\n")
    recording.record(project, "c", run_id=run_id("mmmm"), params={"lr": 0.1}, metrics={"loss": [0.5]})
    with support.untouched(project):
        ahead, sideways = (support.gitexp("diff", *pair).stdout for pair in (("kkkk", "llll"), ("llll", "mmmm")))
    assert (
        "metrics              1 equal\n"
        "params               1 equal\n"
        "code                 3 commits between; 3 files, +93 -0   (--code shows them)\n"
        "                     file0.py |  1 +\n"
        "                     file1.py | 31 ++++++++++\n"
        "                     file2.py | 61 ++++++++++++++++++++\n"
        "data, seed           neither recorded\n"
        "environment          3 packages, Python, host and GPU equal\n"
        "1 cause possible: code.\n"
    ) in ahead
    assert "code                 3 commits only in A, 1 only in B; 4 files, +1 -93   (--code shows them)\n" in sideways


def test_equal_runs_differ_in_nothing(project: Path, untouched: None) -> None:
    for name in ("kkkk", "llll"):
        recording.record(project, "same", run_id=run_id(name), params={"lr": 0.1}, metrics={"loss": [0.5]})
    shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert f"code                 same: {code(project)}\n" in shown
    assert shown.endswith("nothing differs.\n")


def test_metrics_that_differ_without_a_recorded_cause_are_chance(project: Path, untouched: None) -> None:
    for name, loss in (("kkkk", 0.5), ("llll", math.nan)):
        recording.record(project, "same", run_id=run_id(name), metrics={"loss": [loss]})
    shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert (
        "  loss:min              0.5000       nan          -           worse  (lower: guessed from the name)\n" in shown
    )
    assert shown.endswith("no cause is recorded: chance, or something that is not recorded.\n")


def test_edits_that_were_not_recorded_are_a_cause(project: Path) -> None:
    recording.record(project, "a", run_id=run_id("kkkk"))
    support.write(project / "train.py", "print(2)\n")
    recording.record(project, "b", run_id=run_id("llll"), settings={"dirty": "allow"})
    with support.untouched(project):
        shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert "code                 same commit; B has edits, which are not recorded\n" in shown
    assert shown.endswith("1 cause possible: code.\n")


def test_equal_edits_are_no_difference(project: Path) -> None:
    support.write(project / "train.py", "print(2)\n")
    for name in ("kkkk", "llll"):
        recording.record(project, name, run_id=run_id(name))
    with support.untouched(project):
        shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert "code                 same commit; same edits\n" in shown
    assert shown.endswith("nothing differs.\n")


def test_other_data_seeds_hosts_and_packages_are_named(project: Path, untouched: None) -> None:
    recording.record(project, "a", run_id=run_id("kkkk"), data=DATA, seeds=SEEDS, settings={"host": "gpu01"})
    other = environment(numpy="2.0", torch="2.7")
    other |= {"python": {"version": "3.12.1"}, "variables": {"OMP_NUM_THREADS": "4"}}
    data = [{"role": "train", "sha256": "00112233" + "0" * 56, "rows": 120}]
    recording.record(
        project,
        "b",
        run_id=run_id("llll"),
        data=data,
        seeds={"python": 7},
        environment=other,
        settings={"host": "gpu02"},
    )
    shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert (
        "data                 train 7be1c04a, 1,204,331 rows -> 00112233, 120 rows\n"
        "seed                 42 -> 7\n"
        "environment          numpy 1.0 -> 2.0; torch 2.7 only in B; $OMP_NUM_THREADS 4 only in B;\n"
        "                     Python 3.11.9 -> 3.12.1; host gpu01 -> gpu02; 2 packages and GPU equal\n"
        "7 causes possible (1 dataset, seed, 2 packages, Python, 1 variable, machine): rerun with one changed to"
        " know which.\n"
    ) in shown


def test_a_seed_that_is_a_param_too_is_one_cause(project: Path, untouched: None) -> None:
    for name, seed in (("kkkk", 1), ("llll", 2)):
        recording.record(project, name, run_id=run_id(name), params={"train": {"seed": seed}}, seeds={"python": seed})
    shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert "seed                 1 -> 2\n" in shown
    assert shown.endswith("1 cause possible: param train.seed.\n")


def test_a_run_without_environment_says_so(project: Path, untouched: None) -> None:
    recording.record(project, "a", run_id=run_id("kkkk"), environment=None)
    recording.record(project, "b", run_id=run_id("llll"))
    assert "environment          not recorded in A; host equal\n" in support.gitexp("diff", "kkkk", "llll").stdout


def test_running_runs_can_be_compared(project: Path, untouched: None) -> None:
    recording.record(project, "a", run_id=run_id("kkkk"), params={"lr": 0.1}, metrics={"loss": [0.5]})
    session = recording.start(project, "b", run_id=run_id("llll"), params={"lr": 0.2}, metrics={"loss": [0.25]})
    session.writer.drain()
    try:
        shown = support.gitexp("diff", "kkkk", "llll").stdout
    finally:
        lifecycle.finish(session, "completed")
    assert shown.splitlines()[1].endswith("  running")
    assert (
        "  loss:min              0.5000    0.2500    -0.2500  -50.0 %  better (lower: guessed from the name)\n" in shown
    )
    assert "  lr                       0.1       0.2\n" in shown


def test_long_values_get_lines_of_their_own_and_are_never_cut(project: Path, untouched: None) -> None:
    for name, tail in (("kkkk", "one"), ("llll", "two")):
        recording.record(project, name, run_id=run_id(name), params={"prompt": "x" * 200 + tail, "lr": 0.1})
    assert (f"  prompt\n                   A {'x' * 200}one\n                   B {'x' * 200}two\n") in support.gitexp(
        "diff", "kkkk", "llll"
    ).stdout


@pytest.mark.parametrize("flags", [[], ["--all"], ["--name-only"], ["--json"], ["--md"]])
def test_hostile_texts_reach_no_terminal(project: Path, untouched: None, flags: list[str]) -> None:
    bad = "\x1b[2J\x07\u202e"
    for name, value in (("kkkk", 1.0), ("llll", 2.0)):
        recording.record(
            project, f"n{value}", run_id=run_id(name), params={bad: bad + str(value)}, metrics={bad: [value]},
            artifacts={f"{bad}.txt": str(value).encode()}, seeds={bad: bad}, command=(bad, str(value)),
            data=[{"role": bad, "sha256": bad + str(value)}], environment=environment(**{bad: bad + str(value)}),
        )  # fmt: skip
    shown = support.gitexp("diff", "kkkk", "llll", *flags).stdout
    assert not any(
        character in shown.replace("\\u202e", "") for character in ("\x1b", "\x07", *"\u202e" * (flags != ["--json"]))
    )
    third = support.gitexp("diff", "kkkk", "llll", "kkkk").stdout if not flags else ""
    assert "\x1b" not in third


def test_what_cannot_be_read_is_said_and_the_rest_compared(project: Path, untouched: None) -> None:
    for name, size in (("kkkk", 110_000), ("llll", 110_001)):
        recording.record(
            project, name, run_id=run_id(name), params={"text": "x" * size, "lr": 0.1}, metrics={"loss": [1]}
        )
    for path in (project / ".git/gitexp/objects").rglob("*"):
        if path.is_file():
            path.unlink()
    shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert "metrics              1 equal\n" in shown
    assert "params.json of A cannot be read: the bytes of params.json (" in shown


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 4, "gitexp: comparing needs two runs, and 1 was recorded in this clone\n"),
        (["kkkk"], 2, "gitexp: comparing needs two runs: kkkk is kkkkkkk alone\n"),
        (["kkkk", "only"], 2, "gitexp: comparing needs two runs: kkkk and only is kkkkkkk alone\n"),
        (["kkkk", "nothing"], 4, "gitexp: no run 'nothing'\n"),
    ],
)
def test_one_run_alone_cannot_be_compared(
    project: Path, untouched: None, args: list[str], code: int, message: str
) -> None:
    recording.record(project, "only", run_id=run_id("kkkk"))
    assert support.gitexp("diff", *args, expect=code).stderr.startswith(message)


def test_more_than_two_runs_have_no_one_code_difference(project: Path, untouched: None) -> None:
    for name in ("kkkk", "llll", "mmmm"):
        recording.record(project, name, run_id=run_id(name))
    assert support.gitexp("diff", "--code", "kkkk", "llll", "mmmm", expect=2).stderr == (
        "gitexp: --code and --stat compare two runs, not 3\ngitexp diff --code @~1 @\n"
    )


def test_a_narrow_terminal_says_once_below_why_a_change_is_better(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_FORCE_TERMINAL", "1")
    monkeypatch.setenv("COLUMNS", "80")
    lines = support.gitexp("diff", "mzr", "kqz").stdout.splitlines()
    assert max(map(len, lines[:12])) <= 80
    assert [line.split()[-1] for line in lines if line.startswith(("  val_auc:max", "  loss:min"))] == ["better"] * 2
    assert "  better: higher val_auc (gitexp.toml); lower loss (guessed from the name)" in lines


def test_on_a_terminal_the_code_comes_through_gits_own_pager(two: Path, untouched: None) -> None:
    support.git(two, "config", "core.pager", "sed 's/^/paged: /'")
    spawn = "import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'gitexp', 'diff', '--stat']))"
    assert support.python(two, spawn).stdout.startswith("paged:  train.py | 4 \x1b[32m+++\x1b[m")


def test_very_long_values_show_where_they_begin_to_differ(project: Path, untouched: None) -> None:
    for name, middle in (("kkkk", "one"), ("llll", "two")):
        text = "x" * 3000 + middle + "y" * 3000
        recording.record(project, name, run_id=run_id(name), params={"prompt": text})
    shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert f"A …{'x' * 60}one{'y' * 437}…   (6,003 characters: --json)\n" in shown


def run_pair(project: Path, *commands: str, **params: tuple[Any, Any]) -> str:
    """Record two runs of these commands, whose params have a value in each, and return their comparison."""
    for side, (name, command) in enumerate(zip(("kkkk", "llll"), commands, strict=True)):
        values = {key: pair[side] for key, pair in params.items()}
        recording.record(project, name, run_id=run_id(name), params=values, command=tuple(command.split()))
    return support.gitexp("diff", "kkkk", "llll").stdout


@pytest.mark.parametrize("words", ["--lr {}", "--lr={}", "lr={}", "-lr {}", "optimizer.lr={}"])
def test_a_command_that_differs_by_its_params_alone_is_not_told_twice(
    project: Path, untouched: None, words: str
) -> None:
    commands = [f"python train.py --epochs 3 {words.format(value)}" for value in (0.1, 0.2)]
    shown = run_pair(project, *commands, lr=(0.1, 0.2))
    assert "command" not in shown
    assert shown.endswith("1 cause possible: param lr.\n")


def test_another_script_is_a_cause_beside_the_params(project: Path, untouched: None) -> None:
    shown = run_pair(project, "python train.py --lr 0.1", "python net.py --lr 0.2", lr=(0.1, 0.2))
    assert (
        "command              A  python train.py --lr 0.1\n                     B  python net.py --lr 0.2\n"
    ) in shown
    assert shown.endswith("2 causes possible (1 param, command): rerun with one changed to know which.\n")


def test_the_order_of_a_command_is_a_difference_too(project: Path, untouched: None) -> None:
    shown = run_pair(project, "python merge.py a b", "python merge.py b a", lr=(0.1, 0.1))
    assert shown.endswith("1 cause possible: command.\n")


@pytest.mark.parametrize(
    ("one", "other", "change"),
    [
        (0.4562, 0.005192, "-0.4510"),
        (0.9312, 0.941, "+0.0098"),
        (1, 4, "+3"),
        (1_000_000, 1_000_000.5, "+0.5000"),
        (1e-9, 2e-9, "+1.000e-09"),
        (10**400, 1.0, "-"),
        (5, 5.0, "0"),
        (0, math.inf, "-"),
    ],
)
def test_a_change_is_shown_as_exactly_as_its_values(
    project: Path, untouched: None, one: float, other: float, change: str
) -> None:
    for name, value in (("kkkk", one), ("llll", other)):
        recording.record(project, name, run_id=run_id(name), metrics={"m": [value]})
    row = next(line for line in support.gitexp("diff", "-a", "kkkk", "llll").lines if "m:last" in line)
    assert row.split()[3] == change


def test_a_param_of_two_names_is_one(project: Path, untouched: None) -> None:
    recording.record(project, "a", run_id=run_id("kkkk"), params={"lr": 0.1, "batch_size": 32, "seed": 1})
    recording.record(project, "b", run_id=run_id("llll"), params={"learning_rate": 0.2, "bs": 32, "seed": 1})
    shown = support.gitexp("diff", "kkkk", "llll").stdout
    assert (
        "params               2 equal\n"
        "  batch_size                32        32   bs in B: a guess, the values are equal\n"
        "  learning_rate              -       0.2   only in B\n"
        "  lr                       0.1         -   only in A\n"
    ) in shown
    assert shown.endswith("2 causes possible (2 params): rerun with one changed to know which.\n")


def test_the_names_of_a_param_can_be_said(project: Path) -> None:
    support.git(project, "config", "gitexp.aliases", "lr=learning_rate=optimizer.lr")
    recording.record(project, "a", run_id=run_id("kkkk"), params={"lr": 0.1}, command=("train", "--lr", "0.1"))
    recording.record(
        project, "b", run_id=run_id("llll"), params={"optimizer": {"lr": 0.2}},
        command=("train", "--optimizer.lr", "0.2"),
    )  # fmt: skip
    recording.record(project, "c", run_id=run_id("mmmm"), params={"learning_rate": 0.2}, command=("train",))
    with support.untouched(project):
        two, json = support.gitexp("diff", "kkkk", "llll"), support.gitexp("diff", "kkkk", "llll", "--json").json
        same, three = support.gitexp("diff", "llll", "mmmm").stdout, support.gitexp("diff", "*").stdout
    assert "  lr                       0.1       0.2   optimizer.lr in B (gitexp.aliases: git config)\n" in two.stdout
    assert two.stdout.endswith("1 cause possible: param lr.\n")
    assert json["params"] == [
        {"name": "lr", "equal": False, "values": [0.1, 0.2], "present": [True, True],
         "names": ["lr", "optimizer.lr"], "alias": "git config"}
    ]  # fmt: skip
    said = "optimizer.lr in A; learning_rate in B (gitexp.aliases: git config)\n"
    assert f"  lr                       0.2       0.2   {said}" in same
    assert "lr: optimizer.lr in B; learning_rate in C (gitexp.aliases: git config)\n" in three


@pytest.mark.parametrize("flags", [[], ["--all"], ["--json"], ["--md"]])
def test_a_dataset_of_one_run_alone_is_said(project: Path, untouched: None, flags: list[str]) -> None:
    recording.record(project, "a", run_id=run_id("kkkk"), data=DATA)
    recording.record(project, "b", run_id=run_id("llll"))
    recording.record(project, "c", run_id=run_id("mmmm"), data=[{"role": "train", "uri": "s3://data/train.parquet"}])
    shown = support.gitexp("diff", "kkkk", "llll", *flags).stdout
    assert flags or "data                 train 7be1c04a, 1,204,331 rows only in A\n" in shown
    shown = support.gitexp("diff", "kkkk", "mmmm", *flags).stdout
    assert flags or "data                 train 7be1c04a, 1,204,331 rows -> s3://data/train.parquet\n" in shown
    support.gitexp("diff", "kkkk", "llll", "mmmm", *flags)


def test_metrics_can_be_chosen(two: Path, untouched: None) -> None:
    shown = support.gitexp("diff", "--metric", "val_*,gap").stdout
    assert "val_auc:max" in shown and "gap:last" in shown and "loss:min" not in shown
    assert support.gitexp("diff", "--metric", "nothing", expect=4).stderr == (
        "gitexp: no metric 'nothing' in these runs\nthey have: val_auc, loss, epochs, gap\n"
    )


def test_markdown_is_for_a_comment(two: Path, untouched: None) -> None:
    head = code(two)
    assert (
        support.gitexp("diff", "--md").stdout
        == f"""\
- **A** `mzrokvu` churn/lr0.1-leaves32, {head} + uncommitted edits
- **B** `kqzvmxr` churn/lr0.05-leaves32-cw3, {head}

|   | A | B | change |
| --- | --: | --: | --- |
| metrics, 1 equal |  |  |  |
| val_auc:max | 0.9312 | **0.9410** | +0.0098 +1.1 % better (higher: gitexp.toml) |
| loss:min | 0.2260 | **0.2031** | -0.0229 -10.1 % better (lower: guessed from the name) |
| gap:last | 1.500 | 1.250 | -0.250 -16.7 % better or worse is not known |
| params, 2 equal |  |  |  |
| lr | 0.1 | 0.05 |  |
| scale_pos_weight | - | 3 |  |
| code | {head}+ | {head} |  |
| environment, 8 equal |  |  |  |
| lightgbm | 4.4.0 | 4.5.0 |  |
| artifacts, 1 equal |  |  |  |
| model.txt | 200.0 kB | 201.0 kB |  |
| `plots/confusion.png` | 1 byte | 1 byte |  |
| `plots/confusion.png, hash` | 56a6051c | d8263ee9 |  |

4 causes possible (2 params, code, 1 package): rerun with one changed to know which.
"""
    )


def test_runs_that_do_not_fit_side_by_side_are_shown_in_blocks(
    project: Path, untouched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        recording.record(
            project, f"run{number}", params={"lr": number / 10, "text": "long " * 10 + str(number)},
            metrics={"val_auc": [0.5 + number / 100]}, environment=None,
        )  # fmt: skip
    whole = support.gitexp("diff", "run*").lines
    assert whole[13].split() == list("ABCDEFGHIJKL")
    monkeypatch.setenv("GITEXP_FORCE_TERMINAL", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = support.gitexp("diff", "run*").lines
    assert max(map(len, shown)) <= 100
    heads = [line.split() for line in shown if line.strip() and set(line.split()) <= set("ABCDEFGHIJKL")]
    assert [label for head in heads for label in head] == list("ABCDEFGHIJKL") and len(heads) > 1
    assert sum(line.startswith("  val_auc:max") for line in shown) == len(heads)
    assert "12 values shortened; whole in a pipe, and with --json" in shown


def test_a_query_chooses_the_runs(two: Path, untouched: None) -> None:
    wanted = support.gitexp("diff", "mzrokvu", "kqzvmxr").stdout
    assert support.gitexp("diff", "--where", "params.leaves = 32").stdout == wanted
    best = support.gitexp("diff", "-w", "params.leaves = 32", "--sort", "-metrics.val_auc", "--json").json
    assert [run["id"] for run in best["runs"]] == [run_id("kqzvmxr"), run_id("mzrokvu")]
    named = support.gitexp("diff", "kqzvmxr", "-w", "params.lr = 0.1", "-e", "churn", "--json").json
    assert [run["id"] for run in named["runs"]] == [run_id("kqzvmxr"), run_id("mzrokvu")]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--where", "leaves > 99"], 4, "comparing needs two runs, and 0 runs matched\ngitexp log --where '…'\n"),
        (["-w", "leaves = 32", "-n", "1"], 4, "comparing needs two runs, and 1 run matched\ngitexp log --where '…'\n"),
        (["--sort", "params.lr"], 2, "--sort needs --where\n--where \"status = 'completed'\"\n"),
        (["-n", "0"], 2, "--limit needs --where\n--where \"status = 'completed'\"\n"),
    ],
)  # fmt: skip
def test_a_query_without_two_runs_says_so(two: Path, untouched: None, args: list[str], code: int, said: str) -> None:
    assert support.gitexp("diff", *args, expect=code).stderr == f"gitexp: {said}"


def test_a_query_of_many_runs_compares_the_newest_and_says_so(project: Path, untouched: None) -> None:
    for number in range(14):
        recording.record(project, f"run{number}", params={"lr": number}, environment=None)
    shown = support.gitexp("diff", "--where", "params.lr >= 0")
    assert shown.stderr == "gitexp: more runs match than these 12; say how many: --limit 20\n"
    assert shown.lines[0].split()[2] == "churn/run2" and shown.lines[11].split()[2] == "churn/run13"
    assert support.gitexp("diff", "--where", "params.lr >= 0", "-n", "3").stderr == ""


def test_thousands_of_metrics_do_not_bury_the_causes(project: Path, untouched: None) -> None:
    for run, loss in (("kkkk", 0.5), ("llll", 0.25), ("mmmm", 0.75)):
        many = {f"m{number:03}": [number + loss] for number in range(150)}
        recording.record(project, run, run_id=run_id(run), metrics={**many, "loss": [loss]}, params={"lr": loss})
    for runs in (["kkkk", "llll"], ["kkkk", "llll", "mmmm"]):
        lines = support.gitexp("diff", *runs).lines
        assert sum(":last" in line for line in lines) == 99
        assert any("loss:min" in line for line in lines)
        assert any(line.rstrip() == "  and 51 metrics more (--all, --metric NAMES)" for line in lines)
        assert len(support.gitexp("diff", *runs, "--all").lines) > 150
    assert len(support.gitexp("diff", "kkkk", "llll", "--name-only").lines) > 150
