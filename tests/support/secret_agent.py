"""A program that lets a secret slip at every place there is; its secrets are in its environment
as one JSON object, so that not even its source holds them."""

import json

PROGRAM = """
import base64, json, os, subprocess, sys
import httpx, openai
import tracer
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

S = json.loads(open("secrets.json").read())
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=open("spans", "w"))))
trace.set_tracer_provider(provider)
BASE = os.environ["BASE"]

@tracer.tool(redact=("card_number", "customer.pin", "result.receipt"))
def charge(card_number, customer, memo):
    return {"receipt": S["receipt"], "memo": memo, "key": S["openai"].encode()}

@tracer.tool
def lookup(order):
    raise KeyError(f"no {S['github']} in {order}")

@tracer.step
def shape(profile):
    return {"ssn": profile["ssn"], "text": json.dumps({"password": S["password"]})}

@tracer.agent
def agent(task):
    key = {"authorization": "Bearer " + S["bearer"], "x-trace": S["slack"]}
    httpx.get(f"{BASE}/plain?key={S['query']}", headers=key, cookies={"session": S["cookie"]})
    client = openai.OpenAI(base_url=f"{BASE}/v1", api_key=S["bearer"], max_retries=0)
    text = base64.b64encode(f"the key is {S['stripe']}".encode()).decode()
    messages = [
        {"role": "system", "content": f"AWS {S['aws']} and {S['pem']}"},
        {"role": "user", "content": [
            {"type": "text", "text": f"my badge is {S['badge']}, {S['jwt']}"},
            {"type": "file", "file": {"file_data": "data:text/plain;base64," + text}},
        ]},
    ]
    said, arguments = "", ""
    for chunk in client.chat.completions.create(model="m", messages=messages, stream=True):
        for choice in chunk.choices:
            said += choice.delta.content or ""
            for call in choice.delta.tool_calls or ():
                arguments += call.function.arguments or ""
    given = json.loads(arguments)
    tracer.note(f"the model said {said}", card=given["card_number"], url=S["url"])
    paid = charge(**given)
    try:
        lookup("ORD-1")
    except KeyError as error:
        said += str(error)
    shape({"ssn": S["ssn"], "name": "Ana"})
    subprocess.run(["echo", S["github"]], capture_output=True)
    call = {"id": "c1", "type": "function", "function": {"name": "charge", "arguments": arguments}}
    messages += [
        {"role": "assistant", "content": said, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": f"paid {paid['receipt']}"},
    ]
    reply = client.chat.completions.create(model="m", messages=messages)
    print("said", reply.choices[0].message.content)
    return f"{reply.choices[0].message.content} for {given['card_number']}"

print(agent(f"pay with {S['badge']}, {S['openai']}"))
raise SystemExit(f"done with {S['github']}")
"""
RULES = """
import re

def hide(text, place):
    return re.sub(r"BADGE-[0-9]+", "BADGE-#", text)
"""
# Made up, in published forms; in two pieces, so that no scanner of this repository stumbles.
SECRETS = {
    "bearer": "sk-proj-" + "Zx81hQp0TeStKeyAbCdEf0123456789",
    "query": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "cookie": "8f14e45fceea167a5a36dedd4bea2543",
    "slack": "xoxb-" + "123456789012-abcdefghij",
    "stripe": "sk_live_" + "Abcdefghij0123456789",
    "aws": "AKIA" + "ABCDEFGHIJKLMNOP",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc+/=\nxyz=\n-----END RSA PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N",
    "github": "ghp_" + "a1B2" * 9,
    "openai": "sk-ant-api03-" + "Abcdefghij0123456789-_",
    "password": "hunter2-and-more",
    "url": "postgres://ana:" + "s3cretpass@db/shop",
    "card": "4111222233334444",
    "pin": "7391",
    "receipt": "RCPT-99-ZZZ",
    "badge": "BADGE-20771",
    "ssn": "078-05-1120",
}
WORDS = {name: text.encode() for name, text in SECRETS.items()} | {
    "url": b"s3cretpass",
    "pem": b"MIIEabc",
    "pin": b'"7391"',
}


def said_by_model() -> tuple[str, str]:
    """What the model says first: words with a key in it, and the arguments of a call."""
    arguments = {
        "card_number": SECRETS["card"],
        "customer": {"name": "Ana", "pin": SECRETS["pin"]},
        "memo": f"key {SECRETS['openai']}",
    }
    return f"I use {SECRETS['github']} now", json.dumps(arguments)
