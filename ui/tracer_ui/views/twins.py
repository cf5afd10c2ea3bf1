"""The same data as JSON: the twin of each page, for programs."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tracer_ui.api import run_json, step_json
from tracer_ui.asked import asked
from tracer_ui.site import site_of
from tracer_ui.views.loading import found_run, found_step, opened, query_int

_MOST = 1000


class Json(JSONResponse):
    """JSON that holds whatever was recorded, lone surrogates too."""

    def render(self, content: object) -> bytes:
        return json.dumps(content, default=repr).encode("ascii")


def runs(request: Request) -> Response:
    """`/runs.json?q=&sort=&limit=`; a filter that means nothing is an `error`, status 422."""
    store = site_of(request).store()
    if store is None:
        return Json([])
    wanted = asked(request)
    if wanted.problem:
        return Json({"error": wanted.problem}, status_code=422)
    limit = min(query_int(request, "limit", 50), _MOST)
    found = store.runs(query=wanted.query, order=wanted.order, limit=limit)
    return Json([run_json(store, run, steps=False) for run in found])


def run(request: Request) -> Response:
    """`/runs/{run}.json`."""
    store = opened(request)
    return Json(run_json(store, found_run(request, store), steps=True))


def step(request: Request) -> Response:
    """`/runs/{run}/steps/{n}.json`."""
    store = opened(request)
    return Json(step_json(store, found_step(request, store, found_run(request, store))))
