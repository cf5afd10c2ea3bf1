"""The support agent in plain `anthropic` streaming idiom: text is printed as it arrives.

    tracer run -m tracer.demo.support_agent_stream ["Order A-1042 ..."]

It talks to ANTHROPIC_BASE_URL with ANTHROPIC_API_KEY; with neither set it starts a local model
server, whose answer to the default question goes wrong early: the run ends in RefundMismatch.
"""

import json
import sys
from typing import Any

from anthropic import Anthropic

import tracer
from tracer.demo.local_models import local_models
from tracer.demo.shop import QUESTION, SYSTEM
from tracer.demo.support_tools import TOOLS, audit, use_tool
from tracer.demo.tool_schema import anthropic_tools

MODEL = "claude-haiku-4-5"
MAX_TURNS = 12
PROMPT: list[Any] = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
OFFERED = anthropic_tools(TOOLS)


@tracer.agent
def support_agent_stream(question: str) -> str:
    """Handle one customer message, printing what the model says; returns the closing sentence.

    Raises RefundMismatch when the audit at the end finds another refund than the policy allows.
    """
    client = Anthropic()
    messages: list[Any] = [{"role": "user", "content": question}]
    done: list[dict[str, Any]] = []
    for _ in range(MAX_TURNS):
        with client.messages.stream(
            model=MODEL, max_tokens=1024, system=PROMPT, messages=messages, tools=OFFERED
        ) as stream:
            for text in stream.text_stream:
                print(text, end="", flush=True)
            message = stream.get_final_message()
        print()
        messages.append({"role": "assistant", "content": message.content})
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            audit(done)
            return "".join(block.text for block in message.content if block.type == "text")
        results = []
        for call in calls:
            arguments: dict[str, Any] = call.input
            if call.name == "issue_refund":
                tracer.note(
                    f"refund, because {arguments.get('reason')}",
                    confidence=arguments.get("confidence"),
                )
            result = use_tool(call.name, arguments)
            done.append({"tool": call.name, "arguments": arguments, "result": result})
            results.append(
                {"type": "tool_result", "tool_use_id": call.id, "content": json.dumps(result)}
            )
        messages.append({"role": "user", "content": results})
    raise RuntimeError(f"no end after {MAX_TURNS} model calls")


if __name__ == "__main__":
    with local_models():
        support_agent_stream(" ".join(sys.argv[1:]) or QUESTION)
