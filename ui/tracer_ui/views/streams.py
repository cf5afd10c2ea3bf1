"""The addresses of the live streams."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tracer_ui import listnews
from tracer_ui.asked import asked
from tracer_ui.live import PAUSE, Look, Seen, stream, wait_for_step, watch_run
from tracer_ui.runrows import PAGE
from tracer_ui.site import Site, site_of
from tracer_ui.views.loading import query_int


async def run_stream(request: Request) -> Response:
    """`/sse/runs/{run}?after=&open=`, or `?wait=1` for a run that has no step yet."""
    site, run_id = site_of(request), request.path_params["run"]
    if "wait" in request.query_params:
        return _streamed(site, wait_for_step(site, run_id))
    seen = Seen.read(request.headers.get("last-event-id", ""))
    if seen is None:
        query = request.query_params
        shown = f"{query.get('open', '')};{query.get('question', '')}"
        seen = Seen.read(f"{query_int(request, 'after', 0)};{shown}") or Seen(0)
    return _streamed(site, watch_run(site, run_id, seen))


async def list_stream(request: Request) -> Response:
    """`/sse/runs?q=&sort=&newest=&running=`, or `?first=1` while there is no run."""
    site, query = site_of(request), request.query_params
    if "first" in query:
        return _streamed(site, listnews.wait_for_run(site), listnews.PAUSE)
    running = query.get("running", "").split(",")[:PAGE]
    look = listnews.watch_list(site, query.get("newest", ""), running, asked(request))
    return _streamed(site, look, listnews.PAUSE)


def _streamed(site: Site, look: Look, pause: float = PAUSE) -> Response:
    headers = {"Cache-Control": "no-store"}
    body = stream(look, site.closing, pause)
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)
