"""HTTP clients, watched at their transport: one file a library, one exchange one step."""

import sys

from tracer.capture.http.clients import patch_library

_LIBRARIES = ("httpx2", "httpx")
_finder_installed = False


def install() -> None:
    """Patch the clients that are loaded, and those that will be, as they are."""
    global _finder_installed
    for name in _LIBRARIES:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "AsyncClient"):
            patch_library(module)
    if not _finder_installed:
        _finder_installed = True
        from tracer.capture.http.imports import watch_imports

        watch_imports(_LIBRARIES, patch_library)
