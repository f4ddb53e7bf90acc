"""gitexp fsck: what is whole, and what each kind of damage looks like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitexp.git import notes, objects
from gitexp.ops.recording import lifecycle
from gitexp.record import pointer
from gitexp.record.pointer import Pointer
from gitexp.store import annotations as annotated
from gitexp.store import objects as large
from gitexp.store import runs
from gitexp.store import workspace as workspaces
from tests import recording, support

ID = "kqzvmxr" + "k" * 9
MODEL = b"m" * 200_000


@pytest.fixture
def one(project: Path) -> Path:
    """Return a project with one run that has a large file, a small one and a tag."""
    run = recording.record(
        project, "base", run_id=ID, metrics={"loss": [0.5]}, artifacts={"model.pt": MODEL, "plots/a.png": b"1"}
    )
    annotated.add(workspaces.open(project), [annotated.about_run(run, "tag", key="owner", value="ana")])
    return project


def ref(path: Path) -> str:
    return next(iter(support.run_refs(path)))


def model(path: Path) -> Path:
    return next(file for file in (path / ".git/gitexp/objects").rglob("*") if file.is_file())


def rewritten(path: Path, *, message: str | None = None, **files: bytes | None) -> str:
    """Point the run's ref at a commit with other files in its record (None: without), and return the ref."""
    workspace = workspaces.open(path)
    name, tip = next(iter(support.run_refs(path).items()))
    commit = objects.read_commit(workspace.repo, tip)
    folder = objects.subtree(workspace.repo, commit.tree, runs.FOLDER)
    entries = {entry.name: entry for entry in objects.entries(workspace.repo, str(folder))}
    for key, data in files.items():
        file = key.replace("__", ".")
        entries.pop(file, None)
        if data is not None:
            entries[file] = objects.Entry(file, objects.FILE, objects.write_blob(workspace.repo, data))
    record = objects.write_entries(workspace.repo, list(entries.values()))
    tree = objects.graft(workspace.repo, commit.tree, runs.FOLDER, record)
    said = commit.message if message is None else message
    new = objects.write_commit(
        workspace.repo, objects.Commit(tree, commit.parents, commit.author, commit.committer, said)
    )
    support.git(path, "update-ref", name, new)
    (path / ".git/gitexp/refs.log").unlink()
    return name


def test_a_repository_without_runs_is_well(project: Path, untouched: None) -> None:
    assert support.gitexp("fsck").stdout == (
        "all is well: 0 runs, 0 large files (0 bytes read), 0 journals, facts of 0 runs\n"
    )


def test_what_was_recorded_is_well(one: Path, untouched: None) -> None:
    shown = support.gitexp("fsck")
    assert (shown.stdout, shown.stderr) == (
        "all is well: 1 run, 1 large file (200.0 kB read), 0 journals, facts of 1 run\n", ""
    )  # fmt: skip
    assert "(200.0 kB sizes compared)" in support.gitexp("fsck", "--quick").stdout
    assert support.gitexp("fsck", "--json").json == {
        "runs": 1, "files": 1, "bytes": 200_000, "journals": 0, "annotated": 1, "models": 0, "quick": False,
        "damaged": [], "missing": [], "elsewhere": [], "quarantined": {}, "repaired": [],
    }  # fmt: skip


def test_a_run_in_progress_is_well_and_its_files_are_looked_at(project: Path, untouched: None) -> None:
    session = recording.start(project, "live", run_id=ID, metrics={"loss": [0.5]}, artifacts={"model.pt": MODEL})
    session.writer.drain()
    assert "1 large file (200.0 kB read), 1 journal," in support.gitexp("fsck").stdout
    model(project).unlink()
    assert (
        "damaged  model.pt of churn/live (kqzvmxr), 200.0 kB, is not here\n" in support.gitexp("fsck", expect=8).stdout
    )
    lifecycle.finish(session, "completed")


def test_other_bytes_of_the_same_size_are_found_by_reading(one: Path, untouched: None) -> None:
    path = model(one)
    path.chmod(0o644)
    path.write_bytes(MODEL[:-1] + b"x")
    assert support.gitexp("fsck", expect=8).stdout == (
        "damaged  model.pt of churn/base (kqzvmxr) has other bytes than its name says\n"
        "         gitexp fsck --repair\n"
        "1 damaged, 0 missing of 1 run, 1 large file (200.0 kB read), 0 journals, facts of 1 run\n"
    )
    assert support.gitexp("fsck", "--quick").code == 0


