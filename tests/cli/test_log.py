"""gitexp log: the table, its filters, and its other forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.record.reasons import Reason
from gitexp.store import annotations as said
from gitexp.store import workspace as workspaces
from tests import stored, support

A, B, C, D = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz", "tvnqylstvnqylstv", "pqwtznopqwtznopq"


@pytest.fixture
def churn(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the short code commit of a project with four runs, the clock at 15:00."""
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    shared = {"num_leaves": 32, "split": {"test": 0.1}}
    stored.make(
        None,
        "lr0.05",
        A,
        at="14:48",
        took=252,
        given={"lr": 0.05, **shared},
        logged={"val_auc": [0.812, 0.941, 0.9398], "loss": [0.6931, 0.2031], "epoch": [1, 2]},
    )
    stored.make(
        None,
        "lr0.1",
        B,
        at="14:40",
        took=245,
        given={"lr": 0.1, **shared},
        edits=["train.py"],
        logged={"val_auc": [0.8, 0.9312], "loss": [0.6, 0.226], "epoch": [1, 2]},
    )
    stored.make(
        None,
        "lr0.2",
        C,
        at="14:29",
        took=41,
        given={"lr": 0.2, **shared},
        status="failed",
        exit_code=1,
        logged={"val_auc": [0.5012], "loss": [0.6931, float("nan")], "epoch": [1]},
        reasons=(Reason("nan", "loss", "loss is NaN at step 1"),),
        tags={"nan": ""},
    )
    stored.make(
        None,
        "two-towers",
        D,
        at="13:00",
        took=3753,
        status="killed",
        given={"towers": 2},
        logged={"val_auc": [0.912]},
        experiment="towers",
    )
    return support.git(project, "rev-parse", "HEAD")[:7]  # fmt: skip


def test_the_table_has_a_line_a_run_and_marks_the_best(churn: str) -> None:
    assert (
        support.gitexp("log").stdout
        == f"""\
churn: 3 runs, 1 failed. best val_auc: kqzvmxr

  ID       NAME    STATUS      AGE  TIME  val_auc:max  loss:min  lr    CODE
@ kqzvmxr  lr0.05  completed   12m  4:12      *0.9410   *0.2031  0.05  {churn}
  mzrokvu  lr0.1   completed   20m  4:05       0.9312    0.2260  0.1   {churn}+
  tvnqyls  lr0.2   failed nan  31m  0:41       0.5012    0.6931  0.2   {churn}

3 runs.  + uncommitted edits.  * best: higher val_auc, lower loss (guessed from the name).  \
2 params, 1 metric not shown (--columns all).  1 other experiment (--all).
"""
    )


def test_a_narrow_terminal_gets_what_fits_and_is_told_the_rest(churn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_FORCE_TERMINAL", "1")
    monkeypatch.setenv("COLUMNS", "60")
    shown = support.gitexp("log").stdout
    assert "  ID       NAME    STATUS      AGE  val_auc:max  loss:min" in shown
    assert "Too narrow for TIME, lr, CODE." in shown
    monkeypatch.setenv("COLUMNS", "140")
    assert support.gitexp("log").stdout.split() == _piped(monkeypatch).split()


def _piped(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("GITEXP_FORCE_TERMINAL")
    return support.gitexp("log").stdout


def test_all_experiments_are_told_apart(churn: str) -> None:
    shown = support.gitexp("log", "--all").stdout
    assert shown.startswith("all experiments: 4 runs, 1 failed\n")
    assert "  pqwtzno  towers/two-towers  killed       2h  1:02:33" in shown
    assert shown.endswith(
        "\n4 runs.  + uncommitted edits.  * best: higher val_auc, lower loss (guessed from the name).  "
        "1 metric not shown (--columns all).\n"
    )


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["-n", "1"], [A]),
        (["--limit", "0"], []),
        (["--all"], [A, B, C, D]),
        (["-e", "towers"], [D]),
        (["-e", "churn", "--all"], [A, B, C]),
        (["--since", "2026-11-20T14:40:00Z"], [A, B]),
        (["--until", "2026-11-20T14:40:00Z"], [B, C]),
        (["--since", "1 year ago", "--until", "2026-11-20T14:30:00+00:00"], [C]),
        (["--status", "failed"], [C]),
        (["--author", "RUIZ"], [A, B, C]),
        (["--author", "bob"], []),
        (["--mine"], [A, B, C]),
        (["--grep", r"lr0\.1"], [B]),
        (["--best", "val_auc"], [A, B, C]),
        (["--best", "loss"], [A, B, C]),
        (["--best", "epoch"], [A, B, C]),
        (["HEAD"], [A, B, C, D]),
        (["HEAD", "-e", "towers"], [D]),
        (["HEAD..HEAD"], []),
        (["main", "--status", "completed", "-n", "1"], [A]),
    ],
)
def test_runs_are_filtered(churn: str, words: list[str], ids: list[str]) -> None:
    shown = support.gitexp("log", "--format", "{id}", *words)
    assert shown.lines == ids


