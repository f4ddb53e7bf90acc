"""Lists of allowed signers, line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.errors import UsageError
from gitexp.record import roster

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILMO2Ii/M64NRg1gWR6wGOQY0NveIahoq0cIQYkwltoL"
MARK = "SHA256:ekIx8mDGl0J1KuuoCllVJhR75refRLsPW6V05/mp78M"


def one(line: str) -> roster.Key:
    (key,) = roster.parse(line).keys
    return key


@pytest.mark.parametrize(
    ("line", "people", "after", "before", "comment"),
    [
        (f"ana@acme.io {KEY}", ("ana@acme.io",), None, None, ""),
        (f"  ana@acme.io,bob@acme.io  {KEY}  a laptop ", ("ana@acme.io", "bob@acme.io"), None, None, "a laptop"),
        (f'"ana ruiz" {KEY} x', ("ana ruiz",), None, None, "x"),
        (f'ana@acme.io namespaces="git,file" {KEY}', ("ana@acme.io",), None, None, ""),
        (f'a@b valid-after="20260101",valid-before="20260601Z" {KEY}', ("a@b",), 1767225600, 1780272000, ""),
        (f'a@b Valid-Before="202606010130" {KEY}', ("a@b",), None, 1780277400, ""),
        (f'a@b valid-before="20260601013015Z",namespaces="git" {KEY}', ("a@b",), None, 1780277415, ""),
    ],
)
def test_a_line_says_whose_key_it_is_and_when(
    line: str, people: tuple[str, ...], after: int | None, before: int | None, comment: str
) -> None:
    key = one(line)
    assert (key.people, key.after_s, key.before_s, key.comment) == (people, after, before, comment)
    assert (key.kind, key.fingerprint, key.number) == ("ssh-ed25519", MARK, 1)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ana@acme.io", "no key"),
        (KEY, "nobody's key"),
        ("ana@acme.io ssh-ed25519 AAAA", "a key that does not parse"),
        ("ana@acme.io ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAA", "a key that does not parse"),
        (f'ana@acme.io valid-until="20260101" {KEY}', "no option 'valid-until'"),
        (f'ana@acme.io valid-before="tomorrow" {KEY}', "no date 'tomorrow'"),
        (
            f'ana@acme.io valid-before="20261301" {KEY}',
            "no date '20261301'",
        ),
    ],
)
def test_a_line_that_ssh_would_pass_over_is_named(line: str, why: str) -> None:
    assert roster.parse(f"# a comment\n\n{line}\na@b {KEY}\n").faults == ((3, why),)
    assert len(roster.parse(f"{line}\na@b {KEY}\n").keys) == 1


def test_a_line_that_is_written_is_read_again() -> None:
    line = roster.line(["ana@acme.io"], KEY + "  a  laptop", before="20271231")
    assert line == f'ana@acme.io namespaces="git",valid-before="20271231" {KEY} a laptop'
    assert (one(line).people, one(line).comment) == (("ana@acme.io",), "a laptop")


@pytest.mark.parametrize("person", ["", "ana", "*", "*@acme.io", "a@b c", "a@b,c@d", "#a@b", '"a@b', "!a@b", "a@b\nc"])
def test_who_is_no_person_is_refused(person: str) -> None:
    with pytest.raises(UsageError, match="is no e-mail address"):
        roster.line([person], KEY)


@pytest.mark.parametrize(
    "key", ["", "ssh-ed25519", "nonsense", f"ana@acme.io {KEY}", "ssh-ed25519 !!!", "ssh-rsa AAAA"]
)
def test_what_is_no_public_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="is no public SSH key"):
        roster.public(key)


def test_the_lines_that_decide_over_a_key_are_its_own_and_those_of_authorities() -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    lines = (f"ana@acme.io {KEY}", f"bob@acme.io {other}", f"*@acme.io cert-authority {other}")
    assert roster.parse("\n".join(lines)).lines_about(MARK) == (lines[0], lines[2])


def test_revoked_keys_are_a_key_a_line() -> None:
    assert roster.revoked(f"# lost\n{KEY} ana\nnonsense\nssh-ed25519 AAAA\n") == {MARK}


@given(st.text())
def test_no_text_breaks_a_reader(text: str) -> None:
    roster.parse(text)
    roster.revoked(text)
    roster.signed_by(text)
    roster.signed_by("-----BEGIN SSH SIGNATURE-----" + text)
