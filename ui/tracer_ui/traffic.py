"""Requests under way, so that work nobody waits for keeps out of their way."""

import threading

from starlette.types import ASGIApp, Receive, Scope, Send

_STREAMS = "/sse/"  # they are open as long as a page is


class Traffic:
    """Counts requests; on the event loop's thread, so without a lock."""

    def __init__(self) -> None:
        self._count = 0
        self._quiet = threading.Event()
        self._quiet.set()

    def came(self) -> None:
        """A request begins."""
        self._count += 1
        self._quiet.clear()

    def went(self) -> None:
        """It was answered."""
        self._count -= 1
        if not self._count:
            self._quiet.set()

    def wait(self, seconds: float) -> bool:
        """Wait until no request is under way, but only so long; whether that came."""
        return self._quiet.wait(seconds)


class Counted:
    """The layer that counts."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self.traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_STREAMS):
            await self.app(scope, receive, send)
            return
        self.traffic.came()
        try:
            await self.app(scope, receive, send)
        finally:
            self.traffic.went()
