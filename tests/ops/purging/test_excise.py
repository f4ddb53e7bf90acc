"""Purging a part of runs: nothing of the bytes is left anywhere, the rest of the runs is; no clone brings it back."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

import gitexp
from gitexp.errors import Damaged, NotFound, Refused
from gitexp.git import notes, objects
from gitexp.git.transport import Options
from gitexp.ops import annotate
from gitexp.ops.finding import find
from gitexp.ops.purging import excise, purge
from gitexp.ops.sharing import fetch
from gitexp.record import pointer
from gitexp.store import annotations as said_of
from gitexp.store import objects as large
from gitexp.store import remotes, runs
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace
from tests import lfsserver, sharing, support

SECRET = b"hunter2-of-ana"
LARGE, SMALL = SECRET + os.urandom(150_000), b"key: " + SECRET


def make(workspace: Workspace, name: str = "leak", **more: bytes) -> Run:
    """Record a run with the secret in a small and a large artifact, and with others that are to stay."""
    files = {
        "artifacts/keys/small.txt": SMALL, "artifacts/keys/large.bin": LARGE, "artifacts/fine.bin": b"fine" * 40_000,
        "artifacts/ok.txt": b"ok", **{key.replace("__", "/"): value for key, value in more.items()},
    }  # fmt: skip
    return sharing.make_run(workspace, name, files=files)


def traces(path: Path | str) -> list[str]:
    return sharing.traces(path, SECRET)


def cut(workspace: Workspace, name: str, *, at: str = "", reason: str = "a key") -> purge.Purged:
    """Purge what a name means."""
    part = excise.parse(workspace, name)
    assert part is not None
    done = purge.Purged()
    where = [remotes.choose(workspace, at)] if at else []
    excise.execute(workspace, excise.plan(workspace, part, at=where), reason, done, Options())
    return done


def again(path: Path | str) -> Run:
    """Read the run anew."""
    return find.one(sharing.opened(path), "leak")


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_artifacts_go_one_by_one_and_the_rest_of_the_run_stays(
    workspace: Workspace, project: Path, packed: bool
) -> None:
    before = make(workspace)
    annotate.tag(workspace, [before], {"fine": ""})
    points, params, summary = list(before.points()), before.params, before.summary
    if packed:
        support.git(project, "gc", "--quiet", "--prune=now")
        workspace = sharing.opened(project)
    with support.untouched(project):
        cut(workspace, "leak:keys/small.txt")
        done = cut(sharing.opened(project), f"{before.id[:7]}@keys/large.bin")
    assert traces(project) == []
    after = again(project)
    assert [item.name for item in after.artifacts] == ["fine.bin", "ok.txt"]
    assert (after.id, after.params, after.summary.keys()) == (before.id, params, summary.keys())
    assert list(after.points()) == points
    assert support.git(project, "rev-parse", f"{after.commit}^") == support.git(project, "rev-parse", "HEAD")
    assert sharing.tags(workspace, before.id) == {"fine": ""}
    assert (done.files, done.artifacts[0]["artifact"]) == (1, "keys/large.bin")
    assert support.gitexp("fsck").stdout.startswith("all is well: 1 run, 1 large file")


def test_the_tombstone_says_what_it_was_why_and_who(workspace: Workspace, project: Path) -> None:
    run = make(workspace)
    cut(workspace, "leak:keys/large.bin", reason="a person asked")
    (found,) = said_of.state(workspace, again(project)).cuts
    assert (found.reason, found.artifact, found.author.name) == ("a person asked", "keys/large.bin", "Ana Ruiz")
    assert found.sha256 == (hashlib.sha256(LARGE).hexdigest(),)
    assert dict(found.commits) == {str(run.commit): str(again(project).commit)}


def test_a_folder_goes_with_all_below_it_and_what_is_said_of_it(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    support.write(folder / "a<b>.txt", SMALL)
    support.write(folder / "deep/x.bin", LARGE)
    with gitexp.start_run("churn", name="leak") as run:
        run.log_artifact(folder, "keys", metadata={"about": SECRET.decode()}, wait=True)
        run.log_artifact(support.write(tmp_path / "ok", b"ok"), "ok", wait=True)
    with support.untouched(project):
        cut(sharing.opened(project), "leak:keys")
    assert [item.name for item in again(project).artifacts] == ["ok"]
    assert again(project).record.names == {}
    assert traces(project) == []


def test_all_commits_of_a_resumed_run_lose_it(workspace: Workspace, project: Path) -> None:
    run = make(workspace)
    longer = sharing.go_on(workspace, run, loss=0.1)
    summary = longer.summary
    cut(workspace, "leak:keys")
    assert traces(project) == []
    after = again(project)
    assert [parent.role for parent in after.record.parents] == ["code", "previous"]
    assert after.record.parents[1].commit not in (run.commit, longer.commit)
    assert after.summary.keys() == summary.keys()
    assert support.gitexp("fsck").code == 0


def test_the_same_bytes_of_another_run_stay_and_are_told(workspace: Workspace, project: Path) -> None:
    make(workspace)
    kept = make(workspace, "kept")
    planned = excise.plan(workspace, excise.Part("", find.one(workspace, "leak").id, "keys/large.bin"))
    sha256 = hashlib.sha256(LARGE).hexdigest()
    assert f"not from 1 other run of the same bytes; from all: gitexp purge sha256:{sha256}" in excise.describe(planned)
    done = cut(workspace, "leak:keys/large.bin")
    assert done.left[-1] == f"1 other run with the same bytes: gitexp purge sha256:{sha256}"
    assert large.path(workspace, sha256) is not None
    assert len(find.one(sharing.opened(project), kept.id).artifacts) == 4
    assert done.files == 0


def test_bytes_go_from_everywhere_by_their_hash(workspace: Workspace, project: Path, tmp_path: Path) -> None:
    make(workspace)
    make(workspace, "two", artifacts__copy=SMALL, output__log=b"x")
    support.write(project / "notes.yaml", SMALL)  # into the snapshot of the code
    with gitexp.start_run("churn", name="three") as run:
        run.use_artifact("leak:keys/small.txt")
        run.use_artifact("leak:keys/large.bin")
    (project / "notes.yaml").unlink()
    three = find.one(sharing.opened(project), "three")
    assert three.record.code["untracked"] == ["notes.yaml"]
    home = workspace.home
    support.write(home / "tmp" / f"{hashlib.sha256(LARGE).hexdigest()}.part", LARGE[:1000])
    support.write(home / "damaged" / f"{hashlib.sha256(LARGE).hexdigest()}.123", LARGE[:-1])
    with support.untouched(project):
        for data in (SMALL, LARGE):
            cut(sharing.opened(project), f"sha256:{hashlib.sha256(data).hexdigest()}")
    assert traces(project) == []
    three = find.one(sharing.opened(project), "three")
    assert three.record.code["left_out"] == [{"path": "notes.yaml", "reason": "purged"}]
    assert (three.record.code["untracked"], three.record.code["complete"]) == ([], False)
    assert three.record.code["snapshot"] == support.git(project, "rev-parse", f"{three.commit}^")
    assert [use.artifact for use in three.used] == ["keys/small.txt", "keys/large.bin"]
    assert support.gitexp("fsck").code == 0


def test_an_edited_file_of_the_code_is_again_as_in_head(workspace: Workspace, project: Path) -> None:
    before = (project / "train.py").read_bytes()
    support.write(project / "train.py", SMALL)
    with gitexp.start_run("churn", name="leak"):
        pass
    support.write(project / "train.py", before)
    cut(workspace, hashlib.sha256(SMALL).hexdigest())
    assert traces(project) == []
    assert support.git(project, "show", "HEAD:train.py") == support.git(
        project, "show", f"{again(project).commit}:train.py"
    )


def test_bytes_in_the_users_own_commits_are_told_and_stay(workspace: Workspace, project: Path) -> None:
    support.commit(project, "oops", keys__txt=SMALL.decode())
    make(sharing.opened(project))
    done = cut(sharing.opened(project), hashlib.sha256(SMALL).hexdigest())
    assert "git filter-repo (docs/howto-purge.md)" in " ".join(done.left)
    assert [item.name for item in again(project).artifacts] == ["fine.bin", "keys/large.bin", "ok.txt"]
    assert support.git(project, "show", "HEAD:keys.txt") == SMALL.decode()


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_nothing_is_left_at_a_remote_on_a_disk(workspace: Workspace, project: Path, bare: Path, packed: bool) -> None:
    make(workspace)
    make(workspace, "kept", artifacts__copy=SMALL)
    sharing.send(workspace)
    if packed:
        support.git(bare, "gc", "--quiet", "--prune=now")
    with support.untouched(project):
        for data in (SMALL, LARGE):
            done = cut(sharing.opened(project), hashlib.sha256(data).hexdigest(), at="origin")
            assert done.left == [
                "other clones keep what they fetched until there: gitexp fetch; gitexp purge --follow; bundles too"
            ]
    assert traces(project) == traces(bare) == []
    assert support.run_refs(project) == support.run_refs(bare)
    support.git(bare, "fsck", "--strict")
    other = sharing.clone(bare, "other", artifacts=["**"])
    assert {item.name for item in find.one(other, "leak").artifacts} == {"fine.bin", "ok.txt"}
    assert len(said_of.state(other, find.one(other, "leak")).cuts) == 2


def test_a_store_that_never_deletes_is_named_with_the_hash(
    workspace: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    make(workspace)
    with lfsserver.running(tmp_path / "lfs") as server:
        support.git(project, "config", "lfs.url", server.url)
        sharing.send(sharing.opened(project))
        done = cut(sharing.opened(project), "leak:keys/large.bin", at="origin")
    sha256 = hashlib.sha256(LARGE).hexdigest()
    assert f"1 large file in the LFS store of origin, which never deletes: ask its host ({sha256[:12]})" in done.left


def test_a_folder_or_bucket_that_has_the_bytes_loses_them(
    workspace: Workspace, project: Path, bare: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    support.git(project, "config", "gitexp.artifacts", store.as_uri())
    make(workspace)
    sharing.send(sharing.opened(project))
    assert sum(SECRET in path.read_bytes() for path in store.rglob("*") if path.is_file()) == 1
    cut(sharing.opened(project), "leak:keys", at="origin")
    assert sum(SECRET in path.read_bytes() for path in store.rglob("*") if path.is_file()) == 0
    assert traces(bare) == []


def test_other_clones_do_not_bring_it_back_and_follow_when_told(
    workspace: Workspace, project: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(workspace)
    kept = make(workspace, "kept", artifacts__fine=b"x")
    sharing.send(workspace)
    other = sharing.clone(bare, "other", artifacts=["**"])
    path = other.repo.work_tree
    assert path is not None
    for data in (SMALL, LARGE):
        cut(sharing.opened(project), hashlib.sha256(data).hexdigest(), at="origin")
    came = fetch.fetch(other, remotes.choose(other))
    assert [why for _, why in came.landed.skipped] == [
        "an artifact of it was purged elsewhere: gitexp purge --follow"
    ] * 2
    sharing.send(other)
    assert support.run_refs(project) == support.run_refs(bare)
    assert support.run_refs(path)[str(run.ref)] == run.commit
    monkeypatch.chdir(path)
    shown = support.gitexp("purge", "--follow", "--yes")
    assert shown.stdout.splitlines()[0].startswith("deleted 0 refs, ")
    assert traces(path) == []
    assert support.run_refs(path) == support.run_refs(bare)
    assert str(kept.ref) in support.run_refs(path)
    assert fetch.fetch(sharing.opened(path), remotes.choose(other)).landed.to_json() == {
        "new": [], "updated": [], "forks": [], "skipped": [],
    }  # fmt: skip
    assert "no run that was purged elsewhere is here" in support.gitexp("purge", "--follow", "--yes", expect=4).stderr


def test_a_run_that_went_on_in_another_clone_loses_it_there_too(
    workspace: Workspace, project: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(workspace)
    sharing.send(workspace)
    other = sharing.clone(bare, "other", artifacts=["**"])
    summary = sharing.go_on(other, find.one(other, "leak"), loss=0.1).summary
    cut(workspace, "leak:keys", at="origin")
    fetch.fetch(other, remotes.choose(other))
    monkeypatch.chdir(str(other.repo.work_tree))
    support.gitexp("purge", "--follow", "--yes")
    path = str(other.repo.work_tree)
    assert traces(path) == []
    after = find.one(sharing.opened(path), "leak")
    assert after.summary.keys() == summary.keys() and after.id == run.id
    sharing.send(sharing.opened(path))
    assert support.run_refs(bare)[str(run.ref)] == after.commit
    assert fetch.fetch(sharing.opened(project), remotes.choose(workspace)).landed.updated == [run.ref]
    assert traces(project) == traces(bare) == []


def test_a_remote_that_still_has_the_old_commit_does_not_bring_it_back(
    workspace: Workspace, project: Path, bare: Path
) -> None:
    run = make(workspace)
    sharing.send(workspace)
    done = cut(workspace, "leak:keys")
    assert "origin still holds it: gitexp purge leak:keys --remote origin" in done.left
    came = fetch.fetch(sharing.opened(project), remotes.choose(workspace))
    assert came.landed.skipped == [
        (run.ref, "an artifact of it was purged, and this still has it: the same gitexp purge with --remote")
    ]
    assert traces(project) == []
    cut(sharing.opened(project), "leak:keys", at="origin")
    assert traces(bare) == []


def test_one_that_could_not_reach_the_remote_is_completed_by_the_same_command(
    workspace: Workspace, project: Path, bare: Path
) -> None:
    make(workspace)
    sharing.send(workspace)
    with sharing.away(bare), pytest.raises(Exception, match="origin"):
        cut(workspace, "leak:keys", at="origin")
    cut(sharing.opened(project), "leak:keys", at="origin")
    assert traces(project) == traces(bare) == []
    assert support.run_refs(bare) == support.run_refs(project)


def test_a_running_run_keeps_it_and_says_so(project: Path, tmp_path: Path) -> None:
    with gitexp.start_run("churn", name="live") as run:
        run.log_artifact(support.write(tmp_path / "s", SMALL), "s", wait=True)
        workspace = sharing.opened(project)
        for name in ("live:s", hashlib.sha256(SMALL).hexdigest()):
            with pytest.raises(Refused, match="is running"):
                cut(workspace, name)
    assert len(find.one(sharing.opened(project), "live").artifacts) == 1


@pytest.mark.parametrize("name", ["leak:nope", "leak:key", "sha256:" + "0" * 64])
def test_what_nothing_has_is_no_purge(workspace: Workspace, name: str) -> None:
    make(workspace)
    with pytest.raises(NotFound, match="nothing here has"):
        cut(workspace, name)


def test_a_dry_run_and_a_no_change_nothing(workspace: Workspace, project: Path) -> None:
    make(workspace)
    before = support.run_refs(project), support.git(project, "count-objects", "-v")
    shown = support.gitexp("purge", "leak:keys/small.txt", "--dry-run")
    assert (
        shown.stdout.startswith("keys/small.txt of churn/leak (")
        and "1 run commit made anew without it" in shown.stdout
    )
    refused = support.gitexp("purge", "leak:keys/small.txt", "-m", "a key", expect=11)
    assert "nothing was deleted" in refused.stderr
    assert (support.run_refs(project), support.git(project, "count-objects", "-v")) == before
    assert "a purge needs a reason" in support.gitexp("purge", "leak:keys/small.txt", expect=2).stderr


def test_json_says_what_went(workspace: Workspace) -> None:
    run = make(workspace)
    found = support.gitexp("purge", "leak:keys/large.bin", "-m", "a key", "--yes", "--json").json
    assert found["artifacts"] == [
        {"run": run.id, "artifact": "keys/large.bin", "sha256": [hashlib.sha256(LARGE).hexdigest()]}
    ]
    assert (found["runs"], found["files"]) == ([], 1)


def test_the_tombstone_is_signed_where_runs_are(workspace: Workspace, project: Path, tmp_path: Path) -> None:
    support.needs("ssh-keygen")
    key = tmp_path / "key"
    support.execute(tmp_path, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    support.write(tmp_path / "allowed", f"ana@acme.io {key.with_suffix('.pub').read_text()}")
    for name, value in (
        ("gpg.format", "ssh"), ("user.signingKey", str(key)), ("gitexp.sign", "true"),
        ("gpg.ssh.allowedSignersFile", str(tmp_path / "allowed")),
    ):  # fmt: skip
        support.git(project, "config", name, value)
    make(sharing.opened(project))
    cut(sharing.opened(project), "leak:keys")
    support.git(project, "verify-commit", notes.REF)
    assert len(said_of.state(sharing.opened(project), again(project)).cuts) == 1
    support.gitexp("purge", "leak", "-m", "all of it", "--yes")
    support.git(project, "verify-commit", notes.REF)
    assert traces(project) == []


def test_a_record_that_cannot_be_read_stops_before_anything_is_done(workspace: Workspace, project: Path) -> None:
    run = make(workspace)
    content = objects.read_commit(workspace.repo, str(run.commit))
    entries = {path: (entry.mode, entry.oid) for path, entry in runs.record_entries(run).items()}
    entries["run.json"] = (objects.FILE, objects.write_blob(workspace.repo, b"{"))
    folder = objects.write_tree(workspace.repo, entries)
    tree = objects.graft(workspace.repo, content.tree, runs.FOLDER, folder)
    commit = objects.write_commit(
        workspace.repo, objects.Commit(tree, content.parents, content.author, content.committer, content.message)
    )
    support.git(project, "update-ref", str(run.ref), commit)
    with pytest.raises(Damaged):
        cut(sharing.opened(project), hashlib.sha256(SMALL).hexdigest())
    assert support.run_refs(project)[str(run.ref)] == commit
    assert pointer.decode(b"{") is None
