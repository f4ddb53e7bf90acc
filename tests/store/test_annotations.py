"""Facts in the notes of a repository: added, folded, joined between clones, also where a purge went through one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitexp import ids
from gitexp.errors import UsageError
from gitexp.git import notes, objects, refs
from gitexp.record import facts
from gitexp.record.author import Author
from gitexp.store import annotations, ledger
from gitexp.store.annotations import Change
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import sharing, support


@pytest.fixture
def run(workspace: Workspace) -> Run:
    return sharing.make_run(workspace)


def clone_of(project: Path, name: str) -> Workspace:
    path = project.with_name(name)
    support.git(project.parent, "clone", "--quiet", str(project), str(path))
    spec = "refs/notes/*:refs/notes/*"
    support.git(path, "fetch", "--quiet", "origin", "refs/experiments/*:refs/experiments/*", spec)
    return sharing.opened(path)


def take(workspace: Workspace, other: Workspace) -> annotations.Merged:
    """Merge the notes of another clone, fetched by plain Git."""
    place = str(other.repo.common_dir)
    support.git(workspace.repo.common_dir, "fetch", "--quiet", place, notes.REF)
    return annotations.merge(workspace, str(refs.get(other.repo, notes.REF)))


def tip(workspace: Workspace) -> str:
    return str(refs.get(workspace.repo, notes.REF))


def in_history(workspace: Workspace, word: str) -> bool:
    """Say whether a word is in any blob that the notes or their history reach."""
    path = workspace.repo.common_dir
    oids = support.git(path, "rev-list", "--objects", "--no-object-names", notes.REF).split()
    return any(
        word in support.git(path, "cat-file", "blob", oid)
        for oid in oids
        if support.git(path, "cat-file", "-t", oid) == "blob"
    )


def test_what_is_said_of_a_run_hangs_on_its_commit_and_plain_git_shows_it(
    workspace: Workspace, run: Run, project: Path
) -> None:
    with support.untouched(project):
        (fact,) = annotations.add(workspace, [annotations.about_run(run, "tag", key="owner", value="ana")])
    shown = support.git(project, "notes", "--ref", "experiments", "show", str(run.commit))
    assert shown == facts.encode_line(fact).decode()
    assert (fact.author, fact.clock) == (Author("Ana Ruiz", "ana@acme.io"), 1)
    assert annotations.state(workspace, run).tags == {"owner": "ana"}


def test_nothing_said_is_the_empty_state(workspace: Workspace, run: Run) -> None:
    assert annotations.state(workspace, run) == facts.EMPTY
    assert dict(annotations.states(workspace)) == {}
    assert annotations.add(workspace, []) == ()


def test_later_facts_have_greater_clocks_in_one_commit_and_over_several(workspace: Workspace, run: Run) -> None:
    said = annotations.add(workspace, [annotations.about_run(run, "title", text=word) for word in "abcdefgh"])
    said += annotations.add(workspace, [annotations.about_run(run, "title", text="i")])
    assert [fact.clock for fact in said] == list(range(1, 10))
    assert annotations.state(workspace, run).title == "i"


def test_the_clock_goes_on_after_plain_git_wrote_notes(workspace: Workspace, run: Run, project: Path) -> None:
    annotations.add(workspace, [annotations.about_run(run, "title", text=word) for word in "abc"])
    support.git(project, "notes", "--ref", "experiments", "append", "-m", "no fact", str(run.commit))
    assert annotations.greatest_clock(workspace) == 3
    annotations.add(workspace, [annotations.about_run(run, "title", text="d")])
    assert annotations.state(workspace, run).title == "d"
    assert annotations.damaged(workspace) == 1


def test_a_resumed_run_keeps_its_facts(workspace: Workspace, run: Run) -> None:
    sharing.tag(workspace, run, "first")
    longer = sharing.go_on(workspace, run, loss=0.1)
    sharing.tag(workspace, longer, "second")
    assert annotations.state(workspace, longer).tags == {"first": "", "second": ""}
    assert annotations.state(workspace, run).tags == {"first": "", "second": ""}


def test_a_run_without_a_commit_is_annotated_on_the_blob_of_its_id(workspace: Workspace, project: Path) -> None:
    run_id = ids.new_run_id()
    annotations.add(workspace, [Change(facts.RUN, run_id, annotations.place(run_id), "note", {"text": "hm"})])
    assert support.git(project, "cat-file", "blob", annotations.place(run_id)) == run_id
    run = sharing.make_run(workspace, run_id=run_id)
    assert [note.text for note in annotations.state(workspace, run).notes] == ["hm"]


def test_a_fact_beyond_a_line_is_refused_and_nothing_is_written(workspace: Workspace, run: Run) -> None:
    with pytest.raises(UsageError, match="at most 131072"):
        annotations.add(workspace, [annotations.about_run(run, "note", text="x" * 140_000)])
    assert refs.get(workspace.repo, notes.REF) is None


def test_the_cache_is_only_a_cache(workspace: Workspace, run: Run) -> None:
    sharing.tag(workspace, run, "a")
    assert sharing.tags(workspace, run.id) == {"a": ""}
    cache = workspace.home / "facts.cache"
    whole = cache.read_bytes()
    for broken in (b"", b"garbage", whole[:-30], whole + b"torn row", whole[:20]):
        cache.write_bytes(broken)
        ledger._read.cache_clear()
        assert sharing.tags(workspace, run.id) == {"a": ""}, broken
    sharing.tag(workspace, run, "b")
    assert sharing.tags(workspace, run.id) == {"a": "", "b": ""}
    ledger._read.cache_clear()
    assert sharing.tags(workspace, run.id) == {"a": "", "b": ""}


def test_facts_are_read_where_nothing_can_be_cached(workspace: Workspace, run: Run) -> None:
    sharing.tag(workspace, run, "a")
    (workspace.home / "facts.cache").unlink(missing_ok=True)
    (workspace.home / "facts.cache").mkdir()
    ledger._read.cache_clear()
    assert sharing.tags(workspace, run.id) == {"a": ""}


def test_two_clones_that_annotate_one_run_come_to_the_same(workspace: Workspace, run: Run, project: Path) -> None:
    sharing.tag(workspace, run, "base")
    other = clone_of(project, "other")
    sharing.tag(workspace, run, "ours")
    sharing.tag(other, run, "theirs")
    assert take(workspace, other) == annotations.Merged(tip(workspace), True)
    take(other, workspace)
    assert tip(other) == tip(workspace)
    assert sharing.tags(other, run.id) == sharing.tags(workspace, run.id) == {"base": "", "ours": "", "theirs": ""}


def test_histories_that_began_apart_are_joined(workspace: Workspace, run: Run, project: Path) -> None:
    other = clone_of(project, "other")
    sharing.tag(workspace, run, "ours")
    sharing.tag(other, run, "theirs")
    take(workspace, other)
    assert sharing.tags(workspace, run.id) == {"ours": "", "theirs": ""}
    assert len(objects.read_commit(workspace.repo, tip(workspace)).parents) == 2


def test_plain_git_joins_two_histories_to_the_same_state(workspace: Workspace, run: Run, project: Path) -> None:
    sharing.tag(workspace, run, "base")
    other = clone_of(project, "other")
    sharing.tag(workspace, run, "ours")
    sharing.tag(other, run, "theirs")
    support.git(project, "fetch", "--quiet", str(other.repo.work_tree), f"{notes.REF}:refs/notes/theirs")
    support.git(project, "notes", "--ref", "experiments", "merge", "--quiet", "-s", "cat_sort_uniq", "theirs")
    assert sharing.tags(workspace, run.id) == {"base": "", "ours": "", "theirs": ""}
    take(other, workspace)
    assert sharing.tags(other, run.id) == {"base": "", "ours": "", "theirs": ""}


def test_a_removal_that_another_clone_fetched_stays_when_it_says_more(
    workspace: Workspace, run: Run, project: Path
) -> None:
    other = clone_of(project, "other")
    annotations.add(workspace, [annotations.about_run(run, "remove", reason="wrong data")])
    sharing.tag(other, run, "mine")
    take(workspace, other)
    state = annotations.state(workspace, run)
    assert (state.removed, state.tags) == (True, {"mine": ""})


def test_the_removed_runs_are_known_without_folding_the_others(workspace: Workspace, run: Run) -> None:
    others = [sharing.make_run(workspace, name) for name in "abc"]
    annotations.add(workspace, [annotations.about_run(item, "remove", reason="") for item in (run, others[0])])
    annotations.add(workspace, [annotations.about_run(others[0], "undelete", reason="")])
    annotations.add(workspace, [annotations.about_run(others[1], "note", text="remove it?")])
    assert annotations.removed(workspace) == {run.id}
    foreign = facts.encode_line(facts.Fact("k" * 16, facts.RUN, others[2].id, 9, 0, Author("", ""), "remove", {}))
    escaped = foreign.replace(b'"op":"remove"', b'"op":"\\u0072emove","reason":""')
    notes.append(workspace.repo, notes.REF, {str(others[2].commit): [escaped]}, objects.Signature("Bo", "", 0))
    assert annotations.removed(workspace) == {run.id, others[2].id}


def test_a_purge_begins_the_notes_anew_without_the_lines(workspace: Workspace, run: Run) -> None:
    kept = sharing.make_run(workspace, "kept")
    sharing.tag(workspace, kept, "fine")
    sharing.tag(workspace, run, "hunter2")
    annotations.purge(workspace, [run.id], "a key")
    assert objects.read_commit(workspace.repo, tip(workspace)).parents == ()
    assert not in_history(workspace, "hunter2")
    state = annotations.state(workspace, run)
    assert state.purge is not None and state.purge.reason == "a key"
    assert sharing.tags(workspace, kept.id) == {"fine": ""}
    assert annotations.purged(workspace) == {run.id}
    assert annotations.purge(workspace, [run.id], "again") == ()


def test_a_purge_of_a_run_without_facts_keeps_the_history(workspace: Workspace, run: Run) -> None:
    sharing.tag(workspace, sharing.make_run(workspace, "kept"), "fine")
    before = tip(workspace)
    annotations.purge(workspace, [run.id], "a key")
    assert notes.contains(workspace.repo, tip(workspace), before)


@pytest.mark.parametrize("purger_fetches_first", [True, False])
def test_a_purge_wins_over_the_history_of_a_clone_that_did_not_know(
    workspace: Workspace, run: Run, project: Path, purger_fetches_first: bool
) -> None:
    sharing.tag(workspace, run, "hunter2")
    other = clone_of(project, "other")
    sharing.tag(other, run, "hunter2-again")
    kept = sharing.make_run(other, "kept")
    sharing.tag(other, kept, "fine")
    annotations.purge(workspace, [run.id], "a key")
    pair = [workspace, other] if purger_fetches_first else [other, workspace]
    merged = take(*pair)
    assert merged.contains_other != purger_fetches_first
    take(*reversed(pair))
    for clone in pair:
        assert not in_history(clone, "hunter2")
        assert annotations.purged(clone) == {run.id}
        assert sharing.tags(clone, kept.id) == {"fine": ""}
    assert tip(workspace) == tip(other)


def test_two_purges_in_two_clones_both_hold(workspace: Workspace, run: Run, project: Path) -> None:
    second, kept = sharing.make_run(workspace, "second"), sharing.make_run(workspace, "kept")
    for number, item in enumerate((run, second, kept)):
        sharing.tag(workspace, item, f"hunter{number}")
    other = clone_of(project, "other")
    annotations.purge(workspace, [run.id], "a key")
    annotations.purge(other, [second.id], "another")
    take(workspace, other)
    take(other, workspace)
    for clone in (workspace, other):
        assert annotations.purged(clone) == {run.id, second.id}
        assert not in_history(clone, "hunter0") and not in_history(clone, "hunter1")
        assert sharing.tags(clone, kept.id) == {"hunter2": ""}


def test_only_the_facts_about_chosen_runs_go_out(workspace: Workspace, run: Run) -> None:
    private = sharing.make_run(workspace, "private")
    sharing.tag(workspace, run, "public")
    sharing.tag(workspace, private, "private")
    commit = annotations.outgoing(workspace, None, [run.id])
    assert commit is not None
    assert list(notes.changed(workspace.repo, None, commit)) == [run.commit]
    assert annotations.outgoing(workspace, commit, [run.id]) is None
    both = annotations.outgoing(workspace, commit, [run.id, private.id])
    assert both is not None and objects.read_commit(workspace.repo, both).parents == (commit,)
    assert annotations.outgoing(workspace, None, [run.id, private.id]) == tip(workspace)


def test_what_goes_out_after_a_purge_leaves_the_old_history_behind(workspace: Workspace, run: Run) -> None:
    kept = sharing.make_run(workspace, "kept")
    sharing.tag(workspace, run, "hunter2")
    sharing.tag(workspace, kept, "fine")
    base = tip(workspace)
    annotations.purge(workspace, [run.id], "a key")
    commit = annotations.outgoing(workspace, base, [])
    assert commit is not None
    assert objects.read_commit(workspace.repo, commit).parents == ()
    assert set(notes.changed(workspace.repo, None, commit)) == {kept.commit, annotations.place(run.id)}


TAGGER = """
import sys
from gitexp.store import annotations, runs, workspace
ws = workspace.open(sys.argv[1])
run = runs.by_id(ws, sys.argv[2])
for i in range(3):
    annotations.add(ws, [annotations.about_run(run, "tag", key=f"{sys.argv[3]}.{i}", value="")])
