"""HTTP clients, watched at their transport: one file a library, one exchange one step."""

import sys

from tracer.capture.http.clients import patch_library
from tracer.capture.imports import watch_imports

LIBRARIES = ("httpx2", "httpx")
_finder_installed = False


def install() -> None:
    """Patch the clients that are loaded, and those that will be, as they are."""
    global _finder_installed
    for name in LIBRARIES:
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "AsyncClient"):
            patch_library(module)
    if not _finder_installed:
        _finder_installed = True
        watch_imports(LIBRARIES, patch_library)
