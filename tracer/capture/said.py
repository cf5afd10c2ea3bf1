"""What a program prints, logs or has in variables, without the fields that the user named.

Documents are looked through field by field elsewhere; this is text, in which a field stands as
JSON, as Python prints a dict or an object, or as `name=value`.
"""

import re
from functools import lru_cache
from typing import Any

from tracer.capture import config
from tracer.capture.secrets import Secrets


def without_named(value: Any, known: Secrets) -> Any:
    """JSON data with the values of named fields in its texts replaced by marks, and remembered."""
    fields = config.get().redact.fields
    return value if not fields else _clean(value, _pattern(fields), known)


@lru_cache(maxsize=20)
def _pattern(fields: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(map(re.escape, fields))
    return re.compile(
        rf"""(?P<head>(?P<q>\\?["']?)(?<!\w)(?:{names})(?!\w)(?P=q)\s*[:=]\s*)"""
        r"""(?:(?P<open>\\?["'])(?P<text>.*?)(?<!\\)(?P=open)|(?P<word>[^\s"',;)}\]]+))""",
        re.I | re.S,
    )


def _clean(value: Any, pattern: re.Pattern[str], known: Secrets) -> Any:
    if isinstance(value, str):
        return pattern.sub(lambda match: _marked(match, known), value)
    if isinstance(value, dict):
        return {key: _clean(item, pattern, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, pattern, known) for item in value]
    return value


def _marked(match: re.Match[str], known: Secrets) -> str:
    secret = match["word"] if match["text"] is None else match["text"]
    if not secret or "[redacted" in secret:
        return match[0]
    known.remember(secret)
    quote = match["open"] or ""
    return f"{match['head']}{quote}{known.mark(secret)}{quote}"
