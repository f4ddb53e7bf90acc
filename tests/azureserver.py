"""What Azure Blob Storage answers to whom it lets in, as a server on 127.0.0.1 that keeps the blobs in memory."""

from __future__ import annotations

import base64
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

ACCOUNT, KEY = "acmeruns", base64.b64encode(b"hush-hush").decode()
_HEADERS = {"Last-Modified": "Fri, 20 Nov 2026 14:00:00 GMT", "ETag": '"0x1"', "x-ms-request-id": "1"}
_LIST = '<?xml version="1.0"?><EnumerationResults><Blobs>{}</Blobs><NextMarker /></EnumerationResults>'

_PART = "--b\r\nContent-Type: application/http\r\nContent-ID: {}\r\n\r\nHTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Server:
    """Where it listens, {path: bytes} of its blobs, and what is on its way: {path: {block id: bytes}}."""

    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    blocks: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def put(self, path: str, asked: str, body: bytes) -> int:
        """Take a whole blob, a block of one, or the list of the blocks that make one."""
        query = parse_qs(asked)
        if query.get("comp") == ["block"]:
            self.blocks.setdefault(path, {})[query["blockid"][0]] = body
        elif query.get("comp") == ["blocklist"]:
            wanted = re.findall(rb"<(?:Latest|Uncommitted)>(.*?)</", body)
            parts = self.blocks.pop(path)
            self.blobs[path] = b"".join(parts[name.decode()] for name in wanted)
        else:
            self.blobs[path] = body
        return 201

    def delete(self, target: str) -> str:
        """Take a blob away, and say so as HTTP does."""
        found = self.blobs.pop(unquote(urlsplit(target).path), None)
        return "202 Accepted" if found is not None else "404 Not Found"


def _handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body, (path, query) = self._body(), self._asked()
            self._answer(server.put(path, query, body), b"")

        def do_POST(self) -> None:  # a batch, which is how blobs are deleted
            gone = re.findall(rb"^DELETE (\S+) HTTP", self._body(), re.MULTILINE)
            said = "".join(_PART.format(at, server.delete(path.decode())) for at, path in enumerate(gone)) + "--b--\r\n"
            self._answer(202, said.encode(), {"Content-Type": "multipart/mixed; boundary=b"})

        def do_GET(self) -> None:
            path, query = self._asked()
            if "comp=list" in query:
                self._answer(200, _LIST.format("").encode())
            elif path not in server.blobs:
                self._answer(404, b"")
            else:
                self._blob(server.blobs[path])

        do_HEAD = do_GET

        def _blob(self, data: bytes) -> None:
            wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or self.headers.get("x-ms-range") or "")
            if wanted is None:
                self._answer(200, data)
                return
            begin, end = int(wanted[1]), int(wanted[2] or len(data) - 1)
            self._answer(206, data[begin : end + 1], {"Content-Range": f"bytes {begin}-{end}/{len(data)}"})

        def _asked(self) -> tuple[str, str]:
            parts = urlsplit(self.path)
            return unquote(parts.path), parts.query

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _answer(self, status: int, data: bytes, more: dict[str, str] | None = None) -> None:
            given = self.headers.get("Authorization", "").startswith(f"SharedKey {ACCOUNT}:")
            status = status if given else 403
            self.send_response_only(status)
            for name, value in {**_HEADERS, **(more or {}), "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def running() -> Iterator[Server]:
    """Serve until the block ends."""
    server = Server()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as listening:
        listening.daemon_threads = True
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join(10)
