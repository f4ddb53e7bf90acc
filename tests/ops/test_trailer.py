"""The trailer `Run: NAME`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import Refused
from gitexp.ops import trailer
from gitexp.store import reflog
from gitexp.store.runs import Run
from tests import support
from tests.sharing import make_run, opened

TEMPLATE = "\n# Please enter the commit message for your changes.\n# On branch main\n"


@pytest.fixture
def run(project: Path) -> Run:
    return make_run(opened(project), "lr0.1")


def name(run: Run) -> str:
    return str(run.ref).removeprefix("refs/experiments/")


def prepared(path: Path, kind: str = "", text: str = TEMPLATE) -> str:
    file = support.write(path / ".git/COMMIT_EDITMSG", text)
    trailer.prepare(opened(path), file, kind)
    return file.read_text()


def checked(path: Path, text: str) -> list[str]:
    return trailer.check(opened(path), support.write(path / ".git/COMMIT_EDITMSG", text))


def refusal(path: Path, text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        checked(path, text)
    assert caught.value.exit_code == 3
    return caught.value


def test_no_run_means_no_offer(project: Path) -> None:
    assert prepared(project) == TEMPLATE


def test_the_newest_clean_run_is_offered_as_a_comment(project: Path, run: Run) -> None:
    support.commit(project, "other code", train__py="print(2)\n")
    text = prepared(project)
    lines = text.splitlines()
    assert f"# Run: {name(run)}" in lines
    assert lines.index(f"# Run: {name(run)}") < lines.index("# On branch main")
    assert any("churn/lr0.1: completed" in line for line in lines)
    assert trailer.named(opened(project), project / ".git/COMMIT_EDITMSG") == []


def test_it_is_filled_in_when_the_staged_code_is_that_of_the_newest_run(project: Path, run: Run) -> None:
    support.write(project / "report.md", "results")
    support.git(project, "add", "report.md")
    assert prepared(project).startswith(f"\n\nRun: {name(run)}\n"), "a line for the subject, and an empty one"
    support.write(project / "train.py", "print(3)\n")
    support.git(project, "add", "train.py")
    assert f"\n# Run: {name(run)}\n" in prepared(project)


def test_a_dirty_run_is_not_offered(project: Path, run: Run) -> None:
    make_run(opened(project), "dirty", dirty=True)
    assert "dirty" not in prepared(project)


def test_a_message_given_with_m_is_left_alone_unless_fill_is_set(project: Path, run: Run) -> None:
    assert prepared(project, "message", "report\n") == "report\n"
    support.git(project, "config", "gitexp.runTrailer", "fill")
    assert prepared(project, "message", "report\n") == f"report\n\nRun: {name(run)}\n"


@pytest.mark.parametrize("kind", ["merge", "squash", "commit"])
def test_messages_of_merges_and_amends_are_left_alone(project: Path, run: Run, kind: str) -> None:
    support.git(project, "config", "gitexp.runTrailer", "fill")
    assert prepared(project, kind, "merge\n") == "merge\n"


def test_a_trailer_that_is_there_stays_the_only_one(project: Path, run: Run) -> None:
    support.git(project, "config", "gitexp.runTrailer", "fill")
    assert prepared(project, "template", "report\n\nRun: other\n") == "report\n\nRun: other\n"


def test_off_offers_nothing(project: Path, run: Run) -> None:
    support.git(project, "config", "gitexp.runTrailer", "off")
    assert prepared(project) == TEMPLATE


def test_no_comment_is_written_that_git_would_keep(project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    support.commit(project, "other code", train__py="print(2)\n")
    monkeypatch.setenv("GIT_EDITOR", ":")
    assert prepared(project) == TEMPLATE
    monkeypatch.setenv("GIT_EDITOR", "vi")
    support.git(project, "config", "commit.cleanup", "whitespace")
    assert prepared(project) == TEMPLATE


def test_the_projects_comment_mark_is_used(project: Path, run: Run) -> None:
    support.commit(project, "other code", train__py="print(2)\n")
    support.git(project, "config", "core.commentChar", ";")
    assert f"\n; Run: {name(run)}\n" in prepared(project, text="\n; Please enter\n")


def test_a_message_without_a_trailer_passes(project: Path, run: Run) -> None:
    assert checked(project, "report\n\nSigned-off-by: Ana\n# Run: nothing\n") == []


@pytest.mark.parametrize("form", ["{run.id}", "{run.name}", "churn/{run.name}", "{run.ref}", "{run.commit}"])
def test_a_clean_run_may_be_named_in_any_form_that_lasts(project: Path, run: Run, form: str) -> None:
    assert checked(project, f"report\n\nRun: {form.format(run=run)}\n") == []


def test_the_offered_form_passes(project: Path, run: Run) -> None:
    assert checked(project, f"report\n\nrun: {name(run)}\n") == []


def test_a_run_that_does_not_exist_is_refused_with_what_to_type(project: Path, run: Run) -> None:
    error = refusal(project, "report\n\nRun: nothing\n")
    assert "nothing" in error.message
    assert "gitexp log" in error.hint and "git commit -e -F" in error.hint


def test_a_dirty_run_is_refused(project: Path) -> None:
    run = make_run(opened(project), "dirty", dirty=True)
    assert "uncommitted edits" in refusal(project, f"report\n\nRun: {run.name}\n").message


def test_a_name_that_several_runs_have_is_refused(project: Path, run: Run) -> None:
    make_run(opened(project), "lr0.1")
    assert "2 runs" in refusal(project, "report\n\nRun: lr0.1\n").message


def test_a_name_that_means_another_run_tomorrow_is_refused(project: Path, run: Run) -> None:
    assert "tomorrow" in refusal(project, "report\n\nRun: @\n").message


def test_a_message_of_a_trailer_alone_is_an_empty_one(project: Path, run: Run) -> None:
    assert "empty" in refusal(project, f"\nRun: {name(run)}\n# Please enter\n").message


def test_while_commits_are_replayed_an_unknown_run_is_only_said(project: Path, run: Run) -> None:
    support.write(project / ".git/CHERRY_PICK_HEAD", support.git(project, "rev-parse", "HEAD") + "\n")
    said = checked(project, "report\n\nRun: nothing\n")
    assert len(said) == 1 and "nothing" in said[0]


def test_runs_from_elsewhere_are_not_offered(project: Path, run: Run) -> None:
    (opened(project).home / "refs.log").unlink()
    reflog.append(opened(project), "fetch", [(str(run.ref), None, str(run.commit))])
    assert prepared(project) == TEMPLATE
