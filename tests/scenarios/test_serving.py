"""A version on its way to where it is served: pushed, fetched, and its bytes brought when they are wanted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import recording, support

pytestmark = pytest.mark.slow
MODEL = b"tree\nversion=v4\n" + b"w" * 300_000


@pytest.fixture
def served(project: Path, bare: Path, tmp_path: Path) -> Path:
    """Return a clone that has fetched a model in production, whose bytes are on the remote alone."""
    recording.record(project, "base", metrics={"val_auc": [0.9]}, artifacts={"model.txt": MODEL})
    support.gitexp("model", "register", "base", "churn")
    support.gitexp("model", "stage", "churn:1", "production")
    support.process(project, "push", "--yes")
    path = tmp_path / "server"
    support.git(tmp_path, "clone", "--quiet", str(bare), str(path))
    support.process(path, "fetch")
    return path


def test_another_clone_serves_exactly_what_was_registered(served: Path) -> None:
    listed = support.process(served, "model", "ls", "churn", "--json").json
    assert [(row["version"], row["stage"], row["fixed"]) for row in listed] == [(1, "production", True)]
    assert support.process(served, "model", "show", "churn:1", "--json").json["here"] is False
    done = support.process(served, "model", "get", "churn@production", "--to", "model.txt")
    assert (served / "model.txt").read_bytes() == MODEL
    assert "from a remote" in done.stdout
    code = "import gitexp, json\nprint(json.dumps(gitexp.models.serving_metadata('churn@production')))"
    told = json.loads(support.python(served, code).stdout)
    assert (told["version"], told["stage"], told["sha256"]) == (1, "production", listed[0]["sha256"])
    assert support.process(served, "model", "show", "churn:1", "--json").json["here"] is True


def test_python_brings_the_bytes_that_it_needs(served: Path) -> None:
    code = "import gitexp\nprint(len(gitexp.models.get('churn@production').path().read_bytes()))"
    assert support.python(served, code).stdout == f"{len(MODEL)}\n"


def test_bytes_that_nobody_has_are_said_and_nothing_is_written(served: Path, bare: Path) -> None:
    for path in [path for path in (bare / "lfs").rglob("*") if path.is_file()]:
        path.unlink()
    failed = support.process(served, "model", "get", "churn:1", "--to", "model.txt", expect=None)
    assert failed.code in (4, 10)
    assert not (served / "model.txt").exists()


def test_bytes_that_are_not_those_that_were_registered_are_not_served(served: Path, bare: Path) -> None:
    (stored,) = [path for path in (bare / "lfs").rglob("*") if path.is_file() and path.stat().st_size == len(MODEL)]
    stored.chmod(0o644)
    stored.write_bytes(MODEL[:-1] + b"X")
    failed = support.process(served, "model", "get", "churn:1", "--to", "model.txt", expect=None)
    assert failed.code != 0
    assert not (served / "model.txt").exists()
