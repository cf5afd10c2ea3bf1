"""boto3 for Bedrock: Converse and invoke, whole and streamed, botocore's retry, three threads."""

import asyncio
import json
import os

import boto3
from evening_tools import AT_ONCE, BUSY, EVENING, ONE, SCHEMAS, TOOLS, TWO, run

MODEL = "us.anthropic.claude-haiku-4-5-v1:0"
OFFERED = {
    "tools": [
        {
            "toolSpec": {
                "name": name,
                "description": TOOLS[name].__doc__,
                "inputSchema": {"json": SCHEMAS[name]},
            }
        }
        for name in TOOLS
    ]
}


def asked(words):
    return {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": words}]}]}


def body(words):
    messages = [{"role": "user", "content": words}]
    value = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": messages}
    return {"modelId": MODEL, "body": json.dumps(value)}


def loop(client):
    wanted = asked(EVENING)
    while True:
        said = client.converse(**wanted, toolConfig=OFFERED)["output"]["message"]
        wanted["messages"].append(said)
        uses = [block["toolUse"] for block in said["content"] if "toolUse" in block]
        if not uses:
            return said["content"][0]["text"]
        results = [
            {
                "toolResult": {
                    "toolUseId": use["toolUseId"],
                    "content": [{"json": run(use["name"], use["input"])}],
                }
            }
            for use in uses
        ]
        wanted["messages"].append({"role": "user", "content": results})


def whole(client, words):
    return client.converse(**asked(words))["output"]["message"]["content"][0]["text"]


def streamed(client, words):
    events = client.converse_stream(**asked(words))["stream"]
    deltas = [
        event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event
    ]
    return "".join(delta["text"] for delta in deltas)


def invoked(client, words):
    reply = json.loads(client.invoke_model(**body(words))["body"].read())
    return reply["content"][0]["text"]


def invoked_in_pieces(client, words):
    pieces = client.invoke_model_with_response_stream(**body(words))["body"]
    events = [json.loads(piece["chunk"]["bytes"]) for piece in pieces]
    return "".join(event.get("delta", {}).get("text", "") for event in events)


def main():
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=os.environ["MODEL_SERVER"],
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="none",
    )
    print(loop(client))
    print(whole(client, ONE), "/", invoked(client, ONE))
    print(streamed(client, TWO), "/", invoked_in_pieces(client, TWO))
    print(whole(client, BUSY))
    print(asyncio.run(at_once(client)))


async def at_once(client):
    first, second, third = AT_ONCE
    return await asyncio.gather(
        asyncio.to_thread(whole, client, first),
        asyncio.to_thread(streamed, client, second),
        asyncio.to_thread(invoked, client, third),
    )


if __name__ == "__main__":
    main()
