"""Which remote is meant, and what is remembered of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import Conflict, NotFound, UsageError
from gitexp.store import remotes
from gitexp.store.remotes import Remote
from tests import sharing, support

OID = "1" * 40


def add(project: Path, *names: str) -> None:
    for name in names:
        support.git(project, "remote", "add", name, f"ssh://git@example.com:22/acme/{name}.git")


def test_the_remote_is_the_one_that_a_push_of_git_would_take(project: Path) -> None:
    with pytest.raises(NotFound, match="there is no remote"):
        remotes.choose(sharing.opened(project))
    add(project, "only")
    assert remotes.choose(sharing.opened(project)).name == "only"
    add(project, "backup")
    with pytest.raises(NotFound, match="which remote\\? backup, only"):
        remotes.choose(sharing.opened(project))
    add(project, "origin", "a", "b", "c", "runs")
    for key, value in (
        (None, "origin"),
        ("branch.main.remote", "a"),
        ("remote.pushDefault", "b"),
        ("branch.main.pushRemote", "c"),
        ("gitexp.remote", "runs"),
    ):
        if key:
            support.git(project, "config", key, value)
        assert remotes.choose(sharing.opened(project)).name == value
    assert remotes.choose(sharing.opened(project), "backup").name == "backup"


def test_a_remote_may_be_an_address_or_a_path_from_where_one_is(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = sharing.opened(project)
    assert remotes.choose(workspace, "https://ana:pw@example.com/x.git").label == "https://example.com/x.git"
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    (tmp_path / "other.git").mkdir()
    assert remotes.choose(workspace, "../../other.git").name == str(tmp_path / "other.git")
    with pytest.raises(NotFound, match="no remote 'nowhere'; there is: none"):
        remotes.choose(workspace, "nowhere")
    for option in ("--upload-pack=touch x:y", "-c"):
        with pytest.raises(UsageError):
            remotes.choose(workspace, option)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ana:pw@git.example.com/acme/churn.git", "git.example.com/acme/churn"),
        ("ssh://git@git.example.com:22/acme/churn", "git.example.com:22/acme/churn"),
        ("git@git.example.com:acme/churn.git", "git.example.com:acme/churn"),
        ("/srv/git/churn.git", "/srv/git/churn"),
    ],
)
def test_people_see_an_address_without_scheme_and_user(url: str, shown: str) -> None:
    assert Remote("origin", url).where == shown


def test_what_a_remote_holds_is_remembered_for_its_address_only(project: Path) -> None:
    add(project, "origin")
    workspace = sharing.opened(project)
    remote = remotes.choose(workspace)
    assert (remotes.looked_ms(workspace, remote), remotes.seen(workspace, remote)) == (0, {})
    remotes.replace(workspace, remote, {"refs/experiments/a": OID, "refs/experiments/b": OID})
    remotes.remember(workspace, remote, {"refs/experiments/c": OID, "refs/experiments/a": None})
    assert remotes.seen(workspace, remote) == {"refs/experiments/b": OID, "refs/experiments/c": OID}
    assert remotes.holdings(workspace) == {"origin": remotes.seen(workspace, remote)}
    remotes.agree(workspace, remote, ["runs"])
    support.git(project, "remote", "set-url", "origin", "ssh://elsewhere/x.git")
    moved = remotes.choose(sharing.opened(project))
    assert remotes.seen(workspace, moved) == {}
    assert remotes.agreement(workspace, moved).kinds == frozenset()


def test_a_line_that_a_crash_tore_is_passed_over(project: Path) -> None:
    add(project, "origin")
    workspace = sharing.opened(project)
    remote = remotes.choose(workspace)
    remotes.replace(workspace, remote, {"refs/experiments/a": OID})
    with open(workspace.home / "remotes/origin.refs", "a") as file:
        file.write(f"{OID} refs/experim")
    assert remotes.seen(workspace, remote) == {"refs/experiments/a": OID}


def test_what_was_agreed_to_adds_up_and_deletions_can_be_taken_back(project: Path) -> None:
    add(project, "origin")
    workspace = sharing.opened(project)
    remote = remotes.choose(workspace)
    remotes.agree(workspace, remote, ["runs"])
    remotes.mark_deleted(workspace, remote, ["refs/experiments/a", "refs/experiments/b"])
    remotes.agree(workspace, remote, ["dirty"])
    remotes.mark_deleted(workspace, remote, ["refs/experiments/a"], deleted=False)
    agreed = remotes.agreement(workspace, remote)
    assert (agreed.kinds, agreed.deleted) == ({"runs", "dirty"}, {"refs/experiments/b"})


def test_names_of_remotes_are_safe_as_files_and_refs(project: Path) -> None:
    for name in ("origin", "../../etc", "https://example.com/a?b=c", "x" * 300, "-rf", "a.lock", "~^:?*["):
        key = remotes.key(Remote(name, name))
        support.git(project, "check-ref-format", f"refs/gitexp/incoming/{key}/x")
        assert "/" not in key and len(key) <= 100
    assert "s3cret" not in remotes.key(Remote("https://ana:s3cret@example.com/a", ""))


def test_one_process_at_a_time_talks_to_a_remote(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(project, "origin")
    workspace = sharing.opened(project)
    remote = remotes.choose(workspace)
    monkeypatch.setattr(remotes, "_LOCK_SECONDS", 0)
    with (
        remotes.busy(workspace, remote),
        pytest.raises(Conflict, match="another push or fetch with origin"),
        remotes.busy(workspace, remote),
    ):
        raise AssertionError("unreachable")
