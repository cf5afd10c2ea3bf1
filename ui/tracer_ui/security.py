"""Who may talk to the server: this machine's browser, on the address printed at the start.

A page of another site can make the browser send requests here, and a fork runs code, so every
request is checked: exact `Host` (no DNS rebinding), exact `Origin` for everything that changes
something, and a cookie that only the printed address sets. Cookies aren't kept apart by port: the
port is in the cookie's name, so that two servers on one machine don't log each other out.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'"
)
# For recorded bytes opened in a tab of their own: no script, no form, an origin of its own.
PAYLOAD_SECURITY_POLICY = "sandbox; default-src 'none'"

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "private, no-cache",
}

Refusal = Literal["host", "origin", "token"]


def new_token() -> str:
    """A secret for one start of the server."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Access:
    """What a server accepts: its token and the addresses it is reached at."""

    token: str
    port: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every spelling of this server's address that a browser may send as `Host`."""
        names = ("127.0.0.1", "localhost", "[::1]")
        hosts = tuple(f"{name}:{self.port}" for name in names)
        return hosts + names if self.port == 80 else hosts

    @property
    def cookie(self) -> str:
        """Name of the cookie."""
        return f"tracer_{self.port}"

    @property
    def secret(self) -> str:
        """Value of the cookie: not the token itself, which stands in terminals and histories."""
        return hashlib.sha256(f"tracer cookie {self.token}".encode()).hexdigest()

    def refuse(self, method: str, headers: Headers, *, open_to_all: bool) -> Refusal | None:
        """Why a request may not pass, None when it may."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return "host"
        if method not in SAFE_METHODS and not _same_origin(headers, hosts[0]):
            return "origin"
        if not open_to_all and not self._has_cookie(headers):
            return "token"
        return None

    def is_token(self, given: str) -> bool:
        """Whether a text is the token; takes as long for any text."""
        return _equal(given, self.token)

    def _has_cookie(self, headers: Headers) -> bool:
        return any(_equal(value, self.secret) for value in _cookies(headers, self.cookie))


def _same_origin(headers: Headers, host: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    return headers.getlist("origin") == [f"http://{host}"]


def _cookies(headers: Headers, name: str) -> Iterable[str]:
    for line in headers.getlist("cookie"):
        try:
            cookies: SimpleCookie = SimpleCookie(line)
        except CookieError:
            continue
        if name in cookies:
            yield cookies[name].value


def _equal(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode("utf-8", "replace"), b.encode())


def local_path(path: str) -> str:
    """A path on this server to send the browser to; "//host" would lead elsewhere."""
    if any(ord(char) < 33 for char in path):
        return "/"
    return "/" + path.replace("\\", "/").lstrip("/")


class Guard:
    """The outermost layer: refuses, logs in, and puts the security headers on every response.

    `refused(refusal, path)` makes the page shown instead.
    """

    def __init__(
        self, app: ASGIApp, access: Access, refused: Callable[[Refusal, str], Response]
    ) -> None:
        self.app = app
        self.access = access
        self.refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        headers = Headers(scope=scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(raw=message["headers"])
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
            await send(message)

        open_to_all = scope["path"].startswith("/static/")
        refusal = self.access.refuse(scope["method"], headers, open_to_all=open_to_all)
        answer: ASGIApp = self.app
        if refusal in (None, "token"):
            answer = self._login(scope) or answer
        if refusal is not None and answer is self.app:
            answer = self.refused(refusal, scope["path"])
        await answer(scope, receive, send_guarded)

    def _login(self, scope: Scope) -> Response | None:
        """Answer to the printed address: set the cookie, go to the same place without token."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == "token"]
        if scope["method"] not in SAFE_METHODS or not given:
            return None
        if len(given) != 1 or not self.access.is_token(given[0]):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = local_path(quote(scope["path"]))
        response = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(
            self.access.cookie, self.access.secret, httponly=True, samesite="strict", path="/"
        )
        return response
