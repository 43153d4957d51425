"""Requests to Holdfast over HTTP, repeated where that helps."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import quote

import requests
import urllib3

# How much of a file is in memory while it is uploaded, and sent again at most after a lost connection: the size of
# the service's parts, in bytes.
CHUNK = 8 << 20
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0  # seconds between two tries
_RETRIED = {408, 409, 423, 429}  # and all from 500 on


class HoldfastError(OSError):
    """A refusal of the service: a retry would not change it.

    status is the HTTP status; code and reason are the service's own: see "Errors" in its /docs.
    """

    def __init__(self, status: int, code: str = "", message: str = "", reason: str = "") -> None:
        self.status, self.code, self.reason = status, code, reason
        text = ": ".join(part for part in (message or "The file service refused", reason) if part)
        super().__init__(f"{text} ({status} {code})" if code else f"{text} ({status})")


class Unavailable(HoldfastError):
    """The service could not be reached, or could not answer, for the whole patience."""


@dataclass
class FileInfo:
    """What the service knows about a file."""

    size: int  # bytes
    type: str
    etag: str
    modified: str  # as HTTP writes times


@dataclass
class Patience:
    """Decides whether a request is retried: for at most that many seconds without progress."""

    seconds: float
    _since: float = field(default_factory=time.monotonic)
    _tries: int = 0

    def progress(self) -> None:
        self._since, self._tries = time.monotonic(), 0

    def wait(self, error: Exception, at_least: float = 0) -> None:
        """Sleeps before the next attempt, or raises Unavailable if the patience is used up."""
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2**self._tries) * random.uniform(0.5, 1.5)  # noqa: S311
        self._tries += 1
        delay = max(delay, at_least)
        if time.monotonic() - self._since + delay > self.seconds:
            status, code = getattr(error, "status", 0), getattr(error, "code", "")
            raise Unavailable(status, code, "The file service is not available", str(error)) from error
        time.sleep(delay)


class _Bearer(requests.auth.AuthBase):
    """Without an auth of its own, requests would replace the token by what ~/.netrc has for the host."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Service:
    """One Holdfast, with the token of one caller. May be used by several threads."""

    def __init__(self, url: str, token: str, timeout: float, patience: float) -> None:
        self.url, self.token, self.timeout, self.patience = url.rstrip("/"), token, timeout, patience
        self._local = threading.local()  # a requests.Session is not made for several threads

    def file_url(self, file_id: str) -> str:
        # Ids of files that were imported may contain slashes.
        return f"{self.url}/{quote(file_id, safe='')}"

    def upload(self, name: str, content_type: str, chunks: Iterator[bytes]) -> str:
        """Uploads a file by tus 1.0.0, and returns its id. Only one chunk is in memory at a time."""
        buffered = _regroup(chunks, CHUNK)
        chunk = next(buffered, b"")
        following = next(buffered, None) if len(chunk) == CHUNK else None
        headers = {"Upload-Metadata": _metadata(filename=name, filetype=content_type)}
        headers |= {"Upload-Defer-Length": "1"} if following is not None else {"Upload-Length": str(len(chunk))}
        created = self.ask("POST", f"{self.url}/tus/", headers=headers)
        file_id = created.headers.get("Location", "").rpartition("/")[2]
        if created.status_code != 201 or not file_id:
            raise HoldfastError(created.status_code, message=f"{self.url} is not Holdfast")
        offset, upload, whole = 0, f"{self.url}/tus/{file_id}", hashlib.sha256(chunk)
        try:
            while following is not None:
                self._send(upload, offset, chunk)
                offset += len(chunk)
                chunk, following = following, next(buffered, None)
                whole.update(chunk)
            # An empty file is complete when it is created.
            self._send(upload, offset, chunk, f"sha-256=:{base64.b64encode(whole.digest()).decode()}:")
        except BaseException:
            # No caller will continue it, or know the file that it may have become.
            with contextlib.suppress(Temporary, HoldfastError):
                self.once("DELETE", upload)
            raise
        return file_id

    def _send(self, url: str, start: int, chunk: bytes, digest: str = "") -> None:
        """Sends the bytes from start on. After a failure it asks how many of them have arrived, and continues there.

        The last chunk has the digest of the whole file: if the bytes differ, the service makes no file of them. A
        checksum of each chunk (Upload-Checksum) would lose the bytes that came before the connection broke.
        """
        patience, offset, end = Patience(self.patience), start, start + len(chunk)
        while offset < end:
            rest = chunk[offset - start :]
            headers = {
                "Upload-Offset": str(offset),
                "Content-Type": "application/offset+octet-stream",
            }
            if digest:
                headers |= {"Upload-Length": str(end), "Repr-Digest": digest}
            try:
                offset = _offset(self.once("PATCH", url, headers=headers, data=rest))
                continue
            except Temporary as failed:
                patience.wait(failed.error, failed.after)
            arrived = _offset(self.ask("HEAD", url))
            if not start <= arrived <= end:
                raise HoldfastError(200, message="The upload is at another offset", reason=f"{arrived}, not {offset}")
            if arrived > offset:
                patience.progress()
            offset = arrived

    def info(self, file_id: str) -> FileInfo:
        headers = self.ask("HEAD", self.file_url(file_id), headers={"Accept-Encoding": "identity"}).headers
        return FileInfo(
            int(headers["Content-Length"]),
            headers.get("Content-Type", ""),
            headers.get("ETag", ""),
            headers.get("Last-Modified", ""),
        )

    def read_from(self, file_id: str, offset: int, etag: str) -> requests.Response:
        """Opens the file's bytes from an offset on, without a retry. The caller closes the response."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={offset}-"}
        if etag and not etag.startswith("W/"):
            headers["If-Match"] = etag
        # The store itself may answer (DOWNLOAD_MODE=redirect); its ETags differ.
        response = self.once("GET", self.file_url(file_id), headers=headers, stream=True, allow_redirects=True)
        if response.status_code != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            response.close()
            raise HoldfastError(response.status_code, message="The service sent other bytes than it was asked for")
        return response

    def link(self, file_id: str, seconds: int, disposition: str) -> tuple[str, datetime]:
        """Creates a signed link, and returns its URL and its expiry."""
        asked = {"expires_in": seconds, "disposition": disposition}
        link = self.ask("POST", f"{self.file_url(file_id)}/links", json=asked).json()
        return link["url"], datetime.fromisoformat(link["expires_at"].replace("Z", "+00:00"))

    def delete(self, file_id: str) -> None:
        self.ask("DELETE", self.file_url(file_id))

    def ids(self) -> Iterator[str]:
        """The ids of the caller's files, newest first; a service token has those of its account."""
        after: str | None = ""
        while after is not None:
            page = self.ask(
                "GET", f"{self.url}/", params={"limit": "1000", **({"after": after} if after else {})}
            ).json()
            yield from (found["id"] for found in page["files"])
            after = page["next"]

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """Sends a request, and retries temporary failures. A refusal is a HoldfastError."""
        patience = Patience(self.patience)
        while True:
            try:
                return self.once(method, url, **options)
            except Temporary as failed:
                patience.wait(failed.error, failed.after)

    def once(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """Sends a request, once. A failure that a retry may fix is raised as Temporary."""
        headers = {"Tus-Resumable": "1.0.0"} | (headers or {})
        options.setdefault("allow_redirects", False)
        try:
            response = self._session().request(method, url, headers=headers, timeout=self.timeout, **options)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise Temporary(error) from error
        if response.status_code >= 400:
            _refuse(response)
        return response

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.auth = _Bearer(self.token)
        return session


class Temporary(Exception):
    """A failure after which a retry may succeed, after that many seconds."""

    def __init__(self, error: Exception, after: float = 0) -> None:
        super().__init__(str(error))
        self.error, self.after = error, after


def broken_off(error: Exception) -> bool:
    """Whether reading a response failed because its connection was lost."""
    return isinstance(error, urllib3.exceptions.HTTPError | requests.RequestException | OSError)


def _refuse(response: requests.Response) -> NoReturn:
    try:
        body = response.json()
        error = HoldfastError(
            response.status_code,
            str(body.get("code", "")),
            str(body.get("message") or body.get("detail") or ""),
            str((body.get("details") or {}).get("reason", "")),
        )
    except (ValueError, AttributeError, requests.RequestException):  # a proxy's page, or nothing (HEAD)
        error = HoldfastError(response.status_code, message=response.reason or "")
    finally:
        response.close()
    if response.status_code >= 500 or response.status_code in _RETRIED:
        after = response.headers.get("Retry-After", "")
        raise Temporary(error, float(after) if after.isdigit() else 0)
    raise error


def _offset(response: requests.Response) -> int:
    try:
        return int(response.headers["Upload-Offset"])
    except (KeyError, ValueError):
        raise HoldfastError(response.status_code, message="An answer without an offset: is this Holdfast?") from None


def _regroup(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of size; only the last may be shorter."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


def _metadata(**values: str) -> str:
    encoded = ((key, base64.b64encode(value.encode()).decode()) for key, value in values.items() if value)
    return ",".join(itertools.starmap("{} {}".format, encoded))
