"""A bucket (s3://, gs://, az://) as a depot: objects at `<prefix>/<aa>/<bb>/<sha256>`, moved by obstore, verified."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gitexp.errors import GitexpError, RemoteError, UsageError
from gitexp.git import lfspart, lfswork
from gitexp.git.lfshttp import BLOCK_BYTES, Trouble, Tuning
from gitexp.git.lfspart import Part, Sending, Stop, Tell
from gitexp.record.pointer import Failure, Pointer
from gitexp.store import awsfiles, bucketwords

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_PREFIX = re.compile(r"[A-Za-z0-9._=+@-]+(?:/[A-Za-z0-9._=+@-]+)*")
_PART_BYTES = 5 << 20  # the smallest part that S3 takes: memory is parts times how many are on their way
_MOST_PARTS = 9_500  # S3 takes 10,000
_PARTS_AT_ONCE = 8  # of all files together
_FILES_AT_ONCE = 4
_ASKED_AT_ONCE = 16
_REQUEST_SECONDS = 300  # for one part on its way up
_DOWNLOAD_SECONDS = 86_400  # silence ends a download, not its length
_GIVE_UP_SECONDS = 180
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Which bucket, and where in it."""

    scheme: str
    bucket: str
    prefix: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Read `s3://BUCKET/PREFIX`; raises UsageError for what is none, or has a secret in it."""
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        if "@" in parts.netloc or parts.query or parts.fragment:
            why = f"an address of a bucket ({parts.scheme}://…) has no keys in it: they come from the environment"
            raise UsageError(why, hint="git config gitexp.artifacts s3://BUCKET/PREFIX")
        known = parts.scheme in SCHEMES and _BUCKET.fullmatch(parts.netloc)
        if not known or (prefix and not _PREFIX.fullmatch(prefix)) or ".." in prefix.split("/"):
            raise UsageError(
                f"{url!r} is no address of a bucket", hint="git config gitexp.artifacts s3://BUCKET/PREFIX"
            )
        return cls(parts.scheme, parts.netloc, prefix)

    @property
    def label(self) -> str:
        """What people see."""
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    def key(self, item: Pointer) -> str:
        """Return where an object is in the bucket."""
        below = f"{item.sha256[:2]}/{item.sha256[2:4]}/{item.sha256}"
        return f"{self.prefix}/{below}" if self.prefix else below


class BucketDepot:
    """Objects of a bucket; credentials come from the environment and the cloud's own files alone."""

    def __init__(self, url: str, tuning: Tuning) -> None:
        self._at, self._tuning = Address.of(url), tuning
        self._stop = Stop()
        self.label = self._at.label
        self._obstore = _library(self.label)

    def lacks(self, items: Sequence[Pointer]) -> list[Pointer]:
        """Return those whose bytes are not there; raises RemoteError where that cannot be known."""
        gone: set[Pointer] = set()

        def look(item: Pointer) -> Failure | None:
            try:
                if not self._has(item):
                    gone.add(item)
            except Trouble as trouble:
                raise RemoteError(trouble.why, hint="try again") from trouble
            return None

        self._reachable()
        lfswork.each(list(dict.fromkeys(items)), look, _ASKED_AT_ONCE, self._stop, apart=True)
        return [item for item in items if item in gone]

    def send(self, items: Sequence[Pointer], source: Callable[[Pointer], Path], tell: Tell) -> list[Failure]:
        """Upload what the bucket lacks; a large file goes in parts, and is there when all of them were right."""
        wanted = list(dict.fromkeys(items))
        at_once = max(2, _PARTS_AT_ONCE // max(1, min(len(wanted), self._parallel)))

        def work(item: Pointer) -> None:
            if self._seems_there(item):
                counted(item.size_bytes)
            else:
                self._put(item, source(item), at_once, counted)

        counted = lfswork.counted(tell)
        return self._each(wanted, work, self._parallel)

    def bring(
        self, items: Sequence[Pointer], arrive: Callable[[Pointer, Path], None], folder: Path, tell: Tell
    ) -> list[Failure]:
        """Download into `folder`, going on where an earlier try ended; `arrive` takes each file once it is verified."""

        def work(item: Pointer) -> None:
            with lfspart.opened(folder, item, counted, self.label) as part:
                self._fill(part)
                arrive(item, part.path)

        counted = lfswork.counted(tell)
        return self._each(list(dict.fromkeys(items)), work, self._parallel)

    def drop(self, items: Sequence[Pointer]) -> list[Failure]:
        """Delete objects of the bucket; one with versions keeps them behind a mark until its own rules end them."""

        def work(item: Pointer) -> None:
            if self._has(item):
                with self._explained():
                    self._obstore.delete(self._uploads, self._at.key(item))

        return self._each(list(dict.fromkeys(items)), work, _ASKED_AT_ONCE)

    @property
    def _parallel(self) -> int:
        return min(_FILES_AT_ONCE, self._tuning.parallel)

    def _each(self, items: Sequence[Pointer], work: Callable[[Pointer], None], parallel: int) -> list[Failure]:
        def tried(item: Pointer) -> Failure | None:
            try:
                work(item)
            except Trouble as trouble:
                return Failure(item, trouble.why, trouble.missing)
            return None

        self._reachable()
        return lfswork.each(items, tried, parallel, self._stop, apart=True)

    def _reachable(self) -> None:
        """Raise RemoteError where there is no such bucket: of an object, S3 says the same as of one that is missing."""
        with suppress(Trouble), self._explained():  # who may not list may still read and write
            next(iter(self._obstore.list(self._uploads, self._at.prefix or None, chunk_size=1)), None)

    def _explained(self) -> _Explained:
        return _Explained(self._at)

    def _has(self, item: Pointer) -> bool:
        try:
            with self._explained():
                return bool(self._obstore.head(self._uploads, self._at.key(item))["size"] == item.size_bytes)
        except Trouble as trouble:
            if trouble.missing:
                return False
            raise

    def _seems_there(self, item: Pointer) -> bool:
        """Say whether it need not go; S3 answers 403 for what is not there to who may not list."""
        try:
            return self._has(item)
        except Trouble as trouble:
            if trouble.status == 403:
                return False
            raise

    def _put(self, item: Pointer, path: Path, at_once: int, tell: Tell) -> None:
        part = max(_PART_BYTES, -(-item.size_bytes // _MOST_PARTS))
        try:
            file = path.open("rb", buffering=0)
        except OSError as error:
            raise Trouble(f"its bytes here cannot be read: {error.strerror or error}") from error
        with file:
            body = Sending(file, item, tell, self._stop)
            try:
                with closing(body), self._explained():
                    self._obstore.put(
                        self._uploads,
                        self._at.key(item),
                        _blocks(body),
                        use_multipart=item.size_bytes > part,
                        chunk_size=part,
                        max_concurrency=at_once,
                    )
            except BaseException:
                tell(-body.size_bytes)
                raise

    def _fill(self, part: Part) -> None:
        """Download what is missing of one object, tried again where that may help, until its bytes are verified."""
        turn = 0
        while True:
            try:
                if not part.complete:
                    self._get(part)
                part.check()
                return
            except Trouble as trouble:
                turn += 1
                if not trouble.again or turn >= self._tuning.tries:
                    raise
                self._stop.wait(min(0.25 * 2 ** (turn - 1), self._tuning.longest_pause_seconds))
                self._stop.check()

    def _get(self, part: Part) -> None:
        begin = part.size_bytes
        with self._explained():
            options: Any = {"range": {"offset": begin}} if begin else {}
            got = self._obstore.get(self._downloads, self._at.key(part.item), options=options)
            if got.meta["size"] != part.item.size_bytes:
                part.restart()
                raise Trouble(f"{self.label} has {got.meta['size']:,} bytes, not {part.item.size_bytes:,}, of it")
            for block in got.stream(BLOCK_BYTES):
                self._stop.check()
                part.add(block)
        if not part.complete:
            raise Trouble(f"{self.label} cut the connection", again=True)

    @cached_property
    def _uploads(self) -> ObjectStore:
        return self._open({"timeout": f"{_REQUEST_SECONDS}s"})

    @cached_property
    def _downloads(self) -> ObjectStore:
        silence = max(1, round(self._tuning.silence_seconds))
        return self._open({"timeout": f"{_DOWNLOAD_SECONDS}s", "read_timeout": f"{silence}s"})

    def _open(self, pace: dict[str, str]) -> ObjectStore:
        config, client = self._config(), {**pace, "connect_timeout": f"{max(1, round(self._tuning.dial_seconds))}s"}
        plain = _endpoint(self._at.scheme, config).startswith("http://")
        options: Any = {**client, "allow_http": plain, **_certificates()}
        pause = timedelta(seconds=max(0.1, self._tuning.longest_pause_seconds))
        retries: Any = {
            "max_retries": self._tuning.tries - 1,
            "retry_timeout": timedelta(seconds=_GIVE_UP_SECONDS),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": pause, "base": 2},
        }
        with self._explained():
            store: ObjectStore = self._obstore.store.from_url(
                f"{self._at.scheme}://{self._at.bucket}", config=config, client_options=options, retry_config=retries
            )
        return store

    def _config(self) -> Any:
        if self._at.scheme != "s3":
            return {}
        config = awsfiles.read()
        # A signature covers the bytes of each part. AWS also keeps their sha256; some servers refuse to be given it.
        if not _endpoint("s3", config) and not os.environ.get("AWS_CHECKSUM_ALGORITHM"):
            config["checksum_algorithm"] = "sha256"
        return config


def _library(label: str) -> Any:
    """Return obstore, an extra: its start costs 20 ms, and most need none of it."""
    try:
        import obstore.store
    except ImportError:
        raise RemoteError(f"{label}: buckets need obstore", hint="pip install 'gitexp[s3]'") from None
    return obstore


def _endpoint(scheme: str, config: dict[str, str]) -> str:
    """Return where another service than the cloud's own is, "" for the cloud itself."""
    named = (value for name in _ENDPOINTS[scheme] if (value := os.environ.get(name)))
    return next(named, config.get("endpoint", ""))


def _certificates() -> dict[str, bytes]:
    path = os.environ.get("AWS_CA_BUNDLE")
    if not path:
        return {}
    try:
        return {"root_certificate": Path(path).read_bytes()}
    except OSError as error:
        raise RemoteError(f"AWS_CA_BUNDLE: {path}: {error.strerror}", hint="unset AWS_CA_BUNDLE") from error


def _blocks(body: Sending) -> Iterator[bytes]:
    try:
        while block := body.read(BLOCK_BYTES):
            yield block
    except OSError as error:
        raise Trouble(f"its bytes here cannot be read: {error.strerror or error}") from error


class _Explained:
    """Turns what obstore raises into what it means; our own errors pass."""

    def __init__(self, at: Address) -> None:
        self._at = at

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, Trouble | GitexpError):
            raise bucketwords.explain(error, self._at.scheme, self._at.label, self._at.bucket) from error
