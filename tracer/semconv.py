"""Attribute names of the OpenTelemetry GenAI conventions, and our own. Imports nothing.

The only file that spells them: the Python package marks every `gen_ai.*` constant deprecated,
because the conventions moved to the semantic-conventions-genai repository. Names as of its
commit 32c328e (read 2026-11-22), all of status Development.
"""

OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
AGENT_NAME = "gen_ai.agent.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
ERROR_TYPE = "error.type"

# As others say what a span is: OpenInference, and OpenLLMetry.
OPENINFERENCE_KIND = "openinference.span.kind"
OPENINFERENCE_TOOL = "tool.name"
OPENINFERENCE_AGENT = "agent.name"
OPENLLMETRY_KIND = "llm.request.type"

TRACER_RUN_ID = "tracer.run.id"
TRACER_STEP_ID = "tracer.step.id"
TRACER_STEP_NUMBER = "tracer.step.number"
TRACER_STEP_KIND = "tracer.step.kind"
TRACER_SOURCE = "tracer.step.source"
