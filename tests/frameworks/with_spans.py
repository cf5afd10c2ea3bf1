"""Runs an agent as somebody does who sends spans: `with_spans.py INSTRUMENTATION AGENT`.

The spans go to the file that SPANS names, one JSON object a line.
"""

import json
import os
import runpy
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

# Module, class and method that switch an instrumentation on; frameworks that make spans of their
# own need none.
SWITCHES = {
    "openinference": ("openinference.instrumentation.openai", "OpenAIInstrumentor", "instrument"),
    "genai": ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor", "instrument"),
    "pydantic-ai": ("pydantic_ai", "Agent", "instrument_all"),
    "own": None,
}


class ToFile(SpanExporter):
    """Keeps what a backend would be sent."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with open(os.environ["SPANS"], "a") as file:
            for span in spans:
                assert span.context is not None
                said = {
                    "name": span.name,
                    "id": span.context.span_id,
                    "parent": span.parent and span.parent.span_id,
                    "scope": span.instrumentation_scope and span.instrumentation_scope.name,
                    "attributes": dict(span.attributes or {}),
                }
                print(json.dumps(said, default=str), file=file)
        return SpanExportResult.SUCCESS


def main(instrumentation: str, agent: str) -> None:
    """Instrument, then be the agent."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ToFile()))
    trace.set_tracer_provider(provider)
    switch = SWITCHES[instrumentation]
    if switch is not None:
        module, name, method = switch
        switched = getattr(import_module(module), name)
        getattr(switched if method == "instrument_all" else switched(), method)()
    sys.path.insert(0, str(Path(agent).parent))
    sys.argv = [agent]
    runpy.run_path(agent, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
