"""The backend for Django's STORAGES."""

from __future__ import annotations

import io
import mimetypes
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, cast

import requests
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils import timezone as django_timezone

from .service import FileInfo, HoldfastError, Patience, Service, Temporary, broken_off

_BUFFER = 256 << 10  # bytes that are read at a time
_MOST_LINKS = 1000  # in the cache
_DISPOSITIONS = ("attachment", "inline")


# Not deconstructible: the token would be written into migrations. A field with another storage than the default one
# gets a function that returns it.
class HoldfastStorage(Storage):
    """Files in a Holdfast.

    The name of a saved file, which Django keeps in its database, is the id that the service gave it, and not the
    requested name. The service keeps that name, and sends it to clients that download the file. So no name is ever
    taken, and folders (upload_to) have no meaning.

    Errors are HoldfastError, an OSError, with the service's status and code; FileNotFoundError if there is no such
    file. A request that fails temporarily is retried for `patience` seconds without progress.

    Options: url, the base URL of the service's files, as this program reaches it. token, made by `holdfast token create
    --service --account N`. link_expires_in, how long a link of url() is valid at least half of, in seconds, and
    link_disposition, "attachment" or "inline". signed_links=False for plain URLs, which open public files and those
    that a visitor's own token opens; public_url is the base for those. timeout is how many seconds a connection may be
    silent.
    """

    def __init__(
        self,
        url: str = "",
        token: str = "",
        *,
        public_url: str = "",
        signed_links: bool = True,
        link_expires_in: int = 3600,
        link_disposition: str = "attachment",
        timeout: float = 20,
        patience: float = 60,
    ) -> None:
        if not url.startswith(("http://", "https://")) or not token:
            raise ImproperlyConfigured("HoldfastStorage needs the OPTIONS url (http:// or https://) and token.")
        if link_disposition not in _DISPOSITIONS:
            raise ImproperlyConfigured(f"HoldfastStorage: link_disposition is one of {', '.join(_DISPOSITIONS)}.")
        self._service = Service(url, token, timeout, patience)
        self._public_url = (public_url or url).rstrip("/")
        self._signed_links, self._link_expires_in = signed_links, link_expires_in
        self._link_disposition = link_disposition
        self._links = _Links()

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if mode not in ("rb", "r"):
            raise ValueError(f"A stored file can't be changed (mode {mode!r}): save another one.")
        raw = _RemoteFile(self._service, name, self.info(name))
        buffered: Any = io.BufferedReader(raw, _BUFFER)
        opened = File(buffered if mode == "rb" else io.TextIOWrapper(buffered, encoding="utf-8"), name=name)
        opened.size = raw.info.size
        return opened

    def _save(self, name: str | None, content: File[Any]) -> str:
        base = (name or "").replace("\\", "/").rpartition("/")[2]
        kind = getattr(content, "content_type", None) or mimetypes.guess_type(base)[0] or ""
        return self._service.upload(base, kind, _bytes(content.chunks()))

    def info(self, name: str) -> FileInfo:
        """Size, type, tag and time of a file."""
        try:
            return self._service.info(name)
        except HoldfastError as error:
            raise _as_missing(error, name) from error

    def size(self, name: str) -> int:
        return self.info(name).size

    def exists(self, name: str) -> bool:
        try:
            return bool(name) and self.info(name).size >= 0
        except FileNotFoundError:
            return False

    def delete(self, name: str) -> None:
        """Deletes a file permanently. A missing file is no error, as in Django's own storages."""
        if not name:
            raise ValueError("The name must be given to delete().")
        self._links.forget(name)
        try:
            self._service.delete(name)
        except HoldfastError as error:
            if error.status != 404:
                raise

    def url(self, name: str | None) -> str:
        """A link that opens the file without a token. One that has more than half of its time left is used again."""
        if not name:
            raise ValueError("This file is not accessible via a URL.")
        if not self._signed_links:
            return self._service.file_url(name).replace(self._service.url, self._public_url, 1)
        known = self._links.find(name, self._link_expires_in / 2)
        if known:
            return known
        try:
            url, end = self._service.link(name, self._link_expires_in, self._link_disposition)
        except HoldfastError as error:
            raise _as_missing(error, name) from error
        self._links.add(name, url, end)
        return url

    def get_modified_time(self, name: str) -> datetime:
        modified = parsedate_to_datetime(self.info(name).modified)
        return modified if settings.USE_TZ else django_timezone.make_naive(modified)

    get_created_time = get_modified_time  # files never change

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """All files of the token's account: there are no folders."""
        return [], list(self._service.ids()) if path in ("", ".", "/") else []

    def get_valid_name(self, name: str) -> str:
        return name  # the service cleans names itself, and keeps the letters of all languages

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Returns the name unchanged: the stored name is an id, which the service makes unique."""
        if max_length is not None and max_length < _ID_LENGTH:
            raise SuspiciousFileOperation(f"Ids have {_ID_LENGTH} characters: the field's max_length is {max_length}.")
        return name


_ID_LENGTH = 36


class _RemoteFile(io.RawIOBase):
    """A file of the service. It is requested at the first read, and resumed after a lost connection."""

    def __init__(self, service: Service, name: str, info: FileInfo) -> None:
        super().__init__()
        self._service, self._name, self.info = service, name, info
        self._position = 0
        self._response: requests.Response | None = None  # open at _position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.info.size}[whence]
        if start + offset < 0:
            raise ValueError("A file can't be read before its beginning.")
        if start + offset != self._position:
            self._drop()
            self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self.closed:
            raise ValueError("The file is closed.")
        if self._position >= self.info.size or not len(buffer):
            return 0
        patience = Patience(self._service.patience)
        while True:
            try:
                piece = self._read(len(buffer))
                buffer[: len(piece)] = piece
                self._position += len(piece)
                return len(piece)
            except Temporary as failed:
                self._drop()
                patience.wait(failed.error, failed.after)

    def _read(self, most: int) -> bytes:
        if self._response is None:
            try:
                self._response = self._service.read_from(self._name, self._position, self.info.etag)
            except HoldfastError as error:
                raise _as_missing(error, self._name) from error
        try:
            piece = cast(bytes, self._response.raw.read(most))
        except Exception as error:
            if broken_off(error):
                raise Temporary(error) from error
            raise
        if not piece:
            raise Temporary(EOFError(f"the file ended at byte {self._position} of {self.info.size}"))
        return piece

    def _drop(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def close(self) -> None:
        self._drop()
        super().close()


class _Links:
    """Cached links by the name of their file. A file can have a thousand links at most, so a page that shows it must
    not create one each time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._links: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def find(self, name: str, left: float) -> str | None:
        """A link that is valid for so many more seconds."""
        with self._lock:
            url, end = self._links.get(name, ("", 0.0))
            return url if end - time.time() > left else None

    def add(self, name: str, url: str, end: datetime) -> None:
        with self._lock:
            self._links[name] = (url, end.astimezone(timezone.utc).timestamp())
            self._links.move_to_end(name)
            if len(self._links) > _MOST_LINKS:
                self._links.popitem(last=False)

    def forget(self, name: str) -> None:
        with self._lock:
            self._links.pop(name, None)


def _bytes(chunks: Iterable[Any]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk.encode() if isinstance(chunk, str) else bytes(chunk)


def _as_missing(error: HoldfastError, name: str) -> Exception:
    if error.status == 404:
        return FileNotFoundError(2, "There is no such file in Holdfast", name)
    return error