def test_runs_of_a_range_of_commits_are_those_of_their_code(churn: str, project: Path) -> None:
    first = support.git(project, "rev-parse", "HEAD")
    support.commit(project, "more", more__py="1")
    stored.make(None, "later", "wxlnptywxlnptywx", at="14:50", edits=["more.py"])
    assert support.gitexp("log", "--format", "{name}", f"{first}..HEAD").lines == ["later"]
    assert support.gitexp("log", "--format", "{name}", first).lines == ["lr0.05", "lr0.1", "lr0.2", "two-towers"]
    shown = support.gitexp("log", "nothing..HEAD", expect=4).stderr
    assert shown.startswith("gitexp: no commits 'nothing..HEAD'")


def test_what_is_said_of_runs_counts(churn: str) -> None:
    support.gitexp("tag", "mzrokvu", "promising")
    support.gitexp("note", "kqzvmxr", "first above 0.94")
    support.gitexp("title", "tvnqyls", "too fast")
    assert support.gitexp("log", "--format", "{name}", "--grep", "promis").lines == ["lr0.1"]
    assert support.gitexp("log", "--format", "{name}", "--grep", "above").lines == ["lr0.05"]
    assert "  tvnqyls  too fast  failed nan" in support.gitexp("log").stdout


def test_removed_and_archived_runs_are_hidden_and_said(churn: str) -> None:
    support.gitexp("rm", "mzrokvu")
    workspace = workspaces.open()
    lines = support.gitexp("log", "--format", "{short}").lines
    assert lines == ["kqzvmxr", "tvnqyls"]
    assert support.gitexp("log", "--removed", "--format", "{short}").lines == ["mzrokvu"]
    run = support.gitexp("show", "kqzvmxr", "--json").json
    from gitexp.ops.finding import find

    said.add(workspace, [said.about_run(find.one(workspace, run["id"]), "archive")])
    shown = support.gitexp("log")
    assert shown.lines[0] == "churn: 2 runs, 1 failed"
    assert "1 archived (--all)." in shown.lines[-1]
    assert support.gitexp("log", "--all", "-e", "churn", "--format", "{short}").lines == ["kqzvmxr", "tvnqyls"]


def test_columns_can_be_chosen(churn: str) -> None:
    head = support.gitexp("log", "--columns", "split.test,val_auc:last,epoch,lr").lines[2]
    assert head.split()[5:] == ["split.test", "val_auc:last", "epoch:last", "lr", "CODE"]
    assert support.gitexp("log", "--columns", "all").lines[2].split()[5:] == [
        "val_auc:max", "loss:min", "epoch:last", "lr", "num_leaves", "split.test", "CODE",
    ]  # fmt: skip
    assert support.gitexp("log", "--columns", "nothing", expect=4).stderr == (
        "gitexp: no run has a param, metric or tag 'nothing'\nsee what there is: gitexp log --columns all\n"
    )


def test_settings_choose_the_main_metric_its_direction_and_more_columns(churn: str, project: Path) -> None:
    support.write(
        project / "gitexp.toml", 'metric = "epoch"\nmaximize = ["loss"]\ncolumns = ["num_leaves", "absent"]\n'
    )
    lines = support.gitexp("log").lines
    assert lines[2].split()[5:] == ["epoch:last", "val_auc:max", "loss:max", "lr", "num_leaves", "CODE"]
    assert lines[0] == "churn: 3 runs, 1 failed"
    assert support.gitexp("log", "--best", "loss", "--format", "{name}").lines == ["lr0.05", "lr0.2", "lr0.1"]


def test_one_line_a_run(churn: str) -> None:
    assert support.gitexp("log", "--oneline").lines == [
        "kqzvmxr churn/lr0.05: completed in 4:12, val_auc:max 0.9410",
        "mzrokvu churn/lr0.1: completed in 4:05, val_auc:max 0.9312",
        "tvnqyls churn/lr0.2: failed in 0:41, val_auc:max 0.5012",
    ]


def test_one_line_a_run_has_the_main_metric_of_the_project(churn: str, project: Path) -> None:
    support.git(project, "config", "gitexp.metric", "loss")
    assert support.gitexp("log", "--oneline").lines[0] == "kqzvmxr churn/lr0.05: completed in 4:12, loss:min 0.2031"


