"""Sites: what is written, what is left as it is, what is taken away, and folders that are not ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gitexp.errors import UsageError
from gitexp.ops import dirty
from gitexp.ops.pages import site
from gitexp.ops.pages.site import Written
from gitexp.store import workspace as workspaces
from tests import recording, support
from tests.pages import sample


def write(folder: Path, experiment: str = "") -> Written:
    return site.write(workspaces.open(), folder, experiment)


def counts(done: Written) -> tuple[int, int, int, int]:
    return done.total, done.written, done.unchanged, done.removed


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def stamps(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_ino for name in listed(folder) if name != site.MARKER}


@pytest.fixture
def runs(project: Path) -> list[str]:
    """Return the ids of three runs of an experiment; two have the same image."""
    found = []
    for at in range(3):
        artifacts = {"plot.png": sample.png(20 + at // 2, 20)}
        run = recording.record(
            project, f"run-{at}", params={"lr": at / 10}, metrics={"loss": [0.5, at / 10]}, artifacts=artifacts
        )
        found.append(run.id)
    return found


def test_a_site_has_an_index_a_page_a_run_and_shared_files(runs: list[str], tmp_path: Path, untouched: None) -> None:
    out = tmp_path / "out"
    assert counts(write(out)) == (3, 3, 0, 0)
    names = listed(out)
    assert [name for name in names if name.startswith("runs/")] == sorted(f"runs/{run}.html" for run in runs)
    assert sum(name.startswith("images/") for name in names) == 2  # equal images are one file
    assert sum(name.startswith("assets/") for name in names) == 2
    assert {"index.html", site.MARKER} <= set(names) and len(names) == 9


def test_a_site_in_the_project_is_no_uncommitted_source(runs: list[str], project: Path) -> None:
    write(project / "public")
    assert not dirty.status(workspaces.open()).dirty


def test_every_link_of_a_site_is_relative_and_leads_somewhere(runs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    for name in listed(out):
        if name.endswith(".html"):
            for link in re.findall(r'(?:href|src)="([^"#]+)"', (out / name).read_text()):
                if not link.startswith("data:"):
                    assert not link.startswith(("/", "http", "file")) and (out / name).parent.joinpath(link).exists()


def test_nothing_is_written_where_nothing_changed(runs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    before = stamps(out)
    assert counts(write(out)) == (3, 0, 3, 0)
    assert stamps(out) == before


def test_only_the_pages_of_runs_that_changed_are_written(runs: list[str], project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    before = stamps(out)
    support.gitexp("note", runs[1], "the best so far")
    recording.record(project, "run-3", metrics={"loss": [0.1]})
    assert counts(write(out)) == (4, 2, 2, 0)
    after = stamps(out)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"index.html", f"runs/{runs[1]}.html"}
    assert "the best so far" in (out / f"runs/{runs[1]}.html").read_text()


def test_a_removed_run_is_taken_away_with_its_images(runs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    support.gitexp("rm", runs[2])
    assert counts(write(out)) == (2, 0, 2, 1)
    names = listed(out)
    assert f"runs/{runs[2]}.html" not in names and sum(name.startswith("images/") for name in names) == 1
    assert runs[2] not in (out / "index.html").read_text() + (out / site.MARKER).read_text()


def test_a_page_that_somebody_deleted_is_written_again(runs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    (out / f"runs/{runs[0]}.html").unlink()
    assert counts(write(out)) == (3, 1, 2, 0)


def test_another_direction_of_a_metric_writes_all_pages_again(runs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    support.gitexp("config", "maximize", "loss")
    assert counts(write(out)) == (3, 3, 0, 0)


def test_a_site_is_of_one_experiment_and_those_below_it(runs: list[str], project: Path, tmp_path: Path) -> None:
    recording.record(project, "other", experiment="other")
    recording.record(project, "below", experiment="churn/deep")
    assert write(tmp_path / "out", "churn").total == 4
    assert write(tmp_path / "out", "other").removed == 4


@pytest.mark.parametrize("name", ["index.html", "notes.txt", ".hidden"])
def test_a_folder_with_something_else_in_it_is_refused(runs: list[str], tmp_path: Path, name: str) -> None:
    support.write(tmp_path / "out" / name, "mine")
    with pytest.raises(UsageError, match="holds something else"):
        write(tmp_path / "out")
    assert listed(tmp_path / "out") == [name]


def test_a_file_is_refused_and_an_empty_folder_taken(runs: list[str], tmp_path: Path) -> None:
    support.write(tmp_path / "file", "mine")
    with pytest.raises(UsageError, match="is no folder"):
        write(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert write(tmp_path / "empty").written == 3


def test_what_others_put_beside_the_pages_is_left_alone(runs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    own = ["CNAME", "runs/readme.html", "images/logo.png", "assets/extra.css"]
    for name in own:
        support.write(out / name, "mine")
    support.gitexp("rm", *runs)
    write(out)
    assert set(own) <= set(listed(out))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1, "pages": {"../../x": ["", ["../../y"]]}}', b'{"format": 99}']
)
def test_a_marker_that_cannot_be_read_costs_only_time(runs: list[str], tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out"
    write(out)
    (out / site.MARKER).write_bytes(content)
    support.write(tmp_path.parent / "y", "mine")
    assert counts(write(out)) == (3, 3, 0, 0)
    assert json.loads((out / site.MARKER).read_text())["format"] == 1


def test_a_damaged_run_is_named_and_has_no_page(runs: list[str], project: Path, tmp_path: Path) -> None:
    commit = support.git(project, "for-each-ref", "--format=%(objectname)", "refs/experiments/").split()[0]
    tree = support.git(project, "mktree", input="")
    broken = support.git(project, "commit-tree", tree, "-m", support.git(project, "log", "-1", "--format=%B", commit))
    ref = next(ref for ref, found in support.run_refs(project).items() if found == commit)
    support.git(project, "update-ref", ref, broken)
    done = write(tmp_path / "out")
    assert done.written == 2 and len(done.damaged) == 1
    assert "Not readable" in (tmp_path / "out/index.html").read_text()


def test_a_running_run_is_on_the_site_and_written_each_time(runs: list[str], project: Path, tmp_path: Path) -> None:
    from gitexp.ops.recording import lifecycle

    session = recording.start(project, "live", metrics={"loss": [0.5, 0.25]})
    try:
        session.writer.drain()
        assert counts(write(tmp_path / "out")) == (4, 4, 0, 0)
        assert counts(write(tmp_path / "out")) == (4, 1, 3, 0)
    finally:
        lifecycle.finish(session, "completed")
    assert counts(write(tmp_path / "out")) == (4, 1, 3, 0)


def test_a_link_in_the_place_of_a_page_is_replaced_and_not_followed(runs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out)
    target, page = support.write(tmp_path / "precious", "mine"), out / f"runs/{runs[0]}.html"
    page.unlink()
    page.symlink_to(target)
    support.gitexp("note", runs[0], "changed")
    write(out)
    assert target.read_text() == "mine" and not page.is_symlink()


def test_a_bare_repository_has_a_site_too(runs: list[str], bare: Path, tmp_path: Path) -> None:
    support.gitexp("push", "--yes")
    done = site.write(workspaces.open(bare), tmp_path / "out", "churn")
    assert done.written == 3


def test_another_process_knows_what_has_not_changed(runs: list[str], project: Path, tmp_path: Path) -> None:
    keys = [f"key{at}" for at in range(6)]
    support.gitexp("tag", runs[0], *keys)
    support.gitexp("tag", "-d", runs[0], *keys)
    for seed, unchanged in (("1", 0), ("2", 3)):
        done = support.process(project, "site", str(tmp_path / "out"), "--json", env={"PYTHONHASHSEED": seed})
        assert done.json["unchanged"] == unchanged
