"""Data recorded by several processes of one run, on a full disk, and taken along to another clone."""

from __future__ import annotations

from pathlib import Path

import gitexp
from tests import support

FORKS = """\
import os, gitexp
with gitexp.start_run("churn") as run:
    run.log_dataset("a.csv", "of the parent", wait=True)
    child = os.fork()
    if not child:
        run.log_dataset("a.csv", "of the child", wait=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
WRAPPED = "import gitexp\nwith gitexp.start_run() as run:\n    run.log_dataset('a.csv', 'train')\n"


def names() -> list[str]:
    return [item["name"] for item in support.record(".", gitexp.get_run("@").ref, "data.json")]


def test_a_forked_process_and_a_wrapped_script_record_their_data(project: Path) -> None:
    support.write(project / "a.csv", "a\n1\n")
    support.python(project, FORKS)
    assert names() == ["of the child", "of the parent"]
    support.write(project / "train.py", WRAPPED)
    support.process(project, "run", "--", "python", "train.py")
    assert names() == ["train"]


def test_data_that_does_not_fit_on_the_disk_is_recorded_all_the_same(project: Path, tmp_path: Path) -> None:
    big = support.write(tmp_path / "big.bin", b"0123456789abcdef" * (1 << 20))
    with support.small_disk(tmp_path / "disk", "8m") as disk:
        work = disk / "work"
        support.git(disk, "init", "--quiet", "work")
        call = f"run.log_dataset({str(big)!r}, 'train', store=True)"
        done = support.python(work, f"import gitexp\nwith gitexp.start_run('churn') as run: {call}")
        (found,) = support.record(work, next(iter(support.run_refs(work))), "data.json")
    assert found["size"] == 16 << 20 and found["stored"] is False and "sha256" in found
    assert "could not be kept" in done.stderr


def test_stored_data_travels_with_the_run(project: Path, bare: Path, tmp_path: Path) -> None:
    support.write(project / "a.csv", "a\n" + "1234567\n" * 30_000)
    call = "run.log_dataset('a.csv', 'train', store=True)"
    support.python(project, f"import gitexp\nwith gitexp.start_run('churn') as run: {call}")
    support.process(project, "push", "--yes")
    clone = tmp_path / "clone"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    support.process(clone, "fetch")
    listed = support.process(clone, "data", "ls", "--json").json
    assert [(item["name"], item["rows"]) for item in listed] == [("train", 30_000)]
    ref = next(iter(support.run_refs(clone)))
    support.process(clone, "data", "check", ref, expect=12)  # the file is not here
    support.process(clone, "get", f"{ref.rpartition('-')[2]}:data/train.csv")
    found = next(path for path in clone.rglob("train.csv") if ".git" not in path.parts)
    support.process(clone, "data", "check", ref, "--path", f"train={found}")
