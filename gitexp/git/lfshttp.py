"""HTTP as the LFS client needs it: Git's proxy, certificates and credentials, streams, bounded answers, safe redirects.

Credentials go to the host of the store alone; a redirect to another one takes no header of ours along.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urljoin, urlsplit

from gitexp import clock, redact, text
from gitexp.errors import RemoteError
from gitexp.git import credentials
from gitexp.version import __version__

if TYPE_CHECKING:
    from typing import BinaryIO

    import urllib3
    from dulwich.config import ConfigDict

    from gitexp.git.credentials import Credential
    from gitexp.git.repo import Repo

BLOCK_BYTES = 1 << 20
_SENT_BYTES = 1 << 18  # at once: hashing and sending find them in the processor's cache
_MAX_REDIRECTS = 5
_MAX_WORDS_BYTES = 1 << 16  # of what a server says of an error
_REDIRECTS = (301, 302, 303, 307, 308)
_PLAIN = frozenset({"accept", "accept-encoding", "content-type", "content-length", "range", "user-agent"})
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_HTTP_SETTINGS = frozenset({"proxy", "sslverify", "sslcainfo", "extraheader"})
_WORDS = {
    401: "wants other credentials (401): log in once with plain Git: git ls-remote",
    403: "does not allow it (403): ask for access there, or look whether its storage is used up",
    404: "does not have it (404)",
    409: "is busy with the same bytes (409): try again",
    410: "has removed it (410)",
    413: "takes no file so large (413): git config lfs.url URL of a store that does",
    422: "does not accept it (422): gitexp fsck looks whether it is whole here",
    429: "gets too many requests (429): try again later",
    507: "is full (507): free or buy space there, or git config lfs.url URL of another store",
}


@dataclass(frozen=True, slots=True)
class Tuning:
    """What Git's settings say of pace and patience."""

    parallel: int = 8
    tries: int = 9
    longest_pause_seconds: float = 10
    silence_seconds: float = 30
    dial_seconds: float = 30

    @classmethod
    def of(cls, repo: Repo) -> Tuning:
        """Read the settings of git-lfs (`man git-lfs-config`)."""
        return cls(
            parallel=max(1, min(64, _number(repo, "lfs.concurrenttransfers", 8))),
            tries=1 + max(0, min(100, _number(repo, "lfs.transfer.maxretries", 8))),
            longest_pause_seconds=max(0, _number(repo, "lfs.transfer.maxretrydelay", 10)),
            silence_seconds=_number(repo, "lfs.activitytimeout", 30) or 3600,
            dial_seconds=_number(repo, "lfs.dialtimeout", 30) or 3600,
        )


def _number(repo: Repo, key: str, default: int) -> int:
    try:
        return max(0, int(repo.config(key) or default))
    except ValueError:
        return default


class Trouble(Exception):
    """A request that did not work: why, whether another try may, and after how many seconds the server wants it."""

    def __init__(self, why: str, *, again: bool = False, after: float | None = None, status: int = 0) -> None:
        super().__init__(why)
        self.why, self.again, self.after, self.status = why, again, after, status

    @property
    def missing(self) -> bool:
        """Say whether the server does not have what was asked for."""
        return self.status in (404, 410)


class Body(Protocol):
    """What is sent, read as it goes."""

    def read(self, count: int, /) -> bytes: ...


