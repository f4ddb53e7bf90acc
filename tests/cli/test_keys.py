"""gitexp keys: from nothing to a signature that counts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitexp.git import discover
from gitexp.git import signing as gitsigning
from gitexp.store import signers, workspace
from tests import signing, support
from tests.signing import ANA, BOB, EVE, NOVEMBER


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Return a key that lies somewhere."""
    return signing.make(tmp_path / "keys", "ana")


def config(project: Path, name: str) -> str:
    return support.git(project, "config", "--local", name, check=False)


def counted(project: Path) -> tuple[str, str]:
    """Return what an event that is committed now counts as."""
    found = signers.expected(workspace.open(project), NOVEMBER)
    return found.status, found.person


def test_a_newcomer_gets_to_a_key_in_one_step(project: Path, seal: Path) -> None:
    done = support.gitexp("keys", "setup", "--write")
    made = seal / ".ssh/git_signing_ed25519"
    line = f'{ANA} namespaces="git" {signing.public(made)} {ANA}'
    assert done.stdout == line + "\n"
    assert done.stderr == (
        f"gitexp: signing with a new key {made}\n"
        f"  ssh-keygen -t ed25519 -f {made}   (no passphrase: ssh-keygen -p adds one)\n"
        "  git config gpg.format ssh\n"
        f"  git config user.signingKey {made}\n"
        f"gitexp: written into {project}/gitexp/allowed_signers; it counts once it is on the branch of the rules:\n"
        "  git add gitexp/allowed_signers && git commit -m 'Say whose keys count' && git push\n"
    )
    assert (project / "gitexp/allowed_signers").read_text() == line + "\n"
    assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    support.commit(project, "let a key sign")
    assert counted(project) == ("good", ANA)
    assert support.gitexp("keys", "check").stderr == ""


def test_a_second_setup_changes_nothing_and_says_so(project: Path, seal: Path) -> None:
    support.gitexp("keys", "setup", "--write")
    support.commit(project, "let a key sign")
    before = support.files(seal / ".ssh"), support.files(project), (project / ".git/config").read_text()
    done = support.gitexp("keys", "setup", "--write")
    mark = signing.fingerprint(seal / ".ssh/git_signing_ed25519")
    assert (done.stdout, done.stderr) == (
        "",
        f"gitexp: signing with the key that Git is set up with, {mark}\n"
        "gitexp: it signs for you already: gitexp/allowed_signers\n",
    )
    assert before == (support.files(seal / ".ssh"), support.files(project), (project / ".git/config").read_text())


def test_without_a_wish_the_line_is_printed_and_no_file_changes(project: Path, untouched: None) -> None:
    done = support.gitexp("keys", "setup")
    assert done.stdout.startswith(f'{ANA} namespaces="git" ssh-ed25519 ')
    assert done.stderr.endswith(
        "gitexp: this line belongs into gitexp/allowed_signers, on the branch of the rules\n"
        "write it there: gitexp keys setup --write\n"
    )


def test_a_dry_run_sets_nothing(project: Path, seal: Path) -> None:
    support.gitexp("keys", "setup", "--dry-run")
    assert not (seal / ".ssh").exists()
    assert config(project, "gpg.format") == ""


def test_a_key_that_is_there_is_used_and_none_is_made(project: Path, seal: Path, key: Path) -> None:
    (seal / ".ssh").mkdir()
    for name in ("ana", "ana.pub"):
        key.with_name(name).rename(seal / ".ssh" / name.replace("ana", "id_ed25519"))
    support.gitexp("keys", "setup")
    assert config(project, "user.signingKey") == str(seal / ".ssh/id_ed25519")
    assert sorted(path.name for path in (seal / ".ssh").iterdir()) == ["id_ed25519", "id_ed25519.pub"]


def test_a_key_of_the_agent_is_used(project: Path, key: Path) -> None:
    with signing.agent():
        subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True)
        support.gitexp("keys", "setup", "--write")
        assert config(project, "user.signingKey") == f"key::{signing.public(key)}"
        support.commit(project, "let a key sign")
        assert counted(project) == ("good", ANA)


def test_a_key_can_be_named(project: Path, key: Path) -> None:
    support.gitexp("keys", "setup", "--key", f"{key}.pub")
    assert config(project, "user.signingKey") == f"{key}.pub"
    assert gitsigning.ready(discover.find(project)).why == ""
    assert "is no public SSH key" in support.gitexp("keys", "setup", "--key", "nonsense", expect=2).stderr


def test_a_new_key_never_takes_the_place_of_another(project: Path, seal: Path) -> None:
    support.gitexp("keys", "setup")
    made = seal / ".ssh/git_signing_ed25519"
    before = made.read_bytes()
    done = support.gitexp("keys", "setup", "--new", expect=3)
    assert done.stderr == f"gitexp: there is a key {made} already\ngitexp keys setup --key {made}\n"
    assert made.read_bytes() == before


