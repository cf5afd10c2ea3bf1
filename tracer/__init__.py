"""tracer: trace capture and replay debugger for AI agents.

Decorate an agent (`@tracer.agent`) or run it with `tracer run agent.py`; every model call, tool
execution and decision is recorded into one SQLite file. Open a failed run with `tracer ui`, put
in the answer the model should have given, and re-execute the real code from there.

Importing this module loads neither the web server nor the templates; what a process does not use
is not imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer import errors
    from tracer.capture.agents import LimitReached
    from tracer.capture.config import database_path, init
    from tracer.capture.decorators import agent, model, note, run, step, tool
    from tracer.capture.toolchecks import ToolArgumentError
    from tracer.capture.values import plain as plain_value
    from tracer.core.diff import json_changes, text_diff
    from tracer.core.messages import Message
    from tracer.core.overview import (
        Overview,
        OverviewGroup,
        OverviewLoop,
        OverviewSpan,
        OverviewStep,
    )
    from tracer.core.questions import Question, decided_changes, decided_words, first_new
    from tracer.core.records import ErrorInfo, Run, Step, Usage
    from tracer.core.runquery import QueryError, RunOrder, RunQuery, Term, parse_order
    from tracer.core.runquery import parse as parse_query
    from tracer.errors import (
        BadFileError,
        CannotReplayError,
        NotFoundError,
        StoreError,
        TracerError,
        UsageError,
    )
    from tracer.interchange.around import Around, around, is_untouched
    from tracer.interchange.bundle import export_bundle, import_bundle
    from tracer.interchange.compare import Comparison, compare
    from tracer.interchange.files import changed_files, file_patch
    from tracer.interchange.run_json import asked, run_json, step_json, timestamp
    from tracer.providers.base import HttpRequest, ModelRequest
    from tracer.providers.editing import Edit
    from tracer.reexecution.breaks import parse_break
    from tracer.reexecution.checks import schema_problems
    from tracer.reexecution.inprocess import fork, is_replaying, replay
    from tracer.reexecution.resolution import Resolution, answer_question, watch_questions
    from tracer.reexecution.session import Child, Outcome, Plan, ReplaySpec, plan, start
    from tracer.reexecution.substitute import Substitute
    from tracer.store.failures import NoDatabase
    from tracer.store.families import Family
    from tracer.store.labels import Labels, RunLabel, SavedFilter
    from tracer.store.pruning import prune
    from tracer.store.reading import Store
    from tracer.store.writes import Reply

__version__ = "0.1.0"

# Where each public name lives; it is imported when it is first used.
_HOMES = {
    "Around": "tracer.interchange.around",
    "BadFileError": "tracer.errors",
    "CannotReplayError": "tracer.errors",
    "Child": "tracer.reexecution.session",
    "Comparison": "tracer.interchange.compare",
    "Edit": "tracer.providers.editing",
    "ErrorInfo": "tracer.core.records",
    "Family": "tracer.store.families",
    "HttpRequest": "tracer.providers.base",
    "Labels": "tracer.store.labels",
    "LimitReached": "tracer.capture.agents",
    "Message": "tracer.core.messages",
    "ModelRequest": "tracer.providers.base",
    "NoDatabase": "tracer.store.failures",
    "NotFoundError": "tracer.errors",
    "Outcome": "tracer.reexecution.session",
    "Overview": "tracer.core.overview",
    "OverviewGroup": "tracer.core.overview",
    "OverviewLoop": "tracer.core.overview",
    "OverviewSpan": "tracer.core.overview",
    "OverviewStep": "tracer.core.overview",
    "Plan": "tracer.reexecution.session",
    "QueryError": "tracer.core.runquery",
    "Question": "tracer.core.questions",
    "ReplaySpec": "tracer.reexecution.session",
    "Resolution": "tracer.reexecution.resolution",
    "Reply": "tracer.store.writes",
    "Run": "tracer.core.records",
    "RunLabel": "tracer.store.labels",
    "RunOrder": "tracer.core.runquery",
    "RunQuery": "tracer.core.runquery",
    "SavedFilter": "tracer.store.labels",
    "Step": "tracer.core.records",
    "Store": "tracer.store.reading",
    "StoreError": "tracer.errors",
    "Substitute": "tracer.reexecution.substitute",
    "Term": "tracer.core.runquery",
    "ToolArgumentError": "tracer.capture.toolchecks",
    "TracerError": "tracer.errors",
    "Usage": "tracer.core.records",
    "UsageError": "tracer.errors",
    "agent": "tracer.capture.decorators",
    "answer_question": "tracer.reexecution.resolution",
    "around": "tracer.interchange.around",
    "asked": "tracer.interchange.run_json",
    "compare": "tracer.interchange.compare",
    "database_path": "tracer.capture.config",
    "decided_changes": "tracer.core.questions",
    "decided_words": "tracer.core.questions",
    "export_bundle": "tracer.interchange.bundle",
    "fork": "tracer.reexecution.inprocess",
    "import_bundle": "tracer.interchange.bundle",
    "init": "tracer.capture.config",
    "is_replaying": "tracer.reexecution.inprocess",
    "is_untouched": "tracer.interchange.around",
    "changed_files": "tracer.interchange.files",
    "file_patch": "tracer.interchange.files",
    "first_new": "tracer.core.questions",
    "json_changes": "tracer.core.diff",
    "model": "tracer.capture.decorators",
    "note": "tracer.capture.decorators",
    "parse_order": "tracer.core.runquery",
    "parse_break": "tracer.reexecution.breaks",
    "plan": "tracer.reexecution.session",
    "prune": "tracer.store.pruning",
    "replay": "tracer.reexecution.inprocess",
    "run": "tracer.capture.decorators",
    "run_json": "tracer.interchange.run_json",
    "schema_problems": "tracer.reexecution.checks",
    "start": "tracer.reexecution.session",
    "step": "tracer.capture.decorators",
    "step_json": "tracer.interchange.run_json",
    "text_diff": "tracer.core.diff",
    "timestamp": "tracer.interchange.run_json",
    "tool": "tracer.capture.decorators",
    "watch_questions": "tracer.reexecution.resolution",
}
_RENAMED = {
    "parse_query": ("tracer.core.runquery", "parse"),
    "plain_value": ("tracer.capture.values", "plain"),
}

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
    "LimitReached",
    "Message",
    "ModelRequest",
    "NoDatabase",
    "NotFoundError",
    "Outcome",
    "Overview",
    "OverviewGroup",
    "OverviewLoop",
    "OverviewSpan",
    "OverviewStep",
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
    "ToolArgumentError",
    "TracerError",
    "Usage",
    "UsageError",
    "agent",
    "answer_question",
    "around",
    "asked",
    "changed_files",
    "compare",
    "database_path",
    "decided_changes",
    "decided_words",
    "errors",
    "export_bundle",
    "file_patch",
    "first_new",
    "fork",
    "import_bundle",
    "init",
    "is_replaying",
    "is_untouched",
    "json_changes",
    "model",
    "note",
    "parse_break",
    "parse_order",
    "parse_query",
    "plain_value",
    "plan",
    "prune",
    "replay",
    "run",
    "run_json",
    "schema_problems",
    "start",
    "step",
    "step_json",
    "text_diff",
    "timestamp",
    "tool",
    "watch_questions",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("tracer.errors")
    home, original = _RENAMED.get(name, (_HOMES.get(name), name))
    if home is None:
        raise AttributeError(f"module 'tracer' has no attribute {name!r}")
    value = getattr(import_module(home), original)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
