"""Some SDKs and every client installed here through the matrix' evening, in one process.

`make matrix` plays each by itself, and its oldest version, and forks too.
"""

import sys
from pathlib import Path

from tests.frameworks import checks
from tests.frameworks.bench import bench
from tests.frameworks.cases import Case

# Of every client a program, and of the formats those that no other test plays whole evenings with.
AGENTS = (
    *("openai_agent", "ollama_agent", "bedrock_agent"),
    *("client_agent:httpx", "client_agent:urllib3", "client_agent:aiohttp"),
)
EVERY = Case("every SDK", "every_agent.py", (), args=AGENTS, folder="sdks")


def test_every_sdk_is_recorded_as_it_is_and_replayed(tmp_path: Path) -> None:
    with bench(Path(sys.executable), EVERY, tmp_path) as made:
        alone = made.alone()
        recorded = made.recorded()
        seen = made.read()
        replayed = made.tracer("replay", "last")
    assert alone.code == 0, alone.err
    assert alone.out.count("Sunny in Berlin and Paris") == len(AGENTS)
    assert alone.booked == recorded.booked == len(AGENTS)
    assert (recorded.code, recorded.out) == (0, alone.out), recorded.err
    assert sorted(map(str, recorded.sent)) == sorted(map(str, alone.sent))
    assert checks.models(seen, recorded.sent) is True
    assert checks.usage(seen, recorded.sent) is True
    assert checks.messages(seen, recorded.heard, EVERY) is True
    assert checks.parents(seen) is True
    executions, each = seen.kind("tool"), len(EVERY.tools)
    assert len(executions) == each * len(AGENTS)
    for start in range(0, len(executions), each):
        found = executions[start : start + each]
        assert checks.tools(found, seen, EVERY) is True
        assert checks.errors(found, seen, EVERY) is True
    assert (replayed.code, replayed.out) == (0, alone.out), replayed.err
    assert (replayed.requests, replayed.booked) == (0, 0)
