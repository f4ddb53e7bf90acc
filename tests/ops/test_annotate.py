"""What people say of runs: checked before it is written, several runs in one commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import NotFound, Refused, UsageError
from gitexp.ops import annotate
from gitexp.store import annotations, live
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import recording, sharing, support


@pytest.fixture
def run(workspace: Workspace) -> Run:
    return sharing.make_run(workspace)


def test_everything_that_can_be_said_of_a_run(workspace: Workspace, run: Run) -> None:
    annotate.tag(workspace, [run], {"owner": "ana", "prod": ""})
    annotate.untag(workspace, [run], ["prod"])
    annotate.note(workspace, [run], "first above 0.94")
    annotate.title(workspace, [run], "the best")
    annotate.describe(workspace, [run], "what it is")
    annotate.archive(workspace, [run])
    annotate.favourite(workspace, [run])
    annotate.post(workspace, [run], {"uplift": 0.02, "users": 3})
    annotate.verdict(workspace, [run], "reproduced", "yes")
    state = annotations.state(workspace, run)
    assert state.tags == {"owner": "ana"} and state.untagged == {"prod"}
    assert [note.text for note in state.notes] == ["first above 0.94"]
    assert (state.title, state.description, state.archived, state.favourite) == ("the best", "what it is", True, True)
    assert (state.posts, state.verdicts) == ({"uplift": 0.02, "users": 3}, {"reproduced": "yes"})
    annotate.archive(workspace, [run], on=False)
    annotate.favourite(workspace, [run], on=False)
    annotate.title(workspace, [run], "")
    annotate.describe(workspace, [run], "")
    state = annotations.state(workspace, run)
    assert (state.title, state.description, state.archived, state.favourite) == (None, None, False, False)


def test_several_runs_are_tagged_in_one_commit(workspace: Workspace, project: Path) -> None:
    runs = [sharing.make_run(workspace, name) for name in "abc"]
    annotate.tag(workspace, runs, {"x": "1", "y": "2"})
    assert support.git(project, "log", "--format=%s", "refs/notes/experiments") == "tag 3 runs"
    assert [sharing.tags(workspace, run.id) for run in runs] == [{"x": "1", "y": "2"}] * 3


@pytest.mark.parametrize("key", ["", " ", "a=b", "-d", "x" * 300, "a\x1b[31m", "a\nb"])
def test_a_key_that_cannot_be_typed_again_is_refused(workspace: Workspace, run: Run, key: str) -> None:
    with pytest.raises(UsageError):
        annotate.tag(workspace, [run], {"fine": "", key: "value"})
    assert annotations.state(workspace, run).tags == {}


def test_texts_that_are_empty_or_too_long_are_refused(workspace: Workspace, run: Run) -> None:
    for words in ("", "  ", "x" * 20_001):
        with pytest.raises(UsageError):
            annotate.note(workspace, [run], words)
    annotate.note(workspace, [run], "𝛌" * 20_000)
    assert len(annotations.state(workspace, run).notes) == 1


@pytest.mark.parametrize("value", ["0.02", None, True, [1]])
def test_a_posted_value_that_is_no_number_is_refused(workspace: Workspace, run: Run, value: object) -> None:
    with pytest.raises(UsageError, match="uplift is"):
        annotate.post(workspace, [run], {"uplift": value})  # type: ignore[dict-item]  # that is what is tested


def test_a_live_run_is_annotated_and_keeps_it_when_it_ends(workspace: Workspace, project: Path) -> None:
    session = recording.start(project, "live")
    found = live.by_id(workspace, session.id)
    assert found is not None
    annotate.tag(workspace, [found], {"watch": ""})
    assert annotations.state(workspace, found).tags == {"watch": ""}
    with pytest.raises(Refused, match="is running: it cannot be removed"):
        annotate.remove(workspace, [found])
    ended = recording.lifecycle.finish(session, "completed")
    assert ended is not None and annotations.state(workspace, ended).tags == {"watch": ""}


def test_remove_and_undelete(workspace: Workspace, run: Run) -> None:
    annotate.remove(workspace, [run], "wrong data")
    removal = annotations.state(workspace, run).removal
    assert removal is not None and (removal.reason, removal.author.name) == ("wrong data", "Ana Ruiz")
    assert [item.id for item in annotate.removed(workspace, ["baseline"])] == [run.id]
    assert len(annotate.undelete(workspace, [run])) == 1
    assert annotate.undelete(workspace, [run]) == ()
    with pytest.raises(NotFound, match="no removed run 'baseline'"):
        annotate.removed(workspace, ["baseline"])
