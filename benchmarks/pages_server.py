"""The web UI over one database, in a process of its own: `python -m benchmarks.pages_server DB`."""

import os
import sys
import threading
from pathlib import Path

from tracer_ui.app import serve


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serve on a free port; prints the address with its key. Ends when standard input does."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    serve(
        database=Path(sys.argv[1]),
        port=0,
        open_browser=False,
        announce=lambda url: print(url, flush=True),
    )


if __name__ == "__main__":
    main()
