"""Images, sounds and files inside messages: OpenTelemetry's `blob`, `uri` and `file` parts."""

import re
from typing import Any

from tracer.core.messages import Part
from tracer.providers.jsontext import JsonObject
from tracer.providers.wire import make_part

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*);base64,")


def modality_of(mime_type: str, default: str = "document") -> str:
    """The modality of a media type: its main type where that says it (image, audio, video)."""
    main = mime_type.partition("/")[0]
    return main if main in ("image", "audio", "video") else default


def blob(mime_type: str, data: str, modality: str, extras: JsonObject) -> Part:
    """A part that holds its bytes, `data` in base64."""
    return make_part("blob", extras, mime_type=mime_type, modality=modality, content=data)


def from_url(url: Any, modality: str, extras: JsonObject) -> Part | None:
    """A `uri` part, or a `blob` for a data URL; None when `url` is no text."""
    if not isinstance(url, str):
        return None
    match = _DATA_URL.match(url)
    if match is None:
        return make_part("uri", extras, modality=modality, uri=url)
    mime_type = match.group(1) or "text/plain"
    return blob(mime_type, url[match.end() :], modality_of(mime_type, modality), extras)


def from_file_id(file_id: Any, modality: str, extras: JsonObject) -> Part | None:
    """A `file` part for something uploaded before; None when `file_id` is no text."""
    if not isinstance(file_id, str):
        return None
    return make_part("file", extras, modality=modality, file_id=file_id)
