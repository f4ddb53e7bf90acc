"""The two ways over the network, the git command and dulwich, held to one contract over every transport."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from gitexp.errors import RemoteError
from gitexp.git import discover, refs, stock, wire
from gitexp.git.exchange import Options, Result
from gitexp.git.repo import Repo
from tests import servers, support

RUN, OTHER = "refs/experiments/churn/a-kkkkkkk", "refs/experiments/churn/b-lllllll"
QUIET = Options(auto=True)


@dataclass(frozen=True, slots=True)
class Clone:
    """A clone, and the way in which it talks to its remote `origin`."""

    path: Path
    way: ModuleType

    @property
    def repo(self) -> Repo:
        return discover.find(self.path)

    @property
    def url(self) -> str:
        return support.git(self.path, "config", "remote.origin.url")

    @property
    def head(self) -> str:
        return support.git(self.path, "rev-parse", "HEAD")

    def commit(self, message: str, **files: str) -> str:
        return support.commit(self.path, message, **files)

    def push(self, *refspecs: str, leases: Mapping[str, str] | None = None) -> list[Result]:
        found: list[Result] = self.way.push(self.repo, "origin", refspecs, leases=leases, options=QUIET)
        return sorted(found, key=lambda result: result.ref)

    def ls_remote(self, *patterns: str) -> dict[str, str]:
        found: dict[str, str] = self.way.ls_remote(self.repo, "origin", patterns, QUIET)
        return found

    def fetch(self, *refspecs: str) -> None:
        self.way.fetch(self.repo, "origin", refspecs, QUIET)


@pytest.fixture(params=["path", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("file", "ssh", "http"))])
def address(
    request: pytest.FixtureRequest, project: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    with servers.reached(request.param, bare, tmp_path) as (found, env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        support.git(project, "remote", "set-url", "origin", found)
        yield found


@pytest.fixture(params=[stock, wire], ids=["git", "dulwich"])
def ours(request: pytest.FixtureRequest, address: str, project: Path, bare: Path) -> Iterator[Clone]:
    with support.untouched(project):
        yield Clone(project, request.param)
    support.git(bare, "fsck", "--strict", "--connectivity-only")


@pytest.fixture
def theirs(ours: Clone, address: str, tmp_path: Path) -> Clone:
    support.git(tmp_path, "clone", "--quiet", address, "theirs")
    return Clone(tmp_path / "theirs", ours.way)


def outcomes(results: Sequence[Result]) -> list[tuple[str, str]]:
    return [(result.ref.rpartition("/")[2], result.status) for result in results]


class TestBothWays:
    """What holds whichever way a transfer takes."""

    def test_a_push_says_what_became_of_each_ref(self, ours: Clone) -> None:
        first, second = detached(ours, "first"), detached(ours, "second")
        assert outcomes(ours.push(f"{first}:{RUN}", f"{first}:{OTHER}")) == [("a-kkkkkkk", "new"), ("b-lllllll", "new")]
        done = ours.push(f"{second}:{RUN}", f"{first}:{OTHER}")
        assert outcomes(done) == [("a-kkkkkkk", "rejected"), ("b-lllllll", "current")]
        assert done[0].behind
        child = detached(ours, "child", first)
        assert outcomes(ours.push(f"{child}:{RUN}", f":{OTHER}")) == [
            ("a-kkkkkkk", "updated"),
            ("b-lllllll", "deleted"),
        ]
        assert ours.ls_remote("refs/experiments/*") == {RUN: child}

    def test_a_lease_replaces_and_deletes_only_what_it_names(self, ours: Clone) -> None:
        first, second = detached(ours, "first"), detached(ours, "second")
        assert ours.push(f"{second}:{RUN}", leases={RUN: ""}) == [Result(RUN, "new")]
        for late in (f"{first}:{RUN}", f":{RUN}"):
            (refused,) = ours.push(late, leases={RUN: first})
            assert refused == Result(RUN, "rejected", "stale info")
            assert refused.behind
        (refused,) = ours.push(f"{first}:{RUN}", leases={RUN: ""})
        assert refused.behind
        assert ours.push(f"{first}:{RUN}", leases={RUN: second}) == [Result(RUN, "updated")]
        assert ours.push(f":{RUN}", leases={RUN: first}) == [Result(RUN, "deleted")]
        assert ours.ls_remote("refs/experiments/*") == {}

    def test_what_somebody_else_pushed_first_is_never_replaced(self, ours: Clone, theirs: Clone) -> None:
        theirs.push(f"{detached(theirs, 'theirs')}:{RUN}")
        (refused,) = ours.push(f"{detached(ours, 'ours')}:{RUN}")
        assert refused == Result(RUN, "rejected", "fetch first")
        assert refused.behind

    def test_a_pattern_means_the_refs_that_are_here(self, ours: Clone) -> None:
        first, second = detached(ours, "first"), detached(ours, "second")
        support.git(ours.path, "update-ref", "refs/gitexp/outgoing/x/a/b-kkkkkkk", first)
        support.git(ours.path, "update-ref", "refs/gitexp/outgoing/x/a/c-lllllll", second)
        ours.push("refs/gitexp/outgoing/x/*:refs/experiments/*")
        assert ours.ls_remote("refs/experiments/*") == {
            "refs/experiments/a/b-kkkkkkk": first,
            "refs/experiments/a/c-lllllll": second,
        }
        for ref in ("b-kkkkkkk", "c-lllllll"):
            support.git(ours.path, "update-ref", "-d", f"refs/gitexp/outgoing/x/a/{ref}")

    def test_a_listing_holds_what_was_asked_for_and_nothing_else(self, ours: Clone) -> None:
        oid = detached(ours, "first")
        names = ["refs/experiments/a/b", "refs/other/refs/experiments/a", "refs/notes/experiments", "refs/notes/x"]
        ours.push(*(f"{oid}:{name}" for name in names))
        found = ours.ls_remote("refs/experiments/*", "refs/notes/experiments")
        assert found == {"refs/experiments/a/b": oid, "refs/notes/experiments": oid}
        assert ours.ls_remote("refs/none/*") == {}

    def test_what_is_fetched_comes_whole_and_brings_nothing_else(self, ours: Clone, theirs: Clone) -> None:
        code = theirs.commit("their code", model__py="print('theirs')\n")
        run, other = detached(theirs, "run", code), detached(theirs, "other", code)
        theirs.push(f"{run}:{RUN}", f"{other}:{OTHER}", f"{code}:refs/heads/main", f"{code}:refs/tags/v1")
        before = support.git(ours.path, "for-each-ref")
        ours.fetch(f"{run}:refs/gitexp/incoming/o/a", "refs/experiments/*:refs/gitexp/incoming/all/*")
        found = refs.listing(ours.repo, "refs/gitexp/")
        assert found == {
            "refs/gitexp/incoming/all/churn/a-kkkkkkk": run,
            "refs/gitexp/incoming/all/churn/b-lllllll": other,
            "refs/gitexp/incoming/o/a": run,
        }
        assert support.git(ours.path, "show", f"{run}~1:model.py") == "print('theirs')"
        support.git(ours.path, "fsck", "--strict")
        for ref in found:
            support.git(ours.path, "update-ref", "-d", ref)
        assert support.git(ours.path, "for-each-ref") == before
        assert (
            not (ours.path / ".git/FETCH_HEAD").exists() or "theirs" not in (ours.path / ".git/FETCH_HEAD").read_text()
        )

    def test_what_is_left_of_a_run_here_is_not_taken_for_the_whole(self, ours: Clone, theirs: Clone) -> None:
        first = detached(theirs, "first")
        second = detached(theirs, "second", first)
        theirs.push(f"{first}:{OTHER}", f"{second}:{RUN}")
        ours.fetch(f"{RUN}:{RUN}", f"{OTHER}:{OTHER}")
        for ref in (RUN, OTHER):
            support.git(ours.path, "update-ref", "-d", ref)
        packs = ours.path / ".git/objects/pack"
        for pack in [*packs.glob("*.pack")]:
            data = pack.read_bytes()
            for path in packs.glob(f"{pack.stem}.*"):
                path.unlink()
            subprocess.run(["git", "unpack-objects", "-q"], cwd=ours.path, input=data, check=True)
        for name in ("first.txt", "second.txt"):
            blob = support.git(theirs.path, "rev-parse", f"{second if name[0] == 's' else first}:{name}")
            (ours.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
        ours.fetch(f"{RUN}:{RUN}")
        assert support.git(ours.path, "show", f"{second}:second.txt") == "second"
        support.git(ours.path, "fsck", "--strict")
        support.git(ours.path, "update-ref", "-d", RUN)

    def test_a_fetch_moves_a_ref_forward_only(self, ours: Clone, theirs: Clone) -> None:
        first = detached(theirs, "first")
        theirs.push(f"{first}:{RUN}")
        ours.fetch(f"{RUN}:{RUN}")
        theirs.push(f"{detached(theirs, 'second', first)}:{RUN}")
        ours.fetch(f"{RUN}:{RUN}")
        mine = detached(ours, "mine", first)
        support.git(ours.path, "update-ref", RUN, mine)
        with pytest.raises(RemoteError):
            ours.fetch(f"{RUN}:{RUN}")
        assert refs.get(ours.repo, RUN) == mine
        support.git(ours.path, "update-ref", "-d", RUN)

    def test_a_ref_that_is_not_there_is_an_error(self, ours: Clone) -> None:
        with pytest.raises(RemoteError):
            ours.fetch("refs/experiments/none:refs/gitexp/incoming/none")
        assert ours.push(":refs/experiments/none") == [Result("refs/experiments/none", "deleted")]
        assert refs.listing(ours.repo, "refs/gitexp/") == {}

    def test_a_repository_that_is_not_there_is_an_error(self, ours: Clone) -> None:
        support.git(ours.path, "config", "remote.origin.url", ours.url.replace("origin.git", "nowhere.git"))
        for talk in (lambda: ours.ls_remote("refs/*"), lambda: ours.push(f"{ours.head}:{RUN}")):
            with pytest.raises(RemoteError) as caught:
                talk()
            assert caught.value.hint
        support.git(ours.path, "config", "remote.origin.url", ours.url.replace("nowhere.git", "origin.git"))

    def test_the_users_own_hook_is_asked_before_a_push(self, ours: Clone) -> None:
        hook = support.write(
            ours.path / ".git/hooks/pre-push", '#!/bin/sh\necho "$1 $GITEXP_PUSHING" >asked\ncat >>asked\n'
        )
        hook.chmod(0o755)
        oid = detached(ours, "first")
        ours.push(f"{oid}:{RUN}")
        asked = (ours.path / "asked").read_text().splitlines()
        assert asked[0] == "origin 1"
        assert asked[1].split()[1:] == [oid, RUN, "0" * 40]
        (ours.path / "asked").unlink()
        support.write(hook, "#!/bin/sh\necho no secrets >&2\nexit 1\n")
        with pytest.raises(RemoteError, match="no secrets"):
            ours.push(f"{detached(ours, 'second')}:{OTHER}")
        hook.unlink()
        assert list(ours.ls_remote("refs/experiments/*")) == [RUN]

    def test_an_address_is_rewritten_as_the_settings_say(self, ours: Clone) -> None:
        base = ours.url.removesuffix("origin.git")
        support.git(ours.path, "config", f"url.{base}.insteadOf", "work:")
        support.git(ours.path, "config", f"url.{base}none/.insteadOf", "work:none")
        support.git(ours.path, "config", "remote.origin.url", "work:origin.git")
        assert list(ours.ls_remote("refs/heads/*")) == ["refs/heads/main"]
        support.git(ours.path, "config", "remote.origin.url", "work:none")
        support.git(ours.path, "config", "remote.origin.pushurl", "work:origin.git")
        assert ours.push(f"{ours.head}:{RUN}") == [Result(RUN, "new")]

    def test_a_transport_that_is_forbidden_is_not_used(self, ours: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "git")
        with pytest.raises(RemoteError, match="not allowed"):
            ours.ls_remote("refs/*")


@pytest.mark.parametrize("way", [stock, wire], ids=["git", "dulwich"])
@pytest.mark.parametrize("kind", ["ssh", "http"])
def test_a_server_that_refuses_is_quoted(
    way: ModuleType, kind: str, project: Path, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.write(bare / "hooks/pre-receive", '#!/bin/sh\necho "no space for experiments" >&2\nexit 1\n').chmod(0o755)
    with servers.reached(kind, bare, tmp_path) as (address, env):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        support.git(project, "remote", "set-url", "origin", address)
        clone = Clone(project, way)
        assert clone.push(f"{clone.head}:{RUN}") == [
            Result(RUN, "rejected", "pre-receive hook declined: no space for experiments")
        ]


def detached(clone: Clone, message: str, parent: str | None = None) -> str:
    """Make a commit with a file of its own on no branch, as runs are."""
    blob = support.git(clone.path, "hash-object", "-w", "--stdin", input=message)
    tree = support.git(clone.path, "mktree", input=f"100644 blob {blob}\t{message}.txt\n")
    return support.git(clone.path, "commit-tree", tree, "-p", parent or clone.head, "-m", message)
