"""What hosts say of data, and what addresses say of themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

import gitexp
from gitexp.capture import address
from tests import s3server, support
from tests.s3server import Server


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3://b/x.csv?versionId=3", {"kind": "s3", "version": "3"}),
        ("s3a://b/x.csv", {"kind": "s3"}),
        ("gs://b/x.csv?generation=7", {"kind": "gs", "version": "7"}),
        ("abfss://c@acme.dfs.core.windows.net/x", {"kind": "az"}),
        ("https://acme.io/x.csv", {"kind": "https"}),
        ("hf://datasets/acme/x", {"kind": "hf"}),
        ("lakefs://repo/main/a/b.csv", {"kind": "lakefs", "repository": "repo", "ref": "main", "path": "a/b.csv"}),
        ("lakefs://repo", {"kind": "lakefs", "repository": "repo"}),
    ],
)
def test_what_an_address_says_of_itself(text: str, said: dict[str, Any]) -> None:
    assert address.is_address(text) and address.source(text) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ana:hunter22@acme.io/x", "https://acme.io/x"),
        ("s3://AKIA:secret@b/x", "s3://b/x"),
        ("https://acme.io/x?sig=0123456789abcdef0123&v=1", "https://acme.io/x?sig=[redacted]&v=1"),
        ("s3://b/x?versionId=3", "s3://b/x?versionId=3"),
    ],
)
def test_credentials_of_an_address_are_not_shown(text: str, shown: str) -> None:
    assert address.shown(text) == shown


@pytest.mark.parametrize("text", ["data/train.csv", "/a/b", "C:\\data", "a:b", "://x", "x"])
def test_paths_are_no_addresses(text: str) -> None:
    assert not address.is_address(text)


def keep_versions(s3: Server) -> None:
    said = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    s3.ask("PUT", f"/{s3server.BUCKET}?versioning", said)


@pytest.mark.slow
def test_a_bucket_is_asked_for_the_version_of_one_object(s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    at = f"s3://{s3server.BUCKET}"
    keep_versions(s3)
    s3.ask("PUT", f"/{s3server.BUCKET}/dir/x.csv", b"a,b\n1,2\n")
    found = address.ask(f"{at}/dir/x.csv", {})
    assert found["size"] == 8 and found["etag"] and found["version"]
    assert [method for method, *_ in s3.asked] == ["HEAD"]
    with pytest.raises(address.Unreachable, match="the host answered 404"):
        address.ask(f"{at}/nothing.csv", {})
    with pytest.raises(address.Unreachable, match="a prefix has no version"):
        address.ask(f"{at}/dir/", {})
    s3.refuse = lambda method, path: (403, "AccessDenied")
    with pytest.raises(address.Unreachable, match="the host answered 403"):
        address.ask(f"{at}/dir/x.csv", {})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(address.Unreachable, match=r"not reached: 127\.0\.0\.1:9"):
        address.ask(f"{at}/dir/x.csv", {})


@pytest.mark.slow
def test_a_download_from_a_bucket_that_was_asked_for_is_read_and_kept_in_its_version(project: Path, s3: Server) -> None:
    first, second = b"a,b\n1,2\n", b"a,b\n" + b"3,4\n" * 100_000
    at = f"s3://{s3server.BUCKET}/dir/x.csv"
    keep_versions(s3)
    s3.ask("PUT", f"/{s3server.BUCKET}/dir/x.csv", first)
    version = address.ask(at, {})["version"]
    s3.ask("PUT", f"/{s3server.BUCKET}/dir/x.csv", second)
    assert address.ask(f"{at}?versionId={version}", {})["size"] == len(first)
    with gitexp.start_run("churn") as run:
        run.log_dataset(at, "new", download=True, store=True)
        run.log_dataset(f"{at}?versionId={version}", "old", download=True)
        run.log_dataset("s3://nothing-there/x.csv", "gone", download=True)
    s3.cut_after = 1000  # taken up again where it was cut
    assert address.fetch(at, project / "cut.csv", {})["size"] == (project / "cut.csv").stat().st_size
    (ref,) = support.run_refs(project)
    data = {entry["name"]: entry for entry in support.record(project, ref, "data.json")}
    new, old, gone = data["new"], data["old"], data["gone"]
    assert new["rows"] == 100_000 and new["sha256"] == hashlib.sha256(second).hexdigest()
    assert new["artifact"] == "data/new.csv" and new["source"]["kind"] == "s3" and new["source"]["version"] != version
    assert old["rows"] == 1 and old["sha256"] == hashlib.sha256(first).hexdigest()
    assert old["source"]["version"] == version
    assert gone["unread"].startswith("unverified: ") and "sha256" not in gone
    assert list((project / ".git/gitexp/tmp").iterdir()) == []
