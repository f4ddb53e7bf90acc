"""Runs whose commits are signed: gitexp.sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git import discover, signatures
from tests import signing, support
from tests.signing import ANA


@pytest.fixture
def key(project: Path, tmp_path: Path) -> Path:
    """Return the key that signs the runs of the project."""
    made = signing.make(tmp_path / "keys", "ana")
    signing.use(project, made)
    support.git(project, "config", "gitexp.sign", "true")
    return made


def test_a_run_is_signed_and_plain_git_says_so(project: Path, key: Path, untouched: None) -> None:
    support.gitexp("run", "--", "true")
    (commit,) = support.run_refs(project).values()
    allowed = support.write(project.parent / "allowed", signing.listed({ANA: key}))
    assert signatures.verify(discover.find(project), [commit], allowed)[commit].person == ANA
    support.git(project, "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", commit)


def test_a_run_that_could_not_be_signed_does_not_begin(project: Path, key: Path) -> None:
    key.unlink()
    key.with_name("ana.pub").unlink()
    done = support.gitexp("run", "--", "touch", "begun", expect=3)
    assert done.stderr == f"gitexp: cannot sign: the signing key {key} is not there\ngitexp keys setup\n"
    assert not (project / "begun").exists()


def test_a_run_whose_key_went_away_meanwhile_waits_for_it(project: Path, key: Path) -> None:
    support.process(project, "run", "--", "mv", str(key), f"{key}.away", expect=1)
    assert support.run_refs(project) == {}
    Path(f"{key}.away").rename(key)
    assert support.gitexp("recover").code == 0
    assert len(support.run_refs(project)) == 1
