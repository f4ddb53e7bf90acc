"""Who is shown which credentials, and by which way requests go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.errors import RemoteError
from gitexp.git.lfshttp import Session, Tuning
from tests import lfsserver, support
from tests.git.test_lfs import Client, asked, client, one, server, there
from tests.lfsserver import Server

__all__ = ["client", "server"]  # fixtures

HELPER = """\
#!/bin/sh
echo "$1" >> "{log}"
sed "s/^/  /" >> "{log}"
test "$1" = get && echo username=ana && echo password={password}
exit 0
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Server]:
    with lfsserver.running(tmp_path / "other") as started:
        started.faults(no_token=True)
        yield started


def helper(client: Client, tmp_path: Path, password: str) -> Path:
    """Give the clone a credential helper; returns what it was told."""
    log = tmp_path / "helper.log"
    script = support.write(tmp_path / "helper.sh", HELPER.format(log=log, password=password))
    script.chmod(0o755)
    client.config("credential.helper", script)
    return log


def test_git_credential_is_asked_once_and_told_that_it_was_right(
    client: Client, server: Server, tmp_path: Path
) -> None:
    log = helper(client, tmp_path, "s3cret")
    server.faults(password="s3cret")
    assert client.send(client.keep(3)) == []
    words = [line for line in log.read_text().splitlines() if not line.startswith(" ")]
    assert words == ["get", "store"]
    assert f"  host={server.address.removeprefix('http://')}" in log.read_text()


def test_wrong_credentials_are_forgotten_and_not_shown(client: Client, server: Server, tmp_path: Path) -> None:
    log = helper(client, tmp_path, "wr0ngpassword")
    server.faults(password="s3cret")
    with pytest.raises(RemoteError, match="does not take the credentials") as caught:
        client.send(client.keep())
    assert "wr0ng" not in f"{caught.value.message}{caught.value.hint}{caught.value!r}"
    words = [line for line in log.read_text().splitlines() if not line.startswith(" ")]
    assert words == ["get", "erase"]


def test_a_password_in_the_address_is_used_and_not_shown(client: Client, server: Server) -> None:
    client.config("lfs.url", server.url.replace("//", "//ana:s3cret%21@"))
    server.faults(password="s3cret!")
    assert client.send(client.keep()) == []
    assert "s3cret" not in client.open().label
    server.faults(password="other")
    with pytest.raises(RemoteError) as caught:
        client.send(client.keep())
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_a_netrc_is_read_as_git_reads_it(client: Client, server: Server, seal: Path) -> None:
    file = support.write(seal / ".netrc", "machine 127.0.0.1 login ana password s3cret\n")
    file.chmod(0o600)
    server.faults(password="s3cret")
    assert client.send(client.keep()) == []
    support.write(file, "machine 127.0.0.1 login ana passwo")
    with pytest.raises(RemoteError, match="wants credentials"):
        client.send(client.keep())


def test_an_address_that_becomes_safer_is_still_the_stores_own(client: Client) -> None:
    session = Session(client.workspace.repo, "http://git.example.com/churn.git/info/lfs", Tuning(), {})
    assert session._is_ours("https://git.example.com/other")
    assert session._is_ours("http://GIT.example.com:80/other")
    for foreign in ("https://git.example.com:8443/", "http://example.com/", "http://git.example.com.evil.com/"):
        assert not session._is_ours(foreign)
    secure = Session(client.workspace.repo, "https://git.example.com/churn.git/info/lfs", Tuning(), {})
    assert not secure._is_ours("http://git.example.com/")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_credentials_follow_a_redirect_to_another_host(
    client: Client, server: Server, other: Server, tmp_path: Path, status: int
) -> None:
    helper(client, tmp_path, "s3cret")
    client.config("http.extraHeader", "X-Secret: of-the-user")
    (item,) = there(server)
    support.write(other.folder / item.sha256, (server.folder / item.sha256).read_bytes())
    server.faults(password="s3cret", download={"status": status, "location": other.address})
    assert client.bring([item]) == []
    (head,) = asked(other, "GET")
    assert "Authorization" not in head and "X-Secret" not in head
    server.faults(password="s3cret", batch={"status": status, "location": other.address})
    assert client.bring(there(other)) == []
    (head,) = asked(other, "POST")
    assert "Authorization" not in head and "X-Secret" not in head


def test_an_upload_follows_a_redirect_from_its_beginning(client: Client, server: Server, other: Server) -> None:
    (item,) = client.keep()
    server.faults(upload={"status": 307, "location": other.address}, verify={"status": 200})
    assert client.send([item]) == []
    assert other.objects == {item.sha256: item.size_bytes}
    (head,) = asked(other, "PUT")
    assert "Authorization" not in head


def test_bytes_at_another_host_see_the_headers_of_their_action_alone(
    client: Client, server: Server, other: Server, tmp_path: Path
) -> None:
    helper(client, tmp_path, "s3cret")
    client.config("http.extraHeader", "X-Secret: of-the-user")
    items = there(other)
    support.write(server.folder / items[0].sha256, (other.folder / items[0].sha256).read_bytes())
    server.faults(password="s3cret", bytes_at=other.address)
    assert client.bring(items) == []
    (head,) = asked(other, "GET")
    assert head["Authorization"] == lfsserver.TOKEN
    assert "X-Secret" not in head
    assert asked(server, "POST")[-1]["X-Secret"] == "of-the-user"


@pytest.mark.parametrize("target", ["file:///etc", "ftp://127.0.0.1"])
def test_a_redirect_out_of_http_is_refused(client: Client, server: Server, target: str) -> None:
    server.faults(download={"status": 302, "location": target})
    assert "redirects to an address that is not as safe" in one(client.bring(there(server)))


def test_a_redirect_without_end_ends(client: Client, server: Server) -> None:
    server.faults(download={"status": 302, "location": server.address})
    assert "redirects more than 5 times" in one(client.bring(there(server)))


def test_gits_proxy_is_used(client: Client, server: Server) -> None:
    client.config("lfs.url", "http://lfs.example.invalid/acme/churn.git/info/lfs")
    client.config("http.proxy", server.address.removeprefix("http://"))
    assert client.send(client.keep()) == []
    assert len(server.objects) == 1
    assert server.requests[0]["path"].startswith("http://lfs.example.invalid/")


def test_an_authority_that_nobody_knows_is_not_trusted_until_git_is_told(
    client: Client, server: Server, tmp_path: Path
) -> None:
    support.needs("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    support.execute(
        tmp_path, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out",
        str(certificate), "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
    )  # fmt: skip
    with lfsserver.running(tmp_path / "tls", certificate=certificate, key=key) as secure:
        client.config("lfs.url", secure.url)
        with pytest.raises(RemoteError, match="is not trusted"):
            client.send(client.keep())
        client.config(f"http.{secure.address}/.sslCAInfo", certificate)
        assert client.send(client.keep()) == []
        assert len(secure.objects) == 1
