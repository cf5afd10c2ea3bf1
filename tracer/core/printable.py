"""Recorded text made harmless for a terminal.

A trace is hostile input: an escape sequence in a prompt must not move the cursor, and a
right-to-left override must not turn a line around.
"""

import re

# Controls but not line ends; C1 controls; what changes direction; halves of characters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str, *, lines: bool = False) -> str:
    """The text with every control made visible; on one line unless `lines`."""
    if not lines:
        text = text.replace("\n", "⏎").replace("\t", " ")
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n") if lines else text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode picture of the control
    return "␡" if code == 0x7F else "�"
