"""Requests to the web UI, as a browser makes them, with their time and size."""

import time
from http.client import HTTPConnection
from urllib.parse import urlsplit


class Site:
    """One browser's worth of requests: a connection that is kept, and the key as a cookie."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self.connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._connect()
        self.connection.request("GET", f"/?{parts.query}")
        response = self.connection.getresponse()
        response.read()
        self.cookie = (response.getheader("set-cookie") or "").split(";")[0]

    def _connect(self) -> None:
        """The address is printed a moment before the server listens."""
        give_up = time.monotonic() + 20
        while True:
            try:
                self.connection.connect()
                return
            except ConnectionRefusedError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)

    def get(self, path: str) -> tuple[float, float]:
        """Milliseconds to the last byte and kilobytes of a page."""
        began = time.perf_counter()
        self.connection.request("GET", path, headers={"cookie": self.cookie})
        response = self.connection.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        if response.status != 200:
            raise RuntimeError(f"GET {path} answered {response.status}")
        return took * 1e3, len(body) / 1000
