"""What a program reports about itself to others: no work of its agent, so no step of its run.

Exporters send from threads of their own, whenever their time has come: recorded, no two runs of
the same program would be alike. While answers come from a recording they get an empty one. A path
alone is no proof, for an agent's own service may have the same: the sender's mark must be there.
"""

import re
from urllib.parse import urlsplit

from tracer.capture.boundary import HttpAnswer
from tracer.providers.base import HttpRequest

NOTED = HttpAnswer(200, (("content-type", "application/json"),), (b"{}",))
_OTLP = re.compile(r".*/v1/(traces|metrics|logs)")
_RESOURCES = (b'"resourceSpans"', b'"resourceMetrics"', b'"resourceLogs"')
_COUNTS = re.compile(
    r"(us|eu)\.i\.posthog\.com/(batch|capture|i/v0/e)/?|api\.segment\.io/v1/batch/?"
)
_LANGSMITH = re.compile(r"(.*\.)?smith\.langchain\.com")
_RUNS = re.compile(r"(/api/v1)?/runs(/batch|/multipart|/[0-9a-f-]{36})?")
# Path, and the header that its own client sends: OpenAI's tracing, Langfuse, Datadog, Sentry.
_MARKED = tuple(
    (re.compile(path), re.compile(header))
    for path, header in (
        (r".*/v1/traces/ingest", r"openai-beta: .*traces="),
        (r"/api/public/ingestion", r"x[-_]langfuse[-_]"),
        (r"/v0\.\d/(traces|stats)", r"datadog-meta-lang: "),
        (r"/api/\d+/(envelope|store)/", r"x-sentry-auth: |content-type: application/x-sentry-"),
    )
)


def is_telemetry(asked: HttpRequest) -> bool:
    """Whether a request that asks no model carries traces, metrics or usage counts."""
    if asked.method not in ("POST", "PATCH", "PUT"):
        return False
    parts = urlsplit(asked.url)
    host, path = parts.hostname or "", parts.path
    if _COUNTS.fullmatch(host + path):
        return True
    if _OTLP.fullmatch(path):
        is_binary = _has(asked, re.compile(r"content-type: application/x-protobuf"))
        return is_binary or any(word in asked.body for word in _RESOURCES)
    if _RUNS.fullmatch(path):
        by_its_client = _has(asked, re.compile(r"user-agent: .*langsmith"))
        return by_its_client or _LANGSMITH.fullmatch(host) is not None
    return any(where.fullmatch(path) and _has(asked, mark) for where, mark in _MARKED)


def _has(asked: HttpRequest, mark: re.Pattern[str]) -> bool:
    return any(mark.match(f"{name}: {value}".lower()) for name, value in asked.headers)
