"""What an agent reads of the clock and of chance is given again (torture cases 39, 59, 60, 61).

Real processes against a real server; times are compared to the microsecond.
"""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.processes import PRELUDE, Came, Desk, How
from tests.support.servers import Numbered
from tracer import Substitute
from tracer.demo.model_server import ModelServer
from tracer.interchange.bundle import export_bundle, import_bundle
from tracer.store.reading import Store

OFF = {"TRACER_CAPTURE": "http,frameworks"}
GAP = 3.0  # seconds between a recording and a fork, so that their clocks are told apart


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=Numbered()) as running:
        yield running


@pytest.fixture
def desk(desk: Desk, server: ModelServer) -> Desk:
    desk.env["OPENAI_BASE_URL"] = f"{server.url}/v1"
    return desk


def assert_same(came: Came) -> None:
    assert (came.code, came.message, came.divergences) == (0, None, [])


# Every name is taken before tracer is loaded; each value stands in a question of its own.
EVERYTHING = (
    """
from datetime import date, datetime, timedelta, timezone
from dataclasses import dataclass, field
from random import random, choice, sample
from time import time as now, strftime
from uuid import uuid4
import random as chance, secrets, time as clock, uuid
import numpy
from pydantic import BaseModel, Field

@dataclass
class Ticket:
    id: uuid.UUID = field(default_factory=uuid4)
    opened: datetime = field(default_factory=datetime.now)

class Order(BaseModel):
    id: uuid.UUID = Field(default_factory=uuid4)
    placed: datetime = Field(default_factory=datetime.utcnow)

class Mine(datetime):
    pass
"""
    + PRELUDE
    + """
import warnings
warnings.simplefilter("ignore")

@tracer.tool
def reads_too():
    return [now(), str(uuid4())]

@tracer.tool(effect="local")
def ticket():
    return f"{uuid4()} {now()}"

def questions():
    yield datetime.now().isoformat()
    yield datetime.now(timezone.utc).isoformat(), datetime.now(tz=timezone(timedelta(hours=5)))
    yield datetime.utcnow(), datetime.today(), date.today(), Mine.now(), type(Mine.now()).__name__
    yield now(), clock.time_ns(), clock.localtime(), clock.gmtime(), clock.ctime(), clock.asctime()
    yield strftime("%Y-%m-%d %H:%M:%S"), clock.clock_gettime(clock.CLOCK_REALTIME)
    yield Ticket(), Order()
    yield uuid4(), uuid.uuid1(), uuid.uuid5(uuid.NAMESPACE_DNS, str(uuid4()))
    reads_too()
    yield ticket()
    yield secrets.token_hex(8), secrets.token_urlsafe(), secrets.choice("abcdefgh" * 9)
    yield random(), sample(range(100), 9), choice(range(10**9)), chance.gauss(0, 1)
    deck = list(range(30)); chance.shuffle(deck); yield deck
    yield chance.Random().random(), chance.SystemRandom().random(), os.urandom(5).hex()
    chance.seed(); yield chance.random()
    chance.seed(7); yield chance.random()
    yield numpy.random.default_rng().integers(1 << 40), float(numpy.random.rand())
    yield [now() for _ in range(300)][-1]

@tracer.agent
def agent(question: str) -> str:
    for values in questions():
        ask(str(values))
    return datetime.now().isoformat()

if __name__ == "__main__":
    agent("go")
"""
)


@pytest.mark.parametrize("how", ["plain", "run"])
def test_dates_ids_and_shuffles_are_the_recorded_ones(
    desk: Desk, server: ModelServer, how: How
) -> None:
    script = desk.write("agent.py", EVERYTHING, prelude=False)
    done = desk.record(script, how=how)
    assert done.code == 0, done.err
    asked = server.request_count
    came = desk.replay()
    assert_same(came)
    assert server.request_count == asked
    # A replay is a run with the same draws, but for those of the tool that was not run.
    with Store.open(desk.database) as store:
        runs = (store.draws(one) for one in (store.find_run("last").id, came.run_id))
        recorded, again = ({(d.path, d.kind): d.values for d in drawn} for drawn in runs)
    assert again.items() <= recorded.items()
    served = {("agent1/tool1", "clock"), ("agent1/tool1", "bytes")}
    assert recorded.keys() - again.keys() == served
    assert desk.run(came.run_id).warnings == ()


