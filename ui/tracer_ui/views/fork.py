"""The fork editor: what happens at a step instead, checked while it is typed, then run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import TracerError, UsageError, asked, plan, said, start, value
from tracer_ui.contexts import Context, PageContext
from tracer_ui.detail import FORKABLE
from tracer_ui.drafts import (
    Draft,
    edited,
    first_draft,
    read_form,
    recorded_answer,
    recorded_result,
)
from tracer_ui.editor import Check, Editor, Place, make_check, make_editor, with_policies
from tracer_ui.forking import forked, spec
from tracer_ui.rendering import frame, respond
from tracer_ui.site import site_of
from tracer_ui.views.loading import canonical, found_run, found_step, opened, posted


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPage(PageContext):
    """`failed` is why the fork did not start, after trying; the fields keep what was typed."""

    template: ClassVar[str] = "fork.html"
    editor: Editor
    check: Check
    failed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsFragment(Context):
    """The tool calls after a button was pressed, and the check that follows from them."""

    template: ClassVar[str] = "_fork_changed.html"
    editor: Editor
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFragment(Context):
    """The check alone, while typing."""

    template: ClassVar[str] = "_fork_check.html"
    check: Check


def fork_page(request: Request) -> Response:
    """`GET …/steps/{n}/fork`: the recording, ready to be changed."""
    store = opened(request)
    run = found_run(request, store)
    moved = canonical(request, run, found_step(request, store, run))
    if moved is not None:
        return moved
    place = _place(request)
    return _page(request, place, with_policies(place, first_draft(place.recorded)))


async def fork_draft(request: Request) -> Response:
    """`POST …/fork/draft`: add or remove a call, switch it to JSON; nothing is run."""
    form = await posted(request)
    return await run_in_threadpool(_drafted, request, form)


async def fork_check(request: Request) -> Response:
    """`POST /f/…/fork/check`: what the draft comes to; nothing is run."""
    form = await posted(request)
    return await run_in_threadpool(_checked, request, form)


async def fork_run(request: Request) -> Response:
    """`POST …/fork`: start the re-execution, go to its page."""
    form = await posted(request)
    return await run_in_threadpool(_run, request, form)


def _drafted(request: Request, form: Mapping[str, str]) -> Response:
    place = _place(request)
    draft = edited(read_form(form), place.recorded, form.get("do", ""))
    if not request.url.path.startswith("/f/"):
        return _page(request, place, draft)
    check = make_check(place, draft)
    fragment = CallsFragment(editor=make_editor(place, draft, check), check=check)
    return respond(request, fragment)


def _checked(request: Request, form: Mapping[str, str]) -> Response:
    place = _place(request)
    return respond(request, CheckFragment(check=make_check(place, read_form(form))))


def _run(request: Request, form: Mapping[str, str]) -> Response:
    place = _place(request)
    draft = read_form(form)
    result = forked(draft, place.recorded)
    if result.substitute is None:
        return _page(request, place, draft, "The fork was not started.", 422)
    try:
        planned = plan(place.store, spec(place.run, place.step, draft, result.substitute))
        child = start(planned, output="stderr")
    except UsageError as error:
        return _page(request, place, draft, str(error), 422)
    except TracerError as error:
        return _page(request, place, draft, str(error), 409)
    site_of(request).children.add(child)
    return RedirectResponse(f"/runs/{child.run_id}", status_code=303)


def _place(request: Request) -> Place:
    store = opened(request)
    run = found_run(request, store)
    step = found_step(request, store, run)
    if step.kind not in FORKABLE:
        raise UsageError(
            f"Step {step.n} is of kind {step.kind}: fork at a model call, a tool or a step."
        )
    outline = site_of(request).outline(store, run)
    if step.kind == "model":
        request_read = asked(store, step)
        answers = said(store, step)
        tools = request_read.tools if request_read is not None else []
        recorded = recorded_answer(answers[0] if answers else None, tools)
    else:
        recorded = recorded_result(value(store, step, "output"))
    return Place(store, run, step, outline, recorded)


def _page(
    request: Request, place: Place, draft: Draft, failed: str = "", status: int = 200
) -> Response:
    check = make_check(place, draft)
    page = ForkPage(
        frame=frame(request, f"Fork step {place.step.n} · {place.run.name}", page="fork"),
        editor=make_editor(place, draft, check),
        check=check,
        failed=failed,
    )
    return respond(request, page, status)
