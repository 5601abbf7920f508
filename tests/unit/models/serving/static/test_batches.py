"""The compiled batches beside a slow twin, token by token."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.models.serving.static.kernel import run_lots
from gpudeck.models.serving.step_time import StepTime
from gpudeck.workload.request import RequestTable

_TOKENS = np.arange(200)
# every term of a step differs from every other
STEP = StepTime(
    np.where(_TOKENS > 0, 0.005 + 2e-5 * _TOKENS + 1e-7 * _TOKENS**2, 0.0),
    np.where(_TOKENS > 0, 1e-4 + 1e-5 * _TOKENS, 0.0)[:20],
    1e-4, 1e-7, 2e-4, 3e-5, 1e-6,
)  # fmt: skip
REPLICA = Replica("H100-SXM", "llama-2-7b", step_time=STEP)


@dataclass
class Request:
    """A request and when its tokens came out."""

    row: int
    arrival_s: float
    prompt: int
    output: int
    reserve: int
    times: list[float] = field(default_factory=list)


class Batches:
    """An engine that runs each batch to its end."""

    def __init__(self, requests: list[Request], engine: Engine, capacity: int) -> None:
        self.requests, self.engine, self.capacity = requests, engine, capacity
        self.edges = list(engine.buckets or [10**9])
        self.to_come = list(requests)
        self.waiting: list[list[Request]] = [[] for _ in self.edges]
        self.now = 0.0
        self.log: list[tuple[float, ...]] = []

    def serve(self) -> None:
        """Serve all."""
        while self.to_come or any(self.waiting):
            while self.to_come and self.to_come[0].arrival_s <= self.now:
                request = self.to_come.pop(0)
                place = sum(request.prompt > edge for edge in self.edges)
                self.waiting[min(place, len(self.edges) - 1)].append(request)
            ready = [queue for queue in self.waiting if self.is_ready(queue)]
            if ready:
                queue = min(ready, key=lambda q: self.requests.index(q[0]))
                batch = self.batch(queue)
                del queue[: len(batch)]
                self.run(batch)
            else:
                self.wait()

    def batch(self, queue: list[Request]) -> list[Request]:
        """Requests at a queue's head that may run together."""
        batch: list[Request] = []
        for each in queue:
            if len(batch) == self.engine.max_batch:
                break
            if sum(b.reserve for b in batch) + each.reserve > self.capacity:
                break
            batch.append(each)
        return batch

    def is_ready(self, queue: list[Request]) -> bool:
        """Whether a batch of it is to start now."""
        if not queue:
            return False
        batch = self.batch(queue)
        if len(batch) == self.engine.max_batch or len(batch) < len(queue):
            return True
        if self.engine.policy == "static":
            return not self.to_come
        return self.now >= queue[0].arrival_s + self.engine.max_delay_s

    def wait(self) -> None:
        """Wait for the next arrival or the end of a delay."""
        moments = [self.to_come[0].arrival_s] if self.to_come else []
        if self.engine.policy == "dynamic":
            moments += [q[0].arrival_s + self.engine.max_delay_s for q in self.waiting if q]
        self.now = max(self.now, min(moments))

    def run(self, batch: list[Request]) -> None:
        """Run one batch to its end, padded to its longest prompt and answer."""
        slots, longest = len(batch), max(each.prompt for each in batch)
        reserved, prompts = sum(b.reserve for b in batch), sum(b.prompt for b in batch)
        for number in range(max(each.output for each in batch)):
            first = number == 0
            taking = [each for each in batch if each.output > number]
            if first:
                work = slots * longest * longest / 2
                tokens = slots * longest
                seconds = STEP.at(tokens=tokens, sampling=slots, chunks=slots, work=work)
            else:
                tokens, context = slots, slots * (longest + number)
                seconds = STEP.at(tokens=slots, sampling=slots, decodes=slots, context=context)
            start, spent = self.now, float(seconds) + self.engine.step_overhead_s
            self.now += spent
            for each in taking:
                each.times.append(self.now)
            live = prompts + sum(len(each.times) - 1 for each in batch)
            self.log.append(
                (
                    start, self.now, spent if first else 0.0, 0 if first else len(taking),
                    slots if first else 0, tokens, prompts if first else 0, reserved, live,
                    self.engine.max_batch,
                )
            )  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> tuple[RequestTable, Engine]:
    """Small runs with little memory."""
    few = st.integers(1, 60)
    arrival = draw(st.lists(st.integers(0, 40), min_size=1, max_size=14))
    prompts = [draw(few) for _ in arrival]
    outputs = [draw(st.one_of(st.integers(1, 3), few)) for _ in arrival]
    edges = draw(st.one_of(st.none(), st.sets(st.integers(1, 70), min_size=1, max_size=3)))
    engine = Engine(
        draw(st.sampled_from(["static", "dynamic"])),
        max_batch=draw(st.sampled_from([1, 2, 4, 16])),
        max_delay_s=draw(st.sampled_from([0.0, 0.02, 0.5])),
        blocks=draw(st.integers(120, 400)),
        block_size=1,
        reservation=draw(st.sampled_from(["max", "oracle"])),
        max_length=120,
        buckets=tuple(sorted(edges)) if edges else None,
    )
    return RequestTable(np.array(arrival) / 100, prompts, outputs), engine


