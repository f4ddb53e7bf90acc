"""`gitexp run --artifacts`: what a wrapped command leaves behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import gitexp
from tests import support

SCRIPT = """
import os, sys
os.makedirs("out/sub", exist_ok=True)
open("out/a.png", "w").write("a")
open("out/sub/b.png", "w").write("b")
open("out/c.txt", "w").write("c")
"""


def run(project: Path, *patterns: str, script: str = SCRIPT, **env: str) -> support.Result:
    support.write(project / "make.py", script)
    options = [word for pattern in patterns for word in ("--artifacts", pattern)]
    return support.process(project, "run", *options, "--", "python", "make.py", env=env)


def names() -> list[str]:
    return [item.name for item in gitexp.get_run("@").artifacts]


def test_files_that_match_are_kept_and_counted(project: Path) -> None:
    done = run(project, "out/**/*.png", "nothing/*")
    assert names() == ["out/a.png", "out/sub/b.png"]
    assert done.stderr.splitlines()[0] == "gitexp: 2 artifacts kept (2 bytes); nothing matches nothing/*."
    assert len(done.stderr.splitlines()) == 2


def test_only_files_of_the_runs_own_time_are_kept_unless_asked_otherwise(project: Path) -> None:
    old = support.write(project / "out/old.png", "old")
    os.utime(old, (1, 1))
    support.git(project, "add", ".")  # so that the work tree is not dirty with outputs
    import time

    time.sleep(0.05)
    done = run(project, "out/*.png")
    assert names() == ["out/a.png"]
    assert "1 file older than the run left out (--any-age takes them too)" in done.stderr
    support.process(project, "run", "--artifacts", "out/*.png", "--any-age", "--", "python", "make.py")
    assert names() == ["out/a.png", "out/old.png"]


def test_a_folder_is_kept_with_all_that_is_in_it(project: Path) -> None:
    run(project, "out")
    assert names() == ["out/a.png", "out/c.txt", "out/sub/b.png"]


def test_patterns_start_from_where_the_command_was_run(project: Path, tmp_path: Path) -> None:
    (project / "sub").mkdir()
    support.write(project / "sub/make.py", SCRIPT)
    outside = tmp_path / "elsewhere"
    support.write(outside / "x.txt", "x")
    command = ["run", "--artifacts", "out/*", "--artifacts", f"{outside}/*", "--any-age", "--", "python", "make.py"]
    support.process(project / "sub", *command)
    assert names() == ["elsewhere/x.txt", "out/a.png", "out/c.txt", "out/sub/b.png"]


LINKS = (
    SCRIPT
    + """
for name, target in (("outside.png", "/etc/hostname"), ("loop", "."), ("inside.png", "a.png")):
    os.symlink(target, "out/" + name)
os.mkfifo("out/pipe.png")
"""
)


def test_links_to_outside_loops_and_pipes_are_left_out(project: Path) -> None:
    done = run(project, "out/**/*.png", script=LINKS)
    assert names() == ["out/a.png", "out/inside.png", "out/sub/b.png"]
    assert "out/outside.png could not be kept: is a link to outside of the folder and 1 more" in done.stderr
    assert gitexp.get_run("@").record["lost"] == {"artifacts": 2}


def test_the_repository_itself_is_never_kept(project: Path) -> None:
    run(project, "**/*", ".git/**")
    assert not [name for name in names() if ".git" in name]


def test_what_the_script_logs_itself_wins(project: Path) -> None:
    script = SCRIPT + "import gitexp\nwith gitexp.start_run() as run: run.log_text('own', 'out/a.png', role='mine')\n"
    run(project, "out/a.png", script=script)
    (found,) = gitexp.get_run("@").artifacts
    assert (found.read(), found.role) == (b"own", "mine")


def test_a_failed_command_keeps_what_it_wrote(project: Path) -> None:
    support.write(project / "make.py", SCRIPT + "sys.exit(3)\n")
    support.process(project, "run", "--artifacts", "out/*.png", "--", "python", "make.py", expect=3)
    assert names() == ["out/a.png"]


@pytest.mark.parametrize("pattern", ["", "a\0b"])
def test_patterns_that_cannot_be_meant_are_refused_before_the_command_starts(project: Path, pattern: str) -> None:
    if "\0" in pattern:
        done = support.gitexp("run", "--artifacts", pattern, "--", "true", expect=2)
    else:
        done = support.process(project, "run", "--artifacts", pattern, "--", "true", expect=2)
    assert "is no pattern" in done.stderr
    assert not support.run_refs(project)
