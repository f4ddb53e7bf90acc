"""gitexp apply: the edits of a run come onto other code, and go away again."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests import recording, support

ID = "kqzvmxr" + "k" * 9
LINES = "".join(f"line {number}\n" for number in range(30))


@pytest.fixture
def edited(project: Path) -> Path:
    """Return a clean project, with a run of edits: one file changed, one new, one deleted, one made executable."""
    support.commit(project, "lines", train__py=LINES, old__py="old\n", tool__sh="echo\n")
    support.write(project / "train.py", LINES.replace("line 3\n", "line three\n"))
    support.write(project / "src/new_loss.py", "loss = 1\n")
    (project / "old.py").unlink()
    (project / "tool.sh").chmod(0o755)
    recording.record(project, "edits", run_id=ID)
    support.git(project, "reset", "--quiet", "--hard")
    support.git(project, "clean", "--quiet", "-fd")
    return project


def kept(path: Path) -> tuple[str, bytes]:
    """Return what apply must never touch: HEAD with its branches, and the index."""
    return support.git(path, "for-each-ref", "refs/heads"), (path / ".git/index").read_bytes()


def test_edits_come_onto_the_same_code_and_go_away_again(edited: Path) -> None:
    before, files = kept(edited), support.files(edited)
    with support.untouched(edited):
        shown = support.gitexp("apply", "kqzvmxr")
        assert shown.stdout == (
            "applied the edits of edits (kqzvmxr): 4 files, nothing staged\n"
            "  D old.py\n  A src/new_loss.py\n  M tool.sh\n  M train.py\n"
        )
        assert shown.stderr == "take it back: gitexp apply --undo\n"
        assert kept(edited) == before
        assert support.git(edited, "status", "--porcelain") == " D old.py\n M tool.sh\n M train.py\n?? src/"
        assert "line three\n" in (edited / "train.py").read_text()
        assert stat.S_IMODE((edited / "tool.sh").stat().st_mode) & 0o100
        assert support.gitexp("apply", "--undo").stdout == (
            "took back the edits of edits (kqzvmxr): 4 files as before\n"
        )
    assert support.files(edited) == files
    assert not (edited / "src").exists()
    assert not list((edited / ".git/gitexp/applied").iterdir())


def test_edits_come_onto_code_that_has_moved_on(edited: Path) -> None:
    moved = LINES.replace("line 25\n", "line twenty-five\n")
    support.commit(edited, "later", train__py=moved, other__py="x\n")
    with support.untouched(edited):
        support.gitexp("apply", "kqzvmxr")
        assert (edited / "train.py").read_text() == moved.replace("line 3\n", "line three\n")
        support.gitexp("apply", "--undo")


def test_edits_follow_a_file_that_was_renamed(edited: Path) -> None:
    support.git(edited, "mv", "train.py", "fit.py")
    support.git(edited, "commit", "--quiet", "-m", "rename")
    support.gitexp("apply", "kqzvmxr")
    assert "line three\n" in (edited / "fit.py").read_text()
    assert not (edited / "train.py").exists()


def test_edits_in_other_files_are_left_alone(edited: Path) -> None:
    support.write(edited / "README.md", "# mine\n")
    support.write(edited / "notes.txt", "mine\n")
    support.gitexp("apply", "kqzvmxr")
    support.gitexp("apply", "--undo")
    assert support.git(edited, "status", "--porcelain") == " M README.md\n?? notes.txt"


def test_a_file_with_uncommitted_changes_is_never_written_over(edited: Path) -> None:
    support.write(edited / "train.py", LINES + "mine\n")
    support.write(edited / "src/new_loss.py", "mine too\n")
    with support.untouched(edited):
        assert support.gitexp("apply", "kqzvmxr", expect=3).stderr == (
            "gitexp: the edits of edits (kqzvmxr) touch uncommitted work, so nothing was applied:\n"
            "  ?? src/new_loss.py\n"
            "   M train.py\n"
            "commit it, or set it aside: git stash --include-untracked\n"
        )


@pytest.mark.parametrize("hide", [("update-index", "--assume-unchanged"), ("update-index", "--skip-worktree")])
def test_a_change_that_git_was_told_to_overlook_is_not_written_over(edited: Path, hide: tuple[str, ...]) -> None:
    support.git(edited, *hide, "train.py")
    support.write(edited / "train.py", "mine\n")
    with support.untouched(edited):
        assert "   M train.py\n" in support.gitexp("apply", "kqzvmxr", expect=3).stderr


def test_a_staged_change_is_never_written_over(edited: Path) -> None:
    support.write(edited / "train.py", LINES + "mine\n")
    support.git(edited, "add", "train.py")
    support.write(edited / "train.py", LINES)
    with support.untouched(edited):
        assert "   M train.py\n" in support.gitexp("apply", "kqzvmxr", expect=3).stderr


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_stands_where_a_folder_is_needed_stays(edited: Path, kind: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    if kind == "file":
        support.write(edited / "src", "mine\n")
    else:
        (edited / "src").symlink_to(outside)
    with support.untouched(edited):
        assert "  ?? src\n" in support.gitexp("apply", "kqzvmxr", expect=3).stderr
    assert not list(outside.iterdir())


def test_edits_that_are_there_already_are_nothing_to_do(edited: Path) -> None:
    support.gitexp("apply", "kqzvmxr")
    before = support.files(edited)
    assert support.gitexp("apply", "kqzvmxr").stdout == "nothing to do: the edits of edits (kqzvmxr) are here already\n"
    support.git(edited, "add", "--all")
    support.git(edited, "commit", "--quiet", "-m", "take them")
    assert support.gitexp("apply", "kqzvmxr").stdout == "nothing to do: the edits of edits (kqzvmxr) are here already\n"
    assert support.files(edited) == before


def test_a_dry_run_says_what_would_be_done_and_does_nothing(edited: Path) -> None:
    with support.untouched(edited):
        shown = support.gitexp("apply", "-n", "kqzvmxr").stdout
        assert shown.startswith("would apply the edits of edits (kqzvmxr): 4 files, nothing staged\n  D old.py\n")
        support.gitexp("apply", "--undo", expect=4)


def test_a_conflict_is_refused_with_the_files_named(edited: Path) -> None:
    support.commit(edited, "later", train__py=LINES.replace("line 3\n", "line drei\n"))
    with support.untouched(edited):
        assert support.gitexp("apply", "kqzvmxr", expect=7).stderr == (
            "gitexp: the edits of edits (kqzvmxr) conflict with the code here, so nothing was applied:\n"
            "  train.py\n"
            "write them with conflict markers: gitexp apply --merge kqzvmxr\n"
        )


def test_a_conflict_is_written_with_markers_where_asked(edited: Path) -> None:
    support.commit(edited, "later", train__py=LINES.replace("line 3\n", "line drei\n"))
    with support.untouched(edited):
        shown = support.gitexp("apply", "--merge", "kqzvmxr").stdout
        assert "  M train.py   resolve the conflict markers\n" in shown
        assert ("line 2\n<<<<<<< here\nline drei\n=======\nline three\n>>>>>>> edits (kqzvmxr)\nline 4\n") in (
            edited / "train.py"
        ).read_text()
        assert (edited / "src/new_loss.py").exists()
        support.gitexp("apply", "--undo")


def test_a_file_deleted_here_and_edited_there_has_no_markers(edited: Path) -> None:
    support.git(edited, "rm", "--quiet", "train.py")
    support.git(edited, "commit", "--quiet", "-m", "gone")
    with support.untouched(edited):
        shown = support.gitexp("apply", "--merge", "kqzvmxr", expect=7).stderr
    assert "conflict where there can be no markers (deleted, or not text):\n  train.py\n" in shown


def test_undo_refuses_when_a_file_was_changed_since(edited: Path) -> None:
    support.gitexp("apply", "kqzvmxr")
    support.write(edited / "train.py", "mine\n")
    with support.untouched(edited):
        assert support.gitexp("apply", "--undo", expect=3).stderr == (
            "gitexp: changed since the edits of edits (kqzvmxr) were applied, so nothing was taken back:\n"
            "  train.py\n"
            "look with: git diff\n"
        )


def test_undo_keeps_what_was_put_beside_the_new_files(edited: Path) -> None:
    support.gitexp("apply", "kqzvmxr")
    support.write(edited / "src/mine.txt", "mine\n")
    support.gitexp("apply", "--undo")
    assert support.git(edited, "status", "--porcelain", "-uall") == "?? src/mine.txt"


def test_applications_are_taken_back_one_after_the_other(edited: Path) -> None:
    support.write(edited / "README.md", "# second\n")
    recording.record(edited, "second", run_id="mzrokvu" + "k" * 9)
    support.git(edited, "checkout", "--quiet", "README.md")
    with support.untouched(edited):
        support.gitexp("apply", "kqzvmxr")
        support.gitexp("apply", "mzrokvu")
        assert "second (mzrokvu): 1 file as before" in support.gitexp("apply", "--undo").stdout
        assert "edits (kqzvmxr): 4 files as before" in support.gitexp("apply", "--undo").stdout
        assert support.gitexp("apply", "--undo", expect=4).stderr.startswith("gitexp: no edits of a run were applied")


def test_an_undo_that_was_cut_short_can_be_done_again(edited: Path) -> None:
    with support.untouched(edited):
        support.gitexp("apply", "kqzvmxr")
        support.write(edited / "train.py", LINES)  # as an undo that was killed would leave it
        support.write(edited / "old.py", "old\n")
        support.gitexp("apply", "--undo")


def test_a_file_that_cannot_be_written_takes_everything_back(edited: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (edited / "src").mkdir()
    (edited / "src").chmod(0o500)
    try:
        with support.untouched(edited):
            assert "nothing was applied" in support.gitexp("apply", "kqzvmxr", expect=9).stderr
    finally:
        (edited / "src").chmod(0o700)


def test_line_ends_and_filters_are_those_of_a_checkout(edited: Path) -> None:
    support.commit(edited, "attributes", __gitattributes="*.py text eol=crlf\n")
    for name in ("train.py", "old.py"):
        (edited / name).unlink()
        support.git(edited, "checkout", "--", name)
    with support.untouched(edited):
        support.gitexp("apply", "kqzvmxr")
        assert b"line three\r\n" in (edited / "train.py").read_bytes()
        assert (edited / "src/new_loss.py").read_bytes() == b"loss = 1\r\n"
        support.gitexp("apply", "--undo")


def test_links_are_applied_as_links(project: Path) -> None:
    support.commit(project, "a file", target__py="x\n", link__py="was a file\n")
    (project / "link.py").unlink()
    (project / "link.py").symlink_to("target.py")
    recording.record(project, "link", run_id=ID)
    (project / "link.py").unlink()
    support.write(project / "link.py", "was a file\n")
    with support.untouched(project):
        support.gitexp("apply", "kqzvmxr")
        assert (project / "link.py").readlink() == Path("target.py")
        support.gitexp("apply", "--undo")


def test_odd_names_are_applied_and_shown_safely(project: Path) -> None:
    name = 'größe "a\n\x1b[2J.py'
    support.write(project / name, "x\n")
    support.git(project, "add", "--all")
    support.git(project, "commit", "--quiet", "-m", "odd")
    support.write(project / name, "y\n")
    recording.record(project, "odd", run_id=ID)
    support.write(project / name, "x\n")
    with support.untouched(project):
        shown = support.gitexp("apply", "kqzvmxr").stdout
        assert '  M größe "a\\n\\x1b[2J.py\n' in shown
        assert (project / name).read_text() == "y\n"
        support.gitexp("apply", "--undo")


def test_all_takes_the_commits_of_a_clean_run_too(project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "side")
    support.commit(project, "side work", side__py="side\n")
    recording.record(project, "clean", run_id=ID)
    support.git(project, "switch", "--quiet", "main")
    support.commit(project, "main work", other__py="main\n")
    side = support.git(project, "rev-parse", "--short=7", "side")
    with support.untouched(project):
        assert support.gitexp("apply", "kqzvmxr", expect=2).stderr == (
            f"gitexp: run kqzvmxr has no edits of its own: its code is commit {side}\n"
            f"all that HEAD has not: gitexp apply --all kqzvmxr   one commit: git cherry-pick {side}\n"
        )
        assert support.gitexp("apply", "--all", "kqzvmxr").stdout.endswith("1 file, nothing staged\n  A side.py\n")
        support.gitexp("apply", "--undo")


def test_edits_that_were_not_recorded_cannot_be_applied(project: Path) -> None:
    support.write(project / "train.py", "mine\n")
    recording.record(project, "loose", run_id=ID, settings={"dirty": "allow"})
    support.git(project, "checkout", "--quiet", "train.py")
    with support.untouched(project):
        assert support.gitexp("apply", "kqzvmxr", expect=3).stderr.startswith(
            "gitexp: the edits of run kqzvmxr were not recorded\n"
        )


def test_each_worktree_takes_back_its_own(edited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other tree"
    support.git(edited, "worktree", "add", "--quiet", "--detach", str(other))
    with support.untouched(edited):
        monkeypatch.chdir(other)
        support.gitexp("apply", "kqzvmxr")
        assert "line three\n" in (other / "train.py").read_text()
        monkeypatch.chdir(edited)
        support.gitexp("apply", "--undo", expect=4)
        monkeypatch.chdir(other)
        support.gitexp("apply", "--undo")
    assert support.git(other, "status", "--porcelain") == ""


@pytest.mark.parametrize("args", [[], ["x", "--undo"], ["--undo", "--merge"], ["--undo", "-n"]])
def test_a_run_or_undo_is_named_not_both(project: Path, untouched: None, args: list[str]) -> None:
    assert support.gitexp("apply", *args, expect=2).stderr == (
        "gitexp: name the run whose edits to apply, or --undo alone\ngitexp apply RUN\n"
    )


def test_a_bare_repository_has_no_files(edited: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.git(edited, "push", "--quiet", "origin", "refs/experiments/*")
    monkeypatch.chdir(bare)
    assert support.gitexp("apply", "kqzvmxr", expect=2).stderr.startswith("gitexp: a bare repository has no files")


def test_a_state_that_does_not_parse_is_said(edited: Path, untouched: None) -> None:
    support.write(edited / ".git/gitexp/applied.json", '[{"token": 1}]')
    assert "applied.json does not parse" in support.gitexp("apply", "--undo", expect=8).stderr
