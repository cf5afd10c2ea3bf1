"""HTTP clients, watched at their transport: one file a library, one exchange one step."""

import importlib
from types import ModuleType

from tracer.capture.imports import when_loaded

# Module whose loading is waited for -> the file here that patches it.
LIBRARIES = {
    "httpx2": "httpx_clients",
    "httpx": "httpx_clients",
    "http.client": "connections",
    "urllib3.connectionpool": "urllib3_pools",
    "aiohttp": "aiohttp_client",
}
DETECTED = (
    "websockets.client",
    "websockets.legacy.client",
    "websocket._core",
    "grpc._channel",
    "grpc.aio._channel",
    "curl_cffi.curl",
)
_FILES = LIBRARIES | dict.fromkeys(DETECTED, "detected")
_installed = False


def install() -> None:
    """Patch the clients that are loaded, and those that will be, as they are."""
    global _installed
    if not _installed:
        _installed = True
        when_loaded(_FILES, _patch)


def _patch(module: ModuleType) -> None:
    # A library's own file: only where that library is loaded.
    patcher = importlib.import_module(f"{__name__}.{_FILES[module.__name__]}")
    patcher.patch_library(module)
