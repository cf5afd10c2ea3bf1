"""httpx2 and httpx: every request of every client passes through a wrapper transport.

The wrapper is put in by `Client._transport_for_url`, the one place where a client chooses its
transport: so it covers clients made before tracer, mounts, proxies, custom and mock transports,
and keeps redirects, auth, hooks and `response.elapsed`. It is a private method, checked by name:
where a version lacks it, the two standard transports are wrapped instead.
"""

import functools
from types import ModuleType
from typing import Any

from tracer.capture.http.detected import not_captured
from tracer.capture.http.exchange import Passing, is_watched
from tracer.capture.http.httpx_exchange import AsyncExchange, SyncExchange

_patched: set[int] = set()


def patch_library(library: ModuleType) -> None:
    """Watch the clients of one library; once for each class, whatever names it goes by."""
    client, async_client = library.Client, library.AsyncClient
    # With httpx2.alias_httpx() both names are one library; patching twice would record twice.
    if id(client) in _patched:
        return
    _patched.add(id(client))
    transports = _make_transports(library)
    if hasattr(client, "_transport_for_url") and hasattr(async_client, "_transport_for_url"):
        _patch_choice(client, transports[0])
        _patch_choice(async_client, transports[1])
    else:
        _patch_handlers(library, transports)


def is_patched(library: ModuleType) -> bool:
    """Whether this library's clients are watched."""
    return id(library.Client) in _patched


def _make_transports(library: Any) -> tuple[type, type]:
    class RecordingTransport(library.BaseTransport):  # type: ignore[misc]
        """Records one exchange, or answers it."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def handle_request(self, request: Any) -> Any:
            if _is_websocket(request):
                return self.inner.handle_request(request)
            exchange = SyncExchange.open(library, request)
            if exchange is None:
                with Passing():
                    return self.inner.handle_request(request)
            return exchange.run(self.inner.handle_request)

        def close(self) -> None:
            self.inner.close()

    class AsyncRecordingTransport(library.AsyncBaseTransport):  # type: ignore[misc]
        """Records one exchange, or answers it."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def handle_async_request(self, request: Any) -> Any:
            if _is_websocket(request):
                return await self.inner.handle_async_request(request)
            exchange = await AsyncExchange.open(library, request)
            if exchange is None:
                with Passing():
                    return await self.inner.handle_async_request(request)
            return await exchange.run(self.inner.handle_async_request)

        async def aclose(self) -> None:
            await self.inner.aclose()

    return RecordingTransport, AsyncRecordingTransport


def _is_websocket(request: Any) -> bool:
    found: bool = request.headers.get("upgrade", "").lower() == "websocket"
    if found:
        not_captured("a WebSocket", request.url.host)
    return found


def _patch_choice(client: Any, transport_class: Any) -> None:
    original = client._transport_for_url

    @functools.wraps(original)
    def transport_for_url(self: Any, url: Any) -> Any:
        chosen = original(self, url)
        if not is_watched():
            return chosen
        return transport_class(chosen)

    client._transport_for_url = transport_for_url


def _patch_handlers(library: Any, transports: tuple[Any, Any]) -> None:
    for base, method, wrapper in (
        (library.HTTPTransport, "handle_request", transports[0]),
        (library.AsyncHTTPTransport, "handle_async_request", transports[1]),
    ):
        original = getattr(base, method)

        def handle(self: Any, request: Any, _o: Any = original, _w: Any = wrapper) -> Any:
            if not is_watched():
                return _o(self, request)
            inner = _Bound(functools.partial(_o, self))
            return getattr(_w(inner), _o.__name__)(request)

        setattr(base, method, functools.wraps(original)(handle))


class _Bound:
    """A transport made of one bound method."""

    def __init__(self, handle: Any) -> None:
        self.handle_request = self.handle_async_request = handle
