"""The server as `tracer ui` starts it: a real process, a real socket."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tracer.errors import UsageError
from tracer_ui.app import serve

PROGRAM = (
    "import sys, pathlib; from tracer_ui.app import serve; "
    "serve(database=pathlib.Path(sys.argv[1]), port=int(sys.argv[2]), open_browser=False, "
    "announce=lambda url: print(url, flush=True))"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A server on a free port: its process, the address it printed, its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "none.db"), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=[\w-]{43}", url)
    assert found is not None, url
    yield process, url, int(found[1])
    process.kill()
    process.wait()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


@contextmanager
def asked(port: int, path: str, cookie: str = "") -> Iterator[http.client.HTTPResponse]:
    """The reply to a request; the connection ends with the block."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        with connection.getresponse() as reply:
            yield reply


def test_it_serves_stops_and_says_nothing_of_its_token(
    server: tuple[subprocess.Popen[str], str, int],
) -> None:
    process, url, port = server
    with asked(port, url.partition(str(port))[2]) as opened:
        assert opened.status == 303
        assert opened.getheader("Server") is None
        cookie = (opened.getheader("Set-Cookie") or "").partition(";")[0]
    assert cookie.startswith(f"tracer_{port}=")
    with asked(port, "/runs") as refused:
        assert refused.status == 403
    with asked(port, "/runs", cookie) as page:
        assert page.status == 200
        assert b"No runs yet" in page.read()
    with asked(port, "/sse/runs?first=1", cookie) as live:  # a page that stays open
        assert live.status == 200
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert (out, errors) == ("", "")
    assert time.monotonic() - began < 10


def test_only_this_machine_can_connect(server: tuple[subprocess.Popen[str], str, int]) -> None:
    _, _, port = server
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is taken.*--port"):
            serve(database=tmp_path / "x", port=port, open_browser=False, announce=print)


@pytest.mark.parametrize("port", [70000, -1])
def test_a_number_that_is_no_port(tmp_path: Path, port: int) -> None:
    with pytest.raises(UsageError, match="no port number"):
        serve(database=tmp_path / "x", port=port, open_browser=False, announce=print)
