"""Whole payloads: downloads, the pieces "Show all" fetches, and the exchange as it was sent."""

import re
from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from tracer_ui.api import NotFoundError, Run, Step, Store, file_patch
from tracer_ui.blocks import Block, Room, text_block, value_block
from tracer_ui.contexts import Context
from tracer_ui.parts import http_body, part_bytes
from tracer_ui.rendering import respond
from tracer_ui.security import PAYLOAD_SECURITY_POLICY
from tracer_ui.views.loading import found_run, found_step, opened, query_int

PIECE_CHARS = 32_000
PIECE_LINES = 500
PATCH_LINES = 400
PATCH_CHARS = 400  # of one line
_HEADERS_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceFragment(Context):
    """A stretch of a long text. `next` is where the following one starts, 0 at the end."""

    template: ClassVar[str] = "_piece.html"
    base: str
    part: str
    text: str
    next: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesFragment(Context):
    """The beginning of a unified diff, line by line; `more` lines follow."""

    template: ClassVar[str] = "_files.html"
    base: str
    lines: tuple[tuple[str, str], ...]
    more: int


@dataclass(frozen=True, slots=True)
class Head:
    """One side of an exchange: what it starts with, its headers, its body."""

    label: str
    line: str
    headers: tuple[tuple[str, str], ...]
    body: Block
    part: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFragment(Context):
    """Request and response as they were sent."""

    template: ClassVar[str] = "_wire.html"
    base: str
    sides: tuple[Head, ...]


def raw(request: Request) -> Response:
    """`…/steps/{n}/raw/{part}`: a download, never something a browser would run."""
    store, run, step = _found(request)
    part = request.path_params["part"]
    data = _patch(store, step) if part == "files" else part_bytes(store, step, part)
    name = re.sub(r"[^a-z0-9.-]", "-", part.lower())
    return Response(
        data,
        media_type="text/plain; charset=utf-8",
        headers={
            "Content-Security-Policy": PAYLOAD_SECURITY_POLICY,
            "Content-Disposition": f'attachment; filename="{run.id[:8]}-{step.n}-{name}.txt"',
        },
    )


def piece(request: Request) -> Response:
    """`/f/…/steps/{n}/part/{part}?from=`: the next stretch of a long payload."""
    store, run, step = _found(request)
    part = request.path_params["part"]
    text = part_bytes(store, step, part).decode("utf-8", "replace")
    start = query_int(request, "from", 0)
    taken = text[start : start + PIECE_CHARS]
    lines = taken.split("\n")
    if len(lines) > PIECE_LINES:
        taken = "\n".join(lines[:PIECE_LINES]) + "\n"
    end = start + len(taken)
    fragment = PieceFragment(
        base=f"/runs/{run.id}/steps/{step.n}",
        part=part,
        text=taken,
        next=end if end < len(text) else 0,
        total=len(text),
    )
    return respond(request, fragment)


def wire(request: Request) -> Response:
    """`/f/…/steps/{n}/wire`: headers and the beginning of the bodies."""
    store, run, step = _found(request)
    room = Room()
    sides = [side for side in (_response(store, step, room), _request(store, step, room)) if side]
    base = f"/runs/{run.id}/steps/{step.n}"
    return respond(request, WireFragment(base=base, sides=tuple(reversed(sides))))


def files(request: Request) -> Response:
    """`/f/…/steps/{n}/files`: how the step changed the files of the workspace."""
    store, run, step = _found(request)
    text = _patch(store, step).decode("utf-8")
    lines = text.splitlines()
    fragment = FilesFragment(
        base=f"/runs/{run.id}/steps/{step.n}",
        lines=tuple((_side(line), line[:PATCH_CHARS]) for line in lines[:PATCH_LINES]),
        more=max(0, len(lines) - PATCH_LINES),
    )
    return respond(request, fragment)


def _patch(store: Store, step: Step) -> bytes:
    patch = file_patch(store, step)
    if patch is None:
        raise NotFoundError(f"The states of the files around step {step.n} are not kept here.")
    return patch.encode("utf-8", "replace")


def _side(line: str) -> str:
    """What a line of a unified diff says: "add", "del", "place", "file" or ""."""
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode",
                        "new mode", "Binary files")):  # fmt: skip
        return "file"
    return {"+": "add", "-": "del", "@": "place"}.get(line[:1], "")


def _found(request: Request) -> tuple[Store, Run, Step]:
    store = opened(request)
    run = found_run(request, store)
    return store, run, found_step(request, store, run)


def _request(store: Store, step: Step, room: Room) -> Head | None:
    sent = store.request(step)
    if sent is None:
        return None
    return Head(
        "Request",
        f"{sent.method} {sent.url}",
        tuple(sent.headers)[:_HEADERS_SHOWN],
        _body(sent.body, room, "request-body"),
        "request",
        "",
    )


def _response(store: Store, step: Step, room: Room) -> Head | None:
    reply = store.reply(step)
    if reply is None:
        return None
    notes = [f"{len(reply.chunks):,} pieces"] if len(reply.chunks) > 1 else []
    if not reply.complete:
        notes.append("not read to its end")
    if reply.failure is not None:
        notes.append(f"{reply.failure.get('type')}: {reply.failure.get('message')}")
    return Head(
        "Response",
        f"status {reply.status}",
        tuple(reply.headers)[:_HEADERS_SHOWN],
        _body(http_body(reply), room, "response-body"),
        "response",
        ", ".join(notes),
    )


def _body(data: bytes, room: Room, part: str) -> Block:
    text = data.decode("utf-8", "replace")
    # An event stream is text whose lines matter; a JSON body is easier read as JSON.
    if text[:1] in ("{", "["):
        return value_block(text, room, part)
    return text_block(text, room, part)
