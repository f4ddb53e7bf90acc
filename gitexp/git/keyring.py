"""The keys that Git signs with and knows, as ssh-keygen, ssh-add and gpg list them; no secret is ever read."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitexp.errors import GitexpError, Unsupported, WriteFailed
from gitexp.git.repo import Repo

_PROGRAMS = {"ssh": ("gpg.ssh.program", "ssh-keygen"), "gpg": ("gpg.program", "gpg")}
_LIMIT_SECONDS = 60
_MAX_BYTES = 64 * 1024  # of a key file


@dataclass(frozen=True, slots=True)
class PgpKey:
    """A key of the user's GnuPG: the addresses it is trusted to stand for, and when it and its subkeys end."""

    fingerprint: str
    trusted: tuple[str, ...]
    ends_s: dict[str, int]


def format_of(repo: Repo) -> str:
    """Return the format that Git signs in here: ssh, gpg, or another word."""
    named = (repo.config("gpg.format") or "openpgp").lower()
    return "gpg" if named == "openpgp" else named


def program(repo: Repo, format: str) -> str | None:
    """Return the program that Git asks about signatures of a format, None where it is not installed."""
    key, usual = _PROGRAMS[format]
    named = (repo.config("gpg.openpgp.program") if format == "gpg" else None) or repo.config(key) or usual
    return shutil.which(Path(named).expanduser())


def public_key(path: Path) -> str:
    """Return the public key of a key file as a line, "" where it cannot be told (a passphrase hides it)."""
    from gitexp.record import roster  # whoever only asks for the programs does without

    for place in (path, path.with_name(path.name + ".pub")):
        with suppress(OSError, UnicodeDecodeError, GitexpError):
            with open(place, encoding="utf-8") as file:
                kind, data, comment = roster.public(file.read(_MAX_BYTES))
            return " ".join(filter(None, (kind, data, comment)))
    done = _run(["ssh-keygen", "-y", "-P", "", "-f", str(path)])
    return done.stdout.strip() if done is not None and not done.returncode else ""


def is_private(path: Path) -> bool:
    """Say whether a file holds a private key."""
    try:
        with open(path, "rb") as file:
            return b"PRIVATE KEY-----" in file.read(200)
    except OSError:
        return False


def agent_keys() -> tuple[str, ...]:
    """Return the public keys that the SSH agent holds, () where there is no agent."""
    done = _run(["ssh-add", "-L"]) if os.environ.get("SSH_AUTH_SOCK") else None
    return tuple(done.stdout.splitlines()) if done is not None and not done.returncode else ()


def default_key(repo: Repo) -> str:
    """Return the key that `gpg.ssh.defaultKeyCommand` gives, "" for none; it runs as Git runs it, without a shell."""
    named = repo.config("gpg.ssh.defaultKeyCommand")
    done = _run(shlex.split(named)) if named else None
    lines = done.stdout.splitlines() if done is not None and not done.returncode else []
    return lines[0].strip() if lines and lines[0].startswith(("key::", "ssh-")) else ""


def make(path: Path, comment: str) -> None:
    """Make an ed25519 key without a passphrase; never over a file. Raises Unsupported without ssh-keygen."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WriteFailed(f"cannot make {path.parent}: {error.strerror}", hint=f"ls -ld {path.parent}") from error
    done = _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    if done is None:
        raise Unsupported("there is no ssh-keygen on the PATH", hint="install the OpenSSH client")
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit {done.returncode}"]
        raise GitexpError(f"ssh-keygen made no key {path}: {said[-1]}", hint=f"ls -l {path}")


def pgp_secret(repo: Repo, name: str) -> str:
    """Return the fingerprint of the GnuPG key that would sign for a name, "" where there is none."""
    rows = _listing(repo, "--list-secret-keys", name)
    return next((row[9] for row in rows if row[0] == "fpr"), "")


def pgp_key(repo: Repo, fingerprint: str) -> PgpKey | None:
    """Return what GnuPG knows of a public key."""
    ends: dict[str, int] = {}
    whole, end, owned, trusted = "", "", False, []
    for row in _listing(repo, "--list-keys", fingerprint):
        if row[0] in ("pub", "sub"):
            end, owned = row[6], row[8] == "u" if row[0] == "pub" else owned
        elif row[0] == "fpr":
            whole = whole or row[9]
            ends |= {row[9]: int(end)} if end.isdigit() else {}
        elif row[0] == "uid" and (row[1] in ("f", "u") or (row[1] == "e" and owned)):
            # Where a key has ended, gpg tells no more how far its names were trusted: only the user's own are, then.
            trusted.append(_address(row[9]))
    return PgpKey(whole, tuple(filter(None, trusted)), ends) if whole else None


def stamp(repo: Repo) -> str:
    """Return a text that changes when GnuPG's keys, or whom it trusts, do."""
    home = Path(os.environ.get("GNUPGHOME") or Path.home() / ".gnupg")
    found = [program(repo, "gpg") or ""]
    for name in ("pubring.kbx", "pubring.gpg", "public-keys.d/pubring.db", "trustdb.gpg", "gpg.conf"):
        with suppress(OSError):
            stat = (home / name).stat()
            found.append(f"{name} {stat.st_mtime_ns} {stat.st_size}")
    return "\n".join(found)


def _listing(repo: Repo, option: str, name: str) -> list[list[str]]:
    gpg = program(repo, "gpg")
    done = _run([gpg, "--batch", "--with-colons", option, "--", name]) if gpg else None
    lines = done.stdout.splitlines() if done is not None and not done.returncode else []
    return [[*line.split(":"), *[""] * 12] for line in lines]


def _address(uid: str) -> str:
    """Return the e-mail address of a user id, as gpg's listings write it."""
    name = uid.replace("\\x3a", ":")
    return name.rpartition("<")[2].rstrip(">").strip() if "<" in name else name if "@" in name else ""


def _run(args: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a program, None where it is not installed, or says nothing in time."""
    try:
        return subprocess.run(
            args,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LIMIT_SECONDS,
        )
    except (FileNotFoundError, PermissionError, subprocess.TimeoutExpired):
        return None