def test_without_the_recording_of_the_clock_it_diverges_and_says_so(desk: Desk) -> None:
    script = desk.write("agent.py", EVERYTHING, prelude=False)
    desk.record(script, how="plain", env=OFF)
    came = desk.replay()
    assert came.code == 3
    assert came.message is not None
    assert "a date or time varies by itself, and the clock and random values" in came.message


CONCURRENT = """
import random, uuid
from datetime import datetime

async def branch(n):
    await asyncio.sleep(random.SystemRandom().random() / 50)
    mine = f"branch {n} {uuid.uuid4()} {datetime.now()}"
    await asyncio.sleep(random.SystemRandom().random() / 50)
    async with httpx.AsyncClient() as client:
        await client.post(BASE + "/chat/completions", json=body(mine), headers=KEY)
    return mine

def in_a_thread(n):
    time.sleep(random.SystemRandom().random() / 50)
    ask(f"thread {n} {uuid.uuid4()} {time.time()} {random.Random().random()}")

@tracer.agent
async def agent() -> list[str]:
    started = asyncio.get_running_loop().time()
    found = await asyncio.gather(*[branch(n) for n in range(8)])
    threads = [threading.Thread(target=in_a_thread, args=(n,)) for n in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    await asyncio.gather(*[asyncio.to_thread(in_a_thread, n) for n in range(4)])
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.05)
    except TimeoutError:
        found.append("timed out")
    async with asyncio.timeout(30):
        await asyncio.sleep(0.01)
    assert 0.05 < asyncio.get_running_loop().time() - started < 50
    return found

asyncio.run(agent())
"""


def test_tasks_and_threads_each_get_their_own(desk: Desk, server: ModelServer) -> None:
    done = desk.record(desk.write("agent.py", CONCURRENT))
    assert done.code == 0, done.err
    assert_same(desk.replay())
    assert server.request_count == 20


FORKED = """
import logging, socket, ssl, uuid
from datetime import datetime, timedelta, timezone
import jwt

def say(name):
    record = logging.LogRecord("x", 20, "f", 1, "m", (), None)
    with open("mtime", "w") as file: file.write("x")
    told = {"clock": time.time(), "id": str(uuid.uuid4()), "log": record.created,
            "file": os.stat("mtime").st_mtime, "steady": time.monotonic()}
    print(json.dumps(told), flush=True)

@tracer.agent
def agent():
    say("before")
    until = datetime.now(timezone.utc) + timedelta(hours=1)
    token = jwt.encode({"exp": until}, "k" * 32, algorithm="HS256")
    ask(f"first {uuid.uuid4()} {token}")
    jwt.decode(token, "k" * 32, algorithms=["HS256"])
    ask("second")
    say("after")
    jwt.decode(token, "k" * 32, algorithms=["HS256"])
    if "TLS" in os.environ:
        context = ssl.create_default_context(cafile="certificate.pem")
        with socket.create_connection(("127.0.0.1", int(os.environ["TLS"]))) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.recv(2) == b"ok"
    ask(f"third {uuid.uuid4()}")

agent()
"""


@contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """The port of a server whose certificate, beside it, is valid from this moment on."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def serve() -> None:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(b"ok")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]


def told(out: str) -> list[dict[str, float | str]]:
    return [json.loads(line) for line in out.splitlines()]


def test_after_the_fork_chance_is_real_and_the_clock_runs_on(
    desk: Desk, server: ModelServer
) -> None:
    script = desk.write("agent.py", FORKED)
    done = desk.record(script)
    assert done.code == 0, done.err
    before, after = told(done.out)
    time.sleep(GAP)
    started = time.time()
    substitute = Substitute("text", text="other")
    with tls_server(desk.folder) as port:
        came = desk.fork(substitute, model_call=2, env={"TLS": str(port)})
    went_by = time.time() - float(after["clock"])
    assert (came.code, came.divergences) == (0, []), came.message
    first, second = told(came.out)
    assert first["id"] == before["id"] and second["id"] != after["id"]
    assert first["clock"] == before["clock"]
    # No more went by than since the fork point was reached again.
    assert (
        float(first["clock"]) < float(second["clock"]) < float(after["clock"]) + went_by - GAP / 2
    )
    for said in (first, second):  # what is not the program's own reading is real
        assert float(said["log"]) >= started and float(said["file"]) >= started - 1
    assert float(second["steady"]) - float(first["steady"]) < 60
    assert server.request_count == 4
    # With everything from the recording, the other branch reads as the recorded one did.
    came = desk.fork(substitute, model_call=2, after="recorded")
    assert (came.code, told(came.out)[1]["id"]) == (0, after["id"])


CHANGED = """
import uuid
@tracer.agent
def agent():
    if os.environ.get("MORE"):
        uuid.uuid4()
    ask("a question without any")
    print(time.time(), uuid.uuid4(), flush=True)
    if os.environ.get("MORE"):
        print(time.time())

agent()
"""


def test_reads_that_were_not_recorded_are_noted_and_not_fatal(desk: Desk) -> None:
    script = desk.write("agent.py", CHANGED)
    recorded = desk.record(script).out.split()
    came = desk.replay(env={"MORE": "1"})
    assert came.code == 0, came.message
    moment, drawn, later = came.out.split()
    assert drawn != recorded[1] and moment == recorded[0]  # a read of it came in before
    assert 0 < float(later) - float(moment) < 30
    (warning,) = desk.run(came.run_id).warnings
    assert warning.startswith("the clock or random values were read more often than recorded")
    # A run from before there was such a recording gets the real ones.
    desk.record(script, env=OFF)
    started = time.time()
    came = desk.replay()
    assert came.code == 0 and float(came.out.split()[0]) >= started


SETS = """
@tracer.agent
def agent() -> str:
    ask(" ".join({chr(97 + n) * 3 for n in range(20)}))
    return str(os.environ.get("PYTHONHASHSEED"))

agent()
"""


def test_sets_keep_their_order_under_tracer_run(desk: Desk) -> None:
    script = desk.write("agent.py", SETS)
    desk.record(script)
    assert_same(desk.replay())
    run = desk.run()
    assert run.output_text == "None" and run.entry["hashseed_chosen"]
    desk.record(script, env={"PYTHONHASHSEED": "5"})
    assert desk.run().output_text == "5"
    assert_same(desk.replay())
    desk.record(script, how="plain")
    came = desk.replay()
    assert came.code == 3
    assert (
        came.message is not None
        and "the same things varies by itself, as sets of texts" in came.message
    )


KEYS = """
import secrets, uuid
@tracer.agent
def agent():
    ask(f"{uuid.uuid4()} {secrets.token_hex(8)} {time.time()}")
    key = secrets.token_bytes(32)
    ask(str(len(key)))

agent()
"""


def test_a_bundle_carries_what_it_takes(desk: Desk) -> None:
    script = desk.write("agent.py", KEYS)
    desk.record(script)
    with Store.open(desk.database) as store:
        run = store.find_run("last")
        drawn = store.draws(run.id)
        done = export_bundle(store, run.id, desk.folder / "run.zip")
        kept = export_bundle(store, run.id, desk.folder / "all.zip", redact=False)
    assert dict(done.secrets) == dict(kept.secrets) == {"random value that may be a key": 1}
    made = [value for one in drawn if one.kind == "secret" for value in one.values]
    assert [len(value) for value in made if isinstance(value, bytes)] == [8, 32]
    for name, whole in (("run.zip", False), ("all.zip", True)):
        desk.database.unlink()
        import_bundle(desk.folder / name, desk.database)
        with Store.open(desk.database) as store:
            assert (store.draws(run.id) == sorted(drawn, key=lambda d: (d.path, d.kind))) == whole
        came = desk.replay(run.id, script=(str(script),))
        assert (came.code, came.divergences) == (0, []), came.message
        assert desk.run(came.run_id).warnings == (
            ()
            if whole
            else ("1 random values were left out when the run was exported: others were drawn",)
        )
