"""Removes what looks like a key or password from text that is about to leave this machine.

Most of it was removed before it was stored; this looks at what older recordings hold, and at what
was recorded with `redact=False`. A secret in no known form is not found: who exports looks at the
file before sending it.
"""

from dataclasses import dataclass, field

from tracer.core.marks import REDACTED as _WORD
from tracer.core.marks import Edit, apply_pieces
from tracer.core.secretforms import find_secrets

REDACTED = _WORD.encode()


@dataclass(slots=True)
class Redactor:
    """Removes secrets and counts them by kind; with `keep` it only counts."""

    keep: bool = False
    found: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many secrets were found so far."""
        return sum(self.found.values())

    def clean(self, data: bytes) -> bytes:
        """The data without its secrets."""
        return self.clean_chunks([data])[0]

    def clean_chunks(self, chunks: list[bytes]) -> list[bytes]:
        """The same for data that came in pieces: as many pieces, also where one was cut."""
        secrets = find_secrets(b"".join(chunks))
        for secret in secrets:
            self.found[secret.kind] = self.found.get(secret.kind, 0) + 1
        if self.keep or not secrets:
            return chunks
        return apply_pieces(chunks, [Edit(s.start, s.end, REDACTED) for s in secrets])
