"""Whether an active span of an instrumentation's says what a step of ours would say.

Read as OpenTelemetry's GenAI conventions, OpenInference and OpenLLMetry write it, from what the
span has at its start.
"""

from collections.abc import Mapping
from typing import Any

from tracer import semconv
from tracer.capture.boundary import Call

NAME = "tracer"  # our instrumentation scope
_MODEL = ("chat", "generate_content", "text_completion", "embeddings")
_KINDS = ("chat", "completion", "embedding", "rerank")  # OpenLLMetry's


def says_the_same(span: Any, call: Call) -> bool:
    """Whether the call needs no span of its own. A span of ours never says so: each is one step.

    A model call's span holds all its attempts, so several steps may join it, one after the other.
    """
    found = getattr(span, "attributes", None)
    if not isinstance(found, Mapping) or not span.is_recording() or _is_ours(span):
        return False
    if semconv.TRACER_STEP_ID in found and call.kind != "model":
        return False
    kind, operation = found.get(semconv.OPENINFERENCE_KIND), found.get(semconv.OPERATION_NAME)
    if call.kind == "model":
        asks = kind in ("LLM", "EMBEDDING") or operation in _MODEL
        return asks or found.get(semconv.OPENLLMETRY_KIND) in _KINDS
    if call.kind == "tool":
        names = (found.get(semconv.TOOL_NAME), found.get(semconv.OPENINFERENCE_TOOL))
        return call.name in names and (kind == "TOOL" or operation == "execute_tool")
    if call.kind == "agent":
        names = (found.get(semconv.AGENT_NAME), found.get(semconv.OPENINFERENCE_AGENT))
        return call.name in names and (kind == "AGENT" or operation == "invoke_agent")
    return False


def _is_ours(span: Any) -> bool:
    return getattr(getattr(span, "instrumentation_scope", None), "name", None) == NAME
