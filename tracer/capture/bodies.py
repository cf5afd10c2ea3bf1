"""Request bodies without their secrets, reading only what is new in them: the history of a
conversation comes again with every call."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from tracer.capture import redact
from tracer.core.chain import BodySplitter, Link

_SHORT = 2000  # bytes that are read sooner than looked for
_BODIES = 8  # that are remembered


class Cleaner(Protocol):
    """What finds the secrets; its `version` grows when it has learned of one."""

    version: int
    lock: threading.RLock

    def clean(self, data: bytes, place: str) -> bytes: ...

    def clean_pieces(self, pieces: Sequence[bytes], place: str) -> list[bytes]: ...


class Bodies:
    """The bodies of one run."""

    def __init__(self, secrets: Cleaner) -> None:
        self._secrets = secrets
        self._splitter = BodySplitter()
        self._prefixes: OrderedDict[bytes, bytes] = OrderedDict()
        self._edges: OrderedDict[tuple[bytes, bytes], list[bytes]] = OrderedDict()
        self._clean_of = (-1, -1)  # the versions that these are clean of

    def clean(self, body: bytes, key: str) -> bytes:
        """A request or conversation without its secrets, reading only what is new in it: the
        messages under `key` come again with every call. The same object where it holds none."""
        if len(body) < _SHORT:
            return self._secrets.clean(body, "request")
        with self._secrets.lock:
            for _ in range(3):
                before = self._secrets.version
                made = self._body(body, key)
                if self._secrets.version == before:
                    break
        return body if made == body else made

    def _body(self, body: bytes, key: str) -> bytes:
        versions = (self._secrets.version, redact.version())
        if self._clean_of != versions:
            self._prefixes.clear()
            self._edges.clear()
            self._clean_of = versions
        split = self._splitter.split(body, (key,))
        if split.base_count and split.base not in self._prefixes:
            self._splitter.forget()
            split = self._splitter.split(body, (key,))
        if not split.count:
            return self._secrets.clean(body, "request")
        made = self._prefixes.get(split.base, b"") + b"".join(map(self._message, split.new))
        self._prefixes[split.last] = made
        edges = self._edges.get((split.head, split.tail))
        if edges is None:
            edges = self._secrets.clean_pieces([split.head, split.tail], "request")
            self._edges[split.head, split.tail] = edges
        while len(self._prefixes) > _BODIES:
            self._prefixes.popitem(last=False)
        while len(self._edges) > _BODIES:
            self._edges.popitem(last=False)
        return edges[0] + made + edges[1]

    def _message(self, link: Link) -> bytes:
        element = link.data.lstrip(b", \t\r\n")
        separator = link.data[: len(link.data) - len(element)]
        return separator + self._secrets.clean(element, "request")
