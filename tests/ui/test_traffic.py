"""Requests are counted, live streams are not."""

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from tracer_ui.traffic import Counted, Traffic


@pytest.mark.parametrize(
    ("scope", "quiet"),
    [
        ({"type": "http", "path": "/runs"}, False),
        ({"type": "http", "path": "/sse/runs"}, True),
        ({"type": "lifespan"}, True),
    ],
)
def test_what_counts(scope: Scope, quiet: bool) -> None:
    traffic = Traffic()
    seen: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(traffic.wait(0))
        raise RuntimeError

    async def request() -> None:
        with pytest.raises(RuntimeError):
            await Counted(app, traffic)(scope, _receive, _send)

    anyio.run(request)
    assert seen == [quiet]
    assert traffic.wait(0)


async def _receive() -> Message:
    raise AssertionError


async def _send(message: Message) -> None:
    raise AssertionError


def test_it_is_quiet_when_the_last_has_gone() -> None:
    traffic = Traffic()
    traffic.came()
    traffic.came()
    traffic.went()
    assert not traffic.wait(0)
    traffic.went()
    assert traffic.wait(0)
