"""Templates to responses. Everything is escaped; no output anywhere is marked safe."""

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from tracer_ui import formats, keys
from tracer_ui.contexts import THEMES, Context, Frame, Theme
from tracer_ui.site import site_of

HERE = Path(__file__).parent
STATIC = HERE / "static"
THEME_COOKIE = "tracer_theme"

_CONTROL = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n\r"}
_CONTROL[0x7F] = "\u2421"


def visible(text: str) -> str:
    """Text with control characters shown by their pictures; they'd vanish or break the page."""
    return text.translate(_CONTROL)


def _finalize(value: object) -> object:
    return visible(value) if type(value) is str else value


@cache
def static_url(name: str) -> str:
    """Address of a static file; it changes with the file, so browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@cache
def environment() -> Environment:
    """The template environment."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters.update(
        cost=formats.cost,
        duration=formats.duration,
        number=formats.number,
        plural=formats.plural,
        size=formats.size,
        unquoted=formats.unquoted,
    )
    made.globals.update(
        static_url=static_url,
        keys_of=keys.keys_of,
        shortcuts=keys.shortcuts,
        shown_keys=keys.shown_keys,
        key_places=keys.by_place,
    )
    return made


def html(context: Context) -> bytes:
    """The HTML of a context. Text that UTF-8 can't hold (lone surrogates) is replaced."""
    template = environment().get_template(context.template)
    return template.render(context.variables()).encode("utf-8", "replace")


def respond(
    request: Request, context: Context, status: int = 200, *, tag: str | None = None
) -> Response:
    """A page or fragment. `tag`: what the content depends on; an unchanged one answers 304."""
    etag = None if tag is None else _etag(tag)
    if etag is not None and request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    response = Response(html(context), status_code=status, media_type="text/html")
    if etag is not None:
        response.headers["ETag"] = etag
    return response


def _etag(tag: str) -> str:
    digest = hashlib.sha256(f"{_version()} {tag}".encode("utf-8", "replace")).hexdigest()
    return f'W/"{digest[:24]}"'


def theme_of(request: Request) -> Theme:
    """The colour scheme chosen with the switch."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return next((theme for theme in THEMES if theme == chosen), "system")


def frame(request: Request, title: str, **more: str) -> Frame:
    """The frame of a page."""
    query = request.url.query
    here = request.url.path + (f"?{query}" if query else "")
    database = str(site_of(request).database)
    return Frame(title=title, here=here, theme=theme_of(request), database=database, **more)


@cache
def _version() -> str:
    """Changes when any template or static file does."""
    digest = hashlib.sha256()
    for path in sorted((*HERE.glob("templates/*.html"), *STATIC.glob("*.*"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
