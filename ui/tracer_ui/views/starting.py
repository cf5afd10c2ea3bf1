"""The page of a re-execution whose process runs but has not recorded anything yet."""

from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from tracer_ui.contexts import PageContext
from tracer_ui.rendering import frame, respond
from tracer_ui.site import site_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPage(PageContext):
    """`message` is what the process said when it ended without recording anything."""

    template: ClassVar[str] = "starting.html"
    run_id: str
    ended: bool
    message: str
    exit_code: int | None


def starting_page(request: Request, run_id: str) -> Response:
    """Waits for the first step; says why when the process ended before it."""
    outcome = site_of(request).children.outcome(run_id)
    page = StartingPage(
        frame=frame(request, "Starting"),
        run_id=run_id,
        ended=outcome is not None,
        message=(outcome.message or "") if outcome is not None else "",
        exit_code=None if outcome is None else outcome.exit_code,
    )
    return respond(request, page, 409 if outcome is not None else 200)
