"""Whose signatures count in a clone, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gitexp.errors import Damaged, Refused
from gitexp.git import objects
from gitexp.store import signers, workspace
from tests import signing, support
from tests.signing import ANA, BOB, EVE, NOVEMBER


def status(project: Path, oid: str) -> tuple[str, str]:
    found = signers.of(workspace.open(project), [oid])[oid]
    return found.status, found.person


def agree(project: Path, keys: Mapping[str, Path], options: str = "") -> None:
    """Commit a list of allowed signers to the branch of the rules."""
    support.write(project / signers.ALLOWED, signing.listed(keys, options))
    support.commit(project, "say who signs")


def test_the_list_on_the_branch_of_the_rules_counts(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    oid = signing.commit(project)
    assert status(project, oid) == ("unknown", "")
    agree(project, {ANA: keys[ANA]})
    assert status(project, oid) == ("good", ANA)


def test_a_list_that_is_not_committed_counts_for_nothing(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[EVE])
    support.write(project / signers.ALLOWED, signing.listed(keys))
    support.git(project, "switch", "--quiet", "-c", "mine")
    support.commit(project, "let me in")
    assert status(project, signing.commit(project)) == ("unknown", "")


def test_a_file_of_the_repositorys_own_configuration_counts_alone(project: Path, keys: Mapping[str, Path]) -> None:
    agree(project, {ANA: keys[ANA]})
    support.write(project / ".git/signers", signing.listed({BOB: keys[BOB]}))
    support.git(project, "config", "gpg.ssh.allowedSignersFile", ".git/signers")
    found = []
    for email in (ANA, BOB):
        signing.use(project, keys[email])
        found.append(status(project, signing.commit(project)))
    assert found == [("unknown", ""), ("good", BOB)]


def test_a_file_that_is_configured_and_not_there_lets_nobody_in(project: Path, keys: Mapping[str, Path]) -> None:
    agree(project, keys)
    support.git(project, "config", "gpg.ssh.allowedSignersFile", "gone")
    signing.use(project, keys[ANA])
    assert status(project, signing.commit(project)) == ("unknown", "")


def test_the_users_own_file_adds_to_the_list_of_the_project(
    project: Path, keys: Mapping[str, Path], seal: Path
) -> None:
    agree(project, {ANA: keys[ANA]})
    support.write(seal / "signers", signing.listed({"ana@home.io": keys[ANA], BOB: keys[BOB]}))
    support.git(project, "config", "--global", "gpg.ssh.allowedSignersFile", "~/signers")
    found = []
    for email in (ANA, BOB, EVE):
        signing.use(project, keys[email])
        found.append(status(project, signing.commit(project, email=email)))
    assert found == [("good", ANA), ("good", BOB), ("unknown", "")]


def test_revoked_keys_of_the_project_and_of_the_configuration_keep_nothing(
    project: Path, keys: Mapping[str, Path]
) -> None:
    support.write(project / signers.REVOKED, "# lost in June\n" + signing.public(keys[BOB]) + "\n")
    agree(project, keys)
    support.write(project / ".git/revoked", signing.public(keys[EVE]) + "\n")
    support.git(project, "config", "gpg.ssh.revocationFile", ".git/revoked")
    found = []
    for email in (ANA, BOB, EVE):
        signing.use(project, keys[email])
        found.append(status(project, signing.commit(project)))
    assert found == [("good", ANA), ("revoked", BOB), ("revoked", EVE)]


def test_what_is_known_is_not_asked_again(project: Path, keys: Mapping[str, Path]) -> None:
    agree(project, keys)
    signing.use(project, keys[ANA])
    oid, plain = signing.commit(project), signing.commit(project, sign=False)
    program = support.write(project / ".git/counted", '#!/bin/sh\necho "$2" >> .git/calls\nexec ssh-keygen "$@"\n')
    program.chmod(0o755)
    support.git(project, "config", "gpg.ssh.program", str(program))
    found = [signers.of(workspace.open(project), [plain, oid, plain]) for _ in range(3)]
    assert [(found[0][plain].status, found[0][oid].status)] == [("none", "good")]
    assert found[0] == found[1] == found[2]
    assert (project / ".git/calls").read_text().split() == ["find-principals", "verify"]


def test_a_change_of_the_list_asks_again_only_about_the_keys_it_changes(
    project: Path, keys: Mapping[str, Path]
) -> None:
    agree(project, {ANA: keys[ANA]})
    signing.use(project, keys[ANA])
    anas = signing.commit(project)
    signing.use(project, keys[BOB])
    bobs = signing.commit(project, NOVEMBER)
    space = workspace.open(project)
    signers.of(space, [anas, bobs])
    rows = space.home / "signers.jsonl"
    rows.write_text(rows.read_text().replace(f'"{ANA}"', '"kept@acme.io"'))
    agree(project, {ANA: keys[ANA], BOB: keys[BOB]})
    assert (status(project, anas), status(project, bobs)) == (("good", "kept@acme.io"), ("good", BOB))
    agree(project, keys, 'valid-before="20260601"')
    assert (status(project, anas), status(project, bobs)) == (("good", ANA), ("expired", BOB))


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[1]\n", b'["x", "y", {}]\n', b'["a"'])
def test_a_damaged_memory_is_made_anew(project: Path, keys: Mapping[str, Path], content: bytes) -> None:
    agree(project, keys)
    signing.use(project, keys[ANA])
    oid = signing.commit(project)
    support.write(project / ".git/gitexp/signers.jsonl", content)
    assert status(project, oid) == ("good", ANA)


def test_the_memory_grows_by_what_is_new_and_not_by_what_changes(
    project: Path, keys: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signers, "_SPARE_LINES", 2)
    signing.use(project, keys[ANA])
    oids = [signing.commit(project, text=f"{number}\n") for number in range(3)]
    sizes = []
    for number in range(5):
        agree(project, {f"ana{number}@acme.io": keys[ANA]})
        assert {status(project, oid) for oid in oids} == {("good", f"ana{number}@acme.io")}
        sizes.append(len((project / ".git/gitexp/signers.jsonl").read_text().split()))
    assert max(sizes) < 10


def test_the_digest_follows_the_lists(project: Path, keys: Mapping[str, Path]) -> None:
    seen = {signers.digest(workspace.open(project))}
    agree(project, {ANA: keys[ANA]})
    seen.add(signers.digest(workspace.open(project)))
    support.commit(project, "something else", new__py="x = 1\n")
    seen.add(signers.digest(workspace.open(project)))
    support.write(project / signers.REVOKED, signing.public(keys[ANA]) + "\n")
    support.commit(project, "revoke")
    seen.add(signers.digest(workspace.open(project)))
    assert len(seen) == 3


def test_a_commit_that_is_not_here_is_said(project: Path) -> None:
    with pytest.raises(Damaged, match="1111111 is not here"):
        signers.of(workspace.open(project), ["1" * 40])


def test_an_event_is_signed_where_git_knows_a_key(project: Path, keys: Mapping[str, Path]) -> None:
    assert not signers.wanted(workspace.open(project))
    signing.use(project, keys[ANA])
    assert signers.wanted(workspace.open(project))
    assert not signers.wanted(workspace.open(project, {"signEvents": "never"}))


def test_an_event_that_must_be_signed_is_refused_without_a_key(project: Path) -> None:
    space = workspace.open(project, {"signEvents": "always"})
    person = objects.Signature("Ana Ruiz", ANA, NOVEMBER)
    with pytest.raises(Refused, match=r"cannot sign: .*") as caught:
        signers.write(space, objects.Commit(objects.EMPTY_TREE, (), person, person, "event\n"))
    assert caught.value.hint == "gitexp keys setup"


@pytest.mark.parametrize(
    ("listed", "options", "want"),
    [
        (ANA, "", ("good", ANA)),
        (f"{BOB},{ANA}", "", ("good", BOB)),
        (BOB, "", ("good", BOB)),
        (ANA, 'valid-before="20260601"', ("expired", "")),
        (EVE, "revoked", ("revoked", EVE)),
        ("", "", ("unknown", "")),
    ],
)
def test_what_an_event_would_count_as_is_what_it_counts_as(
    project: Path, keys: Mapping[str, Path], listed: str, options: str, want: tuple[str, str]
) -> None:
    assert signers.expected(workspace.open(project), NOVEMBER).status == "none"
    signing.use(project, keys[ANA])
    if options == "revoked":
        support.write(project / signers.REVOKED, signing.public(keys[ANA]) + "\n")
    agree(project, {listed: keys[ANA]} if listed else {BOB: keys[BOB]}, options.removeprefix("revoked"))
    found = signers.expected(workspace.open(project), NOVEMBER)
    assert (found.status, found.person) == want
    assert status(project, signing.commit(project, NOVEMBER))[0] == want[0]
