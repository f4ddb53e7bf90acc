"""gitexp tag, note and title: the whole of what they print."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.store.runs import Run
from tests import sharing, support

ID, OTHER = "kqzvmxr" + "k" * 9, "mzrokvu" + "k" * 9
LABEL = "churn/lr0.05 (kqzvmxr)"


@pytest.fixture(autouse=True)
def run(project: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GITEXP_NOW", "2026-11-21T14:20:00Z")
    return sharing.make_run(sharing.opened(project), "lr0.05", run_id=ID)


def test_tags_are_set_listed_and_taken_away(project: Path) -> None:
    with support.untouched(project):
        done = support.gitexp("tag", "lr0.05", "owner=ana", "production-candidate")
        assert (done.stdout, done.stderr) == ("", f"{LABEL}: owner=ana  production-candidate\n")
        assert support.gitexp("tag", "kqz", "-l").stdout == "owner=ana\nproduction-candidate\n"
        assert support.gitexp("tag", "@", "--json").json == {ID: {"owner": "ana", "production-candidate": ""}}
        done = support.gitexp("tag", "-d", "lr0.05", "owner", "production-candidate")
        assert (done.stdout, done.stderr) == ("", f"{LABEL}: no tags\n")
    assert support.gitexp("tag", "lr0.05").stdout == ""


def test_a_pattern_tags_several_runs_and_lists_name_them(project: Path) -> None:
    sharing.make_run(sharing.opened(project), "lr0.1", run_id=OTHER)
    support.gitexp("tag", "churn/*", "q3")
    lines = support.gitexp("tag", "churn/*", "-l").lines
    assert sorted(lines) == [f"{LABEL}: q3", "churn/lr0.1 (mzrokvu): q3"]


def test_a_query_says_which_runs_are_tagged_and_noted(project: Path) -> None:
    sharing.make_run(sharing.opened(project), "lr0.1", run_id=OTHER)
    support.gitexp("tag", "--where", "name = 'lr0.1'", "good", "owner=ana")
    assert support.gitexp("tag", "--where", "tags.good").stdout == "good\nowner=ana\n"
    assert support.gitexp("tag", "lr0.05").stdout == ""
    done = support.gitexp("note", "--where", "tags.owner = 'ana'", "out", "of", "memory")
    assert (done.stdout, done.stderr) == ("", "noted on churn/lr0.1 (mzrokvu)\n")
    assert [note["text"] for note in support.gitexp("note", OTHER, "--json").json[OTHER]] == ["out of memory"]
    assert support.gitexp("note", expect=2).stderr.startswith("gitexp: no run is named\n")


def test_a_tag_of_the_record_is_hidden_by_taking_it_away(project: Path) -> None:
    support.gitexp("tag", "-d", "lr0.05", "never-there")
    assert support.gitexp("tag", "lr0.05", "--json").json == {ID: {}}


def test_a_tag_that_cannot_be_exits_with_2(project: Path) -> None:
    done = support.gitexp("tag", "lr0.05", "=ana", expect=2)
    assert done.stderr == "gitexp: tag '' is empty, too long or not printable\nfor example: owner=ana\n"


def test_escapes_in_a_fetched_tag_never_reach_the_terminal(run: Run, project: Path) -> None:
    sharing.tag(sharing.opened(project), run, "a\x1b[31m", "b\x07")
    assert support.gitexp("tag", "lr0.05").stdout == "a\\x1b[31m=b\\x07\n"


def test_a_note_is_added_and_listed(project: Path) -> None:
    with support.untouched(project):
        done = support.gitexp("note", "lr0.05", "first", "above", "0.94")
        assert (done.stdout, done.stderr) == ("", f"noted on {LABEL}\n")
        support.gitexp("note", "lr0.05", "-", input="two\nlines\n")
    assert support.gitexp("note", "-l", "lr0.05").lines == [
        "2026-11-21 14:20 Ana Ruiz: first above 0.94",
        "2026-11-21 14:20 Ana Ruiz: two",
        "    lines",
    ]
    (first, _) = support.gitexp("note", "lr0.05", "--json").json[ID]
    assert {key: first[key] for key in ("author", "text", "time")} == {
        "author": {"name": "Ana Ruiz", "email": "ana@acme.io"},
        "text": "first above 0.94",
        "time": "2026-11-21T14:20:00.000Z",
    }


def test_without_a_text_the_editor_is_asked(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    editor = support.write(tmp_path / "editor", '#!/bin/sh\nprintf "from the editor\\n# not this\\n" > "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("GIT_EDITOR", str(editor))
    support.gitexp("note", "lr0.05")
    assert support.gitexp("note", "-l", "lr0.05").lines == ["2026-11-21 14:20 Ana Ruiz: from the editor"]


def test_an_empty_note_is_not_kept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_EDITOR", "true")
    done = support.gitexp("note", "lr0.05", expect=2)
    assert done.stderr == "gitexp: note is empty\ngive it some words\n"


def test_a_title_is_given_shown_and_taken_away(project: Path) -> None:
    assert support.gitexp("title", "lr0.05").stdout == ""
    done = support.gitexp("title", "lr0.05", "the", "best")
    assert (done.stdout, done.stderr) == ("", f"{LABEL}: the best\n")
    assert support.gitexp("title", "lr0.05").stdout == "the best\n"
    assert support.gitexp("title", "lr0.05", "--json").json == {"id": ID, "title": "the best"}
    assert support.gitexp("title", "-d", "lr0.05").stderr == f"{LABEL}: no title\n"
    assert support.gitexp("title", "lr0.05", "--json").json == {"id": ID, "title": None}
