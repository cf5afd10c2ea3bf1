"""What a run ran in, and what happened in it outside any step."""

from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from tracer_ui.api import around
from tracer_ui.aroundviews import (
    AroundView,
    Variables,
    around_view,
    environment_facts,
    variables_of,
)
from tracer_ui.blocks import Room
from tracer_ui.contexts import Context
from tracer_ui.rendering import respond
from tracer_ui.views.loading import found_run, opened

_OUTSIDE = 0  # the number that stands for what no step encloses


@dataclass(frozen=True, slots=True, kw_only=True)
class AroundFragment(Context):
    """Commit, packages, variables read; output, logs and touches outside any step."""

    template: ClassVar[str] = "_around.html"
    facts: tuple[tuple[str, str], ...]
    locals: tuple[Variables, ...]
    around: AroundView | None


def around_fragment(request: Request) -> Response:
    """`/f/runs/{run}/around`."""
    store = opened(request)
    run = found_run(request, store)
    found = around(store, run.id, _OUTSIDE)
    fragment = AroundFragment(
        facts=environment_facts(run, found),
        locals=variables_of(found),
        around=around_view(found, Room()),
    )
    return respond(request, fragment)
