"""The network, through the git command only: credentials, SSH settings, proxies and hooks are Git's own.

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gitexp import redact
from gitexp.errors import Damaged, RemoteError, WriteFailed
from gitexp.git import command

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

PUSHING = "GITEXP_PUSHING"  # set for gitexp's own pushes, so that a pre-push hook does not push along once more
NEW, UPDATED, CURRENT, REJECTED, DELETED = "new", "updated", "current", "rejected", "deleted"

_QUIET_AUTO = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never", "GIT_ASKPASS": "true"}
_FLAGS = {"*": NEW, " ": UPDATED, "=": CURRENT, "!": REJECTED, "-": DELETED, "+": UPDATED}
_BEHIND = ("non-fast-forward", "fetch first", "already exists", "needs force", "stale info", "failed to update ref")
_RACES = ("cannot lock ref", "incorrect old value", "reference already exists")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one ref of a push."""

    ref: str  # the name at the remote
    status: str
    reason: str = ""

    @property
    def behind(self) -> bool:
        """Say whether somebody else's change came first: fetch, then try again."""
        return self.status == REJECTED and any(word in self.reason for word in (*_BEHIND, *_RACES))


@dataclass(frozen=True, slots=True)
class Options:
    """How to talk to a remote: `auto` asks nobody anything, `progress` shows Git's own on stderr.

    `skip_lfs` keeps a hook of git-lfs from refusing a push whose large bytes could not go.
    """

    auto: bool = False
    progress: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    skip_lfs: bool = False


def interactive() -> Options:
    """Return the options of a command that a person waits for."""
    return Options(progress=sys.stderr.isatty())


def quiet(options: Options) -> dict[str, str]:
    """Return the environment in which `auto` keeps Git, ssh and the helpers of credentials from asking anybody."""
    return dict(_QUIET_AUTO) if options.auto else {}


def ls_remote(repo: Repo, remote: str, patterns: Sequence[str], options: Options = Options()) -> dict[str, str]:
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


def fetch(repo: Repo, remote: str, refspecs: Iterable[str], options: Options = Options()) -> None:
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
    args = [*_settings(config | dict(options.config)), "fetch", "--no-prune", "--no-tags", "--no-write-fetch-head"]
    args += [
        "--no-recurse-submodules",
        "--no-auto-maintenance",
        "--refmap=",
        "--no-filter",
        "--stdin",
        *_talk(options),
        remote,
    ]
    _network(repo, remote, args, options, "\n".join(refspecs).encode("utf-8", "surrogateescape") + b"\n")


def push(
    repo: Repo,
    remote: str,
    refspecs: Sequence[str],
    *,
    leases: Mapping[str, str] | None = None,
    options: Options = Options(),
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
    args = [*_settings(config | dict(options.config)), "push", "--porcelain", "--no-recurse-submodules"]
    args += [f"--force-with-lease={ref}:{oid}" for ref, oid in (leases or {}).items()]
    # --quiet would leave out the lines of what went well
    args += [*(_talk(options) if options.progress else ()), "--", remote, *refspecs]
    env = {PUSHING: "1", **({"GIT_LFS_SKIP_PUSH": "1"} if options.skip_lfs else {})}
    out = _network(repo, remote, args, options, env=env, check=False)
    results = parse_push(out.stdout.decode("utf-8", "surrogateescape"))
    if out.code and not results:
        raise _failure(remote, out.stderr)
    return [_explained(result, out.stderr) for result in results]


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


def names(repo: Repo) -> dict[str, str]:
    """Return {remote: the address that a push goes to} of the configured remotes, as written in the settings."""
    found: dict[str, str] = {}
    for key, value in _config(repo, r"^remote\..*\.(url|pushurl)$"):
        name, _, kind = key.removeprefix("remote.").rpartition(".")
        if kind == "pushurl" or name not in found:
            found[name] = value
    return found


def pruning_refspecs(repo: Repo) -> list[tuple[str, str]]:
    """Return (remote, refspec) of the fetch refspecs with which a pruning `git fetch` deletes runs not yet pushed."""
    found = []
    for key, value in _config(repo, r"^remote\..*\.fetch$"):
        target = value.partition(":")[2]
        if target.startswith(("refs/experiments/", "refs/*", "refs/notes/")):
            found.append((key.removeprefix("remote.").removesuffix(".fetch"), value))
    return found


def _config(repo: Repo, pattern: str) -> list[tuple[str, str]]:
    out = command.run(repo, "config", "--null", "--get-regexp", pattern, check=False).stdout
    items = [item.partition("\n") for item in out.decode("utf-8", "surrogateescape").split("\0") if item]
    return [(key, value) for key, _, value in items]


def _settings(config: Mapping[str, str]) -> list[str]:
    return [part for key, value in config.items() for part in ("-c", f"{key}={value}")]


def _unpruned(repo: Repo, remote: str) -> dict[str, str]:
    if "/" in remote or ":" in remote:
        return {}
    return {f"remote.{remote}.prune": "false", f"remote.{remote}.pruneTags": "false"}


def _unmirrored(repo: Repo, remote: str) -> dict[str, str]:
    return {} if "/" in remote or ":" in remote else {f"remote.{remote}.mirror": "false"}


def _talk(options: Options) -> list[str]:
    return ["--progress"] if options.progress else ["--quiet"]


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


def _explained(result: Result, stderr: str) -> Result:
    """Give a refused ref the server's own words, which stand on stderr."""
    if result.status != REJECTED or result.behind:
        return result
    said = [line.removeprefix("remote: ").strip() for line in stderr.splitlines() if line.startswith("remote: ")]
    words = " ".join(line for line in said if line)[:300]
    return Result(result.ref, REJECTED, f"{result.reason}: {words}" if words else result.reason)


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
    words = redact.text("; ".join((marked or said or ["it said nothing"])[:4]))
    hint = next((hint for mark, hint in _HINTS if mark in stderr), "try plain Git: git ls-remote {remote}")
    return RemoteError(f"{redact.url(remote)}: {words}", hint=hint.format(remote=redact.url(remote)))


BUNDLE_HEADER = b"# v2 git bundle\n"


def write_bundle(repo: Repo, refs: Mapping[str, str], target: BinaryIO) -> None:
    """Write a git bundle of these refs with all their history; its names need not be refs here."""
    lines = (f"{oid} {ref}\n" for ref, oid in sorted(refs.items()))
    target.write(BUNDLE_HEADER + "".join(lines).encode("utf-8", "surrogateescape") + b"\n")
    target.flush()
    wanted = "".join(f"{oid}\n" for oid in sorted(set(refs.values())))
    args = ["git", "pack-objects", "--stdout", "--revs", "--delta-base-offset", "--quiet"]
    done = subprocess.run(
        args,
        cwd=repo.work_tree or repo.git_dir,
        env=command.environment(repo),
        input=wanted.encode(),
        stdout=target,
        stderr=subprocess.PIPE,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise WriteFailed(f"git pack-objects failed: {said[-300:]}", hint="git fsck; df -h .")


def verify_bundle(repo: Repo, path: Path) -> None:
    """Raise Damaged where a file is no git bundle, or builds on commits that are not here."""
    out = command.run(repo, "bundle", "verify", "--quiet", str(path), check=False)
    if out.code:
        said = " ".join(out.stderr.split())[:300]
        raise Damaged(f"the git bundle does not verify: {said}", hint="ask for the file again")
