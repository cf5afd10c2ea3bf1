"""The questions of a re-execution that waits: shown on its run's page, answered by a form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tracer_ui.api import (
    NotFoundError,
    Question,
    UsageError,
    answer_question,
)
from tracer_ui.contexts import Context, PageContext
from tracer_ui.drafts import edited, read_form
from tracer_ui.questions import (
    QuestionEditor,
    QuestionView,
    asked_tools,
    question_editor,
    question_view,
    resolution_of,
)
from tracer_ui.rendering import frame, respond
from tracer_ui.site import site_of
from tracer_ui.views.loading import opened, posted
from tracer_ui.waiting import keep_open


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPage(PageContext):
    """A question by itself: where the form was wrong, or a button works without scripts."""

    template: ClassVar[str] = "question.html"
    question: QuestionView
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionCallsFragment(Context):
    """The tool calls of the form after a button was pressed."""

    template: ClassVar[str] = "_fork_calls.html"
    editor: QuestionEditor


def question_page(request: Request) -> Response:
    """`GET /runs/{run}/questions/{question}`."""
    question = _found(request)
    keep_open(site_of(request), question.run_id)
    return _page(request, question, None)


async def question_draft(request: Request) -> Response:
    """`POST …/draft`: add or remove a call, switch to JSON; nothing is answered."""
    form = await posted(request)
    return await run_in_threadpool(_drafted, request, form)


async def question_answer(request: Request) -> Response:
    """`POST /runs/{run}/questions/{question}`: answer it, go back to the run."""
    form = await posted(request)
    return await run_in_threadpool(_answered, request, form)


def _found(request: Request) -> Question:
    question = opened(request).question(request.path_params["question"])
    if question is None or question.run_id != request.path_params["run"]:
        raise NotFoundError("There is no such question; the run's page shows what it waits for.")
    return question


def _drafted(request: Request, form: Mapping[str, str]) -> Response:
    question = _found(request)
    draft = edited(read_form(form), asked_tools(question), form.get("do", ""))
    if request.url.path.startswith("/f/"):
        fragment = QuestionCallsFragment(editor=question_editor(question, draft))
        return respond(request, fragment)
    return _page(request, question, form, draft_do=form.get("do", ""))


def _answered(request: Request, form: Mapping[str, str]) -> Response:
    question = _found(request)
    try:
        given = resolution_of(question, form, form.get("do", ""))
        first = answer_question(site_of(request).database, question, given)
    except UsageError as error:
        return _page(request, question, form, str(error), 422)
    if not first:
        question = _found(request)
        how = "answered already" if question.state == "answered" else "given up"
        return _page(request, question, form, f"This question was {how}.", 409)
    return RedirectResponse(f"/runs/{question.run_id}", status_code=303)


def _page(
    request: Request,
    question: Question,
    form: Mapping[str, str] | None,
    failed: str = "",
    status: int = 200,
    draft_do: str = "",
) -> Response:
    view = question_view(question, form, failed=failed, do=draft_do)
    page = QuestionPage(
        frame=frame(request, f"{question.name} waits for you", page="run"),
        question=view,
        over=question.state != "open",
    )
    return respond(request, page, status)
