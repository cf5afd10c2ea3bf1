"""The only door to tracer: every name the pages use, and the few readings made of them."""

import json
from typing import Any

from tracer.capture.values import plain as plain_value
from tracer.core.diff import json_changes, text_diff
from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Run, Step, Usage
from tracer.errors import (
    BadFileError,
    CannotReplayError,
    NotFoundError,
    StoreError,
    TracerError,
    UsageError,
)
from tracer.interchange.bundle import export_bundle, import_bundle
from tracer.interchange.compare import Comparison, compare
from tracer.interchange.run_json import asked, run_json, step_json, timestamp
from tracer.providers.base import HttpRequest, ModelRequest
from tracer.reexecution.checks import schema_problems
from tracer.reexecution.session import Child, Outcome, Plan, ReplaySpec, plan, start
from tracer.reexecution.substitute import Substitute
from tracer.store.failures import NoDatabase
from tracer.store.reading import Store
from tracer.store.writes import Reply

__all__ = [
    "BadFileError",
    "CannotReplayError",
    "Child",
    "Comparison",
    "ErrorInfo",
    "HttpRequest",
    "Message",
    "ModelRequest",
    "NoDatabase",
    "NotFoundError",
    "Outcome",
    "Plan",
    "ReplaySpec",
    "Reply",
    "Run",
    "Step",
    "Store",
    "StoreError",
    "Substitute",
    "TracerError",
    "Usage",
    "UsageError",
    "asked",
    "compare",
    "export_bundle",
    "import_bundle",
    "json_changes",
    "plain_value",
    "plan",
    "run_json",
    "said",
    "schema_problems",
    "start",
    "step_json",
    "text_diff",
    "timestamp",
    "value",
]


def said(store: Store, step: Step) -> list[Message]:
    """What the model answered, one message a choice; empty when there is none."""
    data = store.output_messages(step)
    if data is None:
        return []
    try:
        messages = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return []
    return messages if isinstance(messages, list) else []


def value(store: Store, step: Step, which: str) -> Any:
    """Input or output of a function step as plain JSON; None when there is none."""
    data = store.value(step, "input" if which == "input" else "output")
    return None if data is None else plain_value(data)
