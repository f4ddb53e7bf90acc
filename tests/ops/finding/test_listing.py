"""Lists of runs: conditions, orders, counts, columns, and what is said beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import BadQuery, NotFound, UsageError
from gitexp.ops.finding import columns, listing
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import recording, stored, support

A, B, C, D = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz", "tvnqylstvnqylstv", "pqwtznopqwtznopq"


@pytest.fixture
def workspace(project: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return a project with three runs of `churn` and one of `vision/vit`, the newest."""
    monkeypatch.setenv("GITEXP_NOW", stored.NOW)
    opened = workspaces.open()
    stored.make(opened, "a", A, at="14:00", given={"lr": 0.1, "opt": "sgd"}, logged={"val_acc": [0.7, 0.6]})
    stored.make(opened, "b", B, at="14:10", given={"lr": 0.01, "opt": "adam"}, logged={"val_acc": [0.8]})
    stored.make(opened, "c", C, at="14:20", given={"lr": 0.001}, logged={"loss": [0.3]}, status="failed", exit_code=1)
    stored.make(opened, "d", D, at="14:30", given={"lr": 1.0}, logged={"val_acc": [0.9]}, experiment="vision/vit")
    monkeypatch.setenv("GITEXP_EXPERIMENT", "churn")
    return opened


def found(workspace: Workspace, **query: object) -> list[str]:
    return [entry.name for entry in listing.entries(workspace, listing.Query(**query))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["c", "b", "a"]),
        ({"where": "params.lr < 0.05"}, ["c", "b"]),
        ({"where": "val_acc > 0.65 and opt = 'adam'"}, ["b"]),
        ({"where": "not opt = 'adam'"}, ["c", "a"]),
        ({"where": "status = 'failed' or val_acc >= 0.8", "every": True}, ["d", "c", "b"]),
        ({"where": "experiment = 'vision/*'", "every": True}, ["d"]),
        ({"sort": "lr"}, ["c", "b", "a"]),
        ({"sort": "-lr"}, ["a", "b", "c"]),
        ({"sort": "-metrics.val_acc"}, ["b", "a", "c"]),
        ({"sort": "metrics.val_acc"}, ["a", "b", "c"]),
        ({"sort": "status,-lr"}, ["a", "b", "c"]),
        ({"best": "val_acc"}, ["b", "a"]),
        ({"best": "val_acc", "where": "lr > 0.05"}, ["a"]),
        ({"sort": "-lr", "limit": 2}, ["a", "b"]),
        ({"status": "failed", "where": "lr < 1"}, ["c"]),
        ({"since": "2026-11-20 14:05", "until": "2026-11-20 14:15"}, ["b"]),
        ({"grep": "^b$"}, ["b"]),
        ({"grep": "B"}, ["b"]),
        ({"experiment": "vision"}, ["d"]),
        ({"removed": True}, []),
    ],
)
def test_options_and_queries_are_one_language(workspace: Workspace, query: dict[str, object], names: list[str]) -> None:
    assert found(workspace, **query) == names


def test_the_k_best_of_a_filter_are_a_filter_an_order_and_a_number(workspace: Workspace) -> None:
    shown = support.gitexp(
        "log", "--where", "params.lr <= 0.1", "--sort", "-metrics.val_acc", "-n", "1", "--format", "{name}"
    )
    assert shown.lines == ["b"]


def test_counts_above_a_list_are_of_the_whole_experiment(workspace: Workspace) -> None:
    shown = listing.collect(workspace, listing.Query(where="lr < 0.05", limit=1))
    assert (shown.title, shown.total, shown.failed, shown.matched) == ("churn", 3, 1, 2)
    assert [entry.name for entry in shown.rows] == ["c"]
    assert (shown.best, shown.newest, shown.other_experiments) == (("val_acc", B), D, 1)


def test_names_that_no_run_has_are_said_with_near_ones(workspace: Workspace) -> None:
    shown = support.gitexp("log", "--where", "metrics.val_ac > 0.1 or params.nope = 1", "--sort", "tags.x")
    assert shown.stderr.splitlines() == [
        "gitexp: no run has metrics.val_ac; did you mean metrics.val_acc?",
        "gitexp: no run has params.nope",
        "gitexp: no run has tags.x",
    ]
    assert shown.stdout == "churn: 3 runs, 1 failed. best val_acc: mzrokvu\nno run matches\n"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("lr <", "column 5: expected a value, not the end"),
        ("lr = 1)", "column 7: "),
        ("valacc > 1", "column 1: "),
    ],
)
def test_a_query_with_a_fault_says_where(workspace: Workspace, query: str, message: str) -> None:
    with pytest.raises(BadQuery) as caught:
        found(workspace, where=query)
    assert caught.value.message.startswith(message)
    assert support.gitexp("log", "--where", query, expect=2).stdout == ""


def test_what_a_query_speaks_of_is_shown_first(workspace: Workspace) -> None:
    heads = support.gitexp("log", "--where", "opt = 'adam' or loss > 0", "--sort", "val_acc").lines[2].split()
    assert heads[5:] == ["val_acc:max", "loss:min", "opt", "lr", "CODE"]


