"""Data at an address: what its host says of it (ETag, version, size) by one question, never its bytes.

Nothing is sent along that could give somebody in: no credentials of the address, none to another host. What an address
says of itself (lakeFS, a version in a query) is taken as it stands.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

from gitexp import redact

SECONDS = 10.0
_DOWNLOAD_SECONDS = 86_400  # silence ends a download, not its length
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}://")
_COMMIT = re.compile(r"[0-9a-f]{64}")
_STATUS = re.compile(r"status code: (\d{3})")
_HOST = re.compile(r"https?://([^/\s?#@]+)")
_BUCKETS = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az"}
_BLOCK_BYTES = 1 << 20


class Unreachable(OSError):
    """A host that did not say anything of the data, and why."""


def is_address(text: str) -> bool:
    """Say whether a text is scheme://…"""
    return _ADDRESS.match(text) is not None


def shown(address: str) -> str:
    """Return an address without what nobody else should read."""
    return redact.url(address)


def source(address: str) -> dict[str, Any]:
    """Return what an address itself says: its kind, a version in it, lakeFS' repository and ref."""
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    if scheme == "lakefs":
        ref, _, path = parts.path.lstrip("/").partition("/")
        found = {"kind": "lakefs", "repository": parts.netloc.rpartition("@")[2], "ref": ref, "path": path}
        return {key: value for key, value in found.items() if value} | (
            {"version": ref} if _COMMIT.fullmatch(ref) else {}
        )
    query = parse_qs(parts.query)
    version = next((query[key][0] for key in ("versionId", "versionid", "generation") if query.get(key)), "")
    kind = _BUCKETS.get(scheme, "https" if scheme in ("http", "https") else scheme)
    return {"kind": kind} | ({"version": version} if version else {})


def ask(address: str, config: Mapping[str, str]) -> dict[str, Any]:
    """Return what the host says of an address: `etag`, `version`, `size`, `modified`; raises Unreachable.

    `config` is what S3 needs beside the environment: where it is, and who asks.
    """
    scheme = urlsplit(address).scheme.lower()
    if scheme in ("http", "https"):
        return _head(address)
    if scheme in _BUCKETS:
        return _bucket(address, config if _BUCKETS[scheme] == "s3" else {})
    if scheme == "lakefs":
        said = source(address)
        if "version" not in said:
            raise Unreachable(f"{said.get('ref', 'its ref')} may move: name a commit, lakefs://repository/commit/path")
        return {}
    raise Unreachable(f"nobody to ask at {scheme}://")