@settings(max_examples=50, deadline=None)
@given(cases())
def test_every_token_and_iteration_is_that_of_the_twin(case: tuple[RequestTable, Engine]) -> None:
    """Static and dynamic, with buckets and without, in memory for a few."""
    table, engine = case
    run = simulate(table, engine, REPLICA)
    total = table.prompt_tokens + table.output_tokens - 1
    reserve = total if engine.reservation == "oracle" else np.full(len(table), 120)
    columns = (table.arrival_s, table.prompt_tokens, table.output_tokens, reserve)
    order = np.argsort(table.arrival_s, kind="stable")
    requests = [Request(int(row), *(column[row].item() for column in columns)) for row in order]
    twin = Batches(requests, engine, engine.blocks or 0)
    twin.serve()
    ours = np.array(
        [
            run.start_s, run.end_s, run.prefill_s, run.decodes, run.prefills, run.tokens,
            run.prefill_tokens, run.kv_tokens, run.kv_live_tokens, run.cap,
        ]
    )  # fmt: skip
    np.testing.assert_allclose(ours.T, twin.log, rtol=0, atol=1e-9)
    for each in requests:
        np.testing.assert_allclose(run.token_times(each.row), each.times, rtol=0, atol=1e-9)
        assert run.first_token_s[each.row] == run.token_times(each.row)[0]
        # all results of a batch are released when its last token is out
        assert (run.end_s == run.finish_s[each.row]).any()
        assert run.finish_s[each.row] >= each.times[-1] - 1e-9


def test_static_engines_share_one_compiled_loop() -> None:
    """Whatever the delay, the buckets and the step time."""
    table = RequestTable([0.0, 1.0], [40, 40], [3, 3])
    for engine in (Engine("static", buckets=(10, 50)), Engine("dynamic", max_delay_s=1)):
        simulate(table, engine, REPLICA)
        simulate(table, engine, Replica())
    assert len(run_lots.signatures) == 1


def test_a_batch_of_many_iterations_makes_room_for_them() -> None:
    """Longer than any room that the log has at first."""
    table = RequestTable([0.0], [1], [50_000])
    run = simulate(table, Engine("static"), REPLICA)
    assert run.iterations == 50_000
    assert run.kv_live_tokens[-1] == 50_000


def test_what_belongs_to_other_engines_is_refused() -> None:
    """Replicas and caches from elsewhere."""
    table = RequestTable([0.0], [1], [2])
    with pytest.raises(InputError, match="replicas is 2 with policy 'static'"):
        simulate(table, Engine("static"), REPLICA, replicas=2)
    with pytest.raises(InputError, match="given_first_s with policy 'dynamic'"):
        simulate(table, Engine("dynamic"), REPLICA, given_first_s=np.array([0.0]))
