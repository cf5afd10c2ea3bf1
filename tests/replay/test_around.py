"""What a re-execution prints and touches stands with its own steps."""

from tests.support.processes import Desk
from tracer.interchange.around import around

AGENT = """
import logging

@tracer.tool(effect="read")
def served():
    print("served only once")
    return 1

@tracer.tool(effect="local")
def runs_again():
    print("runs again")
    logging.getLogger("shop").warning("again")

@tracer.agent
def agent():
    print("agent begins")
    served()
    runs_again()
    with open("report.txt", "w") as file:
        file.write("x")

agent()
"""


def test_a_replays_output_is_attached_to_its_steps(desk: Desk) -> None:
    desk.record(desk.write("agent.py", AGENT))
    came = desk.replay()
    assert came.code == 0, came.message
    assert came.out == "agent begins\nruns again\n"
    with desk.bench.store as store:
        first = store.find_run("last").id
        texts = {
            run: [
                [item["text"] for item in around(store, run, n).printed if item["stream"] == "out"]
                for n in (1, 2, 3)
            ]
            for run in (first, came.run_id)
        }
        assert texts[first] == [["agent begins\n"], ["served only once\n"], ["runs again\n"]]
        assert texts[came.run_id] == [["agent begins\n"], [], ["runs again\n"]]
        assert [entry["text"] for entry in around(store, came.run_id, 3).logs] == ["again"]
        written = [("written", str(desk.folder / "report.txt"))]
        for run, expected in ((first, written), (came.run_id, [])):
            touched = around(store, run, 1).touched
            assert [(item["what"], item["name"]) for item in touched] == expected
