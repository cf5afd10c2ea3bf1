"""What a generator gave and was given, noted as it passes: items change after they are yielded."""

import json
from typing import Any

from tracer.capture.boundary import ValueAnswer
from tracer.capture.exceptions import error_info
from tracer.capture.values import Encoded, decode, encode, encode_whole
from tracer.core.records import JSON, Fidelity


def token(value: Any) -> JSON:
    """What was sent into a generator, for comparison: tagged JSON, None for a plain next."""
    return None if value is None else json.loads(encode(value)[0])


def thrown_token(error: BaseException) -> JSON:
    """What was thrown into a generator, for comparison."""
    info = error_info(error)
    return {"thrown": info.type, "message": info.message}


class Items:
    """The items of one generator, each encoded when it was yielded."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._pieces: list[bytes] = []
        self._sent: list[JSON] = []
        self._fidelity: Fidelity = "exact"
        self._degraded = False

    def gave(self, item: Any) -> None:
        made = encode_whole(item)
        self.values.append(item)
        self._pieces.append(made.data)
        self._degraded |= made.degraded
        if made.fidelity == "opaque" or self._fidelity == "exact":
            self._fidelity = made.fidelity

    def took(self, what: JSON) -> None:
        """A token of what the generator was resumed with."""
        self._sent.append(what)

    def ended(
        self, *, returned: Any = None, abandoned: bool = False
    ) -> tuple[Encoded, dict[str, JSON]]:
        """All items as one tagged list, and what was out of the ordinary, for the step's detail."""
        detail: dict[str, JSON] = {"generator": True}
        if any(what is not None for what in self._sent):
            detail["sent"] = self._sent
        if returned is not None:
            last, fidelity = encode(returned)
            detail["returned"] = last.decode("utf-8", "surrogatepass")
            if fidelity != "exact":  # there is no annotation to make it again with
                self._fidelity = "opaque"
        if abandoned:
            detail["abandoned"] = True
        data = b"[" + b",".join(self._pieces) + b"]"
        return Encoded(data, self._fidelity, self._degraded), detail


class Playback:
    """A recorded generator given again: checks that it is asked the same things."""

    def __init__(self, answer: ValueAnswer, items: list[Any]) -> None:
        self.items = items
        self._answer = answer
        self._sent: list[JSON] = list(answer.form.get("sent") or ())
        self._at = 0

    def took(self, what: JSON) -> None:
        """Compare what it is resumed with; raises (through the answer) when that is new."""
        recorded = self._sent[self._at] if self._at < len(self._sent) else None
        self._at += 1
        if recorded != what:
            self._differs("was sent something else than recorded")

    def end(self) -> Any:
        """What it returned; raises when the recorded consumer never read as far as this."""
        if self._answer.form.get("abandoned"):
            self._differs("is read on past the point where the recorded agent stopped")
        returned = self._answer.form.get("returned")
        if not isinstance(returned, str):
            return None
        return decode(returned.encode("utf-8", "surrogatepass"))

    def _differs(self, how: str) -> None:
        if self._answer.differs is not None:
            self._answer.differs(how)
