"""Commits signed with the user's key, and what is said where there is none that could sign."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from gitexp.git import command, discover, objects, signatures
from gitexp.git import signing as gitsigning
from gitexp.git.objects import Commit, Signature
from tests import signing, support
from tests.signing import ANA, JANUARY


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Return Ana's key."""
    return signing.make(tmp_path / "keys", "ana")


def person(project: Path, oid: str, key: Path) -> str:
    allowed = support.write(project.parent / "allowed", signing.listed({ANA: key}))
    return signatures.verify(discover.find(project), [oid], allowed)[oid].person


@pytest.mark.parametrize(
    ("name", "email", "message"),
    [
        ("Ana Ruiz", ANA, "subject\n\nbody\n"),
        ("Ana Ruiz", ANA, "no newline at its end"),
        ("", "", "\n\n  spaces and lines stay \n\n\n"),
        ("Änä <ruiz>.", "ana@acme.io ", "ünï\u2028cöde \ud800 and \0 nothing\n"),
    ],
)
def test_a_signed_commit_differs_from_a_plain_one_by_its_signature_alone(
    project: Path, key: Path, name: str, email: str, message: str
) -> None:
    support.git(project, "config", "i18n.commitEncoding", "ISO-8859-1")
    signing.use(project, key)
    repo = discover.find(project)
    parent = support.git(project, "rev-parse", "HEAD")
    content = Commit(
        objects.write_tree(repo, {}),
        (parent,),
        Signature(name, email, JANUARY, 330),
        Signature(name, email, 5),
        message,
    )
    plain, signed = (gitsigning.commit(repo, content, sign=sign) for sign in (False, True))
    said = objects.commit_bytes(repo, signed)
    start, end = said.index(b"gpgsig "), said.index(b"-----END SSH SIGNATURE-----") + 28
    assert said[:start] + said[end:] == objects.commit_bytes(repo, plain)
    support.git(project, "fsck", "--strict")


def test_a_key_that_only_the_agent_holds_signs_and_leaves_no_file(
    project: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setenv("TMPDIR", str(aside))
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    with signing.agent():
        subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True)
        public, mark = signing.public(key), signing.fingerprint(key)
        key.unlink()
        repo = discover.find(project)
        for named in (f"{key}.pub", f"key::{public}", public):
            signing.use(project, named)
            found = gitsigning.ready(repo)
            assert (found.format, found.key, found.why) == ("ssh", mark, "")
            assert found.public.startswith(public)
            assert person(project, signing.commit(project), key) == ANA
            assert not list(aside.glob(".git_signing*"))


def test_the_key_of_the_default_key_command_signs(project: Path, key: Path) -> None:
    with signing.agent():
        subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True)
        support.git(project, "config", "gpg.format", "ssh")
        support.git(project, "config", "gpg.ssh.defaultKeyCommand", "ssh-add -L")
        assert gitsigning.ready(discover.find(project)).key == signing.fingerprint(key)
        assert person(project, signing.commit(project), key) == ANA


def test_a_key_file_is_ready_by_any_of_its_names(project: Path, key: Path, seal: Path) -> None:
    repo = discover.find(project)
    (seal / ".ssh").mkdir()
    for name in ("ana", "ana.pub"):
        (seal / ".ssh" / name).write_bytes(key.with_name(name).read_bytes())
        (seal / ".ssh" / name).chmod(0o600)
    for named in (str(key), f"{key}.pub", "~/.ssh/ana", "../keys/ana"):
        signing.use(project, named)
        assert (gitsigning.ready(repo).key, gitsigning.ready(repo).why) == (signing.fingerprint(key), "")
        assert person(project, signing.commit(project), key) == ANA


def test_a_key_without_its_public_half_is_ready(project: Path, key: Path) -> None:
    public, mark = signing.public(key), signing.fingerprint(key)
    key.with_name("ana.pub").unlink()
    signing.use(project, key)
    found = gitsigning.ready(discover.find(project))
    assert (found.key, found.why) == (mark, "")
    assert found.public.startswith(public)


def test_a_key_that_is_not_there_is_named(project: Path, key: Path) -> None:
    signing.use(project, project / "gone")
    found = gitsigning.ready(discover.find(project))
    assert (found.why, found.hint) == (f"the signing key {project}/gone is not there", "gitexp keys setup")
    with pytest.raises(command.GitFailed, match=r"cannot sign: the signing key .*/gone is not there") as caught:
        signing.commit(project)
    assert caught.value.hint == "gitexp keys setup"


def test_a_key_that_the_agent_lost_is_named(project: Path, key: Path) -> None:
    mark = signing.fingerprint(key)
    signing.use(project, f"key::{signing.public(key)}")
    found = gitsigning.ready(discover.find(project))
    assert (found.why, found.hint) == (f"the SSH agent does not hold the key {mark}", "ssh-add KEYFILE")
    with pytest.raises(command.GitFailed, match="cannot sign: "):
        signing.commit(project)


def test_a_passphrase_that_nobody_can_type_fails_and_leaves_no_commit(project: Path, tmp_path: Path) -> None:
    key = signing.make(tmp_path / "keys", "locked", passphrase="correct horse")
    signing.use(project, key)
    before = support.git(project, "count-objects")
    with pytest.raises(command.GitFailed, match=r"cannot sign: .*passphrase") as caught:
        signing.commit(project)
    assert caught.value.hint == "gitexp keys check"
    assert gitsigning.ready(discover.find(project)).key == signing.fingerprint(key)
    assert support.git(project, "count-objects") >= before


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"gpg.format": "ssh"}, "user.signingKey names no key"),
        ({"gpg.format": "ssh", "user.signingKey": "key::nonsense"}, "the key that user.signingKey gives is no SSH key"),
        ({"gpg.format": "ssh", "user.signingKey": "train.py"}, "train.py is no SSH key"),
        ({"gpg.format": "x509"}, "gpg.format is 'x509', not ssh or openpgp"),
        ({"gpg.program": "no-such-gpg"}, "no signing key is set up"),
        ({"gpg.format": "ssh", "gpg.ssh.program": "no-such-keygen"}, "there is no ssh-keygen on the PATH"),
    ],
)
def test_what_is_missing_is_said(project: Path, settings: dict[str, str], why: str) -> None:
    for name, value in settings.items():
        support.git(project, "config", name, value)
    assert gitsigning.ready(discover.find(project)).why == why


def test_without_git_nothing_can_be_signed(project: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signing.use(project, key)
    repo = discover.find(project)
    monkeypatch.setenv("PATH", str(project))
    assert gitsigning.ready(repo).why == "only the git command signs, and there is none"


def test_a_gpg_key_signs_and_is_ready(project: Path) -> None:
    with signing.gnupg():
        repo = discover.find(project)
        assert gitsigning.ready(repo).why == "GnuPG has no secret key for 'Ana Ruiz <ana@acme.io>'"
        with pytest.raises(command.GitFailed, match="cannot sign: "):
            signing.commit(project)
        key = signing.make_gpg(f"Ana Ruiz <{ANA}>")
        assert gitsigning.ready(repo) == gitsigning.Ready("gpg", key)
        found = signatures.verify(repo, [oid := signing.commit(project)], None, gpg={ANA: key})[oid]
        assert (found.status, found.key) == ("good", key)


def test_signing_moves_no_ref_and_touches_nothing(project: Path, key: Path, untouched: None) -> None:
    support.git(project, "config", "commit.gpgSign", "true")
    signing.use(project, key)
    signing.commit(project)
