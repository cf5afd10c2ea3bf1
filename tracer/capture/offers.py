"""Which tools a model call offers, read from what it sends."""

from tracer import providers
from tracer.capture.boundary import Call
from tracer.providers.base import HttpRequest

FUNCTION_API = "openai.chat"  # model functions speak its message shape, by custom


def tools_of(call: Call) -> list[str]:
    """The names of the tools a model call offers. Never raises."""
    if call.request is not None and call.api is not None:
        asked = call.api.read_request(call.request)
    elif call.document is not None:
        asked = providers.api_named(FUNCTION_API).read_request(
            HttpRequest("POST", "", (), bytes(call.document))
        )
    else:
        return []
    return [str(tool.get("name")) for tool in asked.tools]
