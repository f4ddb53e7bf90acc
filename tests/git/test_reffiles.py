"""Refs read from the disk: as `git for-each-ref` lists them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitexp.git import discover, reffiles
from tests import support

OIDS = ("1" * 40, "a3f" + "0" * 37)
NAMES = st.lists(st.text("abz-./+é", min_size=1, max_size=8), unique=True, max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, peeled=st.booleans(), is_sorted=st.booleans())
def test_every_packed_ref_is_found_and_no_other(
    tmp_path: Path, names: list[str], peeled: bool, is_sorted: bool
) -> None:
    refs = {f"refs/experiments/{name}": OIDS[at % 2] for at, name in enumerate(names)}
    lines = []
    for ref in sorted(refs, key=lambda ref: ref.encode()) if is_sorted else refs:
        lines.append(f"{refs[ref]} {ref}\n" + (f"^{OIDS[0]}\n" if peeled else ""))
    header = "# pack-refs with: peeled fully-peeled" + (" sorted" if is_sorted else "") + " \n"
    (tmp_path / "packed-refs").write_text(header + "".join(lines), "utf-8")
    assert {ref: reffiles.get(tmp_path, ref) for ref in refs} == refs
    assert reffiles.listing(tmp_path, "refs/experiments/") == refs
    others = {f"{ref}{more}" for ref in refs for more in ("0", "z", "/")} | {"refs/experiments", "refs/heads/x", ""}
    assert {reffiles.get(tmp_path, ref) for ref in others - set(refs)} <= {None}


def test_loose_refs_come_before_packed_ones_and_torn_ones_are_none(project: Path) -> None:
    head = support.git(project, "rev-parse", "HEAD")
    support.git(project, "update-ref", "refs/experiments/a/x", head)
    support.git(project, "pack-refs", "--all")
    support.git(project, "commit", "--allow-empty", "-qm", "more")
    support.git(project, "update-ref", "refs/experiments/a/x", "HEAD")
    common = project / ".git"
    assert reffiles.get(common, "refs/experiments/a/x") == support.git(project, "rev-parse", "HEAD") != head
    (common / "refs/experiments/a/y").write_bytes(b"")
    assert reffiles.get(common, "refs/experiments/a/y") is None
    assert reffiles.get(common, "refs/experiments/a") is None


@pytest.mark.parametrize("content", ["", "# pack-refs with: peeled fully-peeled sorted \n", "nonsense", "\n\n"])
def test_a_packed_file_without_refs_holds_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "packed-refs").write_text(content)
    assert reffiles.get(tmp_path, "refs/heads/main") is None


def test_head_is_read_on_a_branch_unborn_detached_in_a_worktree_and_through_a_symbolic_branch(project: Path) -> None:
    commit = support.git(project, "rev-parse", "HEAD")
    head = discover.find(project).head()
    assert (head.commit, head.branch) == (commit, "main")
    support.git(project, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    support.git(project, "symbolic-ref", "HEAD", "refs/heads/alias")
    head = discover.find(project).head()
    assert (head.commit, head.branch) == (commit, "main")
    support.git(project, "worktree", "add", "-q", "-b", "topic", str(project.parent / "linked"))
    head = discover.find(project.parent / "linked").head()
    assert (head.commit, head.branch) == (commit, "topic")
    support.git(project, "switch", "-q", "--detach", "main")
    head = discover.find(project).head()
    assert (head.commit, head.branch) == (commit, None)
    support.git(project, "switch", "-q", "--orphan", "new")
    head = discover.find(project).head()
    assert (head.commit, head.branch) == (None, "new")
