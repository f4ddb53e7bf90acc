"""The LFS client against a server that does everything right, and then everything wrong."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gitexp.errors import RemoteError, WriteFailed
from gitexp.git import lfs
from gitexp.git.transport import Options
from gitexp.record.pointer import Failure, Pointer
from gitexp.store import objects
from gitexp.store.workspace import Workspace
from tests import lfsserver, sharing, support
from tests.lfsserver import Server

SIZE = 3_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with lfsserver.running(tmp_path / "server") as started:
        yield started


@dataclass(slots=True)
class Client:
    """A clone that has the server for its LFS store."""

    workspace: Workspace
    folder: Path
    came: dict[str, bytes] = field(default_factory=dict)
    told: int = 0

    def config(self, key: str, value: object) -> None:
        assert self.workspace.repo.work_tree is not None
        support.git(self.workspace.repo.work_tree, "config", "--add", key, str(value))

    def keep(self, count: int = 1, size: int = SIZE) -> list[Pointer]:
        return [objects.put_bytes(self.workspace, os.urandom(size)) for _ in range(count)]

    def source(self, item: Pointer) -> Path:
        return objects.place(self.workspace, item.sha256)

    def open(self, operation: str = "upload") -> lfs.HttpDepot:
        depot = lfs.open(self.workspace.repo, "origin", Options(auto=True), operation)
        assert isinstance(depot, lfs.HttpDepot)
        return depot

    def send(self, items: Sequence[Pointer]) -> list[Failure]:
        return self.open().send(items, self.source, self._tell)

    def bring(self, items: Sequence[Pointer]) -> list[Failure]:
        return self.open("download").bring(items, self._arrive, self.folder, self._tell)

    def part(self, item: Pointer) -> Path:
        return self.folder / f"{item.sha256}.part"

    def _tell(self, count: int) -> None:
        self.told += count

    def _arrive(self, item: Pointer, path: Path) -> None:
        self.came[item.sha256] = path.read_bytes()
        path.unlink()


@pytest.fixture
def client(project: Path, server: Server, tmp_path: Path) -> Client:
    made = Client(sharing.opened(project), tmp_path / "parts")
    made.config("remote.origin.url", f"{server.address}/acme/churn")
    made.config("lfs.url", server.url)
    made.config("lfs.transfer.maxretrydelay", 0)
    return made


def there(server: Server, count: int = 1, size: int = SIZE) -> list[Pointer]:
    """Put objects into the server's store that the clone does not have."""
    made = []
    for _ in range(count):
        data = os.urandom(size)
        made.append(Pointer(hashlib.sha256(data).hexdigest(), len(data)))
        support.write(server.folder / made[-1].sha256, data)
    return made


def one(failures: Sequence[Failure]) -> str:
    assert len(failures) == 1
    return failures[0].why


def asked(server: Server, method: str, part: str = "") -> list[dict[str, str]]:
    return [item["headers"] for item in server.requests if item["method"] == method and part in item["path"]]


def test_many_objects_go_and_come_in_parallel_and_only_once(client: Client, server: Server) -> None:
    items = client.keep(230, size=2000)
    assert client.open().lacks(items) == items
    assert client.send([*items, items[0]]) == []
    assert server.objects == {item.sha256: item.size_bytes for item in items}
    assert client.told == 230 * 2000
    assert len(asked(server, "POST", "batch")) == 6
    assert len(asked(server, "POST", "verify")) == len(asked(server, "PUT")) == 230
    assert client.send(items) == []
    assert len(asked(server, "PUT")) == 230
    assert client.open().lacks(items) == []
    assert client.bring(items) == []
    assert {sha: hashlib.sha256(data).hexdigest() for sha, data in client.came.items()} == {
        item.sha256: item.sha256 for item in items
    }
    assert list(client.folder.iterdir()) == []
    assert client.open().drop(items) is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "wants other credentials (401): log in once with plain Git: git ls-remote; it says: a fault"),
        (403, "does not allow it (403)"),
        (404, "does not have it (404)"),
        (409, "is busy with the same bytes (409): try again"),
        (413, "takes no file so large (413): git config lfs.url URL"),
        (422, "does not accept it (422): gitexp fsck"),
        (429, "gets too many requests (429): try again later"),
        (500, "answers 500 Internal Server Error"),
        (507, "is full (507): free or buy space there"),
    ],
)
def test_a_refused_upload_is_told_and_nothing_is_lost(client: Client, server: Server, status: int, words: str) -> None:
    client.config("lfs.transfer.maxretries", 1)
    (item,) = client.keep()
    server.faults(upload={"status": status})
    assert words in one(client.send([item]))
    assert server.objects == {}
    assert client.told == 0
    assert hashlib.sha256(client.source(item).read_bytes()).hexdigest() == item.sha256
    server.faults()
    assert client.send([item]) == []
    assert server.objects == {item.sha256: SIZE}


