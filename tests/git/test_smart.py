"""dulwich's side of the network against servers that do wrong: a clear error, nothing half done, nothing given away."""

from __future__ import annotations

import http.server
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitexp.errors import RemoteError, Unsupported
from gitexp.git import discover, refs, wire
from gitexp.git.exchange import Options
from gitexp.git.repo import Repo
from tests import servers, support
from tests.servers import Answer

RUN = "refs/experiments/churn/a-kkkkkkk"
QUIET = Options(auto=True)
Request = http.server.BaseHTTPRequestHandler


@pytest.fixture
def ours(project: Path, bare: Path) -> Repo:
    support.git(bare, "config", "http.receivepack", "true")
    return discover.find(project)


def head(repo: Repo) -> str:
    found = repo.head().commit
    assert found is not None
    return found


def pointed(project: Path, address: str, bare: Path) -> None:
    support.git(project, "remote", "set-url", "origin", f"{address}/{bare.name}")


WRONG = {
    "403": ((403, {}, b""), "does not allow it"),
    "404": ((404, {}, b""), "no Git repository"),
    "500": ((500, {}, b"oops"), "500"),
    "a page": ((200, {"Content-Type": "text/html"}, b"<html>"), "not as a Git server"),
    "no packets": ((200, {"Content-Type": "application/x-git-upload-pack-advertisement"}, b"hello, world"), ""),
    "nothing": ((200, {"Content-Type": "application/x-git-upload-pack-advertisement"}, b""), ""),
    "an error": (
        (200, {"Content-Type": "application/x-git-upload-pack-advertisement"}, b"0012ERR gone away\n0000"),
        "",
    ),
    "cut off": (
        (
            200,
            {"Content-Type": "application/x-git-upload-pack-advertisement"},
            b"001e# service=git-upload-pack\n0000ffff",
        ),
        "",
    ),
    "a loop": ((302, {"Location": "/loop/info/refs?service=git-upload-pack"}, b""), "redirects more than"),
    "a file": ((302, {"Location": "file:///etc/passwd"}, b""), "not as safe"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_none_is_an_error_with_the_address(name: str, ours: Repo, project: Path, bare: Path) -> None:
    answer, words = WRONG[name]
    with servers.http_server(bare.parent, change=lambda *_: answer) as address:
        pointed(project, address, bare)
        with pytest.raises(RemoteError, match=words or None) as caught:
            wire.ls_remote(ours, "origin", ["refs/*"], QUIET)
    assert "127.0.0.1" in str(caught.value)


def test_a_host_that_is_not_there_is_an_error(ours: Repo, project: Path) -> None:
    support.git(project, "remote", "set-url", "origin", "http://127.0.0.1:9/x.git")
    with pytest.raises(RemoteError, match="cannot be reached"):
        wire.ls_remote(ours, "origin", ["refs/*"], QUIET)


@pytest.mark.parametrize("cut", [lambda data: data[: len(data) // 2], lambda data: data[:-30] + b"\0" * 30])
def test_a_pack_that_comes_damaged_changes_nothing(ours: Repo, project: Path, bare: Path, tmp_path: Path, cut) -> None:  # type: ignore[no-untyped-def]  # two functions
    code = support.commit(clone(bare, tmp_path), "more", big__txt="x" * 5000 + "y" * 5000)
    support.git(tmp_path / "theirs", "push", "--quiet", "origin", f"{code}:{RUN}")

    def change(request: Request, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
        is_pack = b"PACK" in content
        return status, headers, cut(content) if is_pack else content

    with servers.http_server(bare.parent, change=change) as address:
        pointed(project, address, bare)
        with pytest.raises(RemoteError):
            wire.fetch(ours, "origin", [f"{RUN}:{RUN}"], QUIET)
    assert refs.get(ours, RUN) is None
    assert not list((project / ".git/objects").glob("tmp_*"))
    support.git(project, "fsck", "--strict")


def clone(bare: Path, tmp_path: Path) -> Path:
    support.git(tmp_path, "clone", "--quiet", str(bare), "theirs")
    return tmp_path / "theirs"


def test_history_that_comes_without_its_objects_gets_no_name(
    ours: Repo, project: Path, bare: Path, tmp_path: Path
) -> None:
    """A server that lies: it sends a pack that is whole and that is another one's."""
    theirs = clone(bare, tmp_path)
    other = support.commit(theirs, "other", other__txt="other")
    support.git(theirs, "push", "--quiet", "origin", f"{other}:refs/experiments/x/other-lllllll")
    wanted = support.git(theirs, "commit-tree", f"{other}^{{tree}}", "-p", other, "-m", "wanted")
    support.git(theirs, "push", "--quiet", "origin", f"{wanted}:{RUN}")
    kept: list[bytes] = []

    def change(request: Request, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
        if b"PACK" in content:
            kept.append(content)
            content = kept[0]
        return status, headers, content

    with servers.http_server(bare.parent, change=change) as address:
        pointed(project, address, bare)
        wire.fetch(ours, "origin", [f"{other}:refs/gitexp/incoming/other"], QUIET)
        with pytest.raises(RemoteError):
            wire.fetch(ours, "origin", [f"{RUN}:{RUN}"], QUIET)
    assert refs.get(ours, RUN) is None


def test_credentials_do_not_follow_to_another_host(ours: Repo, project: Path, bare: Path, seal: Path) -> None:
    support.write(seal / ".netrc", "machine 127.0.0.1 login ana password s3cret\n").chmod(0o600)
    seen: list[str | None] = []

    def listen(request: Request, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
        seen.append(request.headers.get("Authorization"))
        return status, headers, content

    with servers.http_server(bare.parent, change=listen) as other:
        there = other.replace("127.0.0.1", "localhost")

        def away(request: Request, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
            return 302, {"Location": f"{there}{request.path}"}, b""

        with servers.http_server(bare.parent, change=away) as address:
            pointed(project, address, bare)
            assert "refs/heads/main" in wire.ls_remote(ours, "origin", ["refs/heads/*"], QUIET)
            (result,) = wire.push(ours, "origin", [f"{head(ours)}:{RUN}"], leases=None, options=QUIET)
            assert result.status == "new"
    assert len(seen) >= 3
    assert set(seen) == {None}


def test_a_push_of_much_is_streamed(ours: Repo, project: Path, bare: Path) -> None:
    support.write(project / "big.bin", os.urandom(3_000_000))
    big = support.commit(project, "much")
    with servers.http_server(bare.parent) as address:
        pointed(project, address, bare)
        (result,) = wire.push(ours, "origin", [f"{big}:{RUN}"], leases=None, options=QUIET)
    assert result.status == "new"
    support.git(bare, "fsck", "--strict")


def test_a_shallow_clone_pushes_what_the_remote_can_take_and_fetches_what_is_new(
    project: Path, bare: Path, tmp_path: Path
) -> None:
    for number in range(4):
        support.commit(project, f"more {number}", train__py=f"print({number})\n")
    support.git(project, "push", "--quiet", "origin", "main")
    support.git(bare, "config", "http.receivepack", "true")
    with servers.http_server(bare.parent) as address:
        support.git(tmp_path, "clone", "--quiet", "--depth=1", f"{address}/{bare.name}", "shallow")
        shallow = discover.find(tmp_path / "shallow")
        made = support.commit(tmp_path / "shallow", "on top", train__py="print('on top')\n")
        (result,) = wire.push(shallow, "origin", [f"{made}:{RUN}"], leases=None, options=QUIET)
        assert result.status == "new"
        newer = support.commit(project, "newer", train__py="print('newer')\n")
        support.git(project, "push", "--quiet", "origin", f"{newer}:refs/experiments/x/n-lllllll")
        wire.fetch(shallow, "origin", [f"{newer}:refs/gitexp/incoming/n"], QUIET)
        assert refs.get(shallow, "refs/gitexp/incoming/n") == newer
        support.git(tmp_path / "shallow", "fsck", "--strict")
        empty = tmp_path / "empty.git"
        support.git(tmp_path, "init", "--quiet", "--bare", str(empty))
        support.git(empty, "config", "http.receivepack", "true")
        support.git(tmp_path / "shallow", "remote", "set-url", "origin", f"{address}/empty.git")
        (result,) = wire.push(shallow, "origin", [f"{made}:{RUN}"], leases=None, options=QUIET)
        assert result.status == "rejected"
        assert "shallow" in result.reason
        support.git(tmp_path / "shallow", "remote", "set-url", "origin", str(empty))
        (result,) = wire.push(shallow, "origin", [f"{made}:{RUN}"], leases=None, options=QUIET)
        assert "shallow" in result.reason


def test_a_partial_clone_brings_the_objects_that_it_left_there(bare: Path, tmp_path: Path) -> None:
    support.git(bare, "config", "uploadpack.allowFilter", "true")
    support.git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    with servers.http_server(bare.parent) as address:
        words = ("--filter=blob:none", "--no-checkout", f"{address}/{bare.name}", "partial")
        support.git(tmp_path, "clone", "--quiet", *words)
        partial = discover.find(tmp_path / "partial")
        blob = support.git(bare, "rev-parse", "main:train.py")
        assert blob not in partial.raw
        wire.bring(partial, "origin", [blob])
    assert blob in discover.find(tmp_path / "partial").raw


def test_the_hook_of_git_lfs_keeps_no_runs_back_where_it_cannot_run(ours: Repo, project: Path, bare: Path) -> None:
    stock = (
        "#!/bin/sh\n"
        'command -v git-lfs >/dev/null 2>&1 || { printf >&2 "\\n%s\\n" "git-lfs was not found"; exit 2; }\n'
        'git lfs pre-push "$@"\n'
    )
    hook = support.write(project / ".git/hooks/pre-push", stock)
    hook.chmod(0o755)
    (result,) = wire.push(ours, "origin", [f"{head(ours)}:{RUN}"], leases=None, options=QUIET)
    assert result.status == "new"
    support.write(hook, stock + "exit 3  # and a rule of ours\n")
    with pytest.raises(RemoteError, match="the hook pre-push refuses"):
        wire.push(
            ours, "origin", [f"{support.commit(project)}:refs/experiments/x/b-lllllll"], leases=None, options=QUIET
        )


def test_a_neighbour_whose_hooks_decide_is_left_to_git(ours: Repo, bare: Path) -> None:
    support.write(bare / "hooks/update", "#!/bin/sh\nexit 0\n").chmod(0o755)
    with pytest.raises(Unsupported, match="has the hook update"):
        wire.push(ours, "origin", [f"{head(ours)}:{RUN}"], leases=None, options=QUIET)
    assert refs.listing(discover.find(bare), "refs/experiments/") == {}


@pytest.mark.parametrize("key", ["receive.denyNonFastForwards", "receive.denyDeletes"])
def test_the_settings_of_a_neighbour_hold(key: str, ours: Repo, project: Path, bare: Path) -> None:
    support.git(bare, "config", key, "true")
    first, second = head(ours), support.commit(project, "second")
    wire.push(ours, "origin", [f"{second}:{RUN}"], leases=None, options=QUIET)
    change = f":{RUN}" if key.endswith("Deletes") else f"{first}:{RUN}"
    (result,) = wire.push(ours, "origin", [change], leases={RUN: second}, options=QUIET)
    assert result.status == "rejected"
    assert refs.get(discover.find(bare), RUN) == second
