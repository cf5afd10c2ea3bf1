"""Sends the SDKs to a model server of this process where the user has set up no real model."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tracer.demo.model_server import KEY, ModelServer

# A vendor is left alone as soon as one of its own variables is set.
OPENAI = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
ANTHROPIC = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_PROFILE",
)


@contextmanager
def local_models(*, force: bool = False) -> Iterator[ModelServer | None]:
    """Serve demo models to the SDKs that have no key and no base URL set; None = all have.

    Changes `os.environ` for the duration, children included, and restores it. `force` overrides
    keys that are set. Don't enter it inside a traced agent function: a re-execution with recorded
    answers wouldn't need the server, and one with live answers needs it before.
    """
    openai = force or not any(os.environ.get(name) for name in OPENAI)
    anthropic = force or not any(os.environ.get(name) for name in ANTHROPIC)
    if not (openai or anthropic):
        yield None
        return
    with ModelServer() as server:
        wanted = _around_proxies()
        if openai:
            wanted |= {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": KEY}
        if anthropic:
            wanted |= {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY}
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield server
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _around_proxies() -> dict[str, str]:
    """The variables that keep a configured proxy from getting requests to 127.0.0.1."""
    own = [os.environ.get(name) for name in ("no_proxy", "NO_PROXY")]
    merged = ",".join(dict.fromkeys([*filter(None, own), "127.0.0.1"]))
    return {"no_proxy": merged, "NO_PROXY": merged}
