"""The tools of every SDK's agent, plain functions, and the questions it asks besides."""

import json
import os

EVENING = "Plan an evening in Berlin or Paris."
ONE, TWO = "Say: one whole answer", "Say: two, piece by piece"
BUSY = "Say: three, after the busy hour"
AT_ONCE = ("Say: four at once", "Say: five at once, piece by piece", "Say: six at once")


def get_weather(city):
    """The weather in a city."""
    return f"sunny in {city}"


def book_table(city, people):
    """Book a table."""
    with open(os.environ["LEDGER"], "a") as ledger:
        print("booked", city, people, file=ledger)
    return {"ref": "T-7", "city": city, "people": people}


def cancel_table(ref):
    """Cancel a table."""
    raise ValueError(f"too late to cancel {ref}")


TOOLS = {tool.__name__: tool for tool in (get_weather, book_table, cancel_table)}
_KINDS = {"city": "string", "people": "integer", "ref": "string"}
SCHEMAS = {
    name: {
        "type": "object",
        "properties": {word: {"type": _KINDS[word]} for word in words},
        "required": list(words),
    }
    for name, words in (
        ("get_weather", ("city",)),
        ("book_table", ("city", "people")),
        ("cancel_table", ("ref",)),
    )
}


def run(name, arguments):
    """Do what the model asks; what it is told is an object."""
    try:
        return {"result": TOOLS[name](**arguments)}
    except ValueError as error:
        return {"error": str(error)}


def openai_tools():
    """The tools as Chat Completions and its relatives want them."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": TOOLS[name].__doc__,
                "parameters": SCHEMAS[name],
            },
        }
        for name in TOOLS
    ]


def openai_loop(ask):
    """The loop around `ask(messages)`, which gives a message of Chat Completions as a dict."""
    messages = [{"role": "user", "content": EVENING}]
    while True:
        said = ask(messages)
        messages.append(said)
        if not said.get("tool_calls"):
            return said["content"]
        for call in said["tool_calls"]:
            function = call["function"]
            given = function["arguments"]
            result = run(function["name"], json.loads(given) if isinstance(given, str) else given)
            messages.append(
                {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)}
            )
