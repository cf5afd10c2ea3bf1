"""The beginning and the end of what comes, whatever comes. Holds no lock: whoever notes may be a
signal handler or a finalizer; a race costs an item, never an exception.
"""

from collections import deque
from typing import Generic, TypeVar

from tracer.capture import redact

T = TypeVar("T")


class Bounded(Generic[T]):
    """Keeps items of `first` characters, then the last ones of `last` characters."""

    __slots__ = ("_first", "_held", "_last", "_room", "_tail", "left_out")

    def __init__(self, first: int, last: int) -> None:
        self._first: list[T] = []
        self._room = first
        self._last = last
        self._tail: deque[tuple[T, int]] = deque()
        self._held = 0
        self.left_out = 0  # characters that are lost between beginning and end

    @property
    def room(self) -> int:
        """Characters that still belong to the beginning."""
        return self._room

    @property
    def has_beginning(self) -> bool:
        """Whether something of the beginning waits to be taken."""
        return bool(self._first)

    def add(self, item: T, size: int) -> None:
        """Keep an item of so many characters; the oldest of the end may go."""
        if self._room >= size:
            self._first.append(item)
            self._room -= size
            return
        self._room = 0
        self._tail.append((item, size))
        self._held += size
        while self._held > self._last and len(self._tail) > 1:
            try:
                _, gone = self._tail.popleft()
            except IndexError:  # another thread was faster
                break
            self._held -= gone
            self.left_out += gone

    def take_beginning(self) -> list[T]:
        """What came so far of the beginning, each item once."""
        taken, self._first = self._first, []
        return taken

    def take_end(self) -> tuple[int, list[T]]:
        """How many characters are missing before the end, and the end; each item once."""
        tail, self._tail = self._tail, deque()
        lost, self.left_out = self.left_out, 0
        self._held = 0
        return lost, [item for item, _ in tail]


class Text(Bounded[tuple[str, str]]):
    """The same for text of streams; what is too long for either end is cut."""

    __slots__ = ()

    def write(self, stream: str, text: str) -> None:
        """Keep a text as far as there is room."""
        if len(text) <= self._room:
            self._first.append((stream, text))
            self._room -= len(text)
            return
        if self._room or len(text) > self._last:
            text = self._cut(stream, text)
        if text:
            self.add((stream, text), len(text))

    def _cut(self, stream: str, text: str) -> str:
        """The part of a text that belongs to the end; the rest is kept or counted."""
        if self._room:
            text = redact.without_secrets_at(text, self._room)
            room, self._room = self._room, 0
            self._first.append((stream, text[:room]))
            text = text[room:]
        if len(text) > self._last:
            text = redact.without_secrets_at(text, len(text) - self._last)
            self.left_out += len(text) - self._last + self._held
            self._tail.clear()
            self._held = 0
            text = text[-self._last :]
        return text
