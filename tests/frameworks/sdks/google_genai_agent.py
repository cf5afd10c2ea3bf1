"""google-genai: loop with tools, whole and streamed answers, a refusal, three at once."""

import asyncio
import os

from evening_tools import AT_ONCE, BUSY, EVENING, ONE, SCHEMAS, TOOLS, TWO, run
from google import genai
from google.genai import errors, types

MODEL = "gemini-2.5-flash"
OFFERED = types.GenerateContentConfig(
    tools=[
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(
                    name=name, description=TOOLS[name].__doc__, parameters=SCHEMAS[name]
                )
                for name in TOOLS
            ]
        )
    ]
)


def loop(models):
    contents = [types.Content(role="user", parts=[types.Part(text=EVENING)])]
    while True:
        reply = models.generate_content(model=MODEL, contents=contents, config=OFFERED)
        contents.append(reply.candidates[0].content)
        calls = reply.function_calls
        if not calls:
            return reply.text
        parts = [
            types.Part.from_function_response(name=call.name, response=run(call.name, call.args))
            for call in calls
        ]
        contents.append(types.Content(role="user", parts=parts))


def main():
    options = types.HttpOptions(base_url=os.environ["MODEL_SERVER"])
    client = genai.Client(api_key="local", http_options=options)
    models = client.models
    print(loop(models))
    print(models.generate_content(model=MODEL, contents=ONE).text)
    pieces = models.generate_content_stream(model=MODEL, contents=TWO)
    print("".join(piece.text or "" for piece in pieces))
    try:
        models.generate_content(model=MODEL, contents=BUSY)
    except errors.ClientError as error:
        print(error.code, models.generate_content(model=MODEL, contents=BUSY).text)
    print(asyncio.run(at_once(client.aio)))


async def at_once(client):
    first, second, third = AT_ONCE

    async def whole(words):
        return (await client.models.generate_content(model=MODEL, contents=words)).text

    async def streamed(words):
        pieces = await client.models.generate_content_stream(model=MODEL, contents=words)
        return "".join([piece.text or "" async for piece in pieces])

    return await asyncio.gather(whole(first), streamed(second), whole(third))


if __name__ == "__main__":
    main()
