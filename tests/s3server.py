"""An S3-speaking server as a process of its own on 127.0.0.1, and before it a proxy with faults on demand."""

from __future__ import annotations

import http.client
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

KEYS = {"AWS_ACCESS_KEY_ID": "key-of-the-tests", "AWS_SECRET_ACCESS_KEY": "hush-hush", "AWS_REGION": "us-east-1"}
BUCKET = "acme-runs"
_SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
}
_ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>no</Message></Error>'


@dataclass
class Server:
    """Where it listens, what was asked of it, and what goes wrong."""

    port: int
    behind: int
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    refuse: Callable[[str, str], tuple[int, str] | None] = lambda method, path: None  # status and code of S3
    cut_after: int = 0  # bytes of a download after which the connection ends, once
    slow_seconds: float = 0  # before each 64 KiB of a download
    moved_to: str = ""  # where it redirects every request to
    headers: list[dict[str, str]] = field(default_factory=list)  # of what was asked, their names in small letters

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, data: bytes = b"") -> bytes:
        """Ask the server itself, past the faults."""
        connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=20)
        try:
            connection.request(method, path, data, _SIGNED)
            answer = connection.getresponse()
            return answer.read()
        finally:
            connection.close()

    def count(self, method: str) -> int:
        """Return how many requests of a kind there were."""
        return sum(asked[0] == method for asked in self.asked)


def _handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.asked.append((self.command, self.path, self.headers.get("Range") or ""))
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            if server.moved_to:
                self._answer(307, [("Location", server.moved_to + self.path)], b"")
                return
            refused = server.refuse(self.command, self.path)
            if refused is not None:
                self._answer(refused[0], [], b"" if self.command == "HEAD" else _ERROR.format(refused[1]).encode())
                return
            connection = http.client.HTTPConnection("127.0.0.1", server.behind, timeout=20)
            try:
                path, mark, query = self.path.partition("?")  # Google's client writes a-b as a%2Db
                connection.request(self.command, unquote(path) + mark + query, body, dict(self.headers))
                found = connection.getresponse()
                self._answer(found.status, found.getheaders(), found.read())
            finally:
                connection.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _do

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            length = str(len(body))
            for name, value in headers:
                if name.lower() == "content-length":
                    length = value
                elif name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command == "GET" and server.cut_after and len(body) > server.cut_after:
                self.wfile.write(body[: server.cut_after])
                server.cut_after = 0
                self.close_connection = True
            elif self.command != "HEAD":
                self._write(body)

        def _write(self, body: bytes) -> None:
            for start in range(0, len(body), 1 << 16):
                if server.slow_seconds and self.command == "GET":
                    threading.Event().wait(server.slow_seconds)
                self.wfile.write(body[start : start + (1 << 16)])

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


class _Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that was killed."""


@contextmanager
def process() -> Iterator[int]:
    """Run the server and give its port; it ends with the block."""
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=_env()) as running:
        assert running.stderr is not None
        try:
            found = next(filter(None, (re.search(r"127\.0\.0\.1:(\d+)", line) for line in running.stderr)))
            drain = threading.Thread(target=running.stderr.read, daemon=True)
            drain.start()
            yield int(found[1])
        finally:
            running.terminate()
            running.wait(10)
            drain.join(10)


def _env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@contextmanager
def proxied(behind: int) -> Iterator[Server]:
    """Put a proxy with faults before the server, which has nothing but an empty bucket then."""
    server = Server(0, behind)
    server.ask("POST", "/moto-api/reset")
    server.ask("PUT", f"/{BUCKET}")
    proxy = _Proxy(("127.0.0.1", 0), _handler(server))
    server.port = proxy.server_address[1]
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join(10)
