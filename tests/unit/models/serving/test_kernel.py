"""The compiled loop beside a slow twin: one iteration, one request, one token at a time.

The twin is written from the table of engines. It counts memory anew from who holds what, and keeps
nothing up to date that can be added up.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpudeck.models.serving.engine import Adaptive, Engine
from gpudeck.models.serving.kernel import PREFIX_IMBALANCE, run_replicas
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.simulate import Router, simulate
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
COLUMNS = (
    "start_s", "end_s", "prefill_s", "decodes", "prefills", "tokens", "prefill_tokens",
    "kv_tokens", "kv_live_tokens", "cap",
)  # fmt: skip


@dataclass
class Request:
    """A request on its way: `made` tokens are out, `stored` are in the cache."""

    row: int
    arrival_s: float
    prompt: int
    output: int
    reserve: int
    pieces: list[int]
    given_s: float = float("nan")
    stored: int = 0
    held: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    decoding: bool = False
    joined: int = 0
    preemptions: int = 0
    cached: int = 0

    @property
    def context(self) -> int:
        """Tokens to have in the cache before the next can be made."""
        return self.prompt + len(self.times)

    @property
    def given(self) -> bool:
        """Whether its cache is still to come from elsewhere."""
        return not np.isnan(self.given_s) and not self.times


@dataclass
class Iteration:
    """One record."""

    start_s: float
    end_s: float
    prefill_s: float
    decodes: int
    prefills: int
    tokens: int
    prefill_tokens: int
    kv_tokens: int
    kv_live_tokens: int
    cap: int
    replica: int


class Server:
    """One replica of an engine that re-forms its batch."""

    def __init__(
        self, number: int, engine: Engine, capacity: int, step: StepTime, piece_tokens: int
    ) -> None:
        self.number, self.engine, self.step, self.piece_tokens = number, engine, step, piece_tokens
        self.block = 1 if engine.contiguous else engine.block_size
        self.blocks = capacity // self.block
        spare = 0 if engine.contiguous else engine.watermark * self.blocks
        self.spare = int(np.ceil(spare - 1e-9))
        self.most = engine.max_batch
        if engine.policy == "chunked":
            self.most = min(self.most, engine.chunk_tokens)
        self.cap = float(self.most)
        if engine.adaptive:
            self.cap = float(min(engine.adaptive.start_batch, self.most))
        self.gaps: list[float] = []
        self.last_end_s: float | None = None
        self.now = 0.0
        self.queue: list[Request] = []
        self.stopped: list[Request] = []
        self.running: list[Request] = []
        self.open = 0
        self.joins = 0
        self.forgettable: OrderedDict[int, None] = OrderedDict()
        self.log: list[Iteration] = []

    # memory

    def _blocks_of(self, tokens: int) -> int:
        return -(-tokens // self.block)

    def _kept(self, request: Request) -> int:
        """Tokens for which it has memory."""
        if self.engine.contiguous:
            return request.reserve
        return request.stored if request.decoding else request.context

    def used(self, ahead: int = 0) -> int:
        """Blocks of all that run; `ahead` tokens more for each that decodes."""
        shared = {piece for each in self.running for piece in each.held}
        total = len(shared) * (self.piece_tokens // self.block)
        for each in self.running:
            more = ahead if each.decoding and not self.engine.contiguous else 0
            total += self._blocks_of(self._kept(each) + more)
            total -= len(each.held) * (self.piece_tokens // self.block)
        return total

    def live(self) -> int:
        """Tokens in the cache once an iteration has ended, each shared one once."""
        shared = [piece for each in self.running for piece in each.held]
        twice = len(shared) - len(set(shared))
        own = sum(each.stored for each in self.running)
        return own - twice * self.piece_tokens

    def resident(self) -> set[int]:
        """Pieces that a prompt can find."""
        return set(self.forgettable) | {p for each in self.running for p in each.held}

    def hits(self, request: Request) -> int:
        """Leading pieces found; a token at least is left to compute."""
        if not self.engine.prefix_cache:
            return 0
        most = min(len(request.pieces), (request.context - 1) // self.piece_tokens)
        found, there = 0, self.resident()
        while found < most and request.pieces[found] in there:
            found += 1
        return found

    def _forget(self, blocks: int) -> None:
        while len(self.forgettable) * (self.piece_tokens // self.block) > self.blocks - blocks:
            self.forgettable.popitem(last=False)

    def admit(self, request: Request) -> bool:
        """Give memory if there is enough."""
        lead = request.pieces[: self.hits(request)]
        before = self.used()
        spare = self.spare if self.running else 0
        request.held, request.stored = list(lead), len(lead) * self.piece_tokens
        self.running.append(request)
        if self.used() + spare > self.blocks:
            self.running.pop()
            request.held, request.stored = [], 0
            assert self.used() == before
            return False
        for piece in lead:
            self.forgettable.pop(piece, None)
        self._forget(self.used())
        return True

    def release(self, request: Request) -> None:
        """Take memory back; of shared pieces the tail may be forgotten first."""
        self.running.remove(request)
        still = {piece for each in self.running for piece in each.held}
        for piece in reversed(request.held):
            if piece not in still:
                self.forgettable[piece] = None
        request.held, request.decoding = [], False

    def preempt(self) -> None:
        """Stop the newest."""
        newest = self.running[-1]
        self.release(newest)
        newest.stored = 0
        newest.preemptions += 1
        self.stopped.append(newest)

    # one iteration

    def next_request(self) -> Request | None:
        """Who is to be admitted next."""
        if self.stopped:
            return self.stopped[-1]
        if self.queue and self.queue[0].arrival_s <= self.now:
            return self.queue[0]
        return None

    def take(self) -> Request:
        """Take that one."""
        return self.stopped.pop() if self.stopped else self.queue.pop(0)

    @property
    def full(self) -> bool:
        """Whether the batch has no place left."""
        return len(self.running) >= int(self.cap)

    @property
    def partial(self) -> Request | None:
        """The prompt that is computed in part."""
        return next((each for each in self.running if not each.decoding), None)

    def start_given(self) -> None:
        """Let requests decode whose cache came from elsewhere, if they are next."""
        while not self.partial and not self.full:
            request = self.next_request()
            if request is None or not request.given or not self.admit(request):
                return
            self.take()
            self.join(request)
            request.stored = request.prompt
            request.times.append(request.given_s)

    def compute_prompts(self, decodes: int, may_admit: bool) -> list[tuple[Request, int, int]]:
        """Requests, tokens computed before and tokens computed now."""
        chunked = self.engine.policy == "chunked"
        limit = self.engine.chunk_tokens if chunked else self.engine.max_batch_tokens
        room, parts = limit - decodes, []
        while True:
            request = None if parts else self.partial
            if chunked and room <= 0:
                break
            if request is None:
                request = self.next_request()
                if request is None or request.given or self.full or not may_admit:
                    break
                new = request.context - self.hits(request) * self.piece_tokens
                if not chunked and parts and new > room:
                    break
                if not self.admit(request):
                    break
                self.take()
                request.cached += request.stored
            before = request.stored
            chunk = request.context - before
            if chunked:
                chunk = min(chunk, room)
            parts.append((request, before, chunk))
            request.stored += chunk
            room -= chunk
            if request.stored < request.context:
                break
        return parts

    def iterate(self) -> None:
        """Run one iteration from `now` on."""
        stopped = len(self.stopped)
        self.start_given()
        parts = self.compute_prompts(0, True) if self.engine.policy == "paged" else []
        decoders = [] if parts else self.secure_memory()
        for each in decoders:
            each.stored += 1
        if self.engine.policy != "paged":
            parts = self.compute_prompts(len(decoders), len(self.stopped) <= stopped)
        ready = [request for request, _, _ in parts if request.stored == request.context]
        self.spend(decoders, parts, len(ready))
        if decoders:
            self.adapt()
        for each in decoders:
            each.times.append(self.now)
        for each in ready:
            each.times.append(self.now)
            self.join(each)
            if self.engine.prefix_cache:
                self.share(each)
        # of those that end together the last to join goes first, prompts that end at once last
        last_first = sorted(decoders, key=lambda each: -each.joined)
        for each in [each for each in last_first + ready if len(each.times) == each.output]:
            self.release(each)
            self.open -= 1

    def secure_memory(self) -> list[Request]:
        """Preempt until all that are left can take a token; return those that decode."""
        while any(each.decoding for each in self.running) and self.used(ahead=1) > self.blocks:
            self.preempt()
        self._forget(self.used(ahead=1))
        return [each for each in self.running if each.decoding]

    def spend(
        self, decoders: list[Request], parts: list[tuple[Request, int, int]], ready: int
    ) -> None:
        """Let the time of an iteration pass, and write it down."""
        decodes, computed = len(decoders), sum(chunk for _, _, chunk in parts)
        context = sum(each.stored for each in decoders)
        seconds = self.step.at(
            tokens=decodes + computed,
            sampling=decodes + ready,
            chunks=len(parts),
            work=sum(chunk * (before + chunk / 2) for _, before, chunk in parts),
            decodes=decodes,
            context=context,
        )
        spent = self.engine.step_overhead_s + float(seconds)
        alone = 0.0
        if decoders:
            seconds = self.step.at(
                tokens=decodes, sampling=decodes, decodes=decodes, context=context
            )
            alone = self.engine.step_overhead_s + float(seconds)
        self.log.append(
            Iteration(
                self.now, self.now + spent, spent - alone if parts else 0.0, decodes, len(parts),
                decodes + computed, computed, self.used() * self.block, self.live(),
                int(self.cap), self.number,
            )
        )  # fmt: skip
        self.now += spent

    def join(self, request: Request) -> None:
        """Let it decode from the next iteration on."""
        self.joins += 1
        request.decoding, request.joined = True, self.joins

    def share(self, request: Request) -> None:
        """Let others find the pieces of a prompt that has just been computed."""
        for place, piece in enumerate(request.pieces):
            if place >= len(request.held) and piece not in self.resident():
                request.held.append(piece)

    def adapt(self) -> None:
        """Move the cap."""
        rule, last, end = self.engine.adaptive, self.last_end_s, self.now
        self.last_end_s = end
        if rule is None or last is None:
            return
        self.gaps.append(end - last)
        if len(self.gaps) < rule.window:
            return
        mean, self.gaps = sum(self.gaps) / len(self.gaps), []
        if mean > rule.objective_s:
            self.cap = max(min(rule.min_batch, self.most), self.cap * rule.decrease)
        elif self.full:
            self.cap = min(self.most, self.cap + rule.increase)

    def run(self, until_s: float) -> None:
        """Run all iterations that start before a moment."""
        while self.running or self.stopped or self.queue:
            if not self.running and not self.stopped:
                self.last_end_s = None
                self.now = max(self.now, self.queue[0].arrival_s)
            if self.now >= until_s:
                return
            self.iterate()


def choose(servers: list[Server], router: str, number: int, request: Request) -> Server:
    """The replica for a request."""
    if router == "round_robin":
        return servers[number % len(servers)]
    least = min(servers, key=lambda s: s.open)
    if router == "least_outstanding":
        return least
    near = [s for s in servers if s.open <= least.open + PREFIX_IMBALANCE]
    return max([least, *near], key=lambda s: s.hits(request))


def requests_of(
    table: RequestTable, engine: Engine, reserve: list[int], given_s: list[float] | None = None
) -> list[Request]:
    """Requests in order of arrival."""
    requests = []
    for row in sorted(range(len(table)), key=lambda i: (table.arrival_s[i], i)):
        prompt = int(table.prompt_tokens[row])
        pieces: list[int] = []
        if engine.prefix_cache and table.block_hashes is not None:
            whole = prompt // int(table.block_tokens or 1)
            pieces = [int(piece) for piece in table.block_hashes[row][:whole]]
        requests.append(
            Request(
                row, float(table.arrival_s[row]), prompt, int(table.output_tokens[row]),
                reserve[row], pieces, float("nan") if given_s is None else given_s[row],
            )
        )  # fmt: skip
    return requests


def serve(
    requests: list[Request],
    engine: Engine,
    capacity: int,
    step: StepTime,
    *,
    replicas: int = 1,
    router: str = "round_robin",
    piece_tokens: int = 16,
) -> tuple[list[Request], list[list[Iteration]]]:
    """Serve requests; return them with their tokens, and the iterations of each replica."""
    servers = [Server(i, engine, capacity, step, piece_tokens) for i in range(replicas)]
    for number, request in enumerate(requests):
        if router != "round_robin":
            for server in servers:
                server.run(request.arrival_s)
        chosen = choose(servers, router, number, request)
        chosen.queue.append(request)
        chosen.open += 1
    for server in servers:
        server.run(float("inf"))
    return requests, [server.log for server in servers]


@dataclass(frozen=True)
class Case:
    """One run."""

    table: RequestTable
    engine: Engine
    replicas: int = 1
    router: Router = "round_robin"
    given_first_s: np.ndarray | None = None


def lists_of_pieces(draw: st.DrawFn, prompts: list[int], piece: int) -> list[list[int]]:
    """Pieces of prompts, each of which begins like some others; the last may be filled in part."""
    rows = []
    for prompt in prompts:
        most = -(-prompt // piece)
        count, own = draw(st.integers(0, most)), draw(st.integers(0, most))
        family, tail = draw(st.integers(0, 1)), draw(st.integers(1, 2))
        rows.append([family * 1000 + i + (tail * 10_000 if i >= own else 0) for i in range(count)])
    return rows


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Small runs with little memory."""
    few = st.integers(1, 60)
    arrival = draw(st.lists(st.integers(0, 40), min_size=1, max_size=12))
    prompts = [draw(few) for _ in arrival]
    outputs = [draw(st.one_of(st.integers(1, 3), few)) for _ in arrival]
    policy = draw(st.sampled_from(["continuous", "paged", "chunked"]))
    block = draw(st.sampled_from([1, 4, 16]))
    most = max(map(sum, zip(prompts, outputs, strict=True)))
    reservation = draw(st.sampled_from(["max", "pow2", "oracle"]))
    if reservation == "pow2" and policy == "continuous":
        most *= 2
    adaptive = None
    if draw(st.booleans()):
        adaptive = Adaptive(
            draw(st.sampled_from([0.006, 0.008, 0.02])),
            increase=draw(st.sampled_from([0.5, 1.0, 3.0])),
            window=draw(st.integers(1, 4)),
            min_batch=draw(st.integers(1, 2)),
            start_batch=draw(st.integers(1, 8)),
        )
    caching = policy != "continuous" and draw(st.booleans())
    piece = block * draw(st.sampled_from([1, 2])) if caching else None
    engine = Engine(
        policy,
        max_batch=draw(st.sampled_from([1, 2, 4, 16])),
        max_batch_tokens=draw(st.sampled_from([20, 100, 1000])),
        chunk_tokens=draw(st.sampled_from([1, 7, 32, 100])),
        block_size=block,
        blocks=-(-most // block) + draw(st.integers(0, 60)),
        watermark=draw(st.sampled_from([0.0, 0.01, 0.1])),
        reservation=reservation,
        prefix_cache=caching,
        adaptive=adaptive,
    )
    hashes = lists_of_pieces(draw, prompts, piece) if piece else None
    table = RequestTable(np.array(arrival) / 100, prompts, outputs, hashes, piece)
    given_s = None
    if draw(st.booleans()):
        elsewhere = [out > 1 and draw(st.booleans()) for out in outputs]
        given_s = np.where(elsewhere, table.arrival_s / 2, np.nan)
    routers: tuple[Router, ...] = ("round_robin", "least_outstanding", "prefix_aware")
    return Case(table, engine, draw(st.integers(1, 3)), draw(st.sampled_from(routers)), given_s)


def reserve_of(case: Case) -> list[int]:
    """Tokens that a contiguous engine reserves for each request."""
    total = (case.table.prompt_tokens + case.table.output_tokens - 1).tolist()
    if case.engine.reservation == "max":
        return [max(total)] * len(total)
    if case.engine.reservation == "pow2":
        return [1 << (tokens - 1).bit_length() for tokens in total]
    return total


def compare(case: Case) -> ServingResult:
    """Run both and compare every token and every iteration."""
    run = simulate(
        case.table,
        case.engine,
        REPLICA,
        replicas=case.replicas,
        router=case.router,
        given_first_s=case.given_first_s,
    )
    given_s = None if case.given_first_s is None else case.given_first_s.tolist()
    requests, logs = serve(
        requests_of(case.table, case.engine, reserve_of(case), given_s),
        case.engine,
        (case.engine.blocks or 0) * case.engine.block_size,
        STEP,
        replicas=case.replicas,
        router=case.router,
        piece_tokens=case.table.block_tokens or 16,
    )
    for each in requests:
        row = each.row
        np.testing.assert_allclose(run.token_times(row), each.times, rtol=0, atol=1e-9)
        np.testing.assert_allclose(run.first_token_s[row], each.times[0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(run.finish_s[row], each.times[-1], rtol=0, atol=1e-9)
        assert (run.preemptions[row], run.cached_tokens[row]) == (each.preemptions, each.cached)
    for number, log in enumerate(logs):
        mine = run.iteration_replica == number
        for name in COLUMNS:
            theirs = [getattr(iteration, name) for iteration in log]
            ours = getattr(run, name)[mine]
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9, err_msg=name)
    return run


# a prompt that was stopped fills the block that its third hash stands for with its own answer
PARTLY_FILLED = Case(
    RequestTable([0.0, 0.0, 0.3], [10, 10, 20], [20, 20, 2], [[1, 2, 3]] * 3, 4),
    Engine("paged", block_size=4, blocks=10, watermark=0.0, prefix_cache=True),
)


@settings(max_examples=50, deadline=None)
@given(cases())
@example(PARTLY_FILLED)
def test_every_token_and_iteration_is_that_of_the_twin(case: Case) -> None:
    """All engines that re-form their batch, with all that they can be combined with."""
    compare(case)


def test_a_block_that_a_prompt_fills_in_part_is_not_shared() -> None:
    """Recomputed with a part of its answer, the prompt fills the block; it is not the prompt's."""
    run = compare(PARTLY_FILLED)
    assert run.preemptions.tolist() == [0, 2, 0]
    assert run.cached_tokens.tolist() == [0, 16, 8]


def test_shared_cache_is_live_once() -> None:
    """Two prompts of 40 tokens with 32 in common, while both decode."""
    table = RequestTable([0.0, 0.01], [40, 40], [30, 30], [[1, 2], [1, 2]])
    run = compare(Case(table, Engine(prefix_cache=True, blocks=100)))
    both = run.decodes == 2
    assert both.any()
    assert (run.kv_tokens[both] <= 32 + 2 * 48).all()
    assert run.kv_live_tokens[both][0] == 32 + 2 * 8 + (run.decodes.cumsum()[both][0])


def test_all_engines_share_one_compiled_loop() -> None:
    """Another signature would be compiled for half a minute."""
    table = RequestTable([0.0, 1.0], [40, 40], [3, 3], [[1, 2], [1, 2]])
    for engine in (
        Engine("continuous"),
        Engine("paged", adaptive=Adaptive(0.01, increase=2, decrease=0.5)),
        Engine("chunked", prefix_cache=True, watermark=0),
    ):
        simulate(table, engine, REPLICA)
        simulate(table, engine, Replica(), replicas=2, router="prefix_aware")
        simulate(table, engine, REPLICA, given_first_s=np.array([0.0, np.nan]))
    assert len(run_replicas.signatures) == 1
