"""The HTTP of a Git server: what dulwich takes for a pool of urllib3, each request one of our own session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from gitexp.git import lfshttp
from gitexp.git.lfshttp import Body, Session, Trouble

if TYPE_CHECKING:
    import urllib3

_SILENCE_SECONDS = 300.0  # a server may need long to take a push in
_PLACES = (
    "info/refs?service=git-upload-pack",
    "info/refs?service=git-receive-pack",
    "git-upload-pack",
    "git-receive-pack",
)
_WORDS = {
    403: "does not allow it (403)",
    404: "has no Git repository there (404)",
    413: "takes no push so large (413)",
    422: "does not accept it (422)",
    507: "is full (507)",
}


class Requests:
    """What dulwich takes for a pool of urllib3: every request is one of our session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.headers: dict[str, str] = {}

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: object = None, **_: object
    ) -> urllib3.BaseHTTPResponse:
        """Return the answer; raises Trouble, and RemoteError where nobody can log in."""
        if not url.endswith(_PLACES):  # a server can name addresses of packs, which nobody asked it for
            raise Trouble(f"{lfshttp.host(url)} sends us elsewhere")
        send = None if body is None else _once(url, body)
        answer = self._session.open(method, url, headers, send, silence_seconds=_SILENCE_SECONDS)
        kind = answer.headers.get("Content-Type", "")
        if method == "GET" and not kind.startswith("application/x-git-"):
            answer.close()
            raise Trouble(f"{lfshttp.host(url)} answers, but not as a Git server")
        return answer


def _once(url: str, body: object) -> Callable[[], Body | bytes]:
    """Return what gives the body of a request: a stream can be sent once only."""
    if isinstance(body, bytes):
        return lambda: body
    rest = [body]

    def give() -> Body:
        if not rest:
            raise Trouble(f"{lfshttp.host(url)} asks for credentials in the middle of a push", again=True)
        return cast(Body, rest.pop())  # urllib3 takes an iterator of blocks as well

    return give


def words(error: Trouble, label: str) -> str:
    known = _WORDS.get(error.status)
    return f"{lfshttp.host(label)} {known}" if known else error.why
