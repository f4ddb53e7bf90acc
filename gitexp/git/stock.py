"""The network by the git command: credentials, SSH settings, proxies and hooks are Git's own.

Nothing here forces, prunes, follows tags, or writes FETCH_HEAD; a ref that has to be replaced names what it replaces.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from gitexp import redact
from gitexp.errors import RemoteError
from gitexp.git import command
from gitexp.git.exchange import CURRENT, DELETED, NEW, PUSHING, REJECTED, UPDATED, Options, Result, quiet

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_FLAGS = {"*": NEW, " ": UPDATED, "=": CURRENT, "!": REJECTED, "-": DELETED, "+": UPDATED}


def ls_remote(repo: Repo, remote: str, patterns: Sequence[str], options: Options) -> dict[str, str]:
    """Return {ref: oid} of what the remote holds under these full names or `…/*` patterns."""
    args = ["ls-remote", "--refs", "--quiet", "--", remote, *patterns]
    out = _network(repo, remote, args, options)
    return parse_listing(out.stdout, patterns)


def parse_listing(text: bytes, patterns: Sequence[str]) -> dict[str, str]:
    """Read `oid<TAB>ref` lines; Git matches a pattern at the end of a name, so what only ends like one is left out."""
    exact = frozenset(pattern for pattern in patterns if not pattern.endswith("*"))
    prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
    found = {}
    for line in text.decode("utf-8", "surrogateescape").splitlines():
        oid, _, ref = line.partition("\t")
        if re.fullmatch("[0-9a-f]{40}", oid) and (ref in exact or ref.startswith(prefixes)):
            found[ref] = oid
    return found


def fetch(repo: Repo, remote: str, refspecs: Iterable[str], options: Options) -> None:
    """Fetch exactly these refspecs, whole also in a partial clone; raises RemoteError."""
    config = {
        "fetch.prune": "false",
        "fetch.pruneTags": "false",
        "fetch.writeCommitGraph": "false",
        "fetch.recurseSubmodules": "false",
        "gc.auto": "0",
        "maintenance.auto": "false",
        **_unpruned(repo, remote),
    }
    args = [*_settings(config), "fetch", "--no-prune", "--no-tags", "--no-write-fetch-head"]
    args += [
        "--no-recurse-submodules",
        "--no-auto-maintenance",
        "--refmap=",
        "--no-filter",
        "--stdin",
        "--quiet",  # a line for each ref would name the refs where what comes waits to be looked at
        *_talk(options),
        remote,
    ]
    _network(repo, remote, args, options, "\n".join(refspecs).encode("utf-8", "surrogateescape") + b"\n")


def push(
    repo: Repo,
    remote: str,
    refspecs: Sequence[str],
    *,
    leases: Mapping[str, str] | None,
    options: Options,
) -> list[Result]:
    """Push these refspecs and say what became of each; a lease {ref: oid} replaces or deletes exactly what it names.

    Raises RemoteError where the remote was not reached or said nothing of the refs.
    """
    config = {
        "push.followTags": "false",
        "push.recurseSubmodules": "no",
        "push.useForceIfIncludes": "false",
        **_unmirrored(repo, remote),
    }
    args = [*_settings(config), "push", "--porcelain", "--no-recurse-submodules"]
    args += [f"--force-with-lease={ref}:{oid}" for ref, oid in (leases or {}).items()]
    # --quiet would leave out the lines of what went well
    args += [*_talk(options), "--", remote, *refspecs]
    env = {PUSHING: "1", **({"GIT_LFS_SKIP_PUSH": "1"} if options.skip_lfs else {})}
    out = _network(repo, remote, args, options, env=env, check=False)
    results = parse_push(out.stdout.decode("utf-8", "surrogateescape"))
    if out.code and not results:
        raise _failure(remote, out.stderr)
    said = [line.removeprefix("remote: ") for line in out.stderr.splitlines() if line.startswith("remote: ")]
    return [result.explained(said) for result in results]


def parse_push(text: str) -> list[Result]:
    """Read the lines of `git push --porcelain`: flag, from:to, summary (reason)."""
    results = []
    for line in text.splitlines():
        flag, _, rest = line.partition("\t")
        names, tab, summary = rest.partition("\t")
        if flag not in _FLAGS or not tab:
            continue
        reason = summary.partition("(")[2].rstrip(")") if "(" in summary else summary.strip("[]")
        results.append(Result(names.rpartition(":")[2], _FLAGS[flag], reason if flag == "!" else ""))
    return results


def bring(repo: Repo, remote: str, oids: Sequence[str]) -> None:
    """Bring these objects of a partial clone's remote, alone; one that does not come is missed where it is read."""
    args = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-prune"]
    args += ["--no-write-fetch-head", "--recurse-submodules=no", "--no-auto-maintenance", "--filter=blob:none"]
    command.run(repo, *args, "--stdin", remote, input="".join(oid + "\n" for oid in oids).encode(), check=False)


