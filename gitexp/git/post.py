"""One POST to an address that the project named: by Git's proxy and certificates, without credentials or redirects."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitexp.git import lfshttp
from gitexp.version import __version__

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

_LONGEST_PAUSE_SECONDS = 3600.0  # that an answer may ask for
_LATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` is 0 where nothing did, `after` the seconds that the server wants us to wait."""

    status: int
    why: str = ""
    after: float | None = None

    @property
    def ok(self) -> bool:
        """It was taken."""
        return 200 <= self.status < 300

    @property
    def again(self) -> bool:
        """Say whether another try may do better."""
        return self.status == 0 or self.status >= 500 or self.status in (408, 425, 429)


def send(repo: Repo, url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> Answer:
    """Send a body and return the answer's status; an answer that drips in longer than the deadline is none."""
    found: list[Answer] = []

    def work() -> None:
        found.append(_post(repo, url, body, headers, timeout_seconds))

    # A socket's timeout is for each read: a server that sends a byte now and then would hold us for ever.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout_seconds + _LATE_SECONDS)
    return found[0] if found else Answer(0, f"no answer in {timeout_seconds:g} s")


def _post(repo: Repo, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> Answer:
    import urllib3
    from dulwich.client import default_urllib3_manager

    manager = default_urllib3_manager(lfshttp.settings(repo), base_url=url)
    assert isinstance(manager, urllib3.PoolManager)
    manager.headers = {}  # Git's extra headers may be a token for the code's host
    timeout = urllib3.Timeout(total=timeout_seconds)
    own = {"User-Agent": f"gitexp/{__version__}", "Content-Type": "application/json", **headers}
    try:
        # With preload_content=False nothing of what it says is read: the status is enough.
        answer = manager.request(
            "POST", url, body=body, headers=own, timeout=timeout, retries=False, redirect=False, preload_content=False
        )
    except urllib3.exceptions.HTTPError as error:
        return Answer(0, _words(error, timeout_seconds))
    finally:
        manager.clear()
    status, after = int(answer.status), _seconds(answer.headers.get("Retry-After"))
    answer.close()
    return Answer(status, f"answered {status}", after)


def _words(error: Exception, timeout_seconds: float) -> str:
    import urllib3

    if isinstance(error, urllib3.exceptions.TimeoutError):
        return f"no answer in {timeout_seconds:g} s"
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2] or type(error).__name__


def _seconds(value: str | None) -> float | None:
    if value is None or not value.strip().isdigit():
        return None
    return min(float(value), _LONGEST_PAUSE_SECONDS)
