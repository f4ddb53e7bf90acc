"""Who signed a commit: every status, with keys made here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gitexp.git import discover, signatures
from gitexp.record.event import Signer
from tests import signing, support
from tests.signing import ANA, BOB, EVE, JANUARY, JUNE, NOVEMBER


def verify(project: Path, oid: str, allowed: str = "", revoked: Path | None = None, **options: object) -> Signer:
    path = support.write(project.parent / "allowed", allowed)
    return signatures.verify(discover.find(project), [oid], path, revoked, **options)[oid]  # type: ignore[arg-type]  # gpg


def test_a_good_signature_names_the_person_of_the_key(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    oid = signing.commit(project)
    found = verify(project, oid, signing.listed(keys))
    assert found == Signer("good", ANA, signing.fingerprint(keys[ANA]), "ssh")


def test_what_is_said_agrees_with_git(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[BOB])
    oid = signing.commit(project)
    listed = support.write(project.parent / "allowed", signing.listed(keys))
    support.git(project, "-c", f"gpg.ssh.allowedSignersFile={listed}", "verify-commit", oid)
    assert verify(project, oid, signing.listed(keys)).person == BOB


def test_an_unsigned_commit_is_nobodys(project: Path) -> None:
    assert verify(project, signing.commit(project, sign=False)) == Signer("none")


def test_a_key_that_is_not_in_the_list_is_unknown(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[EVE])
    found = verify(project, signing.commit(project), signing.listed({ANA: keys[ANA]}))
    assert found == Signer("unknown", "", signing.fingerprint(keys[EVE]), "ssh")


def test_without_any_list_every_key_is_unknown(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    oid = signing.commit(project)
    assert signatures.verify(discover.find(project), [oid], None)[oid].status == "unknown"


def test_an_altered_commit_is_bad(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    oid = signing.altered(project, signing.commit(project))
    assert verify(project, oid, signing.listed(keys)).status == "bad"


def test_the_signature_of_another_commit_is_bad(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    one, other = (signing.commit(project, text=text) for text in ("one\n", "other\n"))
    contents = [support.git(project, "cat-file", "commit", oid) for oid in (one, other)]
    signature = [text[text.index("gpgsig ") : text.index("-----END SSH SIGNATURE-----") + 27] for text in contents]
    forged = contents[0].replace(signature[0], signature[1]) + "\n"
    oid = support.git(project, "hash-object", "-t", "commit", "-w", "--stdin", input=forged)
    assert verify(project, oid, signing.listed(keys)).status == "bad"


def test_a_commit_with_two_signatures_is_bad(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    said = support.git(project, "cat-file", "commit", signing.commit(project))
    signature = said[said.index("gpgsig ") : said.index("-----END SSH SIGNATURE-----") + 28]
    twice = said.replace(signature, signature + signature) + "\n"
    oid = support.git(project, "hash-object", "-t", "commit", "-w", "--stdin", input=twice)
    assert verify(project, oid, signing.listed(keys)).status == "bad"


def test_a_commit_that_replaces_another_does_not_sign_for_it(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    good, plain = signing.commit(project), signing.commit(project, sign=False)
    support.git(project, "replace", plain, good)
    assert verify(project, plain, signing.listed(keys)).status == "none"
    support.git(project, "replace", "--delete", plain)
    support.git(project, "replace", signing.altered(project, good), good)
    assert verify(project, signing.altered(project, good), signing.listed(keys)).status == "bad"


@pytest.mark.parametrize("krl", [False, True])
def test_a_revoked_key_is_told_from_a_forged_commit(project: Path, keys: Mapping[str, Path], krl: bool) -> None:
    signing.use(project, keys[BOB])
    oid = signing.commit(project)
    revoked = support.write(project.parent / "revoked", signing.public(keys[BOB]) + "\n")
    if krl:
        done = project.parent / "krl"
        subprocess.run(["ssh-keygen", "-k", "-f", str(done), str(keys[BOB]) + ".pub"], check=True, capture_output=True)
        revoked = done
    found = verify(project, oid, signing.listed(keys), revoked)
    assert found == Signer("revoked", BOB, signing.fingerprint(keys[BOB]), "ssh")
    assert verify(project, signing.altered(project, oid), signing.listed(keys), revoked).status == "bad"
    signing.use(project, keys[ANA])
    assert verify(project, signing.commit(project), signing.listed(keys), revoked).status == "good"


def test_a_revoked_key_that_was_taken_from_the_list_is_still_called_revoked(
    project: Path, keys: Mapping[str, Path]
) -> None:
    signing.use(project, keys[BOB])
    revoked = support.write(project.parent / "revoked", signing.public(keys[BOB]) + "\n")
    assert verify(project, signing.commit(project), "", revoked).status == "revoked"


@pytest.mark.parametrize(
    ("options", "time_s", "status"),
    [
        ('valid-before="20260601"', JANUARY, "good"),  # it ended after it had signed
        ('valid-before="20260601Z"', JUNE, "good"),
        ('valid-before="20260601Z"', JUNE + 1, "expired"),
        ('valid-before="20260601"', NOVEMBER, "expired"),
        ('valid-after="20260601"', JANUARY, "expired"),  # before it was given to anybody
        ('valid-after="20260601",valid-before="20261201"', NOVEMBER, "good"),
        ('namespaces="git",valid-before="20260601"', JANUARY, "good"),
        ('namespaces="file"', JANUARY, "unknown"),
    ],
)
def test_a_key_counts_between_its_dates(
    project: Path, keys: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch, options: str, time_s: int, status: str
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")  # a list means the same in all places
    signing.use(project, keys[BOB])
    assert verify(project, signing.commit(project, time_s), signing.listed(keys, options)).status == status


def test_a_person_is_whom_the_list_names_not_whom_the_commit_claims(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[EVE])
    found = verify(project, signing.commit(project, email=ANA), signing.listed(keys))
    assert (found.status, found.person) == ("good", EVE)


def test_of_several_addresses_of_a_key_the_first_counts_so_that_nobody_is_two_people(
    project: Path, keys: Mapping[str, Path]
) -> None:
    signing.use(project, keys[BOB])
    listed = signing.listed({f"{BOB},bob@home.io": keys[BOB], ANA: keys[BOB]})
    found = [verify(project, signing.commit(project, email=email), listed) for email in (BOB, "bob@home.io", ANA)]
    assert [signer.person for signer in found] == [BOB, BOB, BOB]


def test_a_pattern_is_no_persons_address(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[EVE])
    found = verify(project, signing.commit(project, email=ANA), signing.listed({"*@acme.io": keys[EVE]}))
    assert (found.status, found.person) == ("good", "*@acme.io")


def test_a_certificate_counts_by_the_authority_in_the_list(project: Path, keys: Mapping[str, Path]) -> None:
    command = ["ssh-keygen", "-q", "-s", str(keys[EVE]), "-I", "ana", "-n", ANA, "-V", "always:forever"]
    subprocess.run([*command, str(keys[ANA]) + ".pub"], check=True, capture_output=True)
    signing.use(project, str(keys[ANA]) + "-cert.pub")
    oid = signing.commit(project)
    assert verify(project, oid, f"{ANA} cert-authority {signing.public(keys[EVE])}\n").status == "good"
    assert verify(project, oid, signing.listed({ANA: keys[EVE]})).status == "unknown"


def test_a_line_that_does_not_parse_hides_no_other(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    listed = "nonsense\n\n# a comment\nbob@acme.io ssh-ed25519 AAAA\n" + signing.listed(keys)
    assert verify(project, signing.commit(project), listed).status == "good"


@pytest.mark.parametrize(
    "config",
    [
        ("log.showSignature", "true"),
        ("color.ui", "always"),
        ("log.decorate", "full"),
        ("i18n.logOutputEncoding", "UTF-16"),
    ],
)
def test_the_users_settings_of_git_log_change_nothing(
    project: Path, keys: Mapping[str, Path], config: tuple[str, str]
) -> None:
    support.git(project, "config", *config)
    signing.use(project, keys[ANA])
    assert verify(project, signing.commit(project), signing.listed(keys)).status == "good"


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "C", "ja_JP.UTF-8"])
def test_the_users_language_changes_nothing(
    project: Path, keys: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    for name in ("LC_ALL", "LANG", "LANGUAGE"):
        monkeypatch.setenv(name, language)
    signing.use(project, keys[BOB])
    oid = signing.commit(project, text="événement ü\n")
    assert verify(project, oid, signing.listed(keys)).status == "good"
    assert "événement ü" in support.git(project, "cat-file", "commit", oid)


def test_many_commits_are_told_apart(project: Path, keys: Mapping[str, Path]) -> None:
    want: dict[str, tuple[str, str]] = {}
    for number in range(24):
        email = (ANA, BOB, EVE)[number % 3]
        signing.use(project, keys[email])
        oid = signing.commit(project, text=f"event {number}\n", sign=number % 4 != 0)
        known = email != EVE
        want[oid] = ("none", "") if number % 4 == 0 else ("good", email) if known else ("unknown", "")
    allowed = support.write(project.parent / "allowed", signing.listed({ANA: keys[ANA], BOB: keys[BOB]}))
    found = signatures.verify(discover.find(project), want, allowed)
    assert {oid: (signer.status, signer.person) for oid, signer in found.items()} == want


def test_commits_that_are_not_here_have_no_entry(project: Path) -> None:
    assert signatures.verify(discover.find(project), ["1" * 40], None) == {}


def test_without_a_program_that_checks_it_a_signature_is_unchecked(project: Path, keys: Mapping[str, Path]) -> None:
    signing.use(project, keys[ANA])
    oid, plain = signing.commit(project), signing.commit(project, sign=False)
    support.git(project, "config", "gpg.ssh.program", str(project / "gone"))
    assert verify(project, oid, signing.listed(keys)).status == "unchecked"
    assert verify(project, plain).status == "none"


def test_without_git_a_signature_is_unchecked(
    project: Path, keys: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    signing.use(project, keys[ANA])
    oid, plain = signing.commit(project), signing.commit(project, sign=False)
    repo = discover.find(project)
    monkeypatch.setenv("PATH", str(project))
    found = signatures.verify(repo, [oid, plain], None)
    assert (found[oid].status, found[plain].status) == ("unchecked", "none")


@pytest.fixture
def gnupg() -> Iterator[Path]:
    with signing.gnupg() as folder:
        yield folder


def test_a_gpg_key_counts_for_whom_the_rules_name(project: Path, gnupg: Path) -> None:
    key = signing.make_gpg(f"Ana <{ANA}>")
    signing.use_gpg(project, key)
    oid = signing.commit(project)
    assert verify(project, oid, gpg={ANA: key}) == Signer("good", ANA, key, "gpg")
    assert verify(project, oid, gpg={ANA: " ".join((key[:20].lower(), key[20:]))}).status == "good"
    assert verify(project, oid, gpg={BOB: key}).person == BOB
    assert verify(project, oid, gpg={BOB: "0" * 40}).status == "unknown"


def test_a_gpg_key_counts_by_the_users_trust_where_the_rules_name_none(project: Path, gnupg: Path) -> None:
    key = signing.make_gpg(f"Ana <{ANA}>")
    signing.use_gpg(project, key)
    oid = signing.commit(project)
    assert verify(project, oid) == Signer("good", ANA, key, "gpg")
    signing.gpg("--import-ownertrust", input=f"{key}:2:\n")
    assert verify(project, oid).status == "unknown"


def test_an_altered_commit_and_a_stranger_are_told_apart_with_gpg(project: Path, gnupg: Path) -> None:
    key = signing.make_gpg(f"Ana <{ANA}>")
    signing.use_gpg(project, key)
    oid = signing.commit(project)
    assert verify(project, signing.altered(project, oid), gpg={ANA: key}).status == "bad"
    signing.gpg("--yes", "--delete-secret-and-public-key", key)
    assert verify(project, oid, gpg={ANA: key}).status == "unknown"


def test_a_gpg_key_that_ended_after_it_signed_is_good(project: Path, gnupg: Path) -> None:
    key = signing.make_gpg(f"Ana <{ANA}>", ends="20260601T000000")
    signing.use_gpg(project, key)
    before, after = signing.commit(project, JANUARY), signing.commit(project, NOVEMBER)
    support.git(project, "config", "--unset", "gpg.program")
    assert verify(project, before, gpg={ANA: key}) == Signer("good", ANA, key, "gpg")
    assert verify(project, before) == Signer("good", ANA, key, "gpg")
    assert verify(project, after, gpg={ANA: key}).status == "expired"


def test_a_revoked_gpg_key_is_revoked(project: Path, gnupg: Path) -> None:
    key = signing.make_gpg(f"Ana <{ANA}>")
    signing.use_gpg(project, key)
    oid = signing.commit(project)
    text = (gnupg / f"openpgp-revocs.d/{key}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    signing.gpg("--import", input=text)
    support.git(project, "config", "--unset", "gpg.program")
    assert verify(project, oid, gpg={ANA: key}).status == "revoked"
