"""Folded states: the same as folding again, whatever changes, and never older than what decides over signatures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gitexp.ops.registry import models as named
from gitexp.ops.registry import promote, register, release
from gitexp.record.model import Model
from gitexp.store import marks, modelcache, models
from gitexp.store.workspace import Workspace
from tests import registry, signing, support

REF = "refs/models/churn"


def rich(project: Path) -> Workspace:
    """Make a model with something of everything."""
    for name in ("a", "b", "c"):
        registry.register(project, registry.run(project, name))
    workspace = registry.open(project)
    model, first = named.version(workspace, "churn:1")
    model = release.approve(workspace, model, first, note="fine").model
    model = release.request(workspace, model, first, "production").model
    model = promote.promote(workspace, model, model.versions[first.id], "production", note="to all")
    model = release.alias(workspace, model, first, "champion")
    model = release.tag(workspace, model, first, {"owner": "ana"})
    model = release.note(workspace, model, None, "weekly")
    _, second = named.version(workspace, "churn:2")
    model = release.deprecate(workspace, model, second, "leaks")
    release.remove(workspace, model, named.version(workspace, "churn:3")[1], "by mistake")
    return workspace


def folded(workspace: Workspace) -> Model:
    """Return the model without what is kept."""
    path = workspace.home / "models/churn.json"
    kept = path.read_bytes()
    path.unlink()
    found = models.get(workspace, "churn")
    assert json.loads(path.read_bytes()) == json.loads(kept)
    return found


def test_a_state_that_is_read_back_is_the_one_that_was_folded(project: Path) -> None:
    workspace = rich(project)
    kept = models.get(workspace, "churn")
    assert kept == folded(workspace)
    assert kept == modelcache.read(workspace, REF)
    first = kept.by_number(1)
    assert first is not None
    assert (first.words[0].note, first.notes[0].text, kept.notes[0].text) == ("fine", "to all", "weekly")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def of_another_version(path: Path) -> None:
    path.write_text(path.read_text().replace('"layout":"', '"layout":"other '))


def nonsense(path: Path) -> None:
    path.write_text("[]")


@pytest.mark.parametrize("spoil", [torn, of_another_version, nonsense, Path.unlink])
def test_a_state_that_cannot_be_read_is_made_anew(project: Path, spoil: Callable[[Path], object]) -> None:
    workspace = rich(project)
    before = models.get(workspace, "churn")
    spoil(workspace.home / "models/churn.json")
    assert modelcache.read(workspace, REF) is None
    assert models.get(workspace, "churn") == before


def test_a_state_is_kept_while_nothing_that_decides_over_signatures_changes(project: Path) -> None:
    workspace = rich(project)
    mark = marks.of(registry.open(project))
    support.git(project, "config", "user.name", "Somebody")
    assert marks.of(registry.open(project)) == mark
    support.commit(project, "code", train__py="print(2)\n")
    assert marks.of(registry.open(project)) != mark
    assert modelcache.read(workspace, REF) is not None, "another mark alone is no reason to fold again"


def test_a_key_that_is_listed_or_revoked_later_changes_the_state(project: Path, tmp_path: Path) -> None:
    key = signing.make(tmp_path / "keys", "ana")
    signing.use(project, key)
    run = registry.run(project, "a")
    register.register(registry.open(project), run.id, "churn")
    version = models.get(registry.open(project), "churn").by_number(1)
    assert version is not None
    assert not version.signed
    support.write(project / "gitexp/allowed_signers", signing.listed({"ana@acme.io": key}))
    support.commit(project, "list ana's key")
    found = models.get(registry.open(project), "churn").by_number(1)
    assert found is not None
    assert found.signed
    support.write(tmp_path / "signers", "")
    support.git(project, "config", "gpg.ssh.allowedSignersFile", str(tmp_path / "signers"))
    found = models.get(registry.open(project), "churn").by_number(1)
    assert found is not None
    assert not found.signed
    support.write(tmp_path / "signers", signing.listed({"ana@acme.io": key}))
    found = models.get(registry.open(project), "churn").by_number(1)
    assert found is not None
    assert found.signed
