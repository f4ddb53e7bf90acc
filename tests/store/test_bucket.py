"""Buckets as depots, against a server that speaks S3 on 127.0.0.1."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gitexp.errors import RemoteError, UsageError
from gitexp.git.lfshttp import Tuning
from gitexp.record.pointer import Failure, Pointer
from gitexp.store.bucket import Address, BucketDepot
from tests import azureserver, s3server
from tests.s3server import BUCKET, Server

pytest.importorskip("obstore")
pytest.importorskip("moto")

URL = f"s3://{BUCKET}/team/churn"
QUICK = Tuning(parallel=4, tries=3, longest_pause_seconds=0.05, silence_seconds=5, dial_seconds=5)


@pytest.fixture
def depot(s3: Server) -> BucketDepot:
    return BucketDepot(URL, QUICK)


class Bytes:
    """Files to send, and where those that come arrive."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, 0
        (folder / "from").mkdir()

    def make(self, data: bytes) -> Pointer:
        item = Pointer(hashlib.sha256(data).hexdigest(), len(data))
        self.source(item).write_bytes(data)
        return item

    def source(self, item: Pointer) -> Path:
        return self.folder / "from" / item.sha256

    def tell(self, count: int) -> None:
        self.told += count

    def send(self, depot: BucketDepot, items: Sequence[Pointer]) -> list[Failure]:
        return depot.send(items, self.source, self.tell)

    def bring(self, depot: BucketDepot, items: Sequence[Pointer]) -> list[Failure]:
        return depot.bring(items, self.arrive, self.folder / "tmp", self.tell)

    def arrive(self, item: Pointer, path: Path) -> None:
        path.replace(self.place(item))

    def place(self, item: Pointer) -> Path:
        return self.folder / f"{item.sha256}.arrived"

    def partial(self, item: Pointer) -> Path:
        return self.folder / "tmp" / f"{item.sha256}.part"


@pytest.fixture
def files(tmp_path: Path) -> Bytes:
    return Bytes(tmp_path)


def key(item: Pointer) -> str:
    return f"/{BUCKET}/team/churn/{item.sha256[:2]}/{item.sha256[2:4]}/{item.sha256}"