@pytest.mark.parametrize("status", [401, 403, 404, 413, 422, 429, 500, 507])
def test_a_refused_download_leaves_no_file(client: Client, server: Server, status: int) -> None:
    client.config("lfs.transfer.maxretries", 1)
    (item,) = there(server)
    server.faults(download={"status": status})
    (failure,) = client.bring([item])
    assert str(status) in failure.why
    assert failure.missing is (status == 404)
    assert client.came == {} and list(client.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (401, "wants credentials (401)", "log in once with plain Git: git ls-remote http://127.0.0.1"),
        (403, "does not allow it (403)", "try again, or use another store: git config lfs.url URL"),
        (404, "has no Git LFS store there", "git config lfs.url URL of a store"),
        (429, "too many requests", "try again"),
        (500, "answers 500", "try again"),
        (507, "is full (507)", "try again"),
    ],
)
def test_a_store_that_refuses_the_question_is_an_error_of_the_remote(
    client: Client, server: Server, status: int, words: str, hint: str
) -> None:
    server.faults(batch={"status": status})
    with pytest.raises(RemoteError) as caught:
        client.send(client.keep())
    assert words in caught.value.message
    assert caught.value.hint.startswith(hint)


def test_a_store_that_takes_fewer_objects_at_once_gets_fewer(client: Client, server: Server) -> None:
    items = client.keep(4, size=1000)
    server.faults(batch={"status": 413}, times={"batch": 1})
    assert client.send(items) == []
    assert len(server.objects) == 4


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"cut": True}, {"status": 429, "after": 1}])
@pytest.mark.parametrize("what", ["batch", "upload", "verify"])
def test_what_passes_is_tried_again(client: Client, server: Server, what: str, fault: dict[str, object]) -> None:
    (item,) = client.keep()
    server.faults(**{what: fault}, times={what: 2 if "after" not in fault else 1})
    assert client.send([item]) == []
    assert server.objects == {item.sha256: SIZE}
    assert client.told == SIZE


def test_a_server_that_wants_an_hour_is_not_waited_for(client: Client, server: Server) -> None:
    server.faults(upload={"status": 429, "after": 3600})
    assert "too many requests" in one(client.send(client.keep()))


@pytest.mark.parametrize("what", ["batch", "upload", "download"])
def test_a_server_that_hangs_is_left_after_the_silence_that_was_set(client: Client, server: Server, what: str) -> None:
    client.config("lfs.activitytimeout", 1)
    client.config("lfs.transfer.maxretries", 0)
    server.faults(**{what: {"hang": 20}})
    if what == "batch":
        with pytest.raises(RemoteError, match="said nothing for 1 s"):
            client.send(client.keep())
    elif what == "upload":
        assert "said nothing for 1 s" in one(client.send(client.keep(size=1000)))
    else:
        assert "said nothing for 1 s" in one(client.bring(there(server)))


def test_an_upload_that_is_cut_off_is_sent_again(client: Client, server: Server) -> None:
    (item,) = client.keep()
    server.faults(cut_upload=1_500_000, times={"cut_upload": 2})
    assert client.send([item]) == []
    assert server.objects == {item.sha256: SIZE}
    assert client.told == SIZE


def test_a_download_that_is_cut_off_goes_on_where_it_was(client: Client, server: Server) -> None:
    (item,) = there(server)
    server.faults(cut_download=1_200_000, times={"cut_download": 2})
    assert client.bring([item]) == []
    assert [head.get("Range") for head in asked(server, "GET")] == [
        None,
        "bytes=1200000-2999999",
        "bytes=2400000-2999999",
    ]
    assert hashlib.sha256(client.came[item.sha256]).hexdigest() == item.sha256
    assert client.told == SIZE