def test_a_file_of_another_size_is_found_at_once(one: Path, untouched: None) -> None:
    path = model(one)
    path.chmod(0o644)
    path.write_bytes(MODEL[:-1])
    shown = support.gitexp("fsck", "--quick", expect=8).stdout
    assert shown.startswith("damaged  model.pt of churn/base (kqzvmxr) has 199,999 bytes, not 200,000\n")


def test_a_lost_file_of_a_run_recorded_here_is_damage(one: Path, untouched: None) -> None:
    model(one).unlink()
    shown = support.gitexp("fsck", expect=8).stdout
    assert shown.startswith(
        "damaged  model.pt of churn/base (kqzvmxr), 200.0 kB, is not here\n"
        "         gitexp fsck --repair\n1 damaged, 0 missing"
    )


def test_a_file_that_was_never_fetched_is_missing_and_no_damage(
    one: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.git(one, "push", "--quiet", "origin", "refs/experiments/*")
    clone = tmp_path / "clone"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    support.git(clone, "fetch", "--quiet", "origin", "refs/experiments/*:refs/experiments/*")
    monkeypatch.chdir(clone)
    with support.untouched(clone):
        assert support.gitexp("fsck").stdout == (
            "missing  model.pt of churn/base (kqzvmxr), 200.0 kB, is not here\n"
            "         gitexp fetch --artifacts kqzvmxr\n"
            "0 damaged, 1 missing of 1 run, 0 large files (0 bytes read), 0 journals, facts of 0 runs\n"
        )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"run__json": b"{}"}, "run.json: run.json has no format, but 'None'"),
        ({"run__json": b"{"}, "run.json: run.json does not parse: "),
        ({"run__json": None}, "the record has no run.json"),
        ({"params__json": b"[1]"}, "params.json: params.json is not an object"),
        ({"summary__json": b"{]"}, "summary.json: summary.json does not parse: "),
        ({"metrics__csv": b"metric,step,time,value\nloss,one,0,1\n"}, "metrics.csv: metrics.csv, row 2: "),
        ({"environment__json": b"\xff"}, "environment.json: "),
        ({"params__json": b" " * (17 << 20)}, "params.json: 17,825,792 bytes, more than 16,777,216"),
        ({"__gitattributes": b"* filter=evil\n"}, ".gitattributes: not the one that gitexp writes"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_record_that_does_not_parse_is_named(
    one: Path, untouched: None, files: dict[str, bytes], message: str
) -> None:
    name = rewritten(one, **files)
    shown = support.gitexp("fsck", expect=8).stdout
    assert shown.startswith(f"damaged  {name}: {message}")
    assert f"\n         git show {name}   " in shown


def test_a_newer_format_is_said(one: Path, untouched: None) -> None:
    data = support.git(one, "show", f"{ref(one)}:.gitexp/run.json").replace('"format": 1', '"format": 9').encode()
    rewritten(one, run__json=data)
    assert "the record's format is 9, newer than 1" in support.gitexp("fsck", expect=8).stdout


def test_a_run_under_another_runs_ref_is_found(one: Path, untouched: None) -> None:
    tip = support.run_refs(one)[ref(one)]
    support.git(one, "update-ref", "refs/experiments/churn/copy-zzzzzzz", tip)
    support.git(one, "update-ref", "refs/experiments/churn/code-yyyyyyy", "HEAD")
    shown = support.gitexp("fsck", expect=8).stdout
    assert f"damaged  refs/experiments/churn/copy-zzzzzzz: {tip[:7]} is of the run kqzvmxr\n" in shown
    assert "refs/experiments/churn/code-yyyyyyy: " in shown
    assert "is not the commit of a run\n" in shown


def test_a_run_commit_that_changes_the_code_is_found(one: Path, untouched: None) -> None:
    workspace = workspaces.open(one)
    name, tip = next(iter(support.run_refs(one).items()))
    commit = objects.read_commit(workspace.repo, tip)
    blob = objects.Entry("extra.py", objects.FILE, objects.write_blob(workspace.repo, b"x\n"))
    tree = objects.write_entries(workspace.repo, [*objects.entries(workspace.repo, commit.tree), blob])
    new = objects.write_commit(
        workspace.repo, objects.Commit(tree, commit.parents, commit.author, commit.committer, commit.message)
    )
    support.git(one, "update-ref", name, new)
    assert (
        f"{new[:7]} changes more than .gitexp/: a run commit adds only the record"
        in support.gitexp("fsck", expect=8).stdout
    )


def test_parents_that_the_record_does_not_name_are_found(one: Path, untouched: None) -> None:
    workspace = workspaces.open(one)
    name, tip = next(iter(support.run_refs(one).items()))
    commit = objects.read_commit(workspace.repo, tip)
    new = objects.write_commit(
        workspace.repo,
        objects.Commit(commit.tree, (*commit.parents, tip), commit.author, commit.committer, commit.message),
    )
    support.git(one, "update-ref", name, new)
    assert f"run.json names other parents than {new[:7]} has" in support.gitexp("fsck", expect=8).stdout


def test_facts_that_do_not_parse_are_counted(one: Path, untouched: None) -> None:
    tip = support.run_refs(one)[ref(one)]
    support.git(one, "notes", f"--ref={notes.REF}", "append", "-m", "not a fact", tip)
    shown = support.gitexp("fsck", expect=8).stdout
    assert shown.startswith(f"damaged  facts refs/notes/experiments: 1 new lines on {tip[:7]} are not facts\n")


def test_a_journal_that_does_not_parse_is_named(project: Path, untouched: None) -> None:
    session = recording.start(project, "live", run_id=ID, metrics={"loss": [0.5, 0.4]})
    session.writer.drain()
    good = {path: path.read_bytes() for path in session.folder.glob("*-main.*")}
    with open(session.folder / "metrics-main.csv", "ab") as file:
        file.write(b"loss,broken\nloss,2,0.000,1.0\nloss,3,0.")  # a torn end is no damage
    with open(session.folder / "events-main.jsonl", "ab") as file:
        file.write(b"{broken\n")
    shown = support.gitexp("fsck", expect=8).stdout
    assert (
        f"damaged  journal {ID}: events-main.jsonl: 1 line cannot be read\n"
        "         gitexp recover   what can be read of it is kept\n"
        f"damaged  journal {ID}: metrics-main.csv: 1 line cannot be read\n"
    ) in shown
    for path, data in good.items():
        path.write_bytes(data)
    start = (session.folder / "start.json").read_bytes()
    support.write(session.folder / "start.json", "{")
    assert f"damaged  journal {ID}: " in support.gitexp("fsck", expect=8).stdout
    support.write(session.folder / "start.json", start)
    lifecycle.finish(session, "completed")


def test_a_ref_that_was_taken_away_is_said_and_can_be_put_back(one: Path, untouched: None) -> None:
    name = ref(one)
    support.git(one, "update-ref", "-d", name)
    assert f"damaged  {name}: was taken away\n         gitexp recover\n" in support.gitexp("fsck", expect=8).stdout
    assert support.run_refs(one) == {}
    support.gitexp("recover")
    assert support.gitexp("fsck").code == 0


def test_a_ref_that_was_moved_back_is_said(one: Path, untouched: None) -> None:
    name, tip = next(iter(support.run_refs(one).items()))
    new = support.git(one, "commit-tree", f"{tip}^{{tree}}", "-p", "HEAD", "-m", "forced")
    support.git(one, "update-ref", name, new)
    assert f"damaged  {name}: {new[:7]} does not follow {tip[:7]}\n" in support.gitexp("fsck", expect=8).stdout


@pytest.mark.parametrize("content", [b"", b"\0" * 41, b"nonsense\n"])
def test_a_ref_file_that_a_power_cut_left_empty_is_named(one: Path, content: bytes) -> None:
    name = ref(one)
    path = one / ".git" / name
    good = path.read_bytes()
    path.write_bytes(content)
    shown = support.gitexp("fsck", expect=8).stdout
    assert f"damaged  {name}: holds no commit's name\n         rm {path}   gitexp recover\n" in shown
    path.unlink()
    support.gitexp("recover")
    assert path.read_bytes() == good


def test_lines_of_the_log_that_cannot_be_read_are_counted(one: Path, untouched: None) -> None:
    with open(one / ".git/gitexp/refs.log", "ab") as file:
        file.write(b"#####\nnonsense\n17 run torn")
    shown = support.gitexp("fsck", expect=8).stdout
    assert shown.startswith("damaged  log refs.log: 1 line cannot be read\n")


def test_a_hostile_record_costs_little_and_reaches_no_terminal(one: Path, untouched: None) -> None:
    workspace = workspaces.open(one)
    blob = objects.write_blob(workspace.repo, b"x")
    tree = objects.write_entries(workspace.repo, [objects.Entry("leaf", objects.FILE, blob)])
    for _ in range(40):  # two to the power of forty paths
        tree = objects.write_entries(
            workspace.repo, [objects.Entry(name, objects.TREE, tree) for name in ("a", "b\x1b[2J")]
        )
    name, tip = next(iter(support.run_refs(one).items()))
    commit = objects.read_commit(workspace.repo, tip)
    folder = objects.subtree(workspace.repo, commit.tree, runs.FOLDER)
    record = objects.graft(workspace.repo, folder, "artifacts", tree)
    new = objects.write_commit(
        workspace.repo,
        objects.Commit(
            objects.graft(workspace.repo, commit.tree, runs.FOLDER, record),
            commit.parents, commit.author, commit.committer, commit.message,
        ),
    )  # fmt: skip
    support.git(one, "update-ref", name, new)
    shown = support.gitexp("fsck", expect=8).stdout
    assert name in shown
    assert "\x1b" not in shown


def test_a_resumed_run_is_well_with_all_its_commits(project: Path, untouched: None) -> None:
    recording.record(project, "base", run_id=ID, artifacts={"model.pt": MODEL})
    workspace = workspaces.open(project)
    session = lifecycle.start(workspace, lifecycle.Request(resume=ID))
    lifecycle.finish(session, "completed")
    assert support.gitexp("fsck").stdout.startswith("all is well: 1 run, 1 large file (200.0 kB read)")
    assert large.path(workspace, "0" * 64) is None


def test_looking_changes_nothing_at_all(one: Path) -> None:
    def everything() -> dict[str, tuple[int, bytes]]:
        found = {}
        for folder, _, names in os.walk(one):
            for name in names:
                path = Path(folder, name)
                if "facts" not in path.name and path.suffix != ".cache":
                    found[str(path)] = (path.stat().st_mtime_ns, path.read_bytes())
        return found

    support.gitexp("fsck")
    before = everything()
    support.gitexp("fsck")
    assert everything() == before


def send(path: Path) -> None:
    """Give the run and its large file to the remote."""
    support.gitexp("push", "--yes")


def spoiled(path: Path, data: bytes) -> Path:
    """Let the disk give other bytes for the object here: a remote at a path shares its blocks, and keeps them."""
    found = model(path)
    found.unlink()
    found.write_bytes(data)
    return found


@pytest.mark.parametrize(
    "data", [MODEL[:-1] + b"x", MODEL[:100], MODEL + b"more", b""], ids=["other", "cut", "long", "empty"]
)
def test_damaged_bytes_are_put_aside_and_fetched_again(one: Path, bare: Path, data: bytes, untouched: None) -> None:
    send(one)
    found = spoiled(one, data)
    assert support.gitexp("fsck", expect=8).code == 8
    shown = support.gitexp("fsck", "--repair")
    assert shown.lines[0].startswith(f"put aside  {found.name[:12]}: ")
    assert shown.lines[-1].startswith("all is well: 1 repaired, 1 run, ")
    assert found.read_bytes() == MODEL and not found.stat().st_mode & 0o222
    (aside,) = (one / ".git/gitexp/damaged").iterdir()
    assert aside.read_bytes() == data and aside.name.startswith(found.name)
    assert support.gitexp("fsck").stdout.startswith("all is well: 1 run")


def test_a_file_that_is_gone_here_and_known_to_be_at_a_remote_is_no_damage(
    one: Path, bare: Path, untouched: None
) -> None:
    send(one)
    found = model(one)
    found.unlink()
    report = support.gitexp("fsck", "--json").json
    assert ([fault["name"] for fault in report["elsewhere"]], report["damaged"]) == ([found.name], [])
    assert "1 at the remote only" in support.gitexp("fsck").stdout


def test_what_no_remote_has_stays_damaged_and_its_bytes_are_kept(one: Path, bare: Path) -> None:
    found = spoiled(one, MODEL[:-1] + b"x")
    shown = support.gitexp("fsck", "--repair", expect=8)
    assert shown.lines[0] == "damaged  model.pt of churn/base (kqzvmxr) has other bytes than its name says"
    assert "1 of 1 object" in shown.lines[1]
    (aside,) = (one / ".git/gitexp/damaged").iterdir()
    assert aside.read_bytes() == MODEL[:-1] + b"x" and not found.exists()
    again = support.gitexp("fsck", "--repair", expect=8)
    assert again.lines[0] == "damaged  model.pt of churn/base (kqzvmxr), 200.0 kB, is not here"
    support.git(one, "remote", "remove", "origin")
    assert "git remote add origin URL" in support.gitexp("fsck", "--repair", expect=8).stdout


def test_the_copy_that_git_lfs_has_is_taken_first(one: Path, bare: Path, untouched: None) -> None:
    found = spoiled(one, b"bad")
    support.write(one / ".git/lfs/objects" / found.name[:2] / found.name[2:4] / found.name, MODEL)
    assert support.gitexp("fsck", "--repair").lines[-1].startswith("all is well: 1 repaired")
    assert found.read_bytes() == MODEL


def test_a_name_for_git_lfs_of_the_same_bad_bytes_goes_with_them(one: Path, bare: Path, untouched: None) -> None:
    send(one)
    found = spoiled(one, b"bad")
    other = one / ".git/lfs/objects" / found.name[:2] / found.name[2:4] / found.name
    other.parent.mkdir(parents=True)
    os.link(found, other)
    assert support.gitexp("fsck", "--repair").lines[-1].startswith("all is well: 1 repaired")
    assert found.read_bytes() == MODEL and not other.exists()


def test_the_remote_is_asked_for_what_is_not_here(
    one: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(one)
    clone = tmp_path / "clone"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    support.git(clone, "fetch", "--quiet", "origin", "refs/experiments/*:refs/experiments/*")
    monkeypatch.chdir(clone)
    shown = support.gitexp("fsck", "--remote", "origin")
    assert shown.lines == [
        "elsewhere  model.pt of churn/base (kqzvmxr), 200.0 kB, is not here",
        "all is well: 1 at the remote only, 1 run, 0 large files (0 bytes read), 0 journals, facts of 0 runs",
    ]
    (fault,) = support.gitexp("fsck", "--remote", "origin", "--json").json["elsewhere"]
    assert (fault["kind"], fault["name"]) == ("file", model(one).name)
    stored = next(path for path in (bare / "lfs/objects").rglob("*") if path.is_file())
    stored.unlink()
    assert support.gitexp("fsck", "--remote", "origin").lines[:2] == [
        "missing  model.pt of churn/base (kqzvmxr), 200.0 kB, is not here",
        "         origin does not have it; from a clone that has: gitexp push origin kqzvmxr",
    ]
    monkeypatch.setattr("gitexp.cli.fsck._SHOWN", 0)
    assert support.gitexp("fsck").lines[0] == "missing  1 more: gitexp fsck --json"
    gone = support.gitexp("fsck", "--remote", str(tmp_path / "nowhere"), expect=None)
    assert gone.code in (4, 10)


@pytest.mark.parametrize("size", [7, 10**12])
def test_a_pointer_with_a_wrong_size_is_the_records_fault_and_its_bytes_stay(
    one: Path, bare: Path, size: int, untouched: None
) -> None:
    found = model(one)
    rewritten(one, data__json=pointer.encode(Pointer(found.name, size)))
    for options in ((), ("--quick",), ("--repair",)):
        shown = support.gitexp("fsck", *options, expect=8).stdout
        assert f"damaged  data.json of churn/base (kqzvmxr) has 200,000 bytes, not {size:,}\n" in shown
        assert "the bytes are whole, what the record says of them is not" in shown
    assert found.read_bytes() == MODEL


def test_a_pointer_with_a_hash_that_nothing_has_is_missing(one: Path, bare: Path, untouched: None) -> None:
    rewritten(one, data__json=pointer.encode(Pointer("ab" * 32, 9)))
    shown = support.gitexp("fsck").stdout
    assert "missing  data.json of churn/base (kqzvmxr), 9 bytes, is not here\n" in shown


def test_an_object_that_no_run_names_is_looked_at_too(one: Path, untouched: None) -> None:
    stray = one / ".git/gitexp/objects/ab/cd" / ("abcd" + "0" * 60)
    support.write(stray, b"not what it says")
    assert support.gitexp("fsck", "--quick").stdout.startswith("all is well")
    shown = support.gitexp("fsck", expect=8).stdout
    assert shown.startswith("damaged  abcd00000000 has other bytes than its name says; no run names it\n")
    assert support.gitexp("fsck", "--repair").code == 0
    assert not stray.exists() and support.gitexp("fsck").stdout.startswith("all is well: 1 run")
