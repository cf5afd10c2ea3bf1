"""The only door to tracer: every name the pages use, and the few readings made of them."""

import json
from typing import Any

from tracer import (
    Around,
    BadFileError,
    CannotReplayError,
    Child,
    Comparison,
    Edit,
    ErrorInfo,
    Family,
    HttpRequest,
    Labels,
    Message,
    ModelRequest,
    NoDatabase,
    NotFoundError,
    Outcome,
    Plan,
    QueryError,
    Question,
    ReplaySpec,
    Reply,
    Resolution,
    Run,
    RunLabel,
    RunOrder,
    RunQuery,
    SavedFilter,
    Step,
    Store,
    StoreError,
    Substitute,
    Term,
    TracerError,
    Usage,
    UsageError,
    answer_question,
    around,
    asked,
    compare,
    decided_changes,
    decided_words,
    export_bundle,
    import_bundle,
    is_untouched,
    json_changes,
    parse_break,
    parse_order,
    parse_query,
    plain_value,
    plan,
    prune,
    run_json,
    schema_problems,
    start,
    step_json,
    text_diff,
    timestamp,
    watch_questions,
)

__all__ = [
    "Around",
    "BadFileError",
    "CannotReplayError",
    "Child",
    "Comparison",
    "Edit",
    "ErrorInfo",
    "Family",
    "HttpRequest",
    "Labels",
    "Message",
    "ModelRequest",
    "NoDatabase",
    "NotFoundError",
    "Outcome",
    "Plan",
    "QueryError",
    "Question",
    "ReplaySpec",
    "Reply",
    "Resolution",
    "Run",
    "RunLabel",
    "RunOrder",
    "RunQuery",
    "SavedFilter",
    "Step",
    "Store",
    "StoreError",
    "Substitute",
    "Term",
    "TracerError",
    "Usage",
    "UsageError",
    "answer_question",
    "around",
    "asked",
    "compare",
    "decided_changes",
    "decided_words",
    "export_bundle",
    "import_bundle",
    "is_untouched",
    "json_changes",
    "parse_break",
    "parse_order",
    "parse_query",
    "plain_value",
    "plan",
    "prune",
    "run_json",
    "said",
    "schema_problems",
    "start",
    "step_json",
    "text_diff",
    "timestamp",
    "value",
    "watch_questions",
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
