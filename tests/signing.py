"""Keys that tests make for themselves, and commits signed with them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gitexp.git import discover, objects, signing
from gitexp.git.objects import Commit, Signature
from tests import support

JANUARY, JUNE, NOVEMBER = 1767225600, 1780272000, 1793491200  # the first of each month of 2026, in seconds
ANA, BOB, EVE = "ana@acme.io", "bob@acme.io", "eve@acme.io"


def make(folder: Path, name: str, *, passphrase: str = "") -> Path:
    """Make an SSH key and return its private file."""
    support.needs("ssh-keygen")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


def public(key: Path) -> str:
    """Return a key's public half without its comment."""
    return " ".join(key.with_name(key.name + ".pub").read_text().split()[:2])


def fingerprint(key: Path) -> str:
    """Return a key's fingerprint as ssh-keygen says it."""
    done = subprocess.run(["ssh-keygen", "-lf", str(key)], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


def listed(keys: Mapping[str, Path], options: str = "") -> str:
    """Return a list of allowed signers: {people: key}."""
    return "".join(f"{people} {options and options + ' '}{public(key)}\n" for people, key in keys.items())


def use(project: Path, key: Path | str) -> None:
    """Let Git sign with an SSH key in a repository."""
    support.git(project, "config", "gpg.format", "ssh")
    support.git(project, "config", "user.signingKey", str(key))


def commit(project: Path, time_s: int = JANUARY, *, email: str = ANA, sign: bool = True, text: str = "event\n") -> str:
    """Store a commit that follows nothing, signed with the key in use, and return its id."""
    repo = discover.find(project)
    person = Signature("Ana Ruiz", email, time_s)
    return signing.commit(repo, Commit(objects.write_tree(repo, {}), (), person, person, text), sign=sign)


def altered(project: Path, oid: str) -> str:
    """Return a commit that says another thing under the same signature."""
    said = subprocess.run(["git", "cat-file", "commit", oid], cwd=project, check=True, capture_output=True).stdout
    words = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    forged = said.replace(b"event", b"Event")
    return subprocess.run(words, cwd=project, check=True, capture_output=True, input=forged).stdout.decode().strip()


@contextmanager
def agent() -> Iterator[None]:
    """Run an SSH agent that is in the environment while the block lasts."""
    support.needs("ssh-agent")
    with tempfile.TemporaryDirectory(prefix="a") as folder:  # a socket's path may have 107 bytes
        socket = str(Path(folder, "s"))
        done = subprocess.run(["ssh-agent", "-s", "-a", socket], check=True, capture_output=True, text=True)
        pid = int(done.stdout.partition("SSH_AGENT_PID=")[2].partition(";")[0])
        os.environ["SSH_AUTH_SOCK"] = socket
        try:
            yield
        finally:
            del os.environ["SSH_AUTH_SOCK"]
            os.kill(pid, signal.SIGTERM)


@contextmanager
def gnupg() -> Iterator[Path]:
    """Use a GnuPG of the test's own, and end its agent."""
    support.needs("gpg")
    folder = Path(tempfile.mkdtemp(prefix="g"))
    os.environ["GNUPGHOME"] = str(folder)
    try:
        yield folder
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=True, capture_output=True)
        del os.environ["GNUPGHOME"]
        shutil.rmtree(folder, ignore_errors=True)


def gpg(*args: str, at: str = "", input: str = "") -> str:
    """Run gpg, at a time such as 20260101T000000."""
    time = ["--faked-system-time", at] if at else []
    command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *time, *args]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=input).stdout


def make_gpg(uid: str, *, ends: str = "never", at: str = "20260101T000000") -> str:
    """Make a GnuPG key and return its fingerprint."""
    gpg("--quick-gen-key", uid, "ed25519", "sign", ends, at=at)
    rows = gpg("--with-colons", "--list-keys", uid).splitlines()
    return next(row.split(":")[9] for row in rows if row.startswith("fpr"))


def use_gpg(project: Path, key: str, *, at: str = "20260301T000000") -> None:
    """Let Git sign with a GnuPG key in a repository, as if it were that time."""
    script = support.write(project / ".git/gpg-then", f'#!/bin/sh\nexec gpg --faked-system-time {at} "$@"\n')
    script.chmod(0o755)
    support.git(project, "config", "gpg.format", "openpgp")
    support.git(project, "config", "gpg.program", str(script))
    support.git(project, "config", "user.signingKey", key)
