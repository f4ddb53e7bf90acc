"""Commits signed with the user's own Git key, and whether there is one that could sign."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitexp import files
from gitexp.errors import Refused
from gitexp.git import command, keyring, objects
from gitexp.git.objects import Commit
from gitexp.git.repo import Repo
from gitexp.record import roster

_SETUP = "gitexp keys setup"


@dataclass(frozen=True, slots=True)
class Ready:
    """What Git would sign with here: format (ssh, gpg), the key's fingerprint and its public line (SSH).

    `why` says what is missing, "" where nothing is.
    """

    format: str
    key: str = ""
    public: str = ""
    why: str = ""
    hint: str = ""


def ready(repo: Repo) -> Ready:
    """Say what Git would sign with; nothing is signed, and nobody is asked for a passphrase."""
    format = keyring.format_of(repo)
    if not command.available():
        return Ready(format, why="only the git command signs, and there is none", hint="install git")
    if format == "ssh":
        return _ready_ssh(repo)
    if format == "gpg":
        return _ready_gpg(repo)
    return Ready(format, why=f"gpg.format is {format!r}, not ssh or openpgp", hint="git config gpg.format ssh")


def require(repo: Repo) -> Ready:
    """Return what Git would sign with; raises Refused, saying what is missing, where it would not sign."""
    found = ready(repo)
    if found.why:
        raise Refused(f"cannot sign: {found.why}", hint=found.hint)
    return found


def _ready_ssh(repo: Repo) -> Ready:
    named = repo.config("user.signingKey") or keyring.default_key(repo)
    if not keyring.program(repo, "ssh"):
        return Ready("ssh", why="there is no ssh-keygen on the PATH", hint="install the OpenSSH client")
    if not named:
        return Ready("ssh", why="user.signingKey names no key", hint=_SETUP)
    if named.startswith(("key::", "ssh-")):
        return _held(named.removeprefix("key::"), "the key that user.signingKey gives")
    path = Path(repo.work_tree or repo.git_dir, Path(named).expanduser())
    if not path.is_file():
        return Ready("ssh", why=f"the signing key {named} is not there", hint=_SETUP)
    public = keyring.public_key(path)
    beside = path.with_suffix("") if path.suffix == ".pub" else path
    if keyring.is_private(path) or keyring.is_private(beside):
        return Ready("ssh", _fingerprint(public), public)
    return _held(public, str(named))


def _held(public: str, what: str) -> Ready:
    """Return what is ready when only the agent can have the secret half."""
    key = _fingerprint(public)
    if not key:
        return Ready("ssh", why=f"{what} is no SSH key", hint=_SETUP)
    if key not in map(_fingerprint, keyring.agent_keys()):
        return Ready("ssh", key, public, f"the SSH agent does not hold the key {key}", "ssh-add KEYFILE")
    return Ready("ssh", key, public)


def _fingerprint(public: str) -> str:
    return roster.fingerprint(public.split()[1]) if len(public.split()) > 1 else ""


def _ready_gpg(repo: Repo) -> Ready:
    if not keyring.program(repo, "gpg"):
        return Ready("gpg", why="no signing key is set up", hint=_SETUP)
    # Where no key is named, Git asks for one of the whole name, not of the address alone.
    named = repo.config("user.signingKey") or f"{repo.config('user.name')} <{repo.config('user.email')}>"
    key = keyring.pgp_secret(repo, named)
    return Ready("gpg", key) if key else Ready("gpg", why=f"GnuPG has no secret key for {named!r}", hint=_SETUP)


def commit(repo: Repo, content: Commit, *, sign: bool) -> str:
    """Store a commit, signed by git if wanted: it knows the user's keys and agents. Moves no ref.

    Raises GitFailed, naming the reason, where the key does not sign.
    """
    if not sign:
        return objects.write_commit(repo, content)
    oid = _commit_tree(repo, content, {})
    folder = repo.common_dir / "objects" / oid[:2]
    if folder.is_dir():
        files.sync_folder(folder)  # git makes the content durable, not the name
    return oid


def try_out(repo: Repo, content: Commit) -> None:
    """Sign a commit that goes nowhere; raises GitFailed where the key does not sign. May ask for a passphrase."""
    with tempfile.TemporaryDirectory(prefix="gitexp-") as folder:
        here = str(repo.common_dir / "objects")
        _commit_tree(repo, content, {"GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": here})


def _commit_tree(repo: Repo, content: Commit, env: Mapping[str, str]) -> str:
    parents = [word for parent in content.parents for word in ("-p", parent)]
    settings = ("-c", "i18n.commitEncoding=UTF-8", "-c", "core.fsync=committed")
    words = (*settings, "commit-tree", "-S", *parents, "-F", "-", content.tree)
    message = objects.message_bytes(content)
    with tempfile.TemporaryDirectory(prefix="gitexp-") as aside:  # git leaves a file there of a key given as text
        env = {**_people(content), "TMPDIR": aside, **env}
        done = command.run(repo, *words, input=message, env=env, check=False)
    if done.code:
        lacking = ready(repo)
        why = lacking.why or _reason(done.stderr)
        raise command.GitFailed(f"cannot sign: {why}", done, hint=lacking.hint or "gitexp keys check")
    return done.stdout.decode().strip()


def _people(content: Commit) -> dict[str, str]:
    env: dict[str, str] = {}
    for role, person in (("AUTHOR", content.author), ("COMMITTER", content.committer)):
        who, _, date = person.encode().decode().rpartition("> ")
        name, _, email = who.rpartition(" <")
        env |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": email, f"GIT_{role}_DATE": "@" + date}
    return env


def _reason(stderr: str) -> str:
    """Return the line that says why: what comes after it is git's own failing."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("fatal: failed to write", "error: gpg failed to sign"))]
    return re.sub(r"^(error|fatal|gpg): ", "", (telling or lines or ["git says nothing"])[0]).rstrip("?")
