"""Where the LFS store of a remote is found."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from gitexp.errors import RemoteError
from gitexp.git import lfsendpoint
from gitexp.git.address import Ssh
from gitexp.git.lfsendpoint import DOWNLOAD, UPLOAD, Endpoint
from tests import nogit, servers, sharing, support
from tests.git.test_lfs import Client, client, server
from tests.lfsserver import Server

__all__ = ["client", "server"]  # fixtures


def found(project: Path, remote: str = "origin", operation: str = UPLOAD) -> Endpoint:
    return lfsendpoint.find(sharing.opened(project).repo, remote, operation)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://git.example.com/acme/churn", "https://git.example.com/acme/churn.git/info/lfs"),
        ("https://git.example.com/acme/churn.git/", "https://git.example.com/acme/churn.git/info/lfs"),
        ("http://git.example.com:8080/churn.git", "http://git.example.com:8080/churn.git/info/lfs"),
        ("git://git.example.com/churn.git", "https://git.example.com/churn.git/info/lfs"),
    ],
)
def test_it_is_below_the_remotes_own_address(project: Path, address: str, url: str) -> None:
    support.git(project, "remote", "add", "origin", address)
    assert found(project).url == url
    assert found(project, address).url == url


@pytest.mark.parametrize(
    ("address", "ssh"),
    [
        ("git@git.example.com:acme/churn.git", Ssh("git@git.example.com", "", "acme/churn.git")),
        ("git.example.com:churn", Ssh("git.example.com", "", "churn")),
        ("ssh://git@git.example.com/acme/churn.git", Ssh("git@git.example.com", "", "/acme/churn.git")),
        ("ssh://git@git.example.com:2222/churn.git", Ssh("git@git.example.com", "2222", "/churn.git")),
        ("ssh://git.example.com/~ana/churn.git", Ssh("git.example.com", "", "~ana/churn.git")),
        ("ssh://git@[::1]:22/churn.git", Ssh("git@::1", "22", "/churn.git")),
    ],
)
def test_over_ssh_the_other_side_is_asked(project: Path, address: str, ssh: Ssh) -> None:
    assert found(project, address).ssh == ssh


@pytest.mark.parametrize(
    "address", ["ssh://-oProxyCommand=touch%20x/churn", "-oProxyCommand=x:churn", "git.example.com:-x", "ssh:///churn"]
)
def test_no_address_is_taken_for_an_option(project: Path, address: str) -> None:
    support.git(project, "config", "lfs.url", address)
    with pytest.raises(RemoteError, match=r"strange address|no Git LFS store is known|is no Git repository"):
        found(project)


def test_settings_come_before_the_address_and_those_of_uploads_first(project: Path) -> None:
    support.git(project, "remote", "add", "origin", "https://git.example.com/churn.git")
    support.write(project / ".lfsconfig", "[lfs]\n\turl = https://shared.example.com/lfs\n")
    assert found(project).url == "https://shared.example.com/lfs"
    support.git(project, "config", "remote.origin.lfsurl", "https://mine.example.com/lfs/")
    assert found(project).url == "https://mine.example.com/lfs"
    support.git(project, "config", "lfs.url", "https://all.example.com/lfs")
    support.git(project, "config", "lfs.pushurl", "https://push.example.com/lfs")
    assert found(project, operation=DOWNLOAD).url == "https://all.example.com/lfs"
    assert found(project).url == "https://push.example.com/lfs"


def test_the_projects_file_is_read_where_it_is_committed_only(project: Path, bare: Path) -> None:
    support.write(project / ".lfsconfig", '[remote "origin"]\n\tlfsurl = https://shared.example.com/lfs\n')
    support.git(project, "add", "--all")
    (project / ".lfsconfig").unlink()
    assert found(project).url == "https://shared.example.com/lfs"
    support.git(project, "commit", "--quiet", "-m", "a store")
    support.git(project, "push", "--quiet", "origin", "main")
    support.git(bare, "remote", "add", "origin", "https://git.example.com/churn.git")
    assert found(bare).url == "https://shared.example.com/lfs"


def test_the_projects_file_is_read_without_a_git_command(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    support.git(project, "remote", "add", "origin", "https://git.example.com/churn.git")
    support.write(project / ".lfsconfig", '[remote "origin"]\n\tlfsurl = https://shared.example.com/lfs\n')
    support.git(project, "add", "--all")
    support.git(project, "commit", "--quiet", "-m", "a store")
    monkeypatch.setenv("PATH", nogit.path(tmp_path / "bin"))
    assert found(project).url == "https://shared.example.com/lfs"
    (project / ".lfsconfig").unlink()
    assert found(project).url == "https://shared.example.com/lfs"
    for broken in ("[lfs\n", "[lfs]\n\turl = /srv/other\n", "[include]\n\tpath = other\n"):
        support.write(project / ".lfsconfig", broken)
        assert found(project).url == "https://git.example.com/churn.git/info/lfs"


@pytest.mark.parametrize("address", ["file:///srv/other", "/srv/other", "../other", "~/other"])
def test_a_committed_file_names_no_folder_of_this_machine(project: Path, bare: Path, address: str) -> None:
    support.write(project / ".lfsconfig", f"[lfs]\n\turl = {address}\n")
    assert found(project).folder == bare / "lfs/objects"


def test_git_rewrites_addresses_first(project: Path) -> None:
    support.git(project, "remote", "add", "origin", "work:churn.git")
    support.git(project, "config", "url.https://git.example.com/.insteadOf", "work:")
    support.git(project, "config", "url.https://push.example.com/.pushInsteadOf", "work:")
    assert found(project, operation=DOWNLOAD).url == "https://git.example.com/churn.git/info/lfs"
    assert found(project).url == "https://push.example.com/churn.git/info/lfs"


def test_a_repository_on_this_machine_has_its_own_folder(project: Path, bare: Path, tmp_path: Path) -> None:
    support.git(project, "worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "linked")
    for address in (str(bare), bare.as_uri(), str(bare).removesuffix(".git")):
        assert found(project, address).folder == bare / "lfs/objects"
    for path in (project, tmp_path / "linked"):
        assert found(project, str(path)).folder == project / ".git/lfs/objects"
    with pytest.raises(RemoteError, match="is no Git repository"):
        found(project, str(tmp_path))


def authenticate(folder: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> Path:
    """Put a `git-lfs-authenticate` where the other side of ssh finds it; returns what it is called with."""
    log = folder / "authenticate.log"
    script = support.write(folder / "bin/git-lfs-authenticate", f"#!/bin/sh\necho \"$@\" >> '{log}'\n{said}\n")
    script.chmod(0o755)
    for name, value in servers.ssh(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")
    return log


def test_objects_travel_where_ssh_says(
    client: Client, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = {"Authorization": "Basic " + base64.b64encode(b"ana:s3cret").decode()}
    answer = json.dumps({"href": server.url, "header": header, "expires_in": 600})
    log = authenticate(tmp_path, monkeypatch, f"echo '{answer}'")
    client.config("lfs.url", "ssh://git@127.0.0.1/srv/acme's churn.git")
    server.faults(password="s3cret")
    items = client.keep(2)
    assert client.send(items) == []
    assert client.bring(items) == []
    assert log.read_text() == "/srv/acme's churn.git upload\n/srv/acme's churn.git download\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("exit 3", "exit 3"),
        ("echo no such repository >&2; exit 1", "no such repository"),
        ("echo '{'", "no JSON"),
        ('echo \'{"href": "file:///etc"}\'', "not one of http or https"),
        ('echo \'{"href": "http://h/", "header": {"a": 1}}\'', "not one of http or https"),
    ],
)
def test_ssh_that_names_no_store_is_an_error(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, words: str
) -> None:
    authenticate(tmp_path, monkeypatch, said)
    client.config("lfs.url", "git@127.0.0.1:acme/churn.git")
    with pytest.raises(RemoteError, match=words):
        client.send(client.keep())
