"""Fingerprints of calls: what a step asked, from what is known when it asks.

One place for recording and re-execution, so that both hash the same thing. Hosts are no part of a
model call's identity: a re-execution may have another base URL, or none. The model is, also where
only the path names it.
"""

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from tracer.capture import redact
from tracer.capture.boundary import Call, Document
from tracer.capture.redaction import names_of
from tracer.capture.secrets import Secrets
from tracer.capture.values import Encoded
from tracer.core.chain import BodySplitter, SplitBody, whole
from tracer.core.fingerprint import (
    MEANINGFUL_HEADERS,
    canonical_document,
    fingerprint,
)
from tracer.providers import model_in_path
from tracer.providers.base import HttpRequest

MESSAGES_KEY = "messages"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def without_secrets(call: Call, secrets: Secrets) -> Call:
    """The call as it may be stored, and as it is identified: the same object where it holds no
    secret. A re-execution has another key, or none."""
    if call.request is not None:
        request = _request(call, call.request, secrets)
        return call if request is call.request else replace(call, request=request)
    if call.document is not None:
        given = bytes(call.document)
        document = secrets.bodies.clean(given, MESSAGES_KEY)
        return call if document is given else replace(call, document=Document.of(document))
    if call.kind == "note":
        call = _named(call, secrets.text(call.name, "note"))
    if call.input is not None:
        place = "note" if call.kind == "note" else "arguments"
        made = secrets.clean(call.input, place, names_of(call.name))
        if made is not call.input:
            return replace(call, given=Encoded(made, "exact"))
    return call


def _named(call: Call, name: str) -> Call:
    return call if name == call.name else replace(call, name=name)


def _request(call: Call, request: HttpRequest, secrets: Secrets) -> HttpRequest:
    redact.headers(request.headers)
    url = secrets.plain(redact.url(request.url))
    if call.api is None:
        redact.credentials(request.url, (request.body,))
        body = secrets.clean(request.body, "request")
    else:
        body = secrets.bodies.clean(request.body, call.api.array_key)
    if url == request.url and body is request.body:
        return request
    return replace(request, url=url, body=body)


def split(call: Call, splitter: BodySplitter) -> SplitBody | None:
    """The body of a model call or request, split at its messages; None for functions."""
    if call.request is not None:
        if call.api is None:
            return whole(call.request.body)
        return splitter.split(call.request.body, (call.api.array_key,))
    if call.document is not None:
        return splitter.split(bytes(call.document), (MESSAGES_KEY,))
    return None


def call_fingerprint(call: Call, body: SplitBody | None) -> str:
    """The fingerprint of a call whose body was split by `split`."""
    if body is None:
        asked = b"" if call.input is None else canonical_document(call.input)
        return fingerprint(call.kind, call.name, asked)
    if call.request is not None and call.api is not None and body.rest_canonical is not None:
        meaningful = _meaningful_headers(call.request)
        parts = (meaningful, body.rest_canonical, body.canonical)
        named = model_in_path(call.request.url)
        return fingerprint("model", call.api.name, *parts, *((named,) if named else ()))
    # Only a known provider's format has fields that don't matter; elsewhere everything does.
    content = _content(call, body)
    if call.request is None:
        return fingerprint("model", f"function {call.name}", content, body.canonical)
    name = call.api.name if call.api is not None else "http"
    return fingerprint(name, call.request.method, _place(call.request.url), content)


def _meaningful_headers(request: HttpRequest) -> str:
    found = ((name.lower(), value) for name, value in request.headers)
    return "\n".join(
        f"{name}:{value}" for name, value in sorted(found) if name in MEANINGFUL_HEADERS
    )


def _place(address: str) -> str:
    """Host, path and sorted query; of a host on this machine not the port, which often varies."""
    parts = urlsplit(redact.url(address))
    host = parts.hostname or ""
    where = "loopback" if host in _LOOPBACK else parts.netloc
    query = sorted(parse_qsl(parts.query, keep_blank_values=True))
    return f"{where}{parts.path}?{query}"


def _content(call: Call, body: SplitBody) -> bytes:
    """What is asked besides the messages: canonical JSON, or the raw bytes of anything else."""
    document = body.head + body.tail
    try:
        return canonical_document(document)
    except (ValueError, RecursionError):
        return _without_boundary(call, document)


def _without_boundary(call: Call, data: bytes) -> bytes:
    """A multipart body without its boundary, which is random; other bytes as they are."""
    if call.request is None:
        return data
    kind = next((v for n, v in call.request.headers if n.lower() == "content-type"), "")
    if kind.startswith("multipart/") and "boundary=" in kind:
        boundary = kind.split("boundary=", 1)[1].split(";")[0].strip('"')
        data = data.replace(boundary.encode(), b"boundary")
    return data
