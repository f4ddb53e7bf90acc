"""What a run records of the data that it reads."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

import gitexp
from gitexp.errors import UsageError
from gitexp.store import copying, hashes
from gitexp.store import workspace as workspaces
from tests import support

CSV = "id,lr\n1,0.5\n2,0.25\n"


def data(run: gitexp.Run) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in support.record(".", run.ref, "data.json")}


def record(what: Any, name: str | None = None, **more: Any) -> dict[str, Any]:
    with gitexp.start_run("churn") as run:
        run.log_dataset(what, name, **more)
    (found,) = data(run).values()
    return found


def test_a_file_is_recorded_with_its_hash_rows_and_schema(project: Path) -> None:
    support.write(project / "data/train.csv", CSV)
    found = record("data/train.csv", "train", role="training", metadata={"licence": "CC0"})
    assert found["sha256"] == hashlib.sha256(CSV.encode()).hexdigest()
    assert (found["uri"], found["size"], found["files"], found["rows"]) == ("data/train.csv", len(CSV), 1, 2)
    assert found["schema"] == [
        {"name": "id", "dtype": "int", "missing": 0}, {"name": "lr", "dtype": "float", "missing": 0},
    ]  # fmt: skip
    assert (found["role"], found["metadata"], found["stored"]) == ("training", {"licence": "CC0"}, False)
    assert "unread" not in found


def test_tables_folders_and_functions_of_the_active_run(project: Path) -> None:
    support.write(project / "data/a.txt", "x")
    with gitexp.start_run("churn") as run:
        gitexp.log_dataset("data", role="raw")
        gitexp.log_dataset(pd.DataFrame({"a": [1, 2]}), "frame", wait=True)
        assert {item["name"] for item in gitexp.get_run(run.id)._run.data} == {"data", "frame"}
    assert data(run)["data"]["files"] == 1
    assert data(run)["frame"]["rows"] == 2 and "uri" not in data(run)["frame"]


def test_a_table_is_recorded_as_it_was_in_the_call(project: Path) -> None:
    frame = pd.DataFrame({"a": list(range(100_000))})
    with gitexp.start_run("churn") as run:
        run.log_dataset(frame, "one")
        frame.loc[:, "a"] = 0
        run.log_dataset(frame, "two")
    assert data(run)["one"]["sha256"] != data(run)["two"]["sha256"]
    assert data(run)["one"]["profile"]["columns"][0]["max"] > 90_000


def test_the_same_name_again_replaces_it_and_a_resumed_run_keeps_the_rest(project: Path) -> None:
    support.write(project / "a.csv", CSV)
    with gitexp.start_run("churn") as run:
        run.log_dataset("a.csv", "train")
        run.log_dataset(pd.DataFrame({"a": [1]}), "train")
        run.log_dataset("a.csv", "test")
    with gitexp.start_run(resume=run.id) as again:
        again.log_dataset(pd.DataFrame({"a": [1, 2]}), "test")
    assert {name: item["rows"] for name, item in data(again).items()} == {"train": 1, "test": 2}


def test_stored_data_is_an_artifact(project: Path) -> None:
    support.write(project / "big.csv", "a\n" + "1234567\n" * 50_000)
    support.write(project / "images/a.txt", "x")
    with gitexp.start_run("churn") as run:
        run.log_dataset("big.csv", "train", store=True)
        run.log_dataset("images", store=True)
        run.log_dataset(pd.DataFrame({"a": [1]}), "frame", store=True)
    found = data(run)
    kept = {item.name: item for item in gitexp.get_run(run.id)._run.artifacts}
    assert set(kept) == {"data/train.csv", "data/images/a.txt", "data/frame.parquet"}
    assert kept["data/train.csv"].sha256 == found["train"]["sha256"]
    assert [found[name]["artifact"] for name in sorted(found)] == [
        "data/frame.parquet",
        "data/images",
        "data/train.csv",
    ]
    assert all(item["stored"] for item in found.values())


@pytest.mark.parametrize(
    ("what", "options"),
    [("nothing.csv", {}), (7, {}), (None, {}), ("train.py", {"name": ""}), ("train.py", {"name": "x" * 251})],
)
def test_what_is_no_data_is_refused(project: Path, what: Any, options: dict[str, Any]) -> None:
    with gitexp.start_run("churn") as run, pytest.raises(UsageError):
        run.log_dataset(what, **options)


def test_another_state_of_the_data_is_said_once(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for content in (CSV, CSV, CSV + "3,1\n"):
        support.write(project / "train.csv", content)
        with gitexp.start_run("churn") as run:
            run.log_dataset("train.csv", "train")
            run.log_dataset(pd.DataFrame({"a": [len(content)]}), "frame")
    lines = [line for line in capfd.readouterr().err.splitlines() if "other data" in line]
    assert len(lines) == 1 and lines[0].startswith("gitexp: warning: train is other data (")
    assert f"gitexp data diff {gitexp.runs()[1].id[:7]} {run.id[:7]} train" in lines[0]
    with gitexp.start_run("another") as run:
        run.log_dataset(pd.DataFrame({"a": [1]}), "train")
    assert "other data" not in capfd.readouterr().err


def test_dvc_pointers_tell_what_dvc_knows(project: Path) -> None:
    support.write(project / "data/train.csv.dvc", "outs:\n- md5: 0a1b\n  size: 7\n  path: train.csv\n  hash: md5\n")
    gone = record("data/train.csv.dvc")
    assert gone["name"] == "train.csv" and gone["uri"] == "data/train.csv" and "dvc pull" in gone["unread"]
    assert gone["source"] == {"kind": "dvc", "pointer": "train.csv.dvc", "md5": "0a1b", "size": 7}
    support.write(project / "data/train.csv", CSV)
    for given in ("data/train.csv", "data/train.csv.dvc"):
        found = record(given, "train")
        assert found["source"]["md5"] == "0a1b" and found["rows"] == 2
    out = "path: data/out.csv, md5: ff.dir, nfiles: 2"
    support.write(project / "dvc.lock", f"schema: '2.0'\nstages:\n  prep:\n    cmd: x\n    outs: [{{{out}}}]\n")
    support.write(project / "data/out.csv", CSV)
    assert record("data/out.csv")["source"] == {"kind": "dvc", "pointer": "dvc.lock", "md5": "ff.dir", "files": 2}
    support.write(project / "bad.csv.dvc", "outs: [{path: [1]}, 3]\n&a [*a")
    assert "sha256" in record("bad.csv.dvc")


class Handler(http.server.BaseHTTPRequestHandler):
    """A host: /train.csv is there, /moved leads to it, /file to a file, /loop to itself; /cut.csv ends too soon."""

    asked: ClassVar[list[tuple[str, str, dict[str, str]]]] = []

    def answer(self, body: bool) -> None:
        self.asked.append((self.command, self.path, dict(self.headers)))
        places = {"/moved": "/train.csv", "/file": "file:///etc/passwd", "/loop": "/loop"}
        path = self.path.partition("?")[0]
        if path in places:
            self.send_response(302)
            self.send_header("Location", places[path])
            self.end_headers()
            return
        if self.path.startswith(("/train.csv", "/cut.csv")):
            self.send_response(200)
            self.send_header("ETag", '"e1"')
            self.send_header("x-amz-version-id", "v7")
            self.send_header("Content-Length", str(len(CSV)))
            self.end_headers()
            if body:
                self.wfile.write(CSV[: 5 if self.path == "/cut.csv" else None].encode())
            return
        self.send_error(403)

    def do_HEAD(self) -> None:
        self.answer(False)

    def do_GET(self) -> None:
        self.answer(True)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def host() -> Iterator[str]:
    Handler.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_web_address_is_asked_for_its_version_never_downloaded(project: Path) -> None:
    with host() as at:
        found = record(f"http://ana:pass12345word@{at}/moved?X-Amz-Signature={'ab12' * 16}", "web")
    assert found["source"] == {"kind": "https", "etag": '"e1"', "version": "v7"} and found["size"] == len(CSV)
    assert found["uri"] == f"http://{at}/moved?X-Amz-Signature=[redacted]"
    assert [(method, path.partition("?")[0]) for method, path, _ in Handler.asked] == [
        ("HEAD", "/moved"),
        ("HEAD", "/train.csv"),
    ]
    assert all("Authorization" not in headers for _, _, headers in Handler.asked)
    assert "sha256" not in found and "unread" not in found


def test_a_download_that_was_asked_for_is_read_and_kept(project: Path) -> None:
    with host() as at:
        found = record(f"http://{at}/train.csv", "web", download=True, store=True)
        cut = record(f"http://{at}/cut.csv", "web", download=True)
    assert found["rows"] == 2 and found["sha256"] == hashlib.sha256(CSV.encode()).hexdigest()
    assert found["artifact"] == "data/web.csv" and found["source"]["version"] == "v7"
    assert cut["unread"].startswith("unverified: ") and "sha256" not in cut
    assert list((project / ".git/gitexp/tmp").iterdir()) == []


@pytest.mark.parametrize("path", ["/file", "/loop", "/nothing"])
def test_a_host_that_does_not_tell_is_said(project: Path, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    with host() as at:
        found = record(f"http://{at}{path}", "web")
    assert found["unread"].startswith("unverified: ")
    assert "dataset web: unverified" in capfd.readouterr().err


def test_addresses_that_are_not_reached_are_recorded_unverified(project: Path) -> None:
    with gitexp.start_run("churn") as run:
        run.log_dataset("http://127.0.0.1:9/x.csv", "off")
        run.log_dataset("hdfs://ana:s3cretpass@node/x.csv", "hdfs", version="2026-01")
        run.log_dataset("lakefs://repo/main/x.csv", "branch")
        run.log_dataset(f"lakefs://repo/{'ab' * 32}/dir/x.csv", "commit")
        run.log_dataset("driver_stats", feature_store="feast", version="v3")
    found = data(run)
    assert "Connection refused" in found["off"]["unread"]
    assert found["hdfs"]["uri"] == "hdfs://node/x.csv" and found["hdfs"]["source"]["version"] == "2026-01"
    assert "main may move" in found["branch"]["unread"]
    assert "unread" not in found["commit"] and found["commit"]["source"]["version"] == "ab" * 32
    assert found["driver_stats"]["source"] == {
        "kind": "feature-store", "store": "feast", "feature": "driver_stats", "version": "v3",
    }  # fmt: skip
    assert "s3cret" not in json.dumps(found)


def test_a_run_that_is_killed_does_not_wait_for_the_data(project: Path) -> None:
    os.truncate(support.write(project / "sparse.bin", ""), 200 << 30)
    run = gitexp.start_run("churn")
    run.log_dataset("sparse.bin")
    run.finish("killed")
    assert data(run)["sparse.bin"]["unread"] == "the run was killed before all was read"


def test_a_process_that_dies_leaves_what_was_known(project: Path) -> None:
    os.truncate(support.write(project / "sparse.bin", ""), 200 << 30)
    code = "import gitexp, os\nrun = gitexp.start_run('churn')\nrun.log_dataset('sparse.bin')\nos._exit(9)"
    assert support.python(project, code, check=False).returncode == 9
    support.gitexp("recover")
    (found,) = gitexp.get_run("@")._run.data
    assert (found["name"], found["unread"]) == ("sparse.bin", "the run ended before it was read")


def test_a_file_that_was_hashed_before_is_not_read_again(project: Path) -> None:
    path = support.write(project / "big.bin", b"x" * (2 << 20))
    os.utime(path, ns=(1, 1_500_000_001))
    time.sleep(0.1)  # a file that changed a moment ago could change again and look the same
    first = record("big.bin")
    workspace, stamp = workspaces.open(), copying.stamp(path.stat())
    assert hashes.known(workspace, stamp) == first["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    hashes.remember(workspace, stamp, "0" * 64)
    assert record("big.bin")["sha256"] == "0" * 64


def test_unhashable_objects_are_said(project: Path) -> None:
    found = record(pd.DataFrame({"x": [object()]}), "odd")
    assert "content cannot be told" in found["unread"] and found["rows"] == 1


def test_bad_files_have_a_hash_and_no_schema(project: Path) -> None:
    support.write(project / "bad.parquet", "no parquet")
    found = record("bad.parquet")
    assert "sha256" in found and "unread" in found["profile"] and "schema" not in found
