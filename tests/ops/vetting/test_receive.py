"""What a server with the pre-receive hook takes: real pushes into a bare repository."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from gitexp import ids
from gitexp.git import notes, objects
from gitexp.git import refs as git_refs
from gitexp.ops import hooks
from gitexp.ops.vetting import receive
from gitexp.record import facts
from gitexp.record import run as run_json
from gitexp.record.author import Author
from gitexp.record.run import Parent, RunRecord
from gitexp.store import runs
from gitexp.store.runs import Run
from tests import support
from tests.sharing import go_on, make_run, opened, tag

RUNS = "refs/experiments/*:refs/experiments/*"
EVIL = "refs/experiments/churn/evil-"


@pytest.fixture
def server(bare: Path) -> Path:
    """Return the bare remote of `project`, with the hook installed."""
    hooks.install(opened(bare), hooks.SERVER)
    return bare


def push(path: Path, *refspecs: str) -> tuple[bool, str]:
    """Push with plain Git; return whether it was taken, and what was said."""
    done = subprocess.run(["git", "push", "origin", *refspecs], cwd=path, capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def refused(path: Path, *refspecs: str) -> str:
    """Push what must be refused; return what the server said."""
    taken, said = push(path, *refspecs)
    assert not taken, "the server took it"
    assert "gitexp: push refused" in said, said
    return said


def accepted(path: Path, *refspecs: str) -> None:
    taken, said = push(path, *refspecs)
    assert taken, said


def why(path: Path, ref: str) -> str:
    """Return why a server would not take a ref of this repository: what the hook does, without a push."""
    found = receive.faults(opened(path), [receive.Update(ref, None, support.git(path, "rev-parse", ref))])
    assert list(found) == [ref]
    return found[ref]


Edit = Callable[[dict[str, objects.Entry]], Iterable[objects.Entry]]


def forge(
    path: Path,
    *,
    entries: Edit = dict.values,
    record: Callable[[RunRecord], RunRecord] = lambda record: record,
    message: Callable[[str], str] = lambda message: message,
    beside: Iterable[objects.Entry] = (),
    ref: str = "",
) -> str:
    """Write a run commit that somebody has tampered with, and its ref; return the ref."""
    workspace = opened(path)
    repo, real = workspace.repo, make_run(workspace, "evil")
    commit = objects.read_commit(repo, str(real.commit))
    changed = record(real.record)
    blob = objects.write_blob(repo, run_json.encode(changed))
    folder = objects.write_entries(
        repo, list(entries({**real.entries, "run.json": objects.Entry("run.json", objects.FILE, blob)}))
    )
    top = [entry for entry in objects.entries(repo, commit.tree) if entry.name != runs.FOLDER]
    tree = objects.write_entries(repo, [*top, *beside, objects.Entry(runs.FOLDER, objects.TREE, folder)])
    new = objects.write_commit(repo, replace(commit, tree=tree, message=message(commit.message)))
    git_refs.delete(repo, str(real.ref), old=str(real.commit))
    ref = ref or str(real.ref)
    git_refs.update(repo, ref, new, old=None)
    return ref


def blob(path: Path, name: str, data: bytes, mode: int = objects.FILE) -> objects.Entry:
    return objects.Entry(name, mode, objects.write_blob(opened(path).repo, data))


def with_file(path: Path, name: str, data: bytes, mode: int = objects.FILE) -> Edit:
    return lambda found: {**found, name: blob(path, name, data, mode)}.values()


def test_runs_of_clean_and_dirty_trees_and_their_facts_are_taken(project: Path, server: Path) -> None:
    workspace = opened(project)
    found = [make_run(workspace, "a"), make_run(workspace, "b", dirty=True), make_run(workspace, "c", experiment="x/y")]
    tag(workspace, found[0], "good")
    accepted(project, RUNS, notes.REF)
    assert set(support.run_refs(server)) == {run.ref for run in found}
    support.git(server, "fsck", "--strict")


def test_artifacts_pointers_and_strange_metric_names_are_taken(project: Path, server: Path) -> None:
    strange = 'metric,step,time,value\n"a,""b""\n",-1,12.345,nan\nloss,2,12.345,1e-05\nn,3,12.345,-inf\nn,4,1.5,7\n'
    make_run(
        opened(project),
        files={
            "metrics.csv": strange.encode(),
            "artifacts/models/best.pt": b"x" * 200_000,
            "artifacts/plot.png": b"png",
            "environment.json": b'{"python": "3.11"}\n',
        },
    )
    accepted(project, RUNS)


def test_branches_and_tags_are_none_of_its_business(project: Path, server: Path) -> None:
    support.commit(project, "more")
    accepted(project, "HEAD:refs/heads/main", "HEAD:refs/tags/v1", "HEAD:refs/experiments-live/x")
    support.git(project, "commit", "--quiet", "--amend", "--allow-empty", "-m", "again")
    accepted(project, "--force", "HEAD:refs/heads/main", ":refs/tags/v1", ":refs/experiments-live/x")


def test_one_bad_ref_keeps_the_whole_push_out(project: Path, server: Path) -> None:
    make_run(opened(project), "good")
    support.commit(project, "more")
    refused(project, RUNS, "HEAD:refs/experiments/churn/bad-kkkkkkk", "HEAD:refs/heads/new")
    assert support.run_refs(server) == {}
    assert "new" not in support.git(server, "branch", "--list")


def test_a_run_moves_forward_by_any_number_of_commits(project: Path, server: Path) -> None:
    workspace = opened(project)
    run = make_run(workspace)
    accepted(project, RUNS)
    accepted_run = go_on(workspace, go_on(workspace, run, loss=0.4), loss=0.3)
    accepted(project, RUNS)
    assert support.run_refs(server) == {run.ref: accepted_run.commit}


def test_a_run_does_not_move_back_or_aside(project: Path, server: Path) -> None:
    workspace = opened(project)
    run = make_run(workspace)
    go_on(workspace, run, loss=0.4)
    accepted(project, RUNS)
    assert "only moves forward" in refused(project, f"+{run.commit}:{run.ref}")
    support.git(project, "update-ref", str(run.ref), str(run.commit))
    aside = go_on(workspace, run, loss=0.2)
    assert "only moves forward" in refused(project, f"+{aside.commit}:{run.ref}")


def test_a_run_that_went_apart_in_two_clones_is_taken_with_its_fork(
    project: Path, server: Path, tmp_path: Path
) -> None:
    run = make_run(opened(project))
    accepted(project, RUNS)
    support.git(tmp_path, "clone", "--quiet", str(server), "other")
    support.gitexp("-C", str(tmp_path / "other"), "fetch")
    theirs = opened(tmp_path / "other")
    there = go_on(theirs, runs.load(theirs, str(run.commit), run.ref), loss=0.4)
    accepted(tmp_path / "other", RUNS)
    go_on(opened(project), run, loss=0.2)
    support.gitexp("fetch")
    accepted(project, RUNS)
    found = support.run_refs(server)
    assert len(found) == 2 and found[str(run.ref)] != there.commit


def test_a_ref_holds_one_run_id_only(project: Path, server: Path) -> None:
    one, two = make_run(opened(project), "one"), make_run(opened(project), "two")
    assert f"is of the run {ids.short(two.id)}" in refused(project, f"{two.commit}:{one.ref}")
    accepted(project, RUNS)
    follows = replace(two.record, parents=(*two.record.parents, Parent("previous", str(one.commit))))
    assert follows.id != one.id
    assert "is of the run" in refused(project, f"+{two.commit}:{one.ref}")


def test_only_listed_maintainers_delete(project: Path, server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(opened(project))
    accepted(project, RUNS)
    monkeypatch.setenv("GITEXP_USER", "ana")
    assert "only maintainers delete runs" in refused(project, f":{run.ref}")
    monkeypatch.setenv("GITEXP_MAINTAINERS", "ana")
    refused(project, f":{run.ref}")
    support.git(server, "config", "gitexp.maintainers", "bo, ana")
    accepted(project, f":{run.ref}")
    assert support.run_refs(server) == {}


@pytest.mark.parametrize("variable", receive.WHO)
def test_who_pushes_is_what_the_transport_says(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    system = receive.pusher()
    assert system
    monkeypatch.setenv(variable, "ana")
    assert receive.pusher() == "ana" != system


def test_a_ref_that_is_no_runs_is_refused(project: Path, server: Path) -> None:
    run = make_run(opened(project))
    assert "not the ref of a run" in refused(project, f"{run.commit}:refs/experiments/churn/baseline")
    assert "not the ref of a run" in refused(project, f"{run.commit}:refs/experiments/baseline-{ids.short(run.id)}")


@pytest.mark.parametrize("what", ["HEAD", "HEAD:train.py", "HEAD^{tree}"])
def test_what_is_no_run_commit_is_refused(project: Path, server: Path, what: str) -> None:
    assert "is not the commit of a run" in refused(project, f"{what}:refs/experiments/churn/evil-kkkkkkk")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("run.json", b"{", "run.json does not parse"),
        ("run.json", b"[]", "run.json is not an object"),
        ("run.json", b'{"format": 2}', "newer than 1"),
        ("run.json", b"[" * 100_000, "nested too deeply"),
        ("params.json", b"{", "params.json"),
        ("summary.json", b"[1]", "summary.json"),
        ("environment.json", b"{", "environment.json"),
        ("data.json", b"\xff", "data.json"),
        ("metrics.csv", b"metric,step,time,value\nloss,one,1.000,2\n", "metrics.csv, row 2"),
        ("metrics.csv", b"loss,1\n", "the header is not"),
        ("system.csv", b"", "the header is not"),
        (".gitattributes", b"* filter=evil\n", "not the one that gitexp writes"),
    ],
)
def test_a_file_that_does_not_parse_is_refused(project: Path, name: str, data: bytes, said: str) -> None:
    ref = forge(project, entries=with_file(project, name, data))
    assert said in why(project, ref)


def test_json_that_is_too_large_is_not_even_read(project: Path) -> None:
    ref = forge(project, entries=with_file(project, "params.json", b'"' + b"x" * (17 << 20) + b'"'))
    assert "params.json: 17,825,794 bytes" in why(project, ref)


def test_a_record_without_its_run_json_is_refused(project: Path) -> None:
    ref = forge(project, entries=lambda found: [entry for name, entry in found.items() if name != "run.json"])
    assert "the record has no run.json" in why(project, ref)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("link", objects.LINK), ("..", objects.FILE), (".git", objects.FILE), (".gitmodules", objects.FILE)],
)
@pytest.mark.parametrize("deep", [False, True])
def test_links_and_names_that_leave_the_record_are_refused(project: Path, name: str, mode: int, deep: bool) -> None:
    bad = blob(project, name, b"/etc/passwd", mode)
    if deep:
        repo = opened(project).repo
        inner = objects.Entry("models", objects.TREE, objects.write_entries(repo, [bad]))
        bad = objects.Entry("artifacts", objects.TREE, objects.write_entries(repo, [inner]))
    ref = forge(project, entries=lambda found: [*found.values(), bad])
    assert ("a link" if mode == objects.LINK else "not safe") in why(project, ref)


def test_a_run_commit_that_changes_the_code_is_refused(project: Path) -> None:
    ref = forge(project, beside=[blob(project, "backdoor.py", b"evil")])
    assert "adds only the record" in why(project, ref)


def test_a_record_that_names_other_parents_is_refused(project: Path) -> None:
    other = support.git(project, "commit-tree", "HEAD^{tree}", "-m", "other")
    ref = forge(project, record=lambda record: replace(record, parents=(Parent("code", other),)))
    assert "other parents" in why(project, ref)


def test_message_and_record_must_agree(project: Path) -> None:
    ref = forge(project, record=lambda record: replace(record, status="failed"))
    assert "not of one run" in why(project, ref)
    ref = forge(project, record=lambda record: replace(record, code={**record.code, "dirty": True}))
    assert "uncommitted edits" in why(project, ref)


def test_a_bad_commit_further_back_is_found(project: Path) -> None:
    workspace = opened(project)
    ref = forge(project, entries=with_file(project, "params.json", b"{"))
    bad = runs.load(workspace, support.run_refs(project)[ref], ref)
    go_on(workspace, bad, loss=0.1)
    assert "params.json" in why(project, ref)


def test_a_server_that_wants_no_dirty_runs_takes_none(project: Path, server: Path) -> None:
    support.git(server, "config", "gitexp.pushDirty", "refuse")
    clean, dirty = make_run(opened(project), "clean"), make_run(opened(project), "dirty", dirty=True)
    accepted(project, str(clean.ref))
    assert "this server takes none" in refused(project, str(dirty.ref))


def test_a_run_without_any_code_is_taken(project: Path, server: Path) -> None:
    repo = opened(project).repo
    real = make_run(opened(project), "spooled")
    record = replace(real.record, parents=())
    entry = objects.Entry("run.json", objects.FILE, objects.write_blob(repo, run_json.encode(record)))
    folder = objects.write_entries(repo, list({**real.entries, "run.json": entry}.values()))
    commit = replace(objects.read_commit(repo, str(real.commit)), parents=())
    tree = objects.write_entries(repo, [objects.Entry(runs.FOLDER, objects.TREE, folder)])
    accepted(project, f"{objects.write_commit(repo, replace(commit, tree=tree))}:{real.ref}")


def fact(run: Run, text: str) -> facts.Fact:
    who = Author("Ana", "ana@acme.io")
    return facts.Fact(ids.new_run_id(), facts.RUN, run.id, 1, 1_795_184_520_000, who, "tag", {"key": text, "value": ""})


def say(path: Path, run: Run, *lines: bytes) -> None:
    person = objects.Signature("Ana", "ana@acme.io", 1_795_184_520)
    notes.append(opened(path).repo, notes.REF, {str(run.commit): lines}, person)


def test_facts_grow_and_no_line_is_lost(project: Path, server: Path) -> None:
    one, two = make_run(opened(project), "one"), make_run(opened(project), "two")
    say(project, one, facts.encode_line(fact(one, "a")))
    accepted(project, RUNS, notes.REF)
    old = support.git(project, "rev-parse", notes.REF)
    say(project, one, facts.encode_line(fact(one, "b")))
    say(project, two, facts.encode_line(fact(two, "c")))
    accepted(project, notes.REF)
    assert "would be lost" in refused(project, f"+{old}:{notes.REF}")
    support.git(project, "notes", "--ref=experiments", "remove", str(two.commit))
    assert f"1 facts on {str(two.commit)[:7]}" in refused(project, notes.REF)
    assert "only maintainers delete" in refused(project, f":{notes.REF}")


def test_a_maintainer_may_take_facts_away(project: Path, server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(opened(project))
    say(project, run, facts.encode_line(fact(run, "a")))
    accepted(project, RUNS, notes.REF)
    support.git(project, "notes", "--ref=experiments", "remove", str(run.commit))
    support.git(server, "config", "gitexp.maintainers", "ana")
    refused(project, notes.REF)
    monkeypatch.setenv("GL_USERNAME", "ana")
    accepted(project, notes.REF)


def test_notes_that_plain_git_laid_out_otherwise_are_compared_line_by_line(project: Path, server: Path) -> None:
    found = [make_run(opened(project), f"run-{number}") for number in range(3)]
    for run in found:
        say(project, run, facts.encode_line(fact(run, "a")))
    accepted(project, RUNS, notes.REF)
    support.git(project, "notes", "--ref=experiments", "append", "-m", "x", "HEAD")
    support.git(project, "notes", "--ref=experiments", "remove", "HEAD")  # writes the tree at a depth of its own
    assert support.git(project, "ls-tree", notes.REF) != support.git(server, "ls-tree", notes.REF)
    accepted(project, notes.REF)


def test_lines_that_are_no_facts_are_refused(project: Path, server: Path) -> None:
    run = make_run(opened(project))
    say(project, run, b"not json")
    assert "are not facts" in refused(project, RUNS, notes.REF)


def test_a_damaged_notes_commit_is_refused(project: Path, server: Path) -> None:
    assert "is not a commit" in refused(project, f"HEAD^{{tree}}:{notes.REF}")


def test_an_old_hook_of_the_server_gets_the_same_lines(project: Path, bare: Path) -> None:
    old = support.write(bare / "hooks/pre-receive", "#!/bin/sh\ncat > said\n")
    old.chmod(0o755)
    hooks.install(opened(bare), hooks.SERVER)
    run = make_run(opened(project))
    accepted(project, RUNS)
    assert (bare / "said").read_text() == f"{'0' * 40} {run.commit} {run.ref}\n"


def test_many_faults_are_named_up_to_twenty(project: Path, server: Path) -> None:
    said = refused(project, *(f"HEAD:{EVIL}{'k' * 5}{a}{b}" for a in "klmno" for b in "klmno"))
    assert "25 refs of 25" in said and "and 5 more" in said


@pytest.mark.slow
def test_a_thousand_runs_are_checked_by_one_process(project: Path, server: Path) -> None:
    workspace = opened(project)
    for number in range(1000):
        make_run(workspace, f"run-{number}", loss=number / 7)
    log = server / "calls"
    hook = server / "hooks/pre-receive"
    hook.write_text(hook.read_text().replace("old=", f"echo >> {log}; old=", 1))
    accepted(project, RUNS)
    assert len(support.run_refs(server)) == 1000
    assert log.read_text() == "\n"
