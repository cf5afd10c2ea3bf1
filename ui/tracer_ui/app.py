"""The application: routes, and the server that `tracer ui` starts."""

import contextlib
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tracer_ui.api import TracerError, UsageError
from tracer_ui.rendering import STATIC, environment
from tracer_ui.security import Access, Guard, new_token
from tracer_ui.site import Site
from tracer_ui.traffic import Counted
from tracer_ui.views import (
    actions,
    compare,
    exchange,
    fork,
    labelling,
    overview,
    payloads,
    question,
    run,
    runs,
    streams,
    surroundings,
    twins,
)
from tracer_ui.views.errors import Failsafe, on_http_error, on_tracer_error, refused

HOST = "127.0.0.1"
DEFAULT_PORT = 4700
_STEP = "/runs/{run}/steps/{n}"
_QUESTION = "/runs/{run}/questions/{question}"
_FORM_BYTES = 32 << 20
_SMALL_FORM_BYTES = 1 << 20
_PATIENCE = 1.0  # seconds that a template to be compiled gives way to requests


class _Static(StaticFiles):
    """Files whose address changes with their content (`?v=`): browsers may keep them for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if b"v=" in scope["query_string"] and response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def routes() -> list[Route | Mount]:
    """Every address. Pages and fragments (`/f/…`) never share one."""
    return [
        Route("/", runs.home),
        Route("/runs", runs.run_list),
        Route("/runs.json", twins.runs),
        Route("/runs/{run}.json", twins.run),
        Route("/runs/{run}", run.run_redirect),
        Route(f"{_STEP}.json", twins.step),
        Route(_STEP, run.step_page),
        Route(_STEP + "/go/{command}", run.go),
        Route(_STEP + "/raw/{part}", payloads.raw),
        Route(_STEP + "/fork", fork.fork_page),
        Route(_STEP + "/fork", fork.fork_run, methods=["POST"], max_body_size=_FORM_BYTES),
        Route(_STEP + "/fork/draft", fork.fork_draft, methods=["POST"], max_body_size=_FORM_BYTES),
        Route(_QUESTION, question.question_page),
        Route(_QUESTION, question.question_answer, methods=["POST"], max_body_size=_FORM_BYTES),
        *(
            Route(
                prefix + _QUESTION + "/draft",
                question.question_draft,
                methods=["POST"],
                max_body_size=_FORM_BYTES,
            )
            for prefix in ("", "/f")
        ),
        Route("/runs/{run}/find", actions.find),
        Route("/runs/{run}/stop", actions.stop, methods=["POST"], max_body_size=_FORM_BYTES),
        Route("/runs/{run}/export", exchange.export),
        Route("/runs/{run}/label", labelling.label_page),
        _post("/runs/{run}/label", labelling.label_page),
        _post("/labels/pin", labelling.pin),
        _post("/labels/tag", labelling.tag),
        _post("/labels/delete", labelling.delete),
        _post("/labels/restore", labelling.restore),
        _post("/labels/empty", labelling.empty_trash),
        _post("/filters", labelling.save_filter),
        _post("/filters/remove", labelling.remove_filter),
        Route("/import", exchange.import_file, methods=["POST"], max_body_size=exchange.MAX_UPLOAD),
        Route("/compare", compare.compare_page),
        Route("/compare.json", compare.compare_json),
        Route("/overview", overview.overview_page),
        Route("/overview.json", overview.overview_json),
        Route("/help", actions.help_page),
        Route("/theme", actions.theme, methods=["POST"], max_body_size=_FORM_BYTES),
        _post("/f/labels/pin", labelling.pin),
        Route("/f/runs", runs.rows_fragment),
        Route("/f/runs/fresh", runs.fresh_fragment),
        Route("/f/runs/{run}/kin", runs.kin_fragment),
        Route("/f/runs/{run}/rows", run.rows_fragment),
        Route("/f/runs/{run}/around", surroundings.around_fragment),
        Route("/f" + _STEP, run.detail_fragment),
        Route("/f" + _STEP + "/history", run.history_fragment),
        Route("/f" + _STEP + "/go/{command}", run.go),
        Route("/f" + _STEP + "/part/{part}", payloads.piece),
        Route("/f" + _STEP + "/wire", payloads.wire),
        Route("/f" + _STEP + "/files", payloads.files),
        Route(
            "/f" + _STEP + "/fork/draft",
            fork.fork_draft,
            methods=["POST"],
            max_body_size=_FORM_BYTES,
        ),
        Route(
            "/f" + _STEP + "/fork/check",
            fork.fork_check,
            methods=["POST"],
            max_body_size=_FORM_BYTES,
        ),
        Route("/sse/runs", streams.list_stream),
        Route("/sse/runs/{run}", streams.run_stream),
        Mount("/static", _Static(directory=STATIC)),
    ]


def _post(path: str, view: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, view, methods=["POST"], max_body_size=_SMALL_FORM_BYTES)


def create_app(database: Path, token: str, *, port: int = DEFAULT_PORT) -> Starlette:
    """The application over one database; `port` is the one browsers reach it at."""
    access = Access(token, port)
    site = Site(database, access)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        warming = threading.Thread(target=_warm_up, args=(site,), daemon=True)
        warming.start()
        yield
        site.closing.set()
        warming.join(5)
        site.close()

    app = Starlette(
        routes=routes(),
        middleware=[
            Middleware(Guard, access=access, refused=refused),
            Middleware(Failsafe),
            Middleware(Counted, traffic=site.traffic),
        ],
        exception_handlers={TracerError: on_tracer_error, HTTPException: on_http_error},
        lifespan=lifespan,
    )
    app.state.site = site
    return app


def _warm_up(site: Site) -> None:
    """What the first readers would wait for, done between their requests: Python runs one thread
    at a time, and all templates take half a second."""
    site.warm_up()
    for name in environment().list_templates():
        site.traffic.wait(_PATIENCE)
        if site.closing.is_set():
            return
        environment().get_template(name)


def serve(
    *, database: Path, port: int, open_browser: bool, announce: Callable[[str], None]
) -> None:
    """Serve until interrupted. `announce` gets the address to open; it holds the key.

    Raises UsageError when the port is taken. Re-executions started from a page are stopped when
    the server ends.
    """
    listener = _listen(port)
    port = listener.getsockname()[1]
    token = new_token()
    app = create_app(database, token, port=port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it would print the token
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=5,
    )
    url = f"http://{HOST}:{port}/?token={token}"
    announce(url)
    if open_browser:
        webbrowser.open(url)
    with listener, contextlib.suppress(KeyboardInterrupt):
        _Server(config, app.state.site).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells the live streams when the server is to end; they never end by themselves."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._site.closing.set()
        super().handle_exit(sig, frame)


def _listen(port: int) -> socket.socket:
    # Named, because asyncio turns Nagle's delay (40 ms a page) off only where it sees this.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)  # who reads the announced address can connect at once
    except (OSError, OverflowError) as error:
        listener.close()
        reason = "is taken" if isinstance(error, OSError) else "is no port number"
        if isinstance(error, PermissionError):
            reason = "needs more rights than you have"
        raise UsageError(
            f"port {port} {reason}: choose another one with --port, or --port 0 for a free one"
        ) from None
    return listener