def _settings(config: Mapping[str, str]) -> list[str]:
    return [part for key, value in config.items() for part in ("-c", f"{key}={value}")]


def _unpruned(repo: Repo, remote: str) -> dict[str, str]:
    if "/" in remote or ":" in remote:
        return {}
    return {f"remote.{remote}.prune": "false", f"remote.{remote}.pruneTags": "false"}


def _unmirrored(repo: Repo, remote: str) -> dict[str, str]:
    return {} if "/" in remote or ":" in remote else {f"remote.{remote}.mirror": "false"}


def _talk(options: Options) -> list[str]:
    return ["--progress"] if options.progress else []


def _network(
    repo: Repo,
    remote: str,
    args: Sequence[str],
    options: Options,
    input: bytes = b"",
    *,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> command.Output:
    extra = {**quiet(options), **(env or {})}
    if options.progress:
        out = _shown(repo, args, input, extra)
    else:
        out = command.run(repo, *args, input=input, env=extra, check=False)
    if check and out.code:
        raise _failure(remote, out.stderr)
    return out


def _shown(repo: Repo, args: Sequence[str], input: bytes, env: Mapping[str, str]) -> command.Output:
    """Run git with what it says on stderr passed on at once, and kept."""
    process = subprocess.Popen(
        ["git", *args],
        cwd=repo.work_tree or repo.git_dir,
        env=command.environment(repo, env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said: list[bytes] = []
    with process:
        reader = threading.Thread(target=_pass_on, args=(process.stderr, said))
        reader.start()
        # communicate() would read stderr itself; the other two pipes are small enough to take one after the other.
        with suppress(BrokenPipeError):
            if process.stdin is not None:
                process.stdin.write(input)
                process.stdin.close()
        stdout = process.stdout.read() if process.stdout is not None else b""
        reader.join()
    return command.Output(stdout, b"".join(said).decode("utf-8", "replace"), process.returncode)


def _pass_on(source: BinaryIO, said: list[bytes]) -> None:
    while block := os.read(source.fileno(), 4096):
        said.append(block)
        sys.stderr.write(block.decode("utf-8", "replace"))
        sys.stderr.flush()


_HINTS = (
    ("shallow", "the history here is cut off; complete it: git fetch --unshallow"),
    ("Authentication failed", "log in once with plain Git: git ls-remote {remote}"),
    ("could not read Username", "log in once with plain Git: git ls-remote {remote}"),
    ("Permission denied", "check the key with plain Git: git ls-remote {remote}"),
    ("does not appear to be a git repository", "check the address: git remote -v"),
    ("not found", "check the address: git remote -v"),
    ("Could not resolve host", "check the network and the address: git remote -v"),
)


def _failure(remote: str, stderr: str) -> RemoteError:
    """Return the error for a remote that could not be talked to; its words without credentials."""
    said = [line.strip() for line in stderr.replace("\r", "\n").splitlines() if line.strip()]
    marked = [line for line in said if line.startswith(("fatal:", "error:", "remote:", "ERROR:", "ssh:"))]
    if all(line.startswith("error: failed to push") for line in marked):  # the words of a hook stand before it
        marked = said
    words = redact.text("; ".join((marked or said or ["it said nothing"])[:4]))
    hint = next((hint for mark, hint in _HINTS if mark in stderr), "try plain Git: git ls-remote {remote}")
    return RemoteError(f"{redact.url(remote)}: {words}", hint=hint.format(remote=redact.url(remote)))