def test_infinity_is_explained_where_it_is_written_as_a_name(churn: str) -> None:
    shown = support.gitexp("log", "--where", "val_auc = -inf", expect=2)
    assert shown.stderr.startswith("gitexp: column 12: no field, param, metric or tag is called 'inf'\n")
    assert shown.stderr.endswith("\ninfinity is written: 1e400\n")


def test_a_list_of_none_says_how_many_there_are(churn: str) -> None:
    assert support.gitexp("log", "-n", "0").lines[1:] == ["0 of 3 (-n 50, --all)"]
    assert support.gitexp("log", "-n", "0", "--where", "lr > 9").lines[1:] == ["no run matches"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--csv", "--json"], "--csv and --json are two forms of one list"),
        (["--oneline", "--format", "{id}"], "--oneline and --format are two forms of one list"),
        (["--parquet", "x.parquet", "--csv"], "--csv and --parquet are two forms of one list"),
        (["--group-by", "lr", "--csv"], "--group-by has no --csv"),
    ],
)
def test_two_forms_at_once_are_refused(churn: str, project: Path, args: list[str], said: str) -> None:
    assert support.gitexp("log", *args, expect=2).stderr.startswith(f"gitexp: {said}\ngitexp log ")
    assert not (project / "x.parquet").exists()


def test_params_of_many_digits_are_rounded_side_by_side(churn: str) -> None:
    stored.make(None, "sum", "zzzzzzzzzzzzzzzz", at="14:55", given={"lr": 0.1 + 0.2})
    assert " 0.3 " in support.gitexp("log").lines[3]
    assert support.gitexp("log", "-n", "1", "--json").json[0]["params"] == {"lr": 0.1 + 0.2}


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("{short} {name}", "kqzvmxr lr0.05"),
        (r"{params.lr}\t{metrics.loss.min:.1f}\\", "0.05\t0.2\\"),
        ("{metrics.val_auc} {params.split.test} {params.nothing}", "0.9398 0.1 -"),
        ("{{{experiment}}} {title} {live} {code.branch}", "{churn} - false main"),
        ("{command}", '["python", "train.py"]'),
        ("{name:>8}|{duration:x}", "  lr0.05|252.0"),
    ],
)
def test_a_format_of_ones_own(churn: str, wanted: str, line: str) -> None:
    assert support.gitexp("log", "-n", "1", "--format", wanted).stdout == line + "\n"


def test_a_key_that_no_run_has_is_said(churn: str) -> None:
    shown = support.gitexp("log", "--format", "{nmae}", expect=2).stderr
    assert shown.startswith("gitexp: --format: no key 'nmae'\nthe keys are: short, id, name, ")


def test_json_has_every_run_and_what_is_no_number_as_a_string(churn: str) -> None:
    found = support.gitexp("log", "--json").json
    assert [run["name"] for run in found] == ["lr0.05", "lr0.1", "lr0.2"]
    assert found[2]["metrics"]["loss"]["last"] == "NaN"
    assert found[0]["params"] == {"lr": 0.05, "num_leaves": 32, "split": {"test": 0.1}}
    assert (found[0]["start"], found[0]["duration"]) == ("2026-11-20T14:48:00.000Z", 252.0)


def test_running_runs_are_in_the_list(project: Path) -> None:
    with stored.live("trial", loss=[0.5, 0.4]):
        shown = support.gitexp("log")
        assert shown.lines[0] == "churn: 1 run, 1 running"
        assert shown.lines[3].split()[2:4] == ["trial", "running"]
        assert support.gitexp("log", "--oneline").stdout.endswith(" churn/trial: running, loss:min 0.4000\n")
    assert support.gitexp("log").lines[0] == "churn: 1 run"


def test_a_run_without_metrics_does_not_hide_the_best(churn: str) -> None:
    stored.make(None, "wrapped", "zzzzzzzzzzzzzzzz", at="14:55")
    assert support.gitexp("log").lines[0] == "churn: 4 runs, 1 failed. best val_auc: kqzvmxr"


def test_several_people_get_a_column(churn: str) -> None:
    stored.make(None, "bobs", "zzzzzzzzzzzzzzzz", at="14:55", who=("Bob Ray", "bob@acme.io"))
    assert support.gitexp("log").lines[2].split()[5] == "WHO"
    assert support.gitexp("log", "--author", "bob@", "--format", "{name}").lines == ["bobs"]


