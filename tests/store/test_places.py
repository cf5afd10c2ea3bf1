"""Where a run's steps stand: the quick reading, against the whole one."""

from tests.store.build import run_end, run_id, run_start, step_end, step_start
from tracer.core.records import StepPlace
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter


def places_of_steps(store: Store, run: str, first: int = 1) -> list[StepPlace]:
    return [
        StepPlace(s.n, s.id, s.parent, s.kind, s.name, s.status, s.source)
        for s in store.steps(run, first=first)
    ]


def test_places_are_those_of_the_steps(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    for n in range(1, 8):
        writer.start_step(step_start(n, kind="note" if n % 3 == 0 else "tool"))
    for n in (1, 2, 5):
        writer.end_step(step_end(n, status="error" if n == 5 else "ok"))
    run = run_id(1)
    assert store.places(run) == places_of_steps(store, run)
    assert len(store.places(run)) == 7
    assert store.places(run, first=6) == places_of_steps(store, run, 6)
    assert store.places(run, first=99) == []


def test_steps_left_open_are_interrupted(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.start_step(step_start(1))
    writer.end_run(run_end(status="interrupted"))
    (place,) = store.places(run_id(1))
    assert place.status == store.steps(run_id(1))[0].status == "interrupted"
