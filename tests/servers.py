"""Git servers on 127.0.0.1 and every other way to a repository: a path, file://, ssh:// and http://."""

from __future__ import annotations

import base64
import http.server
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests import support

SSH = """\
#!/bin/sh
# Stands for ssh: the last word is the command for the other side, which is this machine.
for last; do :; done
exec sh -c "$last"
"""


Answer = tuple[int, Mapping[str, str], bytes]
Change = Callable[[http.server.BaseHTTPRequestHandler, int, Mapping[str, str], bytes], Answer]


class _Handler(http.server.BaseHTTPRequestHandler):
    """Passes each request to `git http-backend`, as a web server would by CGI."""

    root: Path
    password: str | None = None
    change: Change | None = None
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self, body: bytes) -> None:
        if self.password is not None and not self._known():
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            return
        done = subprocess.run(["git", "http-backend"], input=body, env=self._environment(body), capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _known(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        return base64.b64decode(given).decode() == f"ana:{self.password}"

    def _environment(self, body: bytes) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        return {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "ana",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }

    def _answer(self, code: int, headers: Mapping[str, str], content: bytes) -> None:
        if self.change is not None:
            code, headers, content = type(self).change(self, code, headers, content)  # type: ignore[misc]  # not None
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def http_server(root: Path, password: str | None = None, *, change: Change | None = None) -> Iterator[str]:
    """Serve the repositories below `root` over HTTP, with a password where one is given; yields the address.

    `change(request, code, headers, content)` gives what is answered instead.
    """
    handler = type("Handler", (_Handler,), {"root": root, "password": password, "change": change})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def http_process(root: Path, password: str | None = None) -> Iterator[str]:
    """Serve the repositories below `root` as `http_server` does, from a process of its own that has the git command."""
    words = [sys.executable, "-m", "tests.servers", str(root), *([password] if password is not None else [])]
    env = {**os.environ, "PYTHONPATH": str(support.ROOT)}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()  # it ends with its stdin, also where this process is killed
            process.wait(timeout=support.TIMEOUT_SECONDS)


def ssh(folder: Path) -> dict[str, str]:
    """Return the environment in which Git's ssh reaches this machine without a daemon."""
    script = support.write(folder / "ssh.sh", SSH)
    script.chmod(0o755)
    return {"GIT_SSH_COMMAND": shlex.quote(str(script)), "GIT_SSH_VARIANT": "ssh"}


@contextmanager
def reached(kind: str, bare: Path, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the address of a bare repository over one transport, and the environment that it needs."""
    if kind == "http":
        support.git(bare, "config", "http.receivepack", "true")
        with http_server(bare.parent) as address:
            yield f"{address}/{bare.name}", {}
    elif kind == "ssh":
        yield f"ssh://git@127.0.0.1{bare}", ssh(folder)
    else:
        yield (bare.as_uri() if kind == "file" else str(bare)), {}


if __name__ == "__main__":
    with http_server(Path(sys.argv[1]), *sys.argv[2:]) as where:
        print(where, flush=True)
        sys.stdin.read()
