"""Everything that goes wrong, as a page a person can act on: never JSON, never blank."""

import logging
import secrets
import traceback
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracer_ui.api import (
    BadFileError,
    CannotReplayError,
    NotFoundError,
    StoreError,
    TracerError,
)
from tracer_ui.contexts import Context, Frame, PageContext
from tracer_ui.rendering import frame, html, respond
from tracer_ui.security import Refusal, local_path

log = logging.getLogger("tracer.ui")

_STATUS: tuple[tuple[type[TracerError], int], ...] = (
    (NotFoundError, 404),
    (StoreError, 409),
    (CannotReplayError, 409),
    (BadFileError, 422),
)
_HEADINGS = {
    400: "This request makes no sense",
    403: "This address was not opened from here",
    404: "Not found",
    405: "This page can't do that",
    409: "This can't be done now",
    410: "Gone",
    413: "Too large",
    422: "Something is not right in what was sent",
    500: "tracer made a mistake",
}


@dataclass(frozen=True, slots=True)
class Way:
    """A link out of an error page."""

    href: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage(PageContext):
    """`detail` is the traceback of a fault of ours, "" otherwise."""

    template: ClassVar[str] = "error.html"
    status: int
    heading: str
    message: str
    detail: str
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFragment(Context):
    """The same in place of a fragment."""

    template: ClassVar[str] = "_error.html"
    heading: str
    message: str


def error_response(
    request: Request, status: int, message: str, *, ways: tuple[Way, ...] = (), detail: str = ""
) -> Response:
    """The page (or fragment, for fragments' addresses) that says what went wrong."""
    heading = _HEADINGS.get(status, "That did not work")
    if request.url.path.startswith("/f/"):
        return respond(request, ErrorFragment(heading=heading, message=message), status)
    page = ErrorPage(
        frame=frame(request, heading),
        status=status,
        heading=heading,
        message=message,
        detail=detail,
        ways=(*ways, Way("/runs", "All runs")),
    )
    return respond(request, page, status)


def on_tracer_error(request: Request, error: Exception) -> Response:
    """Controlled errors: one sentence with the remedy."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    return error_response(request, status, str(error))


def on_http_error(request: Request, error: Exception) -> Response:
    """Errors of routing and parsing."""
    assert isinstance(error, HTTPException)
    message = "There is no such page." if error.status_code == 404 else error.detail
    response = error_response(request, error.status_code, message)
    response.headers.update(error.headers or {})
    return response


def refused(refusal: Refusal, path: str) -> Response:
    """What a request gets that may not pass; made without touching the database."""
    message = {
        "host": "This server answers only on the address it printed at its start.",
        "origin": "A form can only be sent from tracer's own pages. Reload the page and try again.",
        "token": "Open the address that tracer ui printed when it started: it holds the key to "
        "these pages. If you followed a link from another site, open it again from here.",
    }[refusal]
    if path.startswith(("/f/", "/sse/")):
        fragment = ErrorFragment(heading=_HEADINGS[403], message=message)
        return Response(html(fragment), status_code=403, media_type="text/html")
    page = ErrorPage(
        frame=Frame(title="No access", here="/"),
        status=403,
        heading=_HEADINGS[403],
        message=message,
        detail="",
        ways=(Way(local_path(quote(path)), "Open it again"),) if refusal == "token" else (),
    )
    return Response(html(page), status_code=403, media_type="text/html")


class Failsafe:
    """Turns a fault of ours into a page with an id and the place; the server goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            name = secrets.token_hex(4)
            log.exception("error %s at %s", name, scope.get("path"))
            if begun or scope["type"] != "http":
                raise
            await _fault_page(Request(scope, receive), error, name)(scope, receive, send)


def _fault_page(request: Request, error: Exception, name: str) -> Response:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    message = f"{type(error).__name__} at {place} (error {name}). The recording is untouched."
    detail = "".join(traceback.format_exception(error))
    return error_response(request, 500, message, detail=detail)
