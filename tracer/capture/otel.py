"""OpenTelemetry: every step is also a real span for whoever listens.

tracer's record does not depend on it. Spans are made only when somebody could receive them: the
user's own tracer provider, or an OTLP endpoint given to `tracer.init`. Sampling, switches and
exporters then apply to the spans, never to the record. Where a span of an instrumentation's is
active that says what the step would say, the step joins that and makes none (`otel_joining`).
"""

import json
import os
import sys
from importlib import import_module
from typing import Any

from tracer import semconv
from tracer.capture import config, secrets
from tracer.capture.boundary import Call, End, OpenStep
from tracer.capture.encoding import decode_chunks
from tracer.capture.guard import report, swallow
from tracer.capture.otel_joining import NAME, says_the_same
from tracer.capture.readings import read_function_result
from tracer.capture.redaction import names_of
from tracer.capture.values import plain
from tracer.core.messages import Message
from tracer.core.records import Usage
from tracer.providers import provider_name
from tracer.providers.base import HttpReply

_own_provider: Any = None
_STEP = "tracer-step"  # in OpenTelemetry's context: the step whose span was attached last
_CONTENT = ("span_only", "span_and_event", "true", "1")


def _listener() -> Any:
    """The tracer provider that spans go to; None when nobody listens."""
    endpoint = config.get().otlp
    if endpoint:
        return _provider_for(endpoint)
    api = sys.modules.get("opentelemetry.trace")
    if api is None:  # not even imported, so nobody has set a provider
        return None
    provider = api.get_tracer_provider()
    # The default is a proxy or no-op that hands out spans nobody gets.
    if type(provider).__name__ in ("ProxyTracerProvider", "NoOpTracerProvider"):
        return None
    return provider


def _provider_for(endpoint: str) -> Any:
    global _own_provider
    if _own_provider is None:
        # Only who asks for OTLP export pays for loading the SDK and its exporter.
        exporter = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        sdk = import_module("opentelemetry.sdk.trace")
        batches = import_module("opentelemetry.sdk.trace.export").BatchSpanProcessor
        _own_provider = sdk.TracerProvider()
        _own_provider.add_span_processor(batches(exporter.OTLPSpanExporter(endpoint)))
    return _own_provider


class Bridge:
    """Makes a span of each step of one run, as soon as the program has a tracer provider."""

    def __init__(self) -> None:
        self._trace: Any = None
        self._context: Any = None
        self._tracer: Any = None
        self._spans: dict[str, Any] = {}
        self._joined: set[str] = set()  # steps whose span is somebody else's
        self._before: dict[str, Any] = {}

    def _listens(self) -> bool:
        """Programs set their provider when they are running already, so every step looks."""
        if self._tracer is None:
            provider = _listener()
            if provider is None:
                return False
            from opentelemetry import context, trace  # loaded: a provider exists

            self._trace, self._context = trace, context
            self._tracer = provider.get_tracer(NAME)
        return True

    @swallow(None)
    def started(self, step: OpenStep) -> None:
        """Start the step's span, or join the active one that says the same.

        It stands in the innermost active span that began within its parent step, else in that
        step's; the outermost in the user's current one.
        """
        if not self._listens():
            return
        parent = self._spans.get(step.parent or "")
        is_inside = parent is None or self._context.get_value(_STEP) == step.parent
        around: Any = self._trace.get_current_span() if is_inside else parent
        attributes = {
            semconv.TRACER_RUN_ID: step.run.id,
            semconv.TRACER_STEP_ID: step.id,
            semconv.TRACER_STEP_NUMBER: step.n,
            semconv.TRACER_STEP_KIND: step.call.kind,
            semconv.TRACER_SOURCE: step.decision.source,
        }
        if is_inside and says_the_same(around, step.call):
            around.set_attributes(attributes)
            step.span = self._spans[step.id] = around
            self._joined.add(step.id)
            return
        operation, name = _operation(step)
        kind = self._trace.SpanKind
        step.span = self._spans[step.id] = self._tracer.start_span(
            secrets.of_run(step.run.id).plain(name),
            context=self._trace.set_span_in_context(around),
            kind=kind.CLIENT if step.call.request is not None else kind.INTERNAL,
            start_time=step.started_ns,
            attributes={
                **attributes,
                **({semconv.OPERATION_NAME: operation} if operation else {}),
                **_start_attributes(step),
            },
        )

    @swallow(None)
    def ended(self, step: OpenStep, end: End) -> None:
        """End the span with what the step came to."""
        span = step.span
        self._spans.pop(step.id, None)
        if step.id in self._joined:
            self._joined.discard(step.id)
            return
        try:
            if span.is_recording():
                if _waits():
                    span.set_attributes(_content(step, step.kept))
                _set_end(span, step, end, self._trace)
        except Exception as error:
            report("span attributes", error)
        span.end(end_time=end.ended_ns)

    @swallow(None)
    def attach(self, step: OpenStep) -> None:
        """Make the span current, so that the user's own spans nest in it."""
        # The context is kept, not a token, which complains where a generator ends in another one.
        self._before[step.id] = self._context.get_current()
        inside = self._trace.set_span_in_context(step.span)
        self._context.attach(self._context.set_value(_STEP, step.id, inside))

    @swallow(None)
    def detach(self, step: OpenStep) -> None:
        before = self._before.pop(step.id, None)
        if before is not None and self._context.get_value(_STEP) == step.id:
            self._context.attach(before)