def test_git_can_be_set_up_for_all_repositories(project: Path) -> None:
    done = support.gitexp("keys", "setup", "--global")
    assert "  git config --global gpg.format ssh\n" in done.stderr
    assert (config(project, "gpg.format"), support.git(project, "config", "--global", "gpg.format")) == ("", "ssh")


def test_a_gpg_key_that_git_has_is_kept(project: Path) -> None:
    with signing.gnupg():
        key = signing.make_gpg(f"Ana Ruiz <{ANA}>")
        done = support.gitexp("keys", "setup")
        assert done.stdout == f'"{ANA}" = "{key}"\n'
        assert "belongs into [registry.gpg] of gitexp.toml" in done.stderr
        assert (config(project, "gpg.format"), config(project, "user.signingKey")) == ("", key)
        support.write(project / "gitexp.toml", f"[registry.gpg]\n{done.stdout}")
        support.commit(project, "let a key sign")
        assert counted(project) == ("good", ANA)
        assert "it signs for you already" in support.gitexp("keys", "setup").stderr
        assert support.gitexp("keys", "check").code == 0


def test_without_an_address_nobody_could_list_the_key(project: Path) -> None:
    support.git(project, "config", "--global", "--unset", "user.email")
    done = support.gitexp("keys", "setup", expect=3)
    assert done.stderr == "gitexp: user.name and user.email are not both set\ngit config user.email ana@acme.io\n"


def test_where_no_key_can_be_written_that_is_said(project: Path, seal: Path) -> None:
    support.write(seal / ".ssh", "a file")
    done = support.gitexp("keys", "setup", expect=9)
    assert done.stderr.endswith(f"gitexp: cannot make {seal}/.ssh: File exists\nls -ld {seal}/.ssh\n")
    assert config(project, "gpg.format") == ""


def test_without_ssh_keygen_that_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.git(project, "config", "gpg.ssh.program", "no-such-keygen")
    support.git(project, "config", "gpg.format", "ssh")
    done = support.gitexp("keys", "setup", expect=3)
    assert "there is no ssh-keygen on the PATH" in done.stderr


def test_a_bare_repository_has_no_list_to_edit(
    project: Path, bare: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare)
    for words in (("add", BOB, str(key)), ("revoke", str(key))):
        assert "a bare repository has no list to edit" in support.gitexp("keys", *words, expect=3).stderr
    assert support.gitexp("keys", "ls", "--json").json == []


def test_keys_are_added_once_and_one_key_is_one_persons(project: Path, key: Path) -> None:
    mark = signing.fingerprint(key)
    for words in ((str(key),), (f"{key}.pub",), (signing.public(key),)):
        support.gitexp("keys", "add", BOB, *words)
    listed = project / "gitexp/allowed_signers"
    assert listed.read_text() == f'{BOB} namespaces="git" {signing.public(key)} ana\n'
    done = support.gitexp("keys", "add", EVE, str(key), expect=3)
    assert done.stderr.startswith(f"gitexp: {mark} is the key of {BOB} (line 1 of gitexp/allowed_signers)")
    support.gitexp("keys", "add", BOB, str(key), "--before", "20271231")
    line = f'{BOB} namespaces="git",valid-before="20271231" {signing.public(key)} ana\n'
    assert listed.read_text() == line


def test_a_key_that_is_revoked_takes_along_what_it_signed(project: Path, tmp_path: Path) -> None:
    people = {email: signing.make(tmp_path / "keys", email.partition("@")[0]) for email in (ANA, BOB)}
    for email, made in people.items():
        support.gitexp("keys", "add", email, str(made))
    support.commit(project, "say who signs")
    signing.use(project, people[BOB])
    assert counted(project) == ("good", BOB)
    marks = (BOB.upper(), signing.fingerprint(people[BOB]), f"{people[BOB]}.pub", signing.public(people[BOB]))
    for words in marks:
        assert support.gitexp("keys", "revoke", words).stdout.startswith(signing.public(people[BOB]))
    assert (project / "gitexp/revoked_signers").read_text() == f"{signing.public(people[BOB])} bob\n"
    support.commit(project, "Bob lost his key")
    assert counted(project) == ("revoked", BOB)
    signing.use(project, people[ANA])
    assert counted(project) == ("good", ANA)
    done = support.gitexp("keys", "revoke", EVE, expect=4)
    assert done.stderr == f"gitexp: no key of {EVE!r} is in the lists\ngitexp keys ls\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("bob", "KEY"), "'bob' is no e-mail address"),
        (("*@acme.io", "KEY"), "'*@acme.io' is no e-mail address"),
        ((BOB, "nonsense"), "'nonsense' is no public SSH key"),
        ((BOB, "train.py"), "train.py is no SSH key, or a passphrase hides it"),
        ((BOB, "KEY", "--before", "soon"), "'soon' is no date such as 20271231"),
    ],
)
def test_what_cannot_be_added_is_said(project: Path, key: Path, words: tuple[str, ...], why: str) -> None:
    given = [str(key) if word == "KEY" else word for word in words]
    assert support.gitexp("keys", "add", *given, expect=2).stderr.startswith(f"gitexp: {why}")
    assert not (project / "gitexp/allowed_signers").exists()