class Session:
    """Requests to one store and to where it sends us."""

    def __init__(
        self, repo: Repo, url: str, tuning: Tuning, env: Mapping[str, str], *, given: Mapping[str, str] | None = None
    ) -> None:
        self._repo, self.tuning, self._env = repo, tuning, dict(env)
        self.url, self._username, self._credential = credentials.part(url)
        self._credential = self._credential or credentials.from_netrc(self.url, self._username)
        self._given = dict(given or {})
        self._asked = self._approved = False
        self._lock = threading.Lock()
        self._managers: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._extra: dict[str, str] = {}

    def open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], Body | bytes] | None = None,
        *,
        silence_seconds: float | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Return the answer, its body still to be read; raises Trouble, and RemoteError where nobody can log in."""
        silence = silence_seconds or self.tuning.silence_seconds
        while True:
            shown = self._credential
            answer = self._follow(method, url, headers, body, silence)
            if answer.status != 401 or _has(headers, "authorization") or not self._is_ours(url):
                break
            answer.drain_conn()
            self._log_in(shown)
        self._good(shown)
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, url)
        return answer

    def ask(self, url: str, headers: Mapping[str, str], data: bytes, limit: int) -> bytes:
        """POST a small body and return the answer, which may have `limit` bytes."""
        answer = self.open("POST", url, headers, lambda: data)
        try:
            found = answer.read(limit + 1)
        except Exception as error:
            raise self.explain(error, url) from error
        finally:
            answer.close()
        if len(found) > limit:
            raise Trouble(f"{host(url)} sent an answer of more than {text.size(limit)}")
        return found

    def close(self) -> None:
        """Close the connections."""
        for manager in self._managers.values():
            manager.clear()

    def explain(self, error: Exception, url: str) -> Trouble:
        """Return what to say of an error of the connection; other errors are raised again."""
        from urllib3 import exceptions as faults

        if not isinstance(error, faults.HTTPError | OSError):
            raise error
        if isinstance(error, faults.SSLError):
            return Trouble(f"{host(url)} is not trusted: {_short(error)} (git config http.sslCAInfo FILE)")
        if isinstance(error, faults.LocationValueError):
            return Trouble(f"{host(url)} is no address that can be used")
        if isinstance(error, faults.ReadTimeoutError):
            return Trouble(f"{host(url)} said nothing for {self.tuning.silence_seconds:g} s", again=True)
        if isinstance(error, faults.NewConnectionError | faults.ProxyError):
            return Trouble(f"{host(url)} cannot be reached: {_short(error)}", again=True)
        if isinstance(error, faults.ConnectTimeoutError):
            return Trouble(f"{host(url)} did not answer", again=True)
        return Trouble(f"{host(url)} cut the connection", again=True)

    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], Body | bytes] | None,
        silence: float,
    ) -> urllib3.BaseHTTPResponse:
        own, sent = True, dict(headers)
        for _ in range(_MAX_REDIRECTS):
            extra = self._own_headers(url, sent) if own else {}
            answer = self._request(method, url, {**extra, **sent}, body, silence)
            answer.url, target = url, answer.headers.get("Location", "")
            if answer.status not in _REDIRECTS or not target:
                return answer
            answer.drain_conn()
            target = credentials.part(urljoin(url, target))[0]
            if not _is_http(target) or (url.startswith("https:") and not target.startswith("https:")):
                raise Trouble(f"{host(url)} redirects to an address that is not as safe: {text.safe(target[:100])}")
            if _origin(target) != _origin(url) and not (own and self._is_ours(url) and self._is_ours(target)):
                own, sent = False, {key: value for key, value in sent.items() if key.lower() in _PLAIN}
            url = target
        raise Trouble(f"{host(url)} redirects more than {_MAX_REDIRECTS} times")

    def _own_headers(self, url: str, sent: Mapping[str, str]) -> dict[str, str]:
        """Return what only the store's own host is shown."""
        if not self._is_ours(url):
            return {}
        self._manager(self.url)
        found = {key: value for key, value in {**self._extra, **self._given}.items() if not _has(sent, key)}
        if self._credential is not None and not _has(found, "authorization") and not _has(sent, "authorization"):
            found["Authorization"] = self._credential.header
        return found

    def _is_ours(self, url: str) -> bool:
        """Say whether an address is at the host of the store, or there by TLS where the store's is not."""
        (scheme, where), found = _origin(self.url), _origin(url)
        safer = ("https", f"{where.removesuffix(':80')}:443") if scheme == "http" and where.endswith(":80") else None
        return found in ((scheme, where), safer)

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], Body | bytes] | None,
        silence: float,
    ) -> urllib3.BaseHTTPResponse:
        import urllib3

        sent = {"User-Agent": f"gitexp/{__version__}", "Accept-Encoding": "identity", **headers}
        try:
            return self._manager(url).request(
                method,
                url,
                headers=sent,
                body=None if body is None else cast("bytes | BinaryIO", body()),  # no more than read() is called
                timeout=urllib3.Timeout(connect=self.tuning.dial_seconds, read=silence),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self.explain(error, url) from error

    def _manager(self, url: str) -> urllib3.PoolManager:
        """Return the connections to a host, by Git's settings for it."""
        origin = _origin(url)
        with self._lock:
            if origin not in self._managers:
                self._managers[origin] = self._connect(url)
            return self._managers[origin]

    def _connect(self, url: str) -> urllib3.PoolManager:
        import urllib3
        from dulwich.client import default_urllib3_manager

        manager = default_urllib3_manager(settings(self._repo), base_url=url)
        assert isinstance(manager, urllib3.PoolManager)
        manager.connection_pool_kw |= {"maxsize": self.tuning.parallel, "blocksize": _SENT_BYTES}
        if manager.connection_pool_kw.get("cert_reqs") == "CERT_NONE":
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if _origin(url) == _origin(self.url):
            self._extra = {key: value for key, value in manager.headers.items() if key.lower() != "user-agent"}
        manager.headers = {}
        return manager

    def _log_in(self, shown: Credential | None) -> None:
        """Find credentials after a 401; raises RemoteError where there are none, or none that are taken."""
        with self._lock:
            if self._credential is not shown:
                return  # another transfer has found some meanwhile
            if shown is not None:
                credentials.reject(self._repo, shown)
            found = None if self._asked else credentials.fill(self._repo, self.url, self._username, self._env)
            self._asked = True
            if found is None:
                what = "does not take the credentials" if shown is not None else "wants credentials"
                raise RemoteError(f"{host(self.url)} {what} (401)", hint=credentials.advice(self._plain()))
            self._credential = found

    def _plain(self) -> str:
        return text.safe(redact.url(self.url.removesuffix("/info/lfs")))

    def _good(self, shown: Credential | None) -> None:
        with self._lock:
            if shown is None or self._approved:
                return
            self._approved = True
        credentials.approve(self._repo, shown)

    def _refusal(self, answer: urllib3.BaseHTTPResponse, url: str) -> Trouble:
        """Return what to say of an answer that is none of success, in the server's words where it has some."""
        status = answer.status
        try:
            said = _message(answer.read(_MAX_WORDS_BYTES))
        except Exception as error:
            self.explain(error, url)
            said = ""
        answer.close()
        words = _WORDS.get(status) or f"answers {status} {text.safe(answer.reason or '')}".rstrip()
        after = _seconds(answer.headers.get("Retry-After"))
        return Trouble(
            f"{host(url)} {words}{f'; it says: {said}' if said else ''}",
            again=status in _AGAIN,
            after=after,
            status=status,
        )


def host(url: str) -> str:
    """Return the host of an address, as people may see it."""
    parts = urlsplit(url)
    return text.safe(parts.netloc.rpartition("@")[2] or parts.scheme)


def settings(repo: Repo) -> ConfigDict:
    """Return Git's settings of HTTP in dulwich's form."""
    from dulwich.config import ConfigDict

    config = ConfigDict()
    for entry in repo.settings:
        section, _, rest = entry.name.partition(".")
        where, _, name = rest.rpartition(".")
        if section != "http" or name not in _HTTP_SETTINGS or entry.value == "":
            continue
        value = "true" if entry.value is None else entry.value
        if name == "proxy" and "://" not in value:
            value = f"http://{value}"
        config.add((section, where) if where else (section,), name, value)
    if os.environ.get("GIT_SSL_NO_VERIFY"):
        config.set("http", "sslverify", "false")
    if authorities := os.environ.get("GIT_SSL_CAINFO"):
        config.set("http", "sslcainfo", authorities)
    return config


def _message(data: bytes) -> str:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    said = value.get("message") if isinstance(value, dict) else None
    return text.safe(redact.text(said[:200])) if isinstance(said, str) else ""


def _seconds(value: str | None) -> float | None:
    """Return the seconds that `Retry-After` asks for: a number, or a date."""
    from email.utils import parsedate_to_datetime  # brings urllib along

    if value is None:
        return None
    if value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - clock.now_ms() / 1000)
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    name, port = (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme.lower(), f"{name}:{port}"


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _has(headers: Mapping[str, str], name: str) -> bool:
    return any(key.lower() == name.lower() for key in headers)


def _short(error: BaseException) -> str:
    cause = error.__cause__ or error
    words = str(getattr(cause, "strerror", None) or getattr(cause, "reason", None) or type(cause).__name__)
    return text.safe(redact.text(words))[:200]
