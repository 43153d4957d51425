"""The real program, and a line to it that breaks."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings


class Holdfast:
    """A service on folders of its own, with Redis, and with Django as its backend if that is given."""

    def __init__(self, backend: str = "", database: str = "", public_url: str = "") -> None:
        self.port = _free_port()
        self._folder = tempfile.mkdtemp(prefix="holdfast-django-")
        self._env = os.environ | {
            "CONFIG": "Testing",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "ADMIN_ADDR": "off",
            "PUBLIC_URL": public_url,
            "DATA_DIR": f"{self._folder}/data",
            "EXAMPLE_DIR": f"{self._folder}/none",
            "AUTH_REDIS_URL": settings.REDIS_URL,
            "DJANGO_SECRET_KEY": settings.SECRET_KEY,
            # What a test has changed is seen at once.
            "AUTH_CACHE_TTL": "0",
            "PERMISSION_CACHE_TTL": "0",
        }
        if database:
            at = urlsplit(database)
            self._env |= {
                "POSTGRES_HOST": at.hostname or "",
                "POSTGRES_PORT": str(at.port),
                "POSTGRES_USER": at.username or "",
                "POSTGRES_PASSWORD": at.password or "",
                "POSTGRES_DB": at.path.strip("/"),
            }
            # The services of earlier tests had stores of their own, which are gone.
            accept = [os.environ["HOLDFAST_BIN"], "store", "accept"]
            subprocess.run(accept, env=self._env, check=True, capture_output=True)
        if backend:
            self._env["BACKEND_PRIVATE_URL"] = backend
        self._said = Path(self._folder, "said")
        with self._said.open("wb") as out:
            self._process = subprocess.Popen(
                [os.environ["HOLDFAST_BIN"]], env=self._env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.url = self._wait()

    def _wait(self) -> str:
        until = time.monotonic() + 120
        while time.monotonic() < until and self._process.poll() is None:
            for line in self._said.read_text().splitlines():
                if line.startswith("  uploads "):
                    return line.split()[1].removesuffix("/tus/")
            time.sleep(0.05)
        raise RuntimeError(f"the service did not start:\n{self._said.read_text()}")

    def token(self, *arguments: str) -> str:
        """A token of its own; `--service` by default."""
        command = [os.environ["HOLDFAST_BIN"], "token", "create", "--account", "1", *(arguments or ("--service",))]
        return subprocess.run(command, env=self._env, check=True, capture_output=True, text=True).stdout.strip()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        shutil.rmtree(self._folder)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class BadLine:
    """Forwards connections to a port. Cuts each after `limit` bytes in either direction, and changes `damage`."""

    def __init__(self) -> None:
        self.limit, self.damage, self.to, self.cut = 1 << 60, b"", 0, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        left = self.limit
        with contextlib.suppress(OSError):
            while left > 0 and (piece := source.recv(min(left, 1 << 16))):
                left -= len(piece)
                if self.damage:
                    piece = piece.replace(self.damage, self.damage[::-1])
                sink.sendall(piece)
        self.cut += left == 0
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # wakes the thread of the other direction
            end.close()

    def close(self) -> None:
        self._listener.close()
