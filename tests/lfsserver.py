"""A Git LFS server as a process of its own on 127.0.0.1, with faults on demand.

`python -m tests.lfsserver FOLDER` serves `/REPO/info/lfs/objects/batch` and the bytes, kept below FOLDER/<sha256>, and
prints its address. What it should do wrong stands in FOLDER/faults.json and is read with every request; what it was
asked goes to FOLDER/requests.jsonl. Without a password it takes everybody, else ana with that password.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

BLOCK_BYTES = 1 << 20
TOKEN = "Bearer of-this-transfer-alone"
ROOT = Path(__file__).resolve().parents[1]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    counts: ClassVar[dict[str, int]] = {}
    lock = threading.Lock()
    address = ""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle_one_request(self) -> None:
        self.body_left = 0
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._note(body)
        what = "verify" if "/verify/" in self.path else "batch"
        if self._is_unknown() or self._fails(what):
            return
        if what == "verify":
            asked = json.loads(body)
            path = self.folder / asked["oid"]
            self._json(200 if path.is_file() and path.stat().st_size == asked["size"] else 422, {"message": "no"})
        elif self.path.endswith("/objects/batch"):
            self._batch(json.loads(body))
        else:
            self._json(404, {"message": "Not found."})

    def do_PUT(self) -> None:
        self._note(b"")
        self.body_left = int(self.headers.get("Content-Length", "0"))
        if self._lacks_token() or self._fails("upload"):
            return
        oid = self.path.rpartition("/")[2]
        aside = self.folder / f"{oid}.{threading.get_ident()}.tmp"
        digest = hashlib.sha256()
        cut = self._faults().get("cut_upload", 0) if self._is_due("cut_upload") else 0
        with aside.open("wb") as file:
            buffer = memoryview(bytearray(BLOCK_BYTES))
            while self.body_left and (count := self.rfile.readinto(buffer[: min(BLOCK_BYTES, self.body_left)])):
                self.body_left -= count
                digest.update(buffer[:count])
                self._write(file, buffer[:count])
                if cut and file.tell() >= cut:
                    self._hang_up()
                    return
            file.truncate()
        if self.body_left or digest.hexdigest() != oid:
            aside.unlink()
            self._json(422, {"message": "these are other bytes"})
            return
        aside.replace(self.folder / oid)
        self._json(200, {})

    def do_GET(self) -> None:
        self._note(b"")
        if self._lacks_token() or self._fails("download"):
            return
        oid = self.path.rpartition("/")[2]
        faults = self._faults()
        path = self.folder / oid
        if not path.is_file():
            self._json(404, {"message": "no such object"})
            return
        size, start = path.stat().st_size, 0
        if (found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))) and "no_ranges" not in faults:
            start = int(found[1])
        end = size + faults.get("longer", 0)
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/octet-stream")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if "no_length" in faults:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self._send_file(path, start, end, faults)

    def _send_file(self, path: Path, start: int, end: int, faults: dict[str, Any]) -> None:
        cut = faults.get("cut_download", 0) if self._is_due("cut_download") else 0
        stall = faults.get("stall_download", 0) if self._is_due("stall_download") else 0
        wrong = "wrong_bytes" in faults and self._is_due("wrong_bytes")
        with path.open("rb") as file:
            if not (cut or stall or wrong) and end == path.stat().st_size:
                self.connection.sendfile(file, start)
                return
            file.seek(start)
            data = file.read() + b"x" * (end - path.stat().st_size)
        data = b"?" + data[1:] if wrong else data
        self.wfile.write(data[: cut or stall or len(data)])
        self.wfile.flush()
        if stall:
            time.sleep(30)
        if cut or stall:
            self._hang_up()

    def _write(self, file: Any, data: memoryview) -> None:
        if bytes(data[:4096]).count(0) == min(len(data), 4096) and not any(data.tobytes().strip(b"\0")):
            file.seek(len(data), os.SEEK_CUR)  # zeros stay a hole, so that a sparse file stays small
        else:
            file.write(data)

    def _batch(self, asked: dict[str, Any]) -> None:
        faults, operation = self._faults(), asked["operation"]
        objects = [self._object(item, operation, faults) for item in asked["objects"]]
        if "drop_objects" in faults:
            objects = objects[1:]
        if "extra_objects" in faults:
            objects.insert(0, {"oid": "f" * 64, "size": 1, "actions": {operation: {"href": self.address}}})
        answer = {"transfer": faults.get("transfer", "basic"), "objects": objects}
        if "batch_raw" in faults and self._is_due("batch_raw"):
            self._raw(200, {}, faults["batch_raw"].encode())
        elif "batch_huge" in faults:
            self._raw(200, {}, json.dumps({**answer, "more": "x" * faults["batch_huge"]}).encode())
        else:
            self._json(200, answer)

    def _object(self, item: dict[str, Any], operation: str, faults: dict[str, Any]) -> dict[str, Any]:
        oid, path = item["oid"], self.folder / item["oid"]
        said = {"oid": oid, "size": item["size"] + faults.get("wrong_size", 0), "authenticated": True}
        if code := faults.get("object_error"):
            return {**said, "error": {"code": code, "message": "because of a fault"}}
        if operation == "download" and not path.is_file():
            return {**said, "error": {"code": 404, "message": "Object does not exist"}}
        if operation == "upload" and path.is_file():
            return said
        action = {"href": faults.get("href") or f"{faults.get('bytes_at') or self.address}/bytes/{oid}"}
        action["header"] = {"Authorization": TOKEN} | faults.get("header", {})
        if "expires_in" in faults and self._is_due("expires_in"):
            action["expires_in"] = faults["expires_in"]
        if "expires_at" in faults and self._is_due("expires_at"):
            action["expires_at"] = faults["expires_at"]
        actions = {operation: action}
        if operation == "upload":
            actions["verify"] = {"href": f"{self.address}/verify/{oid}", "header": action["header"]}
        return {**said, "actions": actions}

    def _fails(self, what: str) -> bool:
        """Answer with the status that is wanted for this kind of request, the next few times or always."""
        fault = self._faults().get(what)
        if fault is None or not self._is_due(what):
            return False
        if fault.get("hang"):
            time.sleep(fault["hang"])
            self._hang_up()
            return True
        if fault.get("cut"):
            self._hang_up()
            return True
        headers = {"Retry-After": str(fault["after"])} if "after" in fault else {}
        if "location" in fault:
            headers["Location"] = fault["location"] + self.path
        self.close_connection = True
        self._raw(fault["status"], headers, json.dumps({"message": fault.get("message", "a fault")}).encode())
        return True

    def _is_due(self, what: str) -> bool:
        """Say whether a fault is still to be shown: `times` {what: n} bounds it."""
        times = self._faults().get("times", {}).get(what)
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1
            return times is None or self.counts[what] <= times

    def _is_unknown(self) -> bool:
        password = self._faults().get("password")
        given = self.headers.get("Authorization", "")
        good = base64.b64encode(f"ana:{password}".encode()).decode()
        if password is None or given in (f"Basic {good}", TOKEN):
            return False
        self._raw(401, {"WWW-Authenticate": 'Basic realm="lfs"'}, b"{}")
        return True

    def _lacks_token(self) -> bool:
        if self.headers.get("Authorization") == TOKEN or "no_token" in self._faults():
            return False
        self.close_connection = True
        self._json(403, {"message": "no token"})
        return True

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def _faults(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / "faults.json").read_text())
        except FileNotFoundError:
            return {}
        assert isinstance(found, dict)
        return found

    def _note(self, body: bytes) -> None:
        line = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode()[:4000]}
        with self.lock, (self.folder / "requests.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _json(self, code: int, value: object) -> None:
        self._raw(code, {"Content-Type": "application/vnd.git-lfs+json"}, json.dumps(value).encode())

    def _raw(self, code: int, headers: dict[str, str], content: bytes) -> None:
        if self.body_left:  # what was not read would be taken for the next request
            self.close_connection = True
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its address, and the folder with its bytes."""

    address: str
    folder: Path

    @property
    def url(self) -> str:
        """The LFS endpoint of its only repository."""
        return f"{self.address}/acme/churn.git/info/lfs"

    def faults(self, **wanted: object) -> None:
        """Do this wrong from now on; without arguments nothing."""
        aside = self.folder / "faults.tmp"
        aside.write_text(json.dumps(wanted))
        aside.replace(self.folder / "faults.json")

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What it was asked so far."""
        path = self.folder / "requests.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def objects(self) -> dict[str, int]:
        """{sha256: size} of what it keeps."""
        return {path.name: path.stat().st_size for path in self.folder.iterdir() if len(path.name) == 64}


@contextmanager
def running(folder: Path, *, certificate: Path | None = None, key: Path | None = None) -> Iterator[Server]:
    """Start a server as a process of its own, over TLS where there is a certificate; it ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [str(path) for path in (folder, certificate, key) if path is not None]
    command = [sys.executable, "-m", "tests.lfsserver", *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Server(process.stdout.readline().strip(), folder)
    finally:
        process.kill()
        process.communicate()


def main(folder: Path, *secrets: str) -> None:
    """Serve until killed."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    if secrets:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*secrets)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if secrets else "http"
    _Handler.folder, _Handler.address = folder, f"{scheme}://127.0.0.1:{server.server_address[1]}"
    print(_Handler.address, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