def test_files_of_any_size_go_there_and_come_back(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    sizes = (0, 1, 5 << 20, (5 << 20) + 1, 17_000_000)
    items = [files.make(os.urandom(size)) for size in sizes]
    assert depot.lacks(items) == items
    assert files.send(depot, items) == []
    assert files.told == sum(sizes)
    assert depot.lacks(items) == []
    assert s3.ask("GET", key(items[1])) == files.source(items[1]).read_bytes()
    assert any("partNumber=4" in path for _, path, _ in s3.asked)
    assert files.bring(depot, items) == []
    assert files.told == 2 * sum(sizes)
    assert [files.place(item).read_bytes() == files.source(item).read_bytes() for item in items] == [True] * len(sizes)
    assert list((files.folder / "tmp").iterdir()) == []


def test_what_is_there_is_not_sent_again(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    items = [files.make(bytes([number]) * 1000) for number in range(20)]
    assert files.send(depot, items) == files.send(depot, [*items, items[0]]) == []
    assert s3.count("PUT") == 20
    assert files.told == 40_000


def test_an_object_of_another_size_is_replaced(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    item = files.make(b"whole")
    s3.ask("PUT", key(item), b"who")
    assert depot.lacks([item]) == [item]
    assert files.send(depot, [item]) == []
    assert s3.ask("GET", key(item)) == b"whole"


@pytest.mark.parametrize("size", [1000, 12_000_000])
def test_a_file_damaged_here_never_becomes_whole_there(depot: BucketDepot, s3: Server, files: Bytes, size: int) -> None:
    item, other = files.make(b"a" * size), files.make(b"fine")
    files.source(item).write_bytes(b"a" * (size - 1) + b"b")
    (failure,) = files.send(depot, [item, other])
    assert failure == Failure(item, "its bytes here are not those recorded: gitexp fsck")
    assert depot.lacks([item, other]) == [item]
    assert b"<Upload>" not in s3.ask("GET", f"/{BUCKET}?uploads")
    assert files.told == other.size_bytes


def test_a_file_that_is_not_here_fails_alone(depot: BucketDepot, files: Bytes) -> None:
    gone, other = files.make(b"gone"), files.make(b"fine")
    files.source(gone).unlink()
    (failure,) = files.send(depot, [gone, other])
    assert failure.why == "its bytes here cannot be read: No such file or directory"
    assert depot.lacks([gone, other]) == [gone]


def test_wrong_bytes_in_the_bucket_never_arrive(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    longer, other, fine = files.make(b"longer"), files.make(b"other"), files.make(b"fine")
    files.send(depot, [fine])
    s3.ask("PUT", key(longer), b"much longer")
    s3.ask("PUT", key(other), b"wrong")
    assert files.bring(depot, [longer, other, fine]) == [
        Failure(longer, f"{URL} has 11 bytes, not 6, of it"),
        Failure(other, f"{URL} sends other bytes than those recorded (their sha256 differs)"),
    ]
    assert [path.name for path in files.folder.iterdir() if path.is_file()] == [files.place(fine).name]
    assert list((files.folder / "tmp").iterdir()) == []


def test_a_missing_object_is_said_to_be_missing(depot: BucketDepot, files: Bytes) -> None:
    item = files.make(b"never sent")
    assert files.bring(depot, [item]) == [Failure(item, f"{URL} does not have it", missing=True)]


def test_a_download_goes_on_where_an_earlier_one_ended(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    item = files.make(os.urandom(3_000_000))
    files.send(depot, [item])
    files.partial(item).parent.mkdir()
    files.partial(item).write_bytes(files.source(item).read_bytes()[:2_000_000])
    assert files.bring(depot, [item]) == []
    assert files.place(item).read_bytes() == files.source(item).read_bytes()
    assert [span for method, _, span in s3.asked if span] == ["bytes=2000000-"]


def test_a_damaged_beginning_is_thrown_away_and_all_of_it_fetched(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    item = files.make(os.urandom(300_000))
    files.send(depot, [item])
    files.partial(item).parent.mkdir()
    files.partial(item).write_bytes(b"x" * 100_000)
    assert files.bring(depot, [item]) == []
    assert files.place(item).read_bytes() == files.source(item).read_bytes()


def test_a_connection_that_is_cut_is_taken_up_again(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    item = files.make(os.urandom(3_000_000))
    files.send(depot, [item])
    s3.cut_after = 1_000_000
    files.told = 0
    assert files.bring(depot, [item]) == []
    assert files.place(item).read_bytes() == files.source(item).read_bytes()
    assert files.told == item.size_bytes
    assert any(span for _, _, span in s3.asked)


def test_a_server_in_trouble_is_asked_again(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    item, left = files.make(b"patience"), [2]

    def refuse(method: str, path: str) -> tuple[int, str] | None:
        left[0] -= 1
        return (503, "SlowDown") if left[0] >= 0 else None

    s3.refuse = refuse
    assert files.send(depot, [item]) == []
    s3.refuse = lambda method, path: (500, "InternalError") if path == key(item) else None
    assert files.bring(depot, [item]) == [Failure(item, f"{URL} answers 500 (InternalError)")]


def test_who_may_not_write_is_told_what_to_ask_for(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    item = files.make(b"mine")
    s3.refuse = lambda method, path: (403, "AccessDenied")
    (failure,) = files.send(depot, [item])
    assert failure.why == f"{URL} does not allow it (403): ask for s3:GetObject, s3:PutObject and s3:ListBucket"
    assert not failure.missing
    with pytest.raises(RemoteError, match="does not allow it"):
        depot.lacks([item])


def test_who_may_write_and_not_list_can_send(depot: BucketDepot, s3: Server, files: Bytes) -> None:
    item = files.make(b"mine")
    s3.refuse = lambda method, path: (403, "AccessDenied") if method == "HEAD" or "list-type" in path else None
    assert files.send(depot, [item]) == []
    assert s3.ask("GET", key(item)) == b"mine"


def test_a_bucket_that_is_not_there_is_said_once(s3: Server, files: Bytes) -> None:
    items = [files.make(b"a"), files.make(b"b")]
    depot = BucketDepot("s3://acme-other/x", QUICK)
    for call in (depot.lacks, lambda items: files.send(depot, items), lambda items: files.bring(depot, items)):
        with pytest.raises(RemoteError) as caught:
            call(items)
        assert caught.value.message == "s3://acme-other/x: there is no bucket 'acme-other'"
        assert caught.value.hint == "aws s3 mb s3://acme-other"


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"])
def test_wrong_credentials_are_said_and_not_shown(depot: BucketDepot, s3: Server, files: Bytes, code: str) -> None:
    s3.refuse = lambda method, path: (403 if code != "ExpiredToken" else 400, code)
    with pytest.raises(RemoteError) as caught:
        files.send(depot, [files.make(b"a")])
    assert caught.value.message == f"{URL}: the credentials are wrong or have run out ({code})"
    assert "aws configure" in caught.value.hint
    assert not any(value in repr(caught.value) + str(caught.value) for value in list(s3server.KEYS.values())[:2])


def test_missing_credentials_are_said(s3: Server, files: Bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RemoteError) as caught:
        files.send(BucketDepot(URL, QUICK), [files.make(b"a")])
    assert caught.value.message == f"{URL}: there are no credentials for it here"
    assert "export AWS_ACCESS_KEY_ID" in caught.value.hint


def test_credentials_and_the_endpoint_come_from_the_files_of_aws(
    s3: Server, files: Bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*s3server.KEYS, "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    folder = Path.home() / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text("[lab]\naws_access_key_id = of-the-lab\naws_secret_access_key = hush%hush\n")
    (folder / "config").write_text(f"[profile lab]\nregion = eu-central-1\nendpoint_url = {s3.url}\n")
    monkeypatch.setenv("AWS_PROFILE", "lab")
    item = files.make(b"by profile")
    assert files.send(BucketDepot(URL, QUICK), [item]) == []
    assert s3.ask("GET", key(item)) == b"by profile"


def test_a_host_that_is_not_there_is_named(s3: Server, files: Bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(RemoteError) as caught:
        files.send(BucketDepot(URL, QUICK), [files.make(b"a")])
    assert caught.value.message == f"{URL}: cannot reach 127.0.0.1:9"


def test_objects_are_deleted_and_those_that_are_gone_are_no_failure(depot: BucketDepot, files: Bytes) -> None:
    items = [files.make(b"a"), files.make(b"b"), files.make(b"c")]
    files.send(depot, items[:2])
    assert depot.drop(items) == []
    assert depot.lacks(items) == items


def test_the_checksum_of_aws_goes_along_where_it_is_asked_for(
    s3: Server, files: Bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CHECKSUM_ALGORITHM", "sha256")
    item = files.make(os.urandom(6_000_000))
    assert files.send(BucketDepot(URL, QUICK), [item]) == []
    assert files.bring(BucketDepot(URL, QUICK), [item]) == []


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///x",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?key=1",
        "s3://bucket/../x",
        "http://bucket/x",
        "s3://b/ä b",
    ],
)
def test_what_is_no_address_of_a_bucket_is_refused_without_showing_secrets(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.of(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_the_other_clouds_have_the_same_keys(scheme: str) -> None:
    assert Address.of(f"{scheme}://bucket/a/").key(Pointer("ab" * 32, 1)) == f"a/ab/ab/{'ab' * 32}"
    assert Address.of(f"{scheme}://bucket").label == f"{scheme}://bucket"


@pytest.fixture(params=["gs", "az"])
def other(request: pytest.FixtureRequest, s3: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketDepot]:
    """Return a depot of another cloud; what Google's storage speaks as XML is what S3 speaks."""
    if request.param == "gs":
        monkeypatch.setenv("GOOGLE_BASE_URL", s3.url)
        monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "hush-hush")
        yield BucketDepot(f"gs://{BUCKET}/team/churn", QUICK)
        return
    with azureserver.running() as azure:
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", azure.url)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", azureserver.ACCOUNT)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azureserver.KEY)
        yield BucketDepot(f"az://{BUCKET}/team/churn", QUICK)


def test_files_go_to_the_other_clouds_and_come_back(other: BucketDepot, files: Bytes) -> None:
    items = [files.make(data) for data in (b"", b"small", os.urandom(11 << 20))]
    assert other.lacks(items) == items
    assert files.send(other, items) == [] and other.lacks(items) == []
    files.partial(items[2]).parent.mkdir()
    files.partial(items[2]).write_bytes(files.source(items[2]).read_bytes()[: 3 << 20])
    assert files.bring(other, items) == []
    assert [hashlib.sha256(files.place(item).read_bytes()).hexdigest() for item in items] == [i.sha256 for i in items]
    assert other.drop(items) == [] and other.lacks(items) == items


def test_no_signature_follows_a_redirect_to_another_host(
    depot: BucketDepot, s3: Server, s3_process: int, files: Bytes
) -> None:
    item = files.make(b"some bytes")
    with s3server.proxied(s3_process) as elsewhere:
        assert files.send(depot, [item]) == []
        s3.moved_to = elsewhere.url
        assert [failure.item for failure in files.bring(depot, [item])] in ([], [item])
        with pytest.raises(RemoteError, match="is in another region"):
            files.send(depot, [files.make(b"others")])
    assert elsewhere.asked and elsewhere.count("PUT") == 0
    assert not any("authorization" in headers or "hush-hush" in str(headers) for headers in elsewhere.headers)


def test_azure_without_an_account_says_what_to_set(files: Bytes) -> None:
    with pytest.raises(RemoteError) as caught:
        files.send(BucketDepot("az://runs/x", QUICK), [files.make(b"a")])
    assert caught.value.message == "az://runs/x: there are no credentials for it here"
    assert "AZURE_STORAGE_ACCOUNT_NAME" in caught.value.hint
