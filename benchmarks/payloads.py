"""What the measured agent says and is told: text that is different at every step, the same in
every run of the benchmark.
"""

import json
import random
from typing import Any

MESSAGE_BYTES = 1500
MODEL = "gpt-4.1-mini"
_LETTERS = "etaoinshrdlucmfwypvbgkqjxz"
_RARITY = [26 - at for at in range(26)]


def _vocabulary(chance: random.Random) -> list[str]:
    words = []
    for _ in range(4000):
        length = chance.randint(2, 11)
        words.append("".join(chance.choices(_LETTERS, _RARITY, k=length)))
    return words


_words = _vocabulary(random.Random(1))


def passage(number: int, size: int = MESSAGE_BYTES) -> str:
    """`size` characters of words no other number gives; they compress about as English does."""
    chance = random.Random(number)
    text = ""
    while len(text) < size:
        text += " ".join(chance.choices(_words, k=40)) + ".\n"
    return text[:size]


def _tool(name: str, about: str, **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    function = {"name": name, "description": about, "parameters": schema, "strict": True}
    return {"type": "function", "function": function}


TOOLS = [
    _tool(
        "search_notes",
        "Searches the notes of this project and gives back the passages that fit the question.",
        query={"type": "string", "description": "What to look for, in a few plain words."},
        limit={"type": "integer", "minimum": 1, "maximum": 20, "description": "Passages at most."},
    ),
    _tool(
        "write_note",
        "Adds a note to the project, under a title that is not taken yet.",
        title={"type": "string", "description": "One line, up to eighty characters."},
        body={"type": "string", "description": "The note itself, in Markdown."},
    ),
]


def opening() -> list[dict[str, Any]]:
    """The system and user messages a conversation starts with."""
    return [
        {"role": "system", "content": "You keep the notes of a project. Use the tools you have."},
        {"role": "user", "content": "Go through all notes and tell me what we decided, and why."},
    ]


class Script:
    """What model and tool answer, turn by turn, made before anything is measured."""

    def __init__(self, steps: int) -> None:
        self.turns = steps // 2
        self.said = [_said(turn) for turn in range(self.turns)]
        self.replies = [_reply(message, turn) for turn, message in enumerate(self.said)]
        self.wire = [json.dumps(reply).encode() for reply in self.replies]
        self.found = [passage(2 * turn + 1) for turn in range(self.turns)]


def _said(turn: int) -> dict[str, Any]:
    arguments = json.dumps({"query": passage(10_000_000 + turn, 60), "limit": 5})
    function = {"name": "search_notes", "arguments": arguments}
    call = {"id": f"call_{turn:06d}", "type": "function", "function": function}
    return {"role": "assistant", "content": passage(2 * turn), "tool_calls": [call]}


def _reply(message: dict[str, Any], turn: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 800 * turn + 150, "completion_tokens": 400}
    return {
        "id": f"chatcmpl-{turn:06d}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }
