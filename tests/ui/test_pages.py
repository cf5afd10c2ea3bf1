"""The pages over the sample runs: what they say, where they lead, how they fail."""

import html
import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.ui.conftest import SAME_ORIGIN, open_client
from tracer_ui import rendering
from tracer_ui.app import create_app


def words(text: str) -> str:
    """The words of a page as a person reads them."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def listed(page: str) -> list[tuple[str, str]]:
    """Id and depth of each row, in order."""
    return re.findall(r'<tr id="r([0-9a-f]{32})" class="run-row depth-(\d)', page)


def test_the_list_shows_content_and_folds_families(client: TestClient, ids: dict[str, str]) -> None:
    page = client.get("/runs").text
    alone = {"running", "failed", "hostile", "empty", "interrupted"}
    assert listed(page) == [
        (ids[name], "0") for name in ("running", "failed", "hostile", "empty", "interrupted")
    ]
    assert alone | {"fork", "replay"} == set(ids) - {"big"}
    text = words(page)
    assert "2 re-executions" in text
    assert "RefundRefused: 480.00 EUR for order A-1042" in text
    assert "fork at step 4" not in text


def test_what_is_folded_opens_with_and_without_scripts(
    client: TestClient, ids: dict[str, str]
) -> None:
    page = client.get(f"/runs?open={ids['failed']}").text
    kin = [(ids["replay"], "1"), (ids["fork"], "1")]
    assert listed(page)[1:4] == [(ids["failed"], "0"), *kin]
    assert "fork at step 4" in words(page)
    assert "Order A-1042: refunded 24.00 EUR" in words(page)
    assert listed(client.get(f"/f/runs/{ids['failed']}/kin").text) == kin
    assert listed(client.get(f"/f/runs/{ids['empty']}/kin").text) == []


def test_filters(client: TestClient, ids: dict[str, str]) -> None:
    for old in ("status=failed", "q=status:failed"):
        failed = client.get(f"/runs?{old}").text
        assert ids["failed"] in failed
        assert ids["interrupted"] in failed
        assert ids["fork"] not in failed
    found = client.get("/runs?q=clearance").text
    assert ids["fork"] in found
    assert ids["empty"] not in found
    nothing = words(client.get("/runs?q=nowhereatall+tool:lookup_order").text)
    assert "No run fits: 0 of 7." in nothing
    assert "Try it without nowhereatall tool:lookup_order or show all runs" in nothing
    for odd in ("*x", "a AND", "NEAR(", "(x" * 200, "a:", "x\0y", "'a"):
        assert client.get("/runs", params={"q": odd}).status_code == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("stauts:error", "there is no filter stauts: write status:"),
        ("cost:>much", "cost:>much is no amount: write dollars"),
        ('"open', "the quotation mark before open is not closed"),
        ("?", "? holds no letter or digit to search for"),
        ("x" * 3000, "the filter has 3,000 characters"),
    ],
)
def test_a_filter_that_means_nothing(client: TestClient, query: str, sentence: str) -> None:
    page = client.get("/runs", params={"q": query})
    assert page.status_code == 422
    assert sentence in words(page.text)
    assert 'aria-invalid="true"' in page.text
    assert not listed(page.text)
    twin = client.get("/runs.json", params={"q": query})
    assert (twin.status_code, sentence in twin.json()["error"]) == (422, True)
    assert client.get("/f/runs", params={"q": query}).status_code == 200
    assert client.get("/runs?sort=colour").status_code == 422


def test_sorting(client: TestClient, ids: dict[str, str]) -> None:
    page = client.get("/runs?sort=steps").text
    assert [run for run, _ in listed(page)][:2] == [ids["fork"], ids["replay"]]
    assert 'aria-sort="descending"><a class="sort" href="/runs?sort=steps-up"' in page
    up = client.get("/runs?sort=steps-up").text
    assert listed(up) == listed(page)[::-1]
    assert "tracer ls --sort steps-up" in words(up)
    rows = client.get("/runs.json?sort=steps&q=status:failed").json()
    assert [run["steps"] for run in map(dict, rows) if "steps" in run] == []
    assert rows[0]["id"] in (ids["failed"], ids["replay"])


def test_the_list_goes_on_where_it_ended(client: TestClient, ids: dict[str, str]) -> None:
    rest = client.get(f"/runs?before={ids['empty']}").text
    assert ids["interrupted"] in rest
    assert ids["failed"] not in rest
    assert client.get("/runs?before=nothing").status_code == 404


def test_a_run_leads_to_the_step_worth_looking_at(client: TestClient, ids: dict[str, str]) -> None:
    def target(run: str) -> str:
        return client.get(f"/runs/{run}").headers["location"].rpartition("/")[2]

    assert target(ids["failed"]) == "9"  # the error, not the containers that inherit it
    assert target(ids["fork"]) == "4"  # what was edited
    assert target(ids["running"]) == "4"  # the last step
    assert target("last-failed") == "9"
    assert target(ids["failed"][:9]) == "9"


def test_short_names_become_the_lasting_address(client: TestClient, ids: dict[str, str]) -> None:
    run = ids["failed"]
    reply = client.get(f"/runs/{run[:10]}/steps/4?history=1")
    assert reply.status_code == 302
    assert reply.headers["location"] == f"/runs/{run}/steps/4?history=1"


def test_a_model_call_shows_answer_then_new_then_the_rest(
    client: TestClient, ids: dict[str, str]
) -> None:
    page = client.get(f"/runs/{ids['failed']}/steps/4").text
    places = [page.index(f'id="{name}"') for name in ("answer", "new", "history", "tools", "raw")]
    assert places == sorted(places)
    text = words(page)
    assert "support_agent asks for check_policy" in text
    assert 'category "standard"' in text
    assert "New in this request 2 messages" in text
    assert "the answer of step 2" in text
    assert "2 unchanged earlier messages" in text
    assert "You are the support agent" not in text[text.index("Answer") :]


def test_earlier_messages_come_on_demand_and_without_scripts(
    client: TestClient, ids: dict[str, str]
) -> None:
    base = f"/runs/{ids['failed']}/steps/4"
    for path in (f"/f{base}/history", f"{base}?history=1"):
        assert "You are the support agent of a lamp shop." in words(client.get(path).text)


def test_a_tool_execution_shows_result_arguments_and_who_asked(
    client: TestClient, ids: dict[str, str]
) -> None:
    page = client.get(f"/runs/{ids['failed']}/steps/3").text
    text = words(page)
    assert "support_agent runs lookup_order" in text
    assert '"Halden floor lamp"' in text
    assert 'order_id "A-1042"' in text
    assert f'asked for by <a href="/runs/{ids["failed"]}/steps/2"' in page


def test_an_error_shows_its_traceback_to_the_end(client: TestClient, ids: dict[str, str]) -> None:
    text = words(client.get(f"/runs/{ids['failed']}/steps/9").text)
    assert 'File "/home/ana/shop/support_tools.py", line 91, in issue_refund' in text
    assert text.count("support_tools.RefundRefused: 480.00 EUR") >= 1
    assert "First error: step 9" in text


def test_a_fork_tells_what_came_from_where(client: TestClient, ids: dict[str, str]) -> None:
    text = words(client.get(f"/runs/{ids['fork']}/steps/4").text)
    assert "Fork at step 4 of run " + ids["failed"][:8] in text
    assert "2 recorded · 1 edited · 4 live" in text
    assert re.search(r"3 T lookup_order.*? recorded", text)


def test_the_raw_exchange(client: TestClient, ids: dict[str, str]) -> None:
    base = f"/runs/{ids['failed']}/steps/2"
    wire = words(client.get(f"/f{base}/wire").text)
    assert "POST https://api.openai.com/v1/chat/completions" in wire
    assert "x-request-id req_0001" in wire
    body = client.get(f"{base}/raw/request-body").content
    assert json.loads(body)["model"] == "gpt-4.1-mini"
    head = client.get(f"{base}/raw/request").content
    assert head.endswith(body)
    assert client.get(f"{base}/raw/response-body").text.endswith("data: [DONE]\n\n")
    assert "lookup_order" in client.get(f"{base}/raw/tools").text
    assert (
        json.loads(client.get(f"/runs/{ids['failed']}/steps/3/raw/output").text)["price"] == 480.0
    )


@pytest.mark.parametrize(
    "part", ["nothing", "in.9.9", "in.0.9", "in.x.0", "out.-1.0", "in.0", "request"]
)
def test_payloads_that_are_not_there(client: TestClient, ids: dict[str, str], part: str) -> None:
    reply = client.get(f"/runs/{ids['failed']}/steps/3/raw/{part}")
    assert reply.status_code == 404
    assert "<h1>Not found</h1>" in reply.text


def test_long_payloads_come_in_pieces(client: TestClient, ids: dict[str, str]) -> None:
    base = f"/runs/{ids['hostile']}/steps/5"
    page = client.get(base).text
    assert len(page) < 64_000
    assert "4,996,000 characters folded" in page
    start, seen = "0", 0
    for _ in range(3):
        piece = client.get(f"/f{base}/part/output?from={start}").text
        assert len(piece) < 64_000
        following = re.search(r"from=(\d+)", piece)
        assert following is not None
        assert int(following[1]) > seen
        seen, start = int(following[1]), following[1]
    assert "of 5,000,000 characters" in piece
    last = client.get(f"/f{base}/part/output?from=4999990").text
    assert "Show more" not in last


@pytest.mark.parametrize("name", ["failed", "fork", "replay", "running", "interrupted", "hostile"])
def test_every_step_of_every_run_has_a_page(
    client: TestClient, ids: dict[str, str], name: str
) -> None:
    run = client.get(f"/runs/{ids[name]}.json").json()
    assert run["steps"]
    for step in run["steps"]:
        base = f"/runs/{run['id']}/steps/{step['n']}"
        for path in (base, f"/f{base}", f"/f{base}/wire", f"{base}.json"):
            reply = client.get(path)
            assert reply.status_code == 200, path
        assert len(client.get(f"/f{base}").content) < 64_000
        assert client.get(f"{base}.json").json() == step


@pytest.mark.parametrize(
    ("command", "start", "target"),
    [
        ("next", 4, "5"),
        ("previous", 4, "3"),
        ("first-error", 1, "9"),
        ("next-error", 1, "9"),
        ("first-note", 1, "6"),
        ("over", 8, "8?end=1"),
        ("into", 8, "9"),
        ("out", 9, "8"),
        ("next-model", 4, "7"),
        ("asked", 5, "4"),
        ("asked", 4, "5"),
        ("last", 1, "9"),
        ("next", 9, "9?end=1"),
    ],
)
def test_stepping_works_without_scripts(
    client: TestClient, ids: dict[str, str], command: str, start: int, target: str
) -> None:
    base = f"/runs/{ids['failed']}/steps"
    for prefix in ("", "/f"):
        reply = client.get(f"{prefix}{base}/{start}/go/{command}")
        assert reply.status_code == 303
        assert reply.headers["location"] == f"{prefix}{base}/{target}"


def test_the_end_of_the_recording_is_said(client: TestClient, ids: dict[str, str]) -> None:
    assert "the recording ends here" in client.get(f"/runs/{ids['failed']}/steps/9?end=1").text
    assert client.get(f"/runs/{ids['failed']}/steps/9/go/fly").status_code == 404


def test_missing_things_say_what_is_there(client: TestClient, ids: dict[str, str]) -> None:
    page = client.get(f"/runs/{ids['failed']}/steps/57")
    assert page.status_code == 404
    assert "9 steps, there is no step 57" in words(page.text)
    assert f'href="/runs/{ids["failed"]}/steps/9"' in page.text
    for path in ("/runs/ffffffffffff", "/runs/ffffffffffff/steps/1", "/compare?a=ff&b=ff", "/x"):
        reply = client.get(path)
        assert reply.status_code == 404
        assert reply.headers["content-type"].startswith("text/html")
        assert 'href="/runs"' in reply.text
    fragment = client.get("/f/runs/ffffffffffff/steps/1")
    assert fragment.status_code == 404
    assert "<html" not in fragment.text


def test_a_run_that_failed_before_its_first_step(client: TestClient, ids: dict[str, str]) -> None:
    text = words(client.get(f"/runs/{ids['empty']}").text)
    assert "Nothing was recorded before the run ended." in text
    assert "KeyError" in text


def test_search_in_a_run(client: TestClient, ids: dict[str, str]) -> None:
    page = client.get(f"/runs/{ids['failed']}/find?q=lookup_order").text
    assert f"/runs/{ids['failed']}/steps/3" in page
    assert "No step holds these words" in client.get(f"/runs/{ids['failed']}/find?q=zzz").text
    for odd in ('"', "*", "a AND", "NEAR(", ""):
        assert client.get(f"/runs/{ids['failed']}/find", params={"q": odd}).status_code == 200


def test_compare_starts_at_the_fork(client: TestClient, ids: dict[str, str]) -> None:
    page = client.get(f"/compare?a={ids['failed']}&b={ids['fork']}").text
    text = words(page)
    assert "First difference: step 4, edited." in text
    assert "3 equal steps 1–3" in text
    assert "<del>standard</del><ins>clearance</ins>" in page
    assert page.index('id="first"') < page.index(">5<")
    whole = client.get(f"/compare?a={ids['failed']}&b={ids['fork']}&show=all").text
    assert whole.count('class="compare-row') > page.count('class="compare-row')
    same = client.get(f"/compare?a={ids['failed']}&b={ids['failed']}").text
    assert "the same but for time and cost" in words(same)


def test_two_selected_runs_are_compared_older_first(
    client: TestClient, ids: dict[str, str]
) -> None:
    reply = client.get(f"/compare?run={ids['fork']}&run={ids['failed']}")
    assert reply.headers["location"] == f"/compare?a={ids['failed']}&b={ids['fork']}"
    for query in ("", f"?run={ids['fork']}", "?run=a&run=b&run=c"):
        assert "Compare two runs" in client.get(f"/compare{query}").text


def test_json_twins(client: TestClient, ids: dict[str, str]) -> None:
    assert ids["failed"] in {run["id"] for run in client.get("/runs.json").json()}
    assert client.get(f"/runs/{ids['failed']}.json").json()["status"] == "error"
    found = client.get(f"/compare.json?a={ids['failed']}&b={ids['fork']}").json()
    assert found["first_divergence"] == 4
    for path in ("/runs", f"/runs/{ids['failed']}/steps/4"):
        twin = re.search(r'<a href="([^"]+)">JSON</a>', client.get(path).text)
        assert twin is not None
        assert client.get(html.unescape(twin[1])).headers["content-type"] == "application/json"


def test_every_page_says_its_command(client: TestClient, ids: dict[str, str]) -> None:
    assert (
        f"tracer show {ids['failed'][:8]} --step 4"
        in client.get(f"/runs/{ids['failed']}/steps/4").text
    )
    assert "tracer ls status:failed" in client.get("/runs?status=failed").text
    page = client.get("/runs", params={"q": "-is:fork lamp's"}).text
    assert """tracer ls --filter='-is:fork lamp'"'"'s'""" in html.unescape(page)
    page = client.get(f"/compare?a={ids['failed']}&b={ids['fork']}").text
    assert f"tracer diff {ids['failed'][:8]} {ids['fork'][:8]}" in page


def test_finished_runs_are_not_sent_twice(client: TestClient, ids: dict[str, str]) -> None:
    for path in (f"/runs/{ids['failed']}/steps/4", f"/f/runs/{ids['failed']}/steps/4"):
        tag = client.get(path).headers["etag"]
        again = client.get(path, headers={"If-None-Match": tag})
        assert again.status_code == 304
        assert again.content == b""
    assert "etag" not in client.get(f"/runs/{ids['running']}/steps/4").headers


def test_the_theme_is_part_of_the_page(client: TestClient, ids: dict[str, str]) -> None:
    path = f"/runs/{ids['failed']}/steps/4"
    tag = client.get(path).headers["etag"]
    client.post("/theme", data={"theme": "dark", "next": path}, headers=SAME_ORIGIN)
    dark = client.get(path, headers={"If-None-Match": tag})
    assert dark.status_code == 200
    assert '<html lang="en" data-theme="dark">' in dark.text
    client.post("/theme", data={"theme": "<script>"}, headers=SAME_ORIGIN)
    assert 'data-theme="dark"' in client.get("/help").text
    client.cookies.delete("tracer_theme")


def test_first_run_page(tmp_path: Path) -> None:
    with open_client(tmp_path / "none.db") as client:
        page = client.get("/runs").text
        assert "No runs yet" in page
        assert "tracer run my_agent.py" in page
        assert client.get("/runs.json").json() == []
        assert client.get("/runs/abc").status_code == 404
        assert client.get("/compare").status_code == 404
        assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes, not a database" * 50)
    with open_client(path) as client:
        reply = client.get("/runs")
        assert reply.status_code == 409
        assert "notes.db" in words(reply.text)
        assert "Traceback" not in reply.text


def test_a_fault_of_ours_shows_where(
    sample_store: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("<b>boom</b>")

    with open_client(sample_store[0]) as client:
        monkeypatch.setattr("tracer_ui.views.actions.respond", broken)
        reply = client.get("/help")
        assert reply.status_code == 500
        assert "RuntimeError at" in reply.text
        assert "&lt;b&gt;boom" in reply.text
        assert "<b>boom" not in reply.text
        assert 'href="/runs"' in reply.text
        assert client.get("/runs").status_code == 200


def test_too_large_a_form_is_refused(client: TestClient) -> None:
    reply = client.post(
        "/theme",
        content=b"theme=" + b"x" * (33 << 20),
        headers=SAME_ORIGIN | {"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert reply.status_code in (400, 413)


def test_static_addresses_change_with_the_file(client: TestClient) -> None:
    page = client.get("/help").text
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
        assert client.get(address).status_code == 200
    assert rendering.static_url("tracer.css") in page


def test_the_application_is_made_without_touching_the_database(tmp_path: Path) -> None:
    create_app(tmp_path / "deep" / "none.db", "t")
    assert list(tmp_path.iterdir()) == []
