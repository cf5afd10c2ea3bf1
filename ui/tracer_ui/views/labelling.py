"""What is done to runs from the list: pin, tag, note, delete, bring back; filters saved.

Every action is a form that comes back to the page it was sent from.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import Labels, RunLabel, Store, prune
from tracer_ui.contexts import Context, PageContext
from tracer_ui.rendering import frame, respond
from tracer_ui.runrows import ALONE, Kin, RunRow, place_in, run_rows
from tracer_ui.security import local_path
from tracer_ui.site import site_of
from tracer_ui.views.loading import canonical, found_run, opened

_FIELDS = 2000  # of a form: one for each run that is selected
_ID = re.compile(r"[0-9a-f]{32}")
_OWN = ("deleted", "said")  # parameters of one visit, not of the list


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPage(PageContext):
    """Tags and note of one run; `here` is where the form leads back to."""

    template: ClassVar[str] = "label.html"
    run_id: str
    name: str
    label: RunLabel
    suggested: tuple[str, ...]
    here: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFragment(Context):
    """One row, as it is now."""

    template: ClassVar[str] = "_run_row.html"
    run: RunRow


async def pin(request: Request) -> Response:
    """`POST /labels/pin`: `run`…, `pinned` 1 or 0; `one` = a run whose pin is turned over."""
    form = await _form(request)
    return await run_in_threadpool(_pin, request, form)


async def tag(request: Request) -> Response:
    """`POST /labels/tag`: `run`…, `tag`."""
    form = await _form(request)
    words = _text(form, "tag").replace(",", " ").split()
    return await _on_selected(request, form, lambda labels, runs: labels.tag(runs, words))


async def delete(request: Request) -> Response:
    """`POST /labels/delete`: `run`…; the page that follows can undo it."""
    form = await _form(request)

    def throw_away(labels: Labels, runs: list[str]) -> dict[str, object]:
        count, when = labels.delete(runs)
        more: dict[str, object] = {"deleted": when} if count else {}
        return more if count == len(runs) else {**more, "said": "running"}

    return await _on_selected(request, form, throw_away)


async def restore(request: Request) -> Response:
    """`POST /labels/restore`: `run`…, or `deleted`, the time that an undo goes back to."""
    form = await _form(request)
    when = _text(form, "deleted")
    at = int(when) if when.isascii() and when.isdigit() and len(when) < 20 else None

    def bring_back(labels: Labels, runs: list[str]) -> None:
        labels.restore(runs if at is None else (), deleted_ns=at)

    return await _on_selected(request, form, bring_back, needed=at is None)


async def empty_trash(request: Request) -> Response:
    """`POST /labels/empty`: delete for good what lies in the trash."""
    form = await _form(request)
    await run_in_threadpool(prune, site_of(request).database, trash=True)
    return _back(form)


async def label_page(request: Request) -> Response:
    """`/runs/{run}/label`: tags and note of a run; POST keeps them."""
    if request.method == "POST":
        form = await _form(request)
        return await run_in_threadpool(_keep, request, form)
    return await run_in_threadpool(_label_page, request)


async def save_filter(request: Request) -> Response:
    """`POST /filters`: `name`, `q`, `sort`."""
    form = await _form(request)
    labels = Labels(site_of(request).database)
    name, query, order = (_text(form, field) for field in ("name", "q", "sort"))
    await run_in_threadpool(labels.save_filter, name, query, order)
    return _back(form)


async def remove_filter(request: Request) -> Response:
    """`POST /filters/remove`: `name`."""
    form = await _form(request)
    labels = Labels(site_of(request).database)
    await run_in_threadpool(labels.remove_filter, _text(form, "name"))
    return _back(form)


def _pin(request: Request, form: FormData) -> Response:
    store, labels = opened(request), Labels(site_of(request).database)
    one = _text(form, "one")
    if not one:
        runs = _selected(form)
        labels.pin(runs, pinned=_text(form, "pinned") != "0")
        return _back(form) if runs else _back(form, said="select")
    run = store.find_run(one)
    label = store.labels([run.id]).get(run.id, RunLabel())
    labels.pin([run.id], pinned=not label.pinned)
    if request.url.path.startswith("/f/"):
        return respond(request, RowFragment(run=_row(store, run.id, form)))
    return _back(form, at=run.id)


def _row(store: Store, run_id: str, form: FormData) -> RunRow:
    """The row again, with its place among its kin where the list shows families."""
    run = store.find_run(run_id)
    family = store.families([run_id]).get(run_id)
    plain = not {name for name, _ in parse_qsl(urlsplit(_text(form, "next")).query)} & {"q", "sort"}
    place: Kin = ALONE if family is None or not plain else place_in(family, run)
    return run_rows(store, [(run, place)])[0]


def _label_page(request: Request) -> Response:
    store = opened(request)
    run = found_run(request, store)
    moved = canonical(request, run)
    if moved is not None:
        return moved
    label = store.labels([run.id]).get(run.id, RunLabel())
    page = LabelPage(
        frame=frame(request, f"Tags and note of {run.name}", page="label"),
        run_id=run.id,
        name=run.name,
        label=label,
        suggested=tuple(tag for tag in store.facets("tag") if tag not in label.tags),
        here=_came_from(request),
    )
    return respond(request, page)


def _came_from(request: Request) -> str:
    """The list that led here, else the whole one."""
    from_ = urlsplit(request.headers.get("referer", ""))
    if from_.netloc != request.headers.get("host") or from_.path != "/runs":
        return "/runs"
    return f"/runs?{from_.query}" if from_.query else "/runs"


def _keep(request: Request, form: FormData) -> Response:
    store, labels = opened(request), Labels(site_of(request).database)
    run = found_run(request, store)
    before = store.labels([run.id]).get(run.id, RunLabel())
    tags = _text(form, "tags").replace(",", " ").split()
    labels.tag([run.id], add=tags, remove=[tag for tag in before.tags if tag not in tags])
    labels.note(run.id, _text(form, "note"))
    labels.pin([run.id], pinned=_text(form, "pinned") == "1")
    return _back(form, at=run.id)


async def _on_selected(
    request: Request,
    form: FormData,
    action: Callable[[Labels, list[str]], Any],
    *,
    needed: bool = True,
) -> Response:
    """Do something to the selected runs and go back, with what the action wants to be said."""
    runs = _selected(form)
    if needed and not runs:
        return _back(form, said="select")
    more = await run_in_threadpool(action, Labels(site_of(request).database), runs)
    return _back(form, **(more or {}))


async def _form(request: Request) -> FormData:
    async with request.form(max_files=0, max_fields=_FIELDS) as form:
        return form


def _selected(form: FormData) -> list[str]:
    return [run for run in form.getlist("run") if isinstance(run, str) and _ID.fullmatch(run)]


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _back(form: FormData, *, at: str = "", **more: object) -> Response:
    """To the page the form was sent from, to the row of a run where one is named."""
    path = local_path(_text(form, "next") or "/runs")
    address, _, query = path.partition("#")[0].partition("?")
    kept = [pair for pair in parse_qsl(query) if pair[0] not in _OWN]
    query = urlencode([*kept, *((name, str(value)) for name, value in more.items())])
    at = at or _text(form, "at")
    anchor = f"#r{at}" if _ID.fullmatch(at) else ""
    return RedirectResponse(f"{address}{'?' if query else ''}{query}{anchor}", status_code=303)
