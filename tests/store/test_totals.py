"""What a run adds up from its steps: counts, usage, cost."""

from itertools import permutations

import pytest

from tests.store.build import model_start, run_id, run_start, step_end, step_start, used
from tracer.core.records import Usage
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter

RUN = run_id(1)


def test_counts_and_sums(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    usages = [Usage(10, 5, 2, None, None), Usage(1, None, None, None, 7), None]
    for n, usage in enumerate(usages, start=1):
        writer.start_step(model_start(n))
        writer.end_step(step_end(n, usage=usage, cost_usd=None if usage is None else 0.1))
    writer.start_step(step_start(4))
    writer.start_step(step_start(5, kind="http"))
    run = store.find_run(RUN)
    assert (run.steps, run.model_calls, run.tool_calls) == (5, 3, 1)
    assert run.usage == Usage(11, 5, 2, None, 7)
    assert (run.cost_usd, run.cost_incomplete) == (0.2, False)
    assert run.last_step_ns == 10**9 + 5


def test_only_model_steps_are_summed(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.start_step(step_start(1, kind="agent"))
    writer.end_step(step_end(1, usage=used(100), cost_usd=9.0))
    run = store.find_run(RUN)
    assert (run.usage, run.cost_usd, run.model_calls) == (Usage(), None, 0)


def test_a_cost_that_is_unknown(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    for n, cost in enumerate([None, 0.25, None], start=1):
        writer.start_step(model_start(n))
        writer.end_step(step_end(n, usage=used(1), cost_usd=cost))
        if n == 1:
            assert store.find_run(RUN).cost_usd is None
            assert store.find_run(RUN).cost_incomplete
    run = store.find_run(RUN)
    assert (run.cost_usd, run.cost_incomplete) == (0.25, True)


def test_a_price_that_comes_later(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    for n in (1, 2):
        writer.start_step(model_start(n))
        writer.end_step(step_end(n, usage=used(1)))
    writer.set_cost(RUN, 1, 0.1)
    assert (store.find_run(RUN).cost_usd, store.find_run(RUN).cost_incomplete) == (0.1, True)
    writer.set_cost(RUN, 2, 0.2)
    writer.set_cost(RUN, 1, 0.3)  # replaced
    run = store.find_run(RUN)
    assert (run.cost_usd, run.cost_incomplete, run.usage.input_tokens) == (0.5, False, 2)
    assert [step.cost_usd for step in store.steps(RUN)] == [0.3, 0.2]


def test_a_price_without_usage_counts_too(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.start_step(model_start(1))
    writer.end_step(step_end(1))
    writer.set_cost(RUN, 1, 0.1)
    run = store.find_run(RUN)
    assert (run.cost_usd, run.cost_incomplete, run.usage) == (0.1, False, Usage())


# A model function (1) around an HTTP call (2), a call beside them (3), and a call in a tool
# in the function (4): path and ordinal.
NESTED = {1: ("", 1), 2: ("model1", 1), 3: ("", 2), 4: ("model1/tool1", 1)}


@pytest.mark.parametrize("order", list(permutations([1, 2, 3, 4])), ids=str)
@pytest.mark.parametrize("outer_knows", [True, False])
def test_a_call_inside_a_call_is_counted_once(
    writer: StoreWriter, store: Store, order: tuple[int, ...], outer_knows: bool
) -> None:
    writer.start_run(run_start())
    for n, (path, ordinal) in NESTED.items():
        writer.start_step(model_start(n, path=path, ordinal=ordinal))
    for n in order:
        known = n != 1 or outer_knows
        usage = used(10**n) if known else None
        writer.end_step(step_end(n, usage=usage, cost_usd=float(n) if known else None))
    run = store.find_run(RUN)
    assert (run.steps, run.model_calls) == (4, 2)
    expected = (10 + 1000, 4.0) if outer_knows else (100 + 1000 + 10_000, 9.0)
    assert (run.usage.input_tokens, run.cost_usd) == expected
    assert not run.cost_incomplete


def test_model10_is_not_inside_model1(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    writer.start_step(model_start(1, path="", ordinal=1))
    writer.start_step(model_start(2, path="model10", ordinal=1))
    writer.start_step(model_start(3, path="submodel1", ordinal=1))
    for n in (2, 3, 1):
        writer.end_step(step_end(n, usage=used(10**n)))
    run = store.find_run(RUN)
    assert (run.model_calls, run.usage.input_tokens) == (2, 1110)


def test_usage_nobody_can_mean(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    for n in (1, 2):
        writer.start_step(model_start(n))
        writer.end_step(step_end(n, usage=Usage(10**30, -5), cost_usd=float("inf")))
    run = store.find_run(RUN)
    assert run.usage == Usage(2 * (1 << 48), 0)
    assert store.step(RUN, 1).usage == Usage(1 << 48, 0)
