"""The demo model: a pure function of the conversation that plays the part the tools call for."""

from tracer.demo import brain_support, brain_team
from tracer.demo.conversation import Answer, Brain, Conversation

# The first tool of this list that a request offers decides the part.
PARTS: tuple[tuple[str, Brain], ...] = (
    ("check_policy", brain_support.answer),
    ("submit_plan", brain_team.plan),
    ("read_invoice", brain_team.read),
    ("fx_rate", brain_team.verify),
)


def answer(conversation: Conversation) -> Answer:
    """The next assistant message; unknown conversations get a plain text."""
    for tool, part in PARTS:
        if tool in conversation.tools:
            return part(conversation)
    asked = conversation.users[-1] if conversation.users else ""
    quoted = f' You wrote: "{asked[:120]}"' if asked else ""
    return Answer(
        "I am the demo model of tracer. I can play a shop's support agent and a team that adds up "
        f"hotel invoices; for anything else please set a real model's base URL and key.{quoted}"
    )