def _operation(step: OpenStep) -> tuple[str | None, str]:
    call = step.call
    if call.kind == "agent":
        return "invoke_agent", f"invoke_agent {call.name}"
    if call.kind == "tool":
        return "execute_tool", f"execute_tool {call.name}"
    if call.kind == "model":
        model = _asked_model(step)
        operation = "chat" if call.api is None else call.api.operation
        return operation, f"{operation} {model}" if model else operation
    return None, call.name


def _asked_model(step: OpenStep) -> str | None:
    call = step.call
    if call.api is None or call.request is None:
        return None
    return call.api.read_request(call.request).model


def _start_attributes(step: OpenStep) -> dict[str, Any]:
    call = step.call
    content = {} if _waits() else _content(step, call)
    if call.kind == "agent":
        return {semconv.AGENT_NAME: call.name}
    if call.kind == "tool":
        return {semconv.TOOL_NAME: call.name, **content}
    if call.api is None or call.request is None:
        return {}
    found: dict[str, Any] = {
        semconv.PROVIDER_NAME: provider_name(call.api, call.request.url),
        **content,
    }
    model = _asked_model(step)
    return found | {semconv.REQUEST_MODEL: model} if model else found


def _content(step: OpenStep, call: Call | None) -> dict[str, Any]:
    """What a tool or model was given, where spans carry it."""
    if not captures_content() or call is None:
        return {}
    if call.kind == "tool" and call.input is not None:
        return {semconv.TOOL_ARGUMENTS: _text(step, plain(call.input))}
    if call.api is None or call.request is None:
        return {}
    asked = call.api.read_request(call.request)
    return {semconv.INPUT_MESSAGES: _text(step, asked.messages)}


def _waits() -> bool:
    """Whether content has to pass a function of the user's first, which the writer's thread calls:
    spans then get what that has made of it by the end of the step."""
    return bool(config.get().redact.calls)


def captures_content() -> bool:
    """Whether spans carry message content: OpenTelemetry's own switch, off by default."""
    setting = os.environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "")
    return setting.lower() in _CONTENT


def _set_end(span: Any, step: OpenStep, end: End, trace: Any) -> None:
    call = step.call
    record = step.record
    if end.error is not None:
        span.set_attribute(semconv.ERROR_TYPE, end.error.type)
        _set_failed(span, step, end.error.message, trace)
    if call.kind == "tool" and end.value is not None and captures_content():
        value = end.value if not _waits() else getattr(record and record.output, "data", None)
        if value is not None:
            span.set_attribute(semconv.TOOL_RESULT, _text(step, plain(value)))
    if call.kind != "model":
        return
    if end.reply is not None and call.api is not None and call.request is not None:
        chunks, headers = decode_chunks(end.reply.chunks, end.reply.headers)
        reply = HttpReply(end.reply.status, headers, b"".join(chunks))
        said = call.api.read_reply(call.request, reply)
        _set_reply(span, step, said.messages, said.usage, said.model)
        if said.finish_reasons:
            span.set_attribute(semconv.FINISH_REASONS, said.finish_reasons)
        if said.response_id:
            span.set_attribute(semconv.RESPONSE_ID, said.response_id)
        if said.error is not None and end.error is None:
            span.set_attribute(semconv.ERROR_TYPE, said.error.type)
            _set_failed(span, step, said.error.message, trace)
    elif end.value is not None:
        _set_reply(span, step, *read_function_result(plain(end.value)))


def _set_failed(span: Any, step: OpenStep, message: str, trace: Any) -> None:
    # Providers quote the key that they refuse.
    if not _waits():
        message = secrets.of_run(step.run.id).text(message, "error")
    else:
        error = step.record and step.record.error
        message = error.message if error else ""
    span.set_status(trace.Status(trace.StatusCode.ERROR, message))


def _set_reply(
    span: Any, step: OpenStep, messages: list[Message], usage: Usage | None, model: str | None
) -> None:
    if model:
        span.set_attribute(semconv.RESPONSE_MODEL, model)
    if messages and captures_content() and not _waits():
        span.set_attribute(semconv.OUTPUT_MESSAGES, _text(step, messages))
    elif captures_content() and step.record and step.record.output_messages:
        said = json.loads(step.record.output_messages)
        span.set_attribute(semconv.OUTPUT_MESSAGES, json.dumps(said, ensure_ascii=False))
    if usage is None:
        return
    for name, count in (
        (semconv.INPUT_TOKENS, usage.input_tokens),
        (semconv.OUTPUT_TOKENS, usage.output_tokens),
        (semconv.CACHE_READ_TOKENS, usage.cached_input_tokens),
        (semconv.CACHE_WRITE_TOKENS, usage.cache_write_tokens),
        (semconv.REASONING_TOKENS, usage.reasoning_tokens),
    ):
        if count is not None:
            span.set_attribute(name, count)


def _text(step: OpenStep, value: Any) -> str:
    """JSON as an attribute, without secrets: a span leaves this machine."""
    data = json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
    if not _waits():
        data = secrets.of_run(step.run.id).clean(data, "span", names_of(step.call.name))
    return data.decode("utf-8", "replace")
