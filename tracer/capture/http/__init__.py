"""HTTP clients, watched at their transport: one file a library, one exchange one step."""

import importlib
import sys
from types import ModuleType

from tracer.capture.guard import report
from tracer.capture.imports import watch_imports

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
_patched: set[int] = set()
_finder_installed = False


def install() -> None:
    """Patch the clients that are loaded, and those that will be, as they are."""
    global _finder_installed
    for name in _FILES:
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        # One that is just being loaded is not whole yet; the finder comes for it.
        if module is not None and not getattr(spec, "_initializing", False):
            try:
                _patch(name, module)
            except Exception as error:
                report(f"patching {name}", error)
    if not _finder_installed:
        _finder_installed = True
        watch_imports(tuple(_FILES), lambda module: _patch(module.__name__, module))


def _patch(name: str, module: ModuleType) -> None:
    if id(module) in _patched:
        return
    _patched.add(id(module))
    # A library's own file: only where that library is loaded.
    patcher = importlib.import_module(f"{__name__}.{_FILES[name]}")
    patcher.patch_library(module)
