"""Which run, which step an address names, and what a form holds. Raises the errors that become 404
and 409 pages."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import NotFoundError, Run, Step, Store
from tracer_ui.site import site_of

_FORM_BYTES = 16 << 20
_FORM_FIELDS = 5000


def opened(request: Request) -> Store:
    """The database. Raises NotFoundError as long as there is none."""
    store = site_of(request).store()
    if store is None:
        raise NotFoundError("Nothing is recorded yet; record a run with `tracer run SCRIPT`.")
    return store


def found_run(request: Request, store: Store) -> Run:
    """The run in the path: an id, a unique prefix, `last` or `last-failed`."""
    return store.find_run(request.path_params["run"])


def found_step(request: Request, store: Store, run: Run) -> Step:
    """The step in the path: a number or an id."""
    return store.step(run.id, request.path_params["n"])


def canonical(request: Request, run: Run, step: Step | None = None) -> Response | None:
    """A redirect to the lasting address, when the path was a shorthand for it."""
    given = request.path_params
    path = request.url.path
    fixed = path.replace(f"/runs/{given['run']}", f"/runs/{run.id}", 1)
    if step is not None:
        fixed = fixed.replace(f"/steps/{given['n']}", f"/steps/{step.n}", 1)
    if fixed == path:
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(fixed + query, status_code=302)


async def posted(request: Request) -> dict[str, str]:
    """The texts of a posted form, which may be as long as a whole answer."""
    async with request.form(
        max_files=0, max_fields=_FORM_FIELDS, max_part_size=_FORM_BYTES
    ) as form:
        return {name: text for name, text in form.items() if isinstance(text, str)}


def query_int(request: Request, name: str, default: int) -> int:
    """A number from the query; anything else counts as not given."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
