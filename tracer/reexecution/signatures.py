"""Signed parts of an answer: what a substitute does to what the provider signed, said beforehand.

Providers sign reasoning and tool calls, and check the signature when the history comes back.
"""

from tracer.core.messages import Message, Part, tool_calls_of

_SIGNATURES = ("signature", "thoughtSignature", "thought_signature", "encrypted_content")
_REFUSED = "the provider may refuse it once the run goes live"


def signature_warnings(said: Message, recorded: list[Message]) -> list[str]:
    """One sentence for each way in which `said` uses signatures of the recorded answer."""
    before: list[Part] = recorded[0].get("parts", []) if recorded else []
    kept = [part for part in said["parts"] if part in before and _signature(part)]
    if len(kept) == len(before) == len(said["parts"]):
        return []
    found: list[str] = []
    if kept:
        names = ", ".join(dict.fromkeys(map(_name, kept)))
        found.append(
            f"the {names} kept from the recording is signed for the recorded answer: {_REFUSED}"
        )
    signed = [part for part in before if part.get("type") == "tool_call" and _signature(part)]
    changed = [call for call in tool_calls_of(said) if call not in before]
    if signed and changed:
        found.append(
            f"the signature that goes with the {_name(changed[0])} was made for the recorded "
            f"{_name(signed[0])} and does not cover it: {_REFUSED}"
        )
    return found


def _signature(part: Part) -> object:
    return next((part[key] for key in _SIGNATURES if part.get(key)), None)


def _name(part: Part) -> str:
    if part.get("type") == "tool_call":
        return f"tool call {part.get('name')}"
    return str(part.get("type"))