"""


def test_sixteen_processes_tagging_one_run_lose_nothing(workspace: Workspace, run: Run, project: Path) -> None:
    with support.untouched(project):
        command = [sys.executable, "-c", TAGGER, str(project), run.id]
        children = [subprocess.Popen([*command, str(i)], cwd=support.ROOT) for i in range(16)]
        assert [child.wait(timeout=100) for child in children] == [0] * 16
    assert sharing.tags(workspace, run.id) == {f"{i}.{j}": "" for i in sorted(map(str, range(16))) for j in range(3)}


def other_kind(kind: str, project: Path, tmp_path: Path) -> Path:
    path = tmp_path / "other kind"
    origin = f"file://{project}"
    support.git(project, "config", "uploadpack.allowFilter", "true")
    support.git(project, "config", "uploadpack.allowAnySHA1InWant", "true")
    if kind == "worktree":
        support.git(project, "worktree", "add", "--quiet", "--detach", str(path))
        return path
    options = {"bare": ["--bare"], "shallow": ["--depth=1"], "partial": ["--filter=blob:none", "--no-checkout"]}
    support.git(tmp_path, "clone", "--quiet", *options[kind], origin, str(path))
    spec = [f"{notes.REF}:{notes.REF}", "refs/experiments/*:refs/experiments/*"]
    support.git(path, "fetch", "--quiet", "origin" if kind != "bare" else origin, *spec)
    return path


@pytest.mark.parametrize("kind", ["worktree", "bare", "shallow", "partial"])
def test_runs_are_annotated_in_every_kind_of_repository(
    workspace: Workspace, run: Run, project: Path, tmp_path: Path, kind: str
) -> None:
    second = sharing.make_run(workspace, "second")
    sharing.tag(workspace, run, "before")
    sharing.tag(workspace, second, "before")
    path = other_kind(kind, project, tmp_path)
    here = sharing.opened(path)
    after = Change(facts.RUN, run.id, str(run.commit), "tag", {"key": "after", "value": ""})
    annotations.add(here, [after])
    sharing.tag(workspace, second, "meanwhile")
    if kind != "worktree":
        support.git(path, "fetch", "--quiet", f"file://{project}", f"{notes.REF}:refs/notes/theirs")
        annotations.merge(here, str(refs.get(here.repo, "refs/notes/theirs")))
    assert sharing.tags(here, run.id) == {"after": "", "before": ""}
    assert sharing.tags(here, second.id) == {"before": "", "meanwhile": ""}
    support.git(path, "fsck", "--strict")