def test_another_call_goes_on_with_a_download_that_was_given_up(client: Client, server: Server) -> None:
    (item,) = there(server)
    client.config("lfs.transfer.maxretries", 0)
    server.faults(cut_download=1_200_000)
    assert "cut the connection" in one(client.bring([item]))
    assert client.part(item).stat().st_size == 1_200_000
    assert client.came == {}
    server.faults()
    assert client.bring([item]) == []
    assert asked(server, "GET")[-1]["Range"] == "bytes=1200000-2999999"
    assert list(client.folder.iterdir()) == []


def test_a_server_without_ranges_sends_all_again(client: Client, server: Server) -> None:
    (item,) = there(server)
    server.faults(cut_download=1_200_000, no_ranges=True, times={"cut_download": 1})
    assert client.bring([item]) == []
    assert hashlib.sha256(client.came[item.sha256]).hexdigest() == item.sha256


@pytest.mark.parametrize("left", [b"?" * 1000, b"?" * SIZE, b"?" * (SIZE + 5)])
def test_a_partial_file_with_other_bytes_is_begun_anew(client: Client, server: Server, left: bytes) -> None:
    (item,) = there(server)
    support.write(client.part(item), left)
    assert client.bring([item]) == []
    assert hashlib.sha256(client.came[item.sha256]).hexdigest() == item.sha256


def test_a_whole_partial_file_is_not_downloaded_again(client: Client, server: Server) -> None:
    (item,) = there(server)
    support.write(client.part(item), (server.folder / item.sha256).read_bytes())
    assert client.bring([item]) == []
    assert asked(server, "GET") == []


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"wrong_bytes": True}, "sends other bytes than those recorded (their sha256 differs)"),
        ({"longer": 7}, "sends 3,000,007 bytes, not the 3,000,000 that were recorded"),
        ({"longer": 7, "no_length": True}, "sends more than the 3,000,000 bytes that were recorded"),
        ({"wrong_size": 7}, "says that it has 3,000,007 bytes, not 3,000,000"),
        ({"object_error": 422}, "refuses it (422): because of a fault"),
        ({"href": "file:///etc/passwd"}, "not one of http or https"),
        ({"href": "http:///nowhere"}, "not one of http or https"),
        ({"href": "http://127.0.0.1:99999/"}, "not one of http or https"),
        ({"header": {"X-A": "1\r\nX-B: 2"}}, "not one of http or https"),
        ({"expires_in": -10}, "gives permissions that have run out (is the clock right?)"),
        ({"drop_objects": True}, "says nothing of it"),
    ],
)
def test_a_server_that_lies_is_not_believed(
    client: Client, server: Server, faults: dict[str, object], words: str
) -> None:
    client.config("lfs.transfer.maxretries", 1)
    (item,) = there(server)
    server.faults(**faults)
    assert words in one(client.bring([item]))
    assert client.came == {}
    assert [path.name for path in client.folder.glob("*")] == []


@pytest.mark.parametrize(
    "faults", [{"expires_in": -10}, {"expires_at": "2020-01-01T00:00:00Z"}, {"download": {"status": 403}}]
)
def test_a_permission_that_has_run_out_is_asked_for_again(
    client: Client, server: Server, faults: dict[str, object]
) -> None:
    items = there(server)
    server.faults(**faults, times=dict.fromkeys(faults, 1))
    assert client.bring(items) == []
    assert len(asked(server, "POST", "batch")) == 2


def test_never_as_go_writes_it_is_no_date_that_has_passed(client: Client, server: Server) -> None:
    server.faults(expires_at="0001-01-01T00:00:00Z")
    assert client.bring(there(server)) == []
    assert len(asked(server, "POST", "batch")) == 1


