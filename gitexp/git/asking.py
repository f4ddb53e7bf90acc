"""Credentials where there is no git command, asked for as Git does: helpers, then GIT_ASKPASS, then the terminal.

Helpers are programs that need no git (`!command`, a path, git-credential-NAME on the PATH) and the file of `store`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_SECONDS = 120  # a helper may open a browser
Words = dict[str, str]


def fill(repo: Repo, wanted: Mapping[str, str], env: Mapping[str, str]) -> Words:
    """Return what is known of an address (protocol, host, path, username), with its password; {} where nobody knows."""
    given = {**os.environ, **env}
    for line in _helpers(repo, wanted):
        said = _store(line, wanted) if _words(line)[:1] == ["store"] else _run(line, "get", _sent(repo, wanted), given)
        if said.get("password"):
            return {**wanted, **said}
    place = f"{wanted['protocol']}://{{}}{wanted['host']}"
    user = wanted["username"] or _ask(repo, f"Username for '{place.format('')}': ", given, secret=False)
    password = _ask(repo, f"Password for '{place.format(user + '@')}': ", given, secret=True) if user else ""
    return {**wanted, "username": user, "password": password} if password else {}


def tell(repo: Repo, what: str, words: Mapping[str, str]) -> None:
    """Tell the helpers that credentials were good ("store") or bad ("erase")."""
    for line in _helpers(repo, words):
        if _words(line)[:1] != ["store"]:
            _run(line, what, words, os.environ)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a quote that does not end
        return []


def _sent(repo: Repo, wanted: Mapping[str, str]) -> Words:
    """Return what helpers are told: the path only where they shall tell repositories of one host apart."""
    by_path = (repo.config("credential.useHttpPath") or "").lower() == "true"
    return {key: value for key, value in wanted.items() if key != "path" or by_path}


def _helpers(repo: Repo, wanted: Mapping[str, str]) -> list[str]:
    """Return the values of `credential.helper` for an address; an empty one forgets those before it."""
    found: list[str] = []
    for entry in repo.settings:
        section, _, rest = entry.name.partition(".")
        where, _, key = rest.rpartition(".")
        if (section, key) == ("credential", "helper") and (not where or _matches(where, wanted)):
            found = [*found, entry.value] if entry.value else []
    return found


def _matches(where: str, wanted: Mapping[str, str]) -> bool:
    from dulwich.credentials import match_urls

    url = f"{wanted['protocol']}://{wanted['host']}/{wanted.get('path', '')}"
    return match_urls(urlsplit(url), urlsplit(where))  # type: ignore[arg-type]  # both kinds have what it reads


def _run(line: str, what: str, words: Mapping[str, str], env: Mapping[str, str]) -> Words:
    """Ask one helper; {} where it is not here, fails or knows nothing."""
    name, *options = _words(line) or [""]
    if line.startswith("!"):
        command = line[1:]
    elif name.startswith("/"):
        command = line
    elif program := shutil.which(f"git-credential-{name}", path=env.get("PATH")):
        command = shlex.join([program, *options])
    else:
        return {}
    sent = "".join(f"{key}={value}\n" for key, value in words.items() if value) + "\n"
    try:
        done = subprocess.run(
            ["sh", "-c", f"{command} {what}"], input=sent.encode(), stdout=subprocess.PIPE, env=env, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    rows = (row.split("=", 1) for row in done.stdout.decode("utf-8", "replace").splitlines() if "=" in row)
    return dict(rows) if done.returncode == 0 else {}


def _store(line: str, wanted: Mapping[str, str]) -> Words:
    """Return what the files of git-credential-store have for a host (and its user, where one is named)."""
    named = [word.removeprefix("--file=") for word in _words(line) if word.startswith("--file=")]
    usual = [Path("~/.git-credentials"), Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "git/credentials"]
    for path in [Path(word) for word in named] or usual:
        for found in _stored(path.expanduser()):
            same = (found["protocol"], found["host"]) == (wanted["protocol"], wanted["host"])
            if same and wanted["username"] in ("", found["username"]):
                return found
    return {}


def _stored(path: Path) -> Iterator[Words]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        user, at, rest = line.partition("://")[2].rpartition("@")
        name, colon, password = user.partition(":")
        if at and colon:
            words = {"protocol": line.partition("://")[0], "host": unquote(rest.split("/")[0])}
            yield {**words, "username": unquote(name), "password": unquote(password)}


def _ask(repo: Repo, prompt: str, env: Mapping[str, str], *, secret: bool) -> str:
    """Ask the program that Git would ask, else the user at the terminal; "" where nobody answers."""
    program = env.get("GIT_ASKPASS") or repo.config("core.askPass") or env.get("SSH_ASKPASS")
    try:
        if program:
            done = subprocess.run([program, prompt], stdout=subprocess.PIPE, env=env, timeout=_SECONDS)
            return done.stdout.decode("utf-8", "replace").splitlines()[0] if done.stdout and not done.returncode else ""
        if env.get("GIT_TERMINAL_PROMPT", "1").lower() in ("0", "false", "no", "off"):
            return ""
        return _at_terminal(prompt, secret=secret)
    except (OSError, EOFError, subprocess.TimeoutExpired):
        return ""


def _at_terminal(prompt: str, *, secret: bool) -> str:
    """Ask at the terminal itself, whatever stdin is; raises OSError where there is none."""
    with open("/dev/tty", "w") as screen, open("/dev/tty") as keys:
        if secret:
            return getpass(prompt, stream=screen)
        screen.write(prompt)
        screen.flush()
        return keys.readline().rstrip("\n")
