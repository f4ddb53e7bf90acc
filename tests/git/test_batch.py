"""Objects read by `git cat-file --batch`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import Damaged
from gitexp.git import discover
from gitexp.git.batch import Batch
from tests import support


def test_contents_come_in_the_order_asked_for(project: Path) -> None:
    repo = discover.find(project)
    many = [support.git(project, "hash-object", "-w", "--stdin", input=f"{number}\n") for number in range(3)]
    with Batch(repo) as batch:
        found = list(batch.read([*many, *many], limit_bytes=100))
    assert found == [(oid, "blob", f"{number}\n".encode()) for number, oid in enumerate(many)] * 2


def test_more_objects_than_a_pipe_takes_come_too(project: Path) -> None:
    oid = support.git(project, "rev-parse", "HEAD:train.py")
    with Batch(discover.find(project)) as batch:
        assert sum(1 for _ in batch.read([oid] * 5000, limit_bytes=100)) == 5000


def test_what_is_too_large_or_missing_is_said_and_the_next_object_is_right(project: Path) -> None:
    large = support.git(project, "hash-object", "-w", "--stdin", input="x" * 3_000_000)
    small = support.git(project, "rev-parse", "HEAD:train.py")
    nobody = "1" * 40
    with Batch(discover.find(project)) as batch:
        kinds = [(kind, data is not None) for _, kind, data in batch.read([large, nobody, small], limit_bytes=1000)]
        sizes = [(kind, size) for _, kind, size in batch.sizes([large, nobody, small])]
    assert kinds == [("blob", False), ("missing", False), ("blob", True)]
    assert sizes == [("blob", 3_000_000), ("missing", 0), ("blob", len((project / "train.py").read_bytes()))]


def test_a_process_that_ends_early_is_an_error(project: Path) -> None:
    with Batch(discover.find(project)) as batch:
        batch._contents.kill()
        batch._contents.wait()
        with pytest.raises(Damaged):
            list(batch.read(["1" * 40], limit_bytes=10))
