"""A support agent in plain `openai` idiom: look the order up, check the policy, refund, e-mail.

    tracer run -m tracer.demo.support_agent ["Order A-1042 ..."]

It talks to OPENAI_BASE_URL with OPENAI_API_KEY; with neither set it starts a local model server,
whose answer to the default question goes wrong early: the run ends in RefundMismatch.
"""

import json
import sys
from typing import Any

from openai import OpenAI

import tracer
from tracer.demo.local_models import local_models
from tracer.demo.shop import QUESTION, SYSTEM
from tracer.demo.support_tools import TOOLS, audit, use_tool
from tracer.demo.tool_schema import openai_tools

MODEL = "gpt-4o-mini"
MAX_TURNS = 12
OFFERED = openai_tools(TOOLS)


@tracer.agent
def support_agent(question: str) -> str:
    """Handle one customer message; returns the closing sentence.

    Raises RefundMismatch when the audit at the end finds another refund than the policy allows.
    """
    client = OpenAI()
    messages: list[Any] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question},
    ]
    done: list[dict[str, Any]] = []
    for _ in range(MAX_TURNS):
        reply = client.chat.completions.create(model=MODEL, messages=messages, tools=OFFERED)
        message = reply.choices[0].message
        messages.append(message)
        if not message.tool_calls:
            audit(done)
            return message.content or ""
        for call in message.tool_calls:
            if call.type != "function":
                raise ValueError(f"the model asked for a tool of type {call.type!r}")
            arguments = json.loads(call.function.arguments)
            if call.function.name == "issue_refund":
                tracer.note(
                    f"refund, because {arguments.get('reason')}",
                    confidence=arguments.get("confidence"),
                )
            result = use_tool(call.function.name, arguments)
            done.append({"tool": call.function.name, "arguments": arguments, "result": result})
            messages.append(
                {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}
            )
    raise RuntimeError(f"no end after {MAX_TURNS} model calls")


if __name__ == "__main__":
    with local_models():
        print(support_agent(" ".join(sys.argv[1:]) or QUESTION))