def fetch(address: str, target: Path, config: Mapping[str, str]) -> dict[str, Any]:
    """Download what is at an address, block by block; returns what the host says of it. Raises Unreachable."""
    scheme = urlsplit(address).scheme.lower()
    if scheme in _BUCKETS:
        return _fetch_bucket(address, target, config if _BUCKETS[scheme] == "s3" else {})
    if scheme not in ("http", "https"):
        raise Unreachable(f"nothing is downloaded from {scheme}:// here: download it, and log the file")
    try:
        with _opened(address, "GET") as answer, open(target, "xb") as file:
            wanted, done = answer.headers.get("Content-Length"), 0
            while block := answer.read(_BLOCK_BYTES):
                done += file.write(block)
            if wanted is not None and wanted.isdigit() and int(wanted) != done:
                raise Unreachable(f"the download was cut off after {done:,} of {int(wanted):,} bytes")
            return _said(answer)
    except (urllib.error.URLError, HTTPException, ValueError, TimeoutError) as error:
        raise _why(error) from None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow to http and https only, five times at most."""

    max_redirections = 5

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme.lower() not in ("http", "https"):
            raise urllib.error.URLError("it redirects to what is no web address")
        following = super().redirect_request(req, fp, code, msg, headers, _without_user(newurl))
        if following is not None:
            following.method = req.get_method()  # urllib would turn HEAD into GET
        return following


def _opened(address: str, method: str) -> Any:
    opener = urllib.request.build_opener(_Redirects)
    request = urllib.request.Request(_without_user(address), method=method, headers={"User-Agent": "gitexp"})
    return opener.open(request, timeout=SECONDS)


def _head(address: str) -> dict[str, Any]:
    try:
        with _opened(address, "HEAD") as answer:
            return _said(answer)
    except (urllib.error.URLError, HTTPException, ValueError, OSError) as error:
        raise _why(error) from None


def _said(answer: Any) -> dict[str, Any]:
    names = {
        "etag": "ETag",
        "version": "x-amz-version-id",
        "generation": "x-goog-generation",
        "modified": "Last-Modified",
    }
    found: dict[str, Any] = {key: value[:500] for key, name in names.items() if (value := answer.headers.get(name))}
    if "generation" in found:
        found.setdefault("version", found.pop("generation"))
    length = answer.headers.get("Content-Length")
    if length is not None and length.isdigit() and not answer.headers.get("Content-Encoding"):
        found["size"] = int(length)
    return found


def _without_user(address: str) -> str:
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit((parts.scheme, host, path, quote(parts.query, safe="%/:@!$&'()*+,;=~-._?"), ""))


def _why(error: BaseException) -> Unreachable:
    if isinstance(error, Unreachable):
        return error
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return Unreachable(f"the host answered {error.code}")
    reason = getattr(error, "reason", None) or error
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return Unreachable(f"not reached: {redact.text(str(said))[:200]}")


def _bucket(address: str, config: Mapping[str, str]) -> dict[str, Any]:
    return _said_of_object(_got(address, config, {"timeout": f"{SECONDS:.0f}s"}, head=True).meta)


def _fetch_bucket(address: str, target: Path, config: Mapping[str, str]) -> dict[str, Any]:
    pace = {"timeout": f"{_DOWNLOAD_SECONDS}s", "read_timeout": f"{3 * SECONDS:.0f}s"}
    got, done = _got(address, config, pace), 0
    with open(target, "xb") as file:
        for block in _blocks(got):
            done += file.write(block)
    if done != got.meta["size"]:
        raise Unreachable(f"the download was cut off after {done:,} of {got.meta['size']:,} bytes")
    return _said_of_object(got.meta)


def _got(address: str, config: Mapping[str, str], pace: Mapping[str, str], *, head: bool = False) -> Any:
    """Ask a bucket for one object, in the version that its address may name."""
    try:
        from obstore import store
    except ImportError:
        raise Unreachable("buckets are asked where obstore is: pip install 'gitexp[s3]'") from None
    parts = urlsplit(address)
    path, version = unquote(parts.path.lstrip("/")), source(address).get("version")
    if not path or path.endswith("/"):
        raise Unreachable("a prefix has no version: name one object")
    open_store: Any = store.from_url
    try:
        bucket = open_store(
            f"{_BUCKETS[parts.scheme.lower()]}://{parts.netloc.rpartition('@')[2]}",
            config=dict(config),
            client_options={**pace, "connect_timeout": "5s", "allow_http": True},
            retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=2 * SECONDS)},
        )
        return bucket.get(path, options={"head": head, **({"version": version} if version else {})})
    except Exception as error:  # obstore raises a class of its own for each way in which a host can fail
        raise Unreachable(_bucket_why(str(error))) from None


def _blocks(got: Any) -> Iterator[bytes]:
    blocks = iter(got.stream(_BLOCK_BYTES))
    while True:
        try:
            block = next(blocks, None)
        except Exception as error:  # as above
            raise Unreachable(_bucket_why(str(error))) from None
        if block is None:
            return
        yield block


def _said_of_object(meta: Mapping[str, Any]) -> dict[str, Any]:
    said = {"etag": meta.get("e_tag"), "version": meta.get("version"), "size": meta.get("size")}
    return {key: value for key, value in said.items() if value is not None}


def _bucket_why(said: str) -> str:
    """Return in short what obstore says at length, with addresses and their queries."""
    if any(host in said for host in ("169.254.169.254", "metadata.google.internal")):
        return "there are no credentials for it here"
    if status := _STATUS.search(said):
        return f"the host answered {status[1]}"
    host = _HOST.search(said)
    return "not reached: " + redact.text(host[1] if host else said.split(":")[0])[:100]
