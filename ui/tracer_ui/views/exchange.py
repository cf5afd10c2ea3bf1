"""Bundles: a run as one file to take away, and someone else's file brought in."""

import re
import tempfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from tracer_ui.api import TracerError, export_bundle, import_bundle
from tracer_ui.site import site_of
from tracer_ui.views.loading import found_run, opened
from tracer_ui.views.runs import list_page

MAX_UPLOAD = 1 << 30
_COPY = 1 << 20


def export(request: Request) -> Response:
    """`/runs/{run}/export`: the bundle as a download, secrets taken out."""
    store = opened(request)
    run = found_run(request, store)
    folder = tempfile.TemporaryDirectory(prefix="tracer-export-")
    path = Path(folder.name) / "bundle.tracer"
    try:
        export_bundle(store, run.id, path)
    except BaseException:
        folder.cleanup()
        raise
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", run.name)[:60].strip("-.") or "run"
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=f"{name}-{run.id[:8]}.tracer",
        background=BackgroundTask(folder.cleanup),
    )


async def import_file(request: Request) -> Response:
    """`POST /import`: a bundle into the database, then to its run."""
    async with request.form(max_files=1, max_fields=5) as form:
        upload = form.get("bundle")
        if not isinstance(upload, UploadFile) or not upload.filename:
            problem = "Choose a file to import: a bundle made with Export."
            return await run_in_threadpool(list_page, request, problem, 422)
        with tempfile.TemporaryDirectory(prefix="tracer-import-") as folder:
            path = Path(folder) / "bundle.tracer"
            with path.open("wb") as file:
                while chunk := await upload.read(_COPY):
                    file.write(chunk)
            return await run_in_threadpool(_import, request, path, upload.filename)


def _import(request: Request, path: Path, name: str) -> Response:
    try:
        found = import_bundle(path, site_of(request).database)
    except TracerError as error:
        # The person knows the file by its own name, not by our copy's.
        return list_page(request, str(error).replace(str(path), name), 422)
    return RedirectResponse(f"/runs/{found[0]}" if found else "/runs", status_code=303)