def test_what_a_remote_lacks_is_counted(churn: str, project: Path, tmp_path: Path) -> None:
    support.git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    support.git(project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    assert support.gitexp("log").lines[0] == "churn: 3 runs, 1 failed; 3 not pushed. best val_auc: kqzvmxr"
    support.gitexp("push", "--yes", "lr0.05")
    assert support.gitexp("log").lines[0] == "churn: 3 runs, 1 failed; 2 not pushed. best val_auc: kqzvmxr"


def test_an_empty_project_says_how_to_begin(project: Path) -> None:
    assert support.gitexp("log").stdout == "default: 0 runs\nrecord one with: gitexp run -- python train.py\n"
    assert support.gitexp("log", "--json").json == []


def test_an_unborn_branch_has_no_runs_either(tmp_path: Path) -> None:
    support.git(tmp_path, "init", "--quiet", "new")
    assert support.gitexp("-C", str(tmp_path / "new"), "log").lines[0] == "default: 0 runs"


def test_an_experiment_that_does_not_exist_names_what_is_near(churn: str) -> None:
    shown = support.gitexp("log", "-e", "chrn", expect=4).stderr
    assert shown == "gitexp: no experiment 'chrn'\ndid you mean: churn\n"


def test_a_pattern_that_is_none_is_said(churn: str) -> None:
    assert support.gitexp("log", "--grep", "(", expect=2).stderr.startswith("gitexp: '(' is not a regular expression")


def test_the_current_experiment_is_the_one_set_or_the_newest_runs_whatever_is_checked_out(
    churn: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.git(project, "switch", "--quiet", "-c", "towers")
    assert support.gitexp("log").lines[0].startswith("churn: 3 runs")
    monkeypatch.setenv("GITEXP_EXPERIMENT", "towers")
    assert support.gitexp("log").lines[0].startswith("towers: 1 run")


@pytest.mark.parametrize("state", ["unborn", "detached", "bare"])
def test_a_list_is_the_same_whatever_head_is(churn: str, project: Path, tmp_path: Path, state: str) -> None:
    before = [support.gitexp("log").stdout, support.gitexp("ref", "@{best:val_auc}").stdout]
    if state == "unborn":
        support.git(project, "symbolic-ref", "HEAD", "refs/heads/nothing-yet")
    elif state == "detached":
        support.git(project, "switch", "--quiet", "--detach", "HEAD")
    else:
        support.git(project, "config", "core.bare", "true")
    assert [support.gitexp("log").stdout, support.gitexp("ref", "@{best:val_auc}").stdout] == before


def test_experiments_below_one_are_listed_with_it(project: Path) -> None:
    stored.make(None, "a", A, experiment="vision/resnet")
    stored.make(None, "b", B, experiment="vision/vit", at="14:10")
    assert support.gitexp("log", "-e", "vision", "--format", "{experiment}/{name}").lines == [
        "vision/vit/b",
        "vision/resnet/a",
    ]


def test_hostile_names_do_not_reach_the_terminal(project: Path) -> None:
    stored.make(None, "evil\x1b[2J\u202e", A, given={"\x1b]0;x\x07": "\x9b"}, logged={"\x1bloss": [1.0, 2.0]})
    for words in (["log"], ["log", "--oneline"], ["log", "--columns", "all"], ["log", "--format", "{name} {params}"]):
        shown = support.gitexp(*words).stdout
        assert "\x1b" not in shown and "\u202e" not in shown and "\x9b" not in shown
        assert "evil" in shown


def test_a_record_that_does_not_parse_does_not_hide_the_others(churn: str, project: Path) -> None:
    for run_id, name in (("zzzzzzzzzzzzzzzz", "run.json"), ("yyyyyyyyyyyyyyyy", "params.json")):
        broken = stored.make(None, "broken", run_id, at="14:58", logged={"loss": [0.1]})
        support.git(project, "switch", "--quiet", "--detach", str(broken.commit))
        support.write(project / ".gitexp" / name, "[3")
        support.git(project, "commit", "--quiet", "--amend", "--no-edit", "--all", "--date=2026-11-20T14:58:00Z")
        support.git(project, "update-ref", str(broken.ref), "HEAD")
        support.git(project, "switch", "--quiet", "main")
    shown = support.gitexp("log").lines
    assert [line[2:].split()[:3] for line in shown if " unreadable " in line and "(" not in line] == [
        ["zzzzzzz", "broken", "unreadable"],
        ["yyyyyyy", "broken", "unreadable"],
    ]
    assert shown[-1].endswith("1 other experiment (--all).") and "2 unreadable (gitexp show ID says why)." in shown[-1]
    found = support.gitexp("log", "--json").json
    assert [run["name"] for run in found if "damaged" in run] == ["broken", "broken"]
    assert support.gitexp("show", "zzz", expect=8).stderr.startswith("gitexp: run.json")
    for words in (
        ["log", "--best", "loss"],
        ["log", "--oneline"],
        ["status"],
        ["ref", "@{min:loss}"],
        ["show", "@~2"],
    ):
        support.gitexp(*words)
