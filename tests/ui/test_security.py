"""Nobody but this machine's browser, on the printed address, gets anything."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.ui.conftest import BASE, SAME_ORIGIN, TOKEN
from tracer_ui.app import create_app, routes
from tracer_ui.security import CONTENT_SECURITY_POLICY, local_path

PAGES = ["/", "/runs", "/runs.json", "/help", "/compare", "/f/runs", "/sse/runs", "/nothing"]


@pytest.fixture
def stranger(tmp_path: Path) -> TestClient:
    app = create_app(tmp_path / "none.db", TOKEN)
    return TestClient(app, base_url=BASE, follow_redirects=False)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_without_the_cookie(stranger: TestClient, path: str) -> None:
    reply = stranger.get(path)
    assert reply.status_code == 403
    assert "Open the address that tracer ui printed" in reply.text


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "tök", TOKEN.upper()])
def test_a_wrong_token_opens_nothing(stranger: TestClient, token: str) -> None:
    reply = stranger.get("/runs", params={"token": token})
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


def test_the_token_becomes_a_cookie_and_leaves_the_address(stranger: TestClient) -> None:
    reply = stranger.get(f"/runs?q=a%26b&token={TOKEN}&status=failed")
    assert reply.status_code == 303
    assert reply.headers["location"] == "/runs?q=a%26b&status=failed"
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("tracer_4700=")
    assert TOKEN not in cookie
    for word in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert word in cookie
    assert stranger.get("/runs").status_code == 200


def test_two_tokens_are_none(stranger: TestClient) -> None:
    assert stranger.get(f"/runs?token={TOKEN}&token=x").status_code == 403


def test_no_link_leads_to_another_host(stranger: TestClient) -> None:
    refused = stranger.get(f"{BASE}//evil.example/x").text
    assert 'href="/evil.example/x"' in refused
    assert 'href="//evil' not in refused
    reply = stranger.get(f"{BASE}//evil.example/x?token={TOKEN}")
    assert reply.headers["location"] == "/evil.example/x"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:4701",
        "localhost:80",
        "127.0.0.1:4700.evil.example",
        "LOCALHOST:4700",
        "0.0.0.0:4700",
        "127.1:4700",
        "",
    ],
)
def test_other_hosts_are_refused_even_with_the_cookie(client: TestClient, host: str) -> None:
    assert client.get("/runs", headers={"Host": host}).status_code == 403
    assert client.get("/static/tracer.css", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:4700", "localhost:4700", "[::1]:4700"])
def test_every_spelling_of_this_address_is_accepted(client: TestClient, host: str) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    reply = client.get("/help", headers={"Host": host, "Cookie": cookies})
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:4701"},
        {"Origin": "https://127.0.0.1:4700"},
        {"Origin": "http://localhost:4700"},
        {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": BASE, "Sec-Fetch-Site": "same-site"},
        {"Origin": BASE, "Sec-Fetch-Site": "none"},
        {"Origin": BASE + "/"},
    ],
)
def test_forms_of_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    reply = client.post("/theme", data={"theme": "dark"}, headers=headers)
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("headers", [SAME_ORIGIN, {"Origin": BASE}])
def test_own_forms_are_accepted(client: TestClient, headers: dict[str, str]) -> None:
    reply = client.post("/theme", data={"theme": "dark", "next": "/help"}, headers=headers)
    assert reply.status_code == 303
    assert reply.headers["location"] == "/help"
    client.cookies.delete("tracer_theme")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_change_nothing(client: TestClient, method: str) -> None:
    assert client.request(method, "/runs").status_code == 403
    assert client.request(method, "/runs", headers=SAME_ORIGIN).status_code == 405


def test_every_answer_carries_the_headers(client: TestClient, ids: dict[str, str]) -> None:
    for path in ["/runs", "/nothing", "/static/tracer.css", f"/runs/{ids['failed']}/steps/2", "/"]:
        headers = client.get(path).headers
        assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")


def test_payloads_are_downloads(client: TestClient, ids: dict[str, str]) -> None:
    reply = client.get(f"/runs/{ids['hostile']}/steps/1/raw/in.0.0")
    assert reply.text == "<script>alert(1)</script><img src=x onerror=alert(2)>"
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["content-disposition"].startswith("attachment; filename=")
    assert reply.headers["content-security-policy"].startswith("sandbox")
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_only_posts_change_anything() -> None:
    changing = {"/theme", "/import", "/runs/{run}/stop", "/runs/{run}/steps/{n}/fork"}
    posts = {route.path for route in routes() if "POST" in (getattr(route, "methods", None) or ())}
    assert changing <= posts
    both = [r.path for r in routes() if {"GET", "POST"} <= (getattr(r, "methods", None) or set())]
    assert both == []


def test_static_files_stay_in_their_folder(client: TestClient) -> None:
    for path in ("/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py"):
        assert client.get(path).status_code in (403, 404)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/runs?q=1", "/runs?q=1"),
        ("//evil", "/evil"),
        ("/\\evil", "/evil"),
        ("http://e", "/http://e"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
        ("\\\\evil", "/evil"),
    ],
)
def test_redirects_stay_here(given: str, path: str) -> None:
    assert local_path(given) == path