def test_columns_are_params_metrics_tags_posts_fields_and_expressions(workspace: Workspace) -> None:
    support.gitexp("tag", "b", "owner=ana")
    from gitexp.ops import annotate
    from gitexp.ops.finding import find

    annotate.post(workspace, [find.one(workspace, "b")], {"uplift": 0.5})
    shown = support.gitexp(
        "log",
        "--columns",
        "params.lr, val_acc:last, tags.owner, post.uplift, user, val_acc * 10 + lr",
        "--status",
        "completed",
    )
    assert [line.split()[5:] for line in shown.lines[2:5]] == [
        ["lr", "val_acc:last", "tags.owner", "post.uplift", "user", "val_acc", "*", "10", "+", "lr", "CODE"],
        ["0.01", "*0.8000", "ana", "0.5000", "Ana", "Ruiz", "8.010", shown.lines[3].split()[-1]],
        ["0.1", "0.6000", "-", "-", "Ana", "Ruiz", "7.100", shown.lines[4].split()[-1]],
    ]
    with pytest.raises(NotFound) as caught:
        columns.named(workspace, "val_ac")
    assert caught.value.hint == "did you mean: val_acc"


def test_a_bare_tag_is_shown_as_there(workspace: Workspace) -> None:
    support.gitexp("tag", "a", "baseline")
    lines = support.gitexp("log", "--where", "lr > 0.05 or lr < 0.005", "--columns", "tags.baseline").lines
    assert [line.split()[-2] for line in lines[3:5]] == ["-", "yes"]
    lines = support.gitexp("log", "--group-by", "tags.baseline", "--columns", "val_acc").lines
    assert [line.split()[:2] for line in lines[2:5]] == [["tags.baseline", "RUNS"], ["yes", "1"], ["-", "2"]]


def test_runs_are_found_by_where_their_code_has_gone(workspace: Workspace, project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "feature")
    support.commit(project, "a feature", feature__py="1")
    stored.make(workspace, "tried", "wxlnptywxlnptywx", at="14:40", logged={"val_acc": [0.95]})
    assert support.gitexp("log", "main..HEAD", "--format", "{name} {via}").lines == ["tried commit"]
    support.git(project, "switch", "--quiet", "main")
    support.commit(project, "something else", other__py="2")
    support.git(project, "merge", "--quiet", "--squash", "feature")
    support.git(project, "commit", "--quiet", "-m", "the feature, squashed")
    shown = support.gitexp("log", "--on", "main", "-n", "2").lines
    assert [line.split()[-1] for line in shown[2:5]] == ["VIA", "patch", "commit"]
    assert shown[0] == "all experiments: 5 runs, 1 failed"
    assert "VIA: by what the code is in that history." in shown[-1]
    assert support.gitexp("log", "--on", "nothing", expect=4).stdout == ""


def test_what_follows_two_dashes_are_paths_that_code_touched(project: Path) -> None:
    recording.record(project, "before")
    support.commit(project, "a feature", feature__py="1")
    recording.record(project, "tried")
    support.commit(project, "notes", notes__md="2")
    recording.record(project, "after")
    assert support.gitexp("log", "--format", "{name}", "--", "feature.py").lines == ["tried"]
    assert support.gitexp("log", "HEAD~1", "--format", "{name}", "--", "*.py").lines == ["tried", "before"]


def test_a_list_of_columns_is_parted_where_no_quote_or_parenthesis_is_open() -> None:
    assert columns.split("a, b,`c,d`, min(e), 'f,g' ,") == ["a", "b", "`c,d`", "min(e)", "'f,g'"]


def test_the_value_that_stands_for_a_metric_is_said_filtered_and_sorted_by(workspace: Workspace) -> None:
    support.git(workspace.repo.git_dir.parent, "config", "gitexp.summary", "val_acc=last")
    shown = support.gitexp("log", "--where", "val_acc < 0.65")
    assert "val_acc:last" in shown.lines[2] and " a " in shown.lines[3]
    assert len(shown.lines) == 6


WARM = """
import sys
from gitexp.cli.main import main
assert main(["log", "--where", "params.lr < 0.05", "--sort", "-metrics.val_acc"]) == 0
heavy = [name for name in ("pygit2", "pandas", "numpy", "dulwich", "rich", "packaging") if name in sys.modules]
assert heavy == [], heavy
"""


def test_a_list_that_finds_nothing_new_loads_no_heavy_library(workspace: Workspace, project: Path) -> None:
    support.gitexp("log")
    assert " b " in support.python(project, WARM).stdout


def test_a_list_reads_no_record(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    support.gitexp("log")

    def refuse(*_: object) -> bytes:
        raise AssertionError("a record was read")

    monkeypatch.setattr("gitexp.git.objects.read_blob", refuse)
    assert "val_acc:max" in support.gitexp("log", "--group-by", "opt").stdout
    assert " b " in support.gitexp("log", "--columns", "all").stdout
    assert support.gitexp("log", "--oneline").lines[1] == "mzrokvu churn/b: completed in 1:00, val_acc:max 0.8000"
    assert support.gitexp("log", "--csv").lines[1].startswith(C)


def test_a_template_reads_one_run_at_a_time(workspace: Workspace) -> None:
    chosen = listing.selection(workspace, listing.Query())
    runs = listing.describe(chosen)
    assert next(runs)["name"] == "c"
    assert [run["name"] for run in runs] == ["b", "a"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (listing.Query(limit=-1), "limit is a number of runs, 0 or more, not -1"),
        (listing.Query(limit="5"), "limit is a number of runs, 0 or more, not '5'"),  # type: ignore[arg-type]  # a script's
        (listing.Query(where=3), "where is a text, not 3"),  # type: ignore[arg-type]  # a script's
    ],
)
def test_what_no_query_can_be_is_misuse(workspace: Workspace, query: listing.Query, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        listing.entries(workspace, query)
    assert caught.value.message == said
