"""What a program reports about itself to others: no work of its agent, so no step of its run.

Exporters send from threads of their own, whenever their time has come: recorded, no two runs of
the same program would be alike. While answers come from a recording they get an empty one.
"""

import re
from urllib.parse import urlsplit

from tracer.capture.boundary import HttpAnswer
from tracer.providers.base import HttpRequest

NOTED = HttpAnswer(200, (("content-type", "application/json"),), (b"{}",))
# OpenTelemetry over HTTP, OpenAI's and LangChain's tracing, Langfuse, Datadog, Sentry.
_PATHS = re.compile(
    r".*/v1/traces/ingest|(/api/v1)?/runs(/batch|/multipart|/[0-9a-f-]{36})?|/api/public/(ingestion"
    r"|otel/v1/traces)|/v0\.\d/(traces|stats)|/api/\d+/(envelope|store)/|/otel/v1/traces"
)
_OTLP = re.compile(r".*/v1/(traces|metrics|logs)")
_COUNTS = re.compile(
    r"(us|eu)\.i\.posthog\.com/(batch|capture|i/v0/e)/?|api\.segment\.io/v1/batch/?"
)
_LANGSMITH = re.compile(r"(.*\.)?smith\.langchain\.com")


def is_telemetry(asked: HttpRequest) -> bool:
    """Whether a request that asks no model carries traces, metrics or usage counts."""
    if asked.method not in ("POST", "PATCH", "PUT"):
        return False
    parts = urlsplit(asked.url)
    host, path = parts.hostname or "", parts.path
    if _COUNTS.fullmatch(host + path):
        return True
    if _OTLP.fullmatch(path):
        return _type_of(asked).startswith("application/x-protobuf") or b'"resource' in asked.body
    found = _PATHS.fullmatch(path)
    # Others have a path /runs too.
    return found is not None and ("/runs" not in path or _is_langsmith(host, asked))


def _is_langsmith(host: str, asked: HttpRequest) -> bool:
    return _LANGSMITH.fullmatch(host) is not None or any(
        "langsmith" in value.lower()
        for name, value in asked.headers
        if name.lower() == "user-agent"
    )


def _type_of(asked: HttpRequest) -> str:
    return next((v for n, v in asked.headers if n.lower() == "content-type"), "").lower()