def test_objects_that_nobody_asked_for_are_passed_over_and_the_others_go_on(client: Client, server: Server) -> None:
    items = there(server, 3)
    server.faults(extra_objects=True)
    assert client.bring(items) == []
    server.faults(drop_objects=True)
    client.config("lfs.transfer.maxretries", 1)
    assert "says nothing of it" in one(client.bring(items))
    assert len(client.came) == 3


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "[]",
        "{",
        "<html>hello</html>",
        '{"objects": 3}',
        "[" * 100_000,
        '{"objects": [' + "9" * 5000 + "]}",
        '{"objects": [], "transfer": "tus"}',
        '{"objects": [], "hash_algo": "md5"}',
    ],
)
def test_an_answer_that_is_none_is_an_error_and_no_crash(client: Client, server: Server, raw: str) -> None:
    server.faults(batch_raw=raw)
    try:
        assert "says nothing of it" in one(client.send(client.keep(size=10)))
    except RemoteError as error:
        assert "127.0.0.1" in error.message
    assert server.objects == {}


@pytest.mark.parametrize(
    "said",
    [
        "3",
        "null",
        "{}",
        '{"oid": 3, "size": "x"}',
        '{"oid": "OID", "size": 10, "actions": 3}',
        '{"oid": "OID", "size": 10, "actions": {"upload": {"href": 3}}}',
        '{"oid": "OID", "size": 10, "actions": {"upload": {"href": "http://h/", "header": 3}}}',
        '{"oid": "OID", "size": 10, "actions": {"upload": {"href": "http://h/", "header": {"a": 3}}}}',
        '{"oid": "OID", "size": 10, "actions": {"download": {"href": "http://h/"}}}',
        '{"oid": "OID", "size": 10, "error": {"code": "x", "message": {}}}',
        '{"oid": "OID", "size": 10, "error": 3}',
        '{"oid": "OID", "size": 10, "actions": {"upload": {"href": "http://[/"}}}',
    ],
)
def test_an_object_that_is_none_is_a_failure_of_that_object(client: Client, server: Server, said: str) -> None:
    client.config("lfs.transfer.maxretries", 0)
    (item,) = client.keep(size=10)
    server.faults(batch_raw=f'{{"objects": [{said.replace("OID", item.sha256)}]}}')
    failures = client.send([item])
    assert [failure.item for failure in failures] == ([item] if '"error": 3' not in said else [])


def test_an_answer_without_end_is_not_read(client: Client, server: Server) -> None:
    server.faults(batch_huge=9_000_000)
    with pytest.raises(RemoteError, match="sent an answer of more than"):
        client.send(client.keep())


def test_a_damaged_object_is_not_sent(client: Client, server: Server) -> None:
    whole, bad, short = client.keep(3)
    for item, data in ((bad, b"?" * SIZE), (short, b"short")):
        path = client.source(item)
        path.chmod(0o644)
        path.write_bytes(data)
    failures = client.send([whole, bad, short])
    assert {failure.item for failure in failures} == {bad, short}
    assert all("its bytes here are not those recorded: gitexp fsck" in failure.why for failure in failures)
    assert server.objects == {whole.sha256: SIZE}


def test_a_host_that_cannot_be_reached_is_named(client: Client) -> None:
    client.config("lfs.url", "http://127.0.0.1:1/acme/churn")
    with pytest.raises(RemoteError, match=r"127\.0\.0\.1:1 cannot be reached"):
        client.send(client.keep())


def test_a_full_disk_ends_the_download_and_keeps_what_is_whole(client: Client, server: Server, tmp_path: Path) -> None:
    items = [*there(server, 2), *there(server, 1, size=6 << 20)]
    with support.small_disk(tmp_path / "disk", "5m") as disk:
        client.folder = disk / "parts"
        client.config("lfs.concurrenttransfers", 2)
        with pytest.raises(WriteFailed, match="No space left on device"):
            client.bring(items)
        assert all(hashlib.sha256(data).hexdigest() == sha256 for sha256, data in client.came.items())
    client.folder = tmp_path / "parts"
    assert client.bring(items) == []
    assert set(client.came) == {item.sha256 for item in items}


def test_two_processes_do_not_write_one_partial_file(client: Client, server: Server) -> None:
    from gitexp.git import lfspart

    (item,) = there(server)
    with lfspart.opened(client.folder, item, lambda count: None, "elsewhere") as part:
        assert "another process is downloading it" in one(client.bring([item]))
        part.add(b"x")