def test_all_keys_are_listed_with_what_they_count_for(project: Path, tmp_path: Path) -> None:
    people = {email: signing.make(tmp_path / "keys", email.partition("@")[0]) for email in (ANA, BOB, EVE)}
    support.write(project / signers.REVOKED, signing.public(people[EVE]) + "\n")
    support.write(project / signers.ALLOWED, signing.listed({ANA: people[ANA], EVE: people[EVE]}))
    with (project / signers.ALLOWED).open("a") as file:
        file.write(signing.listed({BOB: people[BOB]}, 'valid-before="20200101"'))
    support.write(project / "gitexp.toml", f'[registry.gpg]\n"{BOB}" = "{"A" * 40}"\n')
    support.commit(project, "say who signs")
    support.gitexp("keys", "add", "dan@acme.io", str(signing.make(tmp_path / "keys", "dan")))
    signing.use(project, people[ANA])
    rows = support.gitexp("keys", "ls", "--json").json
    assert [(row["people"], row["status"], row["own"], row["before"]) for row in rows] == [
        ([ANA], "good", True, None),
        ([EVE], "revoked", False, None),
        ([BOB], "expired", False, "2020-01-01T00:00:00.000Z"),
        (["dan@acme.io"], "not reviewed", False, None),
        ([BOB], "good", False, None),
    ]
    lines = support.gitexp("keys", "ls").lines
    assert lines[1].split() == [
        "*", ANA, "ssh-ed25519", signing.fingerprint(people[ANA]), "good", "-", "gitexp/allowed_signers", "of", "main"
    ]  # fmt: skip
    page = (support.ROOT / "docs/scripting.md").read_text()
    assert [name for name in rows[0] if f"`{name}`" not in page] == []


def findings(expect: int) -> dict[str, tuple[bool, str]]:
    rows = support.gitexp("keys", "check", "--json", expect=expect).json
    return {row["what"]: (row["good"], row["detail"]) for row in rows}


def test_a_check_finds_what_keeps_a_signature_from_counting(project: Path, key: Path, tmp_path: Path) -> None:
    assert findings(12)["allowed signers"] == (False, "there is no list: no signature counts")
    signing.use(project, key)
    mark = f"ssh {signing.fingerprint(key)}"
    assert findings(12) == {
        "signing key": (True, mark),
        "trial signature": (True, "made"),
        "what it counts as": (False, f"nobody: no list names it for {ANA}"),
        "allowed signers": (False, "there is no list: no signature counts"),
    }
    listed = signing.listed({f"{ANA},{EVE}": key})  # who stands second there has no key of her own
    support.write(project / signers.ALLOWED, listed + "bob@acme.io ssh-ed25519 AAAA\n")
    rules = f'signed = true\napprovers = ["{ANA}", "{BOB}", "@leads"]\n[registry.teams]\nleads = ["{EVE}"]\n'
    support.write(project / "gitexp.toml", f"[registry.stages.production]\n{rules}")
    support.git(project, "config", "gpg.ssh.revocationFile", "gone")
    support.commit(project, "say who signs")
    assert findings(12) == {
        "signing key": (True, mark),
        "trial signature": (True, "made"),
        "what it counts as": (True, ANA),
        f"{project}/gone": (False, "is configured and not there"),
        "gitexp/allowed_signers of main, line 2": (False, "counts for nothing: a key that does not parse"),
        BOB: (False, "is named for production and has no key"),
        EVE: (False, "is named for production and has no key"),
    }
    support.git(project, "config", "user.email", "ana@home.io")
    assert findings(12)["what it counts as"] == (False, f"{ANA}, not ana@home.io, whom your commits name")


def test_a_check_finds_a_key_that_does_not_sign(project: Path, tmp_path: Path) -> None:
    locked = signing.make(tmp_path / "keys", "locked", passphrase="correct horse")
    signing.use(project, locked)
    before = support.git(project, "count-objects")
    found = findings(12)
    assert found["signing key"][0] is True
    assert found["trial signature"][0] is False
    signing.use(project, project / "gone")
    assert findings(12)["signing key"] == (False, f"the signing key {project}/gone is not there")
    assert support.git(project, "count-objects") == before


def test_a_check_leaves_nothing_behind(project: Path, key: Path, untouched: None) -> None:
    signing.use(project, key)
    before = support.git(project, "count-objects")
    support.gitexp("keys", "check", expect=12)
    assert support.git(project, "count-objects") == before
