"""Quota rules: small cases by hand, what must hold for any input, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota import (
    ClusterQueue,
    Cohort,
    ElasticQuota,
    KaiQueue,
    Ledger,
    QuotaPod,
    Workload,
    admits,
    allocate_tasks,
    allocate_tree,
    binpack_score,
    check_quota,
    clear_market,
    divide_kai,
    fill_shares,
    fill_water,
    find_fair_victims,
    find_quota_victims,
    find_victims,
    jain_index,
    read_tree,
    share_gap,
)

AMOUNT = st.integers(0, 50).map(float)
WEIGHT = st.sampled_from([0.5, 1.0, 2.0, 4.0])


@settings(max_examples=50, deadline=None)
@given(capacity=AMOUNT, rows=st.lists(st.tuples(AMOUNT, WEIGHT), min_size=1, max_size=6))
def test_water_filling_is_max_min(capacity: float, rows: list) -> None:
    demand = {str(i): d for i, (d, _) in enumerate(rows)}
    weights = {str(i): w for i, (_, w) in enumerate(rows)}
    got = fill_water(capacity, demand, weights)
    assert sum(got.values()) == pytest.approx(min(capacity, sum(demand.values())))
    for name, x in got.items():
        assert x <= demand[name] + 1e-9
        if x < demand[name] - 1e-9:
            # whoever wants more is nowhere above: nobody could give without being the smaller
            assert all(x / weights[name] >= got[other] / weights[other] - 1e-9 for other in got)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_names_and_order_change_nothing(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 5))
    demand = {f"n{i}": data.draw(AMOUNT) for i in range(n)}
    weights = {name: data.draw(WEIGHT) for name in demand}
    order = data.draw(st.permutations(list(demand)))
    capacity = data.draw(AMOUNT)
    first = fill_water(capacity, demand, weights)
    again = fill_water(capacity, {k: demand[k] for k in order}, weights)
    assert again == pytest.approx(first)
    queues = [KaiQueue(k, 3, weights[k], d, created=i) for i, (k, d) in enumerate(demand.items())]
    by_name = {queue.name: queue for queue in queues}
    assert (
        divide_kai(capacity, queues).fair_share
        == divide_kai(capacity, [by_name[k] for k in order]).fair_share
    )


@settings(max_examples=50, deadline=None)
@given(
    total=st.integers(0, 60),
    rows=st.lists(
        st.tuples(
            st.integers(0, 10),
            st.sampled_from([0.0, 0.1, 1.0, 3.0]),
            st.integers(0, 30),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_kai_hands_out_whole_units_and_no_more_than_there_is(total: int, rows: list) -> None:
    queues = [KaiQueue(str(i), d, w, r, priority=p) for i, (d, w, r, p) in enumerate(rows)]
    done = divide_kai(total, queues)
    own = sum(min(q.deserved, q.request) for q in queues)
    assert done.oversubscribed == (own > total)
    if own <= total:
        assert sum(done.fair_share.values()) + done.remaining == pytest.approx(total)
    for queue in queues:
        got = done.fair_share[queue.name]
        assert got == int(got)
        assert got >= min(queue.deserved, queue.request)
        assert got <= max(queue.request, min(queue.deserved, queue.request))
        if queue.weight == 0:
            assert got <= queue.deserved


def test_kai_by_hand() -> None:
    equal = [KaiQueue("new", 2, 2, 6, created=2), KaiQueue("old", 2, 2, 6, created=1)]
    assert divide_kai(11, equal).fair_share == {"new": 5, "old": 6}
    high = [KaiQueue("h1", 1, 1, 5, priority=2), KaiQueue("h2", 1, 1, 5, priority=2)]
    low = KaiQueue("low", 1, 1, 5, priority=1)
    done = divide_kai(6, [*high, low])
    assert done.fair_share == {"h1": 3, "h2": 2, "low": 1}
    done = divide_kai(4, [KaiQueue("a", 3, 1, 9), KaiQueue("b", 3, 1, 9)])
    assert (done.fair_share, done.remaining, done.oversubscribed) == ({"a": 3, "b": 3}, 0, True)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_drf_is_pareto_efficient_and_max_min(data: st.DataObject) -> None:
    resources = [f"r{i}" for i in range(data.draw(st.integers(1, 3)))]
    capacity = {r: data.draw(st.integers(1, 30).map(float)) for r in resources}
    names = [f"t{i}" for i in range(data.draw(st.integers(1, 4)))]
    need = st.sampled_from([0.0, 1.0, 2.0, 5.0])
    demand = {n: {r: data.draw(need) for r in resources} for n in names}
    weights = {n: data.draw(WEIGHT) for n in names}
    tasks = fill_shares(capacity, demand, weights=weights)
    used = {r: sum(tasks[n] * demand[n][r] for n in names) for r in resources}
    assert all(used[r] <= capacity[r] * (1 + 1e-9) for r in resources)
    full = {r for r in resources if used[r] >= capacity[r] * (1 - 1e-6)}
    share = {
        n: tasks[n] * max(demand[n][r] / capacity[r] for r in resources) / weights[n] for n in names
    }
    for name in names:
        if not any(demand[name].values()):
            assert tasks[name] == 0
            continue
        binding = [r for r in full if demand[name][r] > 0]
        assert binding
        # on some full resource nobody holds more of a weighted dominant share
        assert any(
            all(share[o] <= share[name] + 1e-6 for o in names if demand[o][r] > 0) for r in binding
        )


def test_zero_demands_weights_and_capacities_are_defined() -> None:
    capacity = {"gpu": 4.0, "tpu": 0.0}
    demand = {"idle": {"gpu": 0.0}, "none": {"tpu": 1.0}, "some": {"gpu": 1.0}}
    assert fill_shares(capacity, demand) == {"idle": 0, "none": 0, "some": 4}
    assert allocate_tasks(capacity, demand).tasks == {"idle": 0, "none": 0, "some": 4}
    assert clear_market(capacity, demand) == pytest.approx({"idle": 0, "none": 0, "some": 4})
    both = {"a": {"gpu": 1.0}, "b": {"gpu": 1.0}}
    weights = {"a": 0, "b": 1}
    assert fill_shares(capacity, both, weights=weights) == {"a": 0, "b": 4}
    got = fill_shares(capacity, both, weights=weights, caps={"b": 1})
    assert got == {"a": 3, "b": 1}
    assert allocate_tasks(capacity, both, weights=weights, caps={"b": 1}).tasks == got
    assert fill_water(5, {"a": 4, "b": 3}, {"a": 0, "b": 1}) == {"a": 2, "b": 3}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fill_water(-1, {"a": 1}), "capacity is -1"),
        (lambda: fill_water(1, {"a": math.nan}), r"demand\['a'\] is nan"),
        (lambda: fill_water(1, {"a": 1}, {"b": 1}), "weights name"),
        (lambda: fill_shares({"x": 1}, {"a": {"y": 1}}), r"demand\['a'\] names 'y'"),
        (lambda: fill_shares({"x": 1}, {"a": {"x": 1}}, caps={"c": 1}), "caps name 'c'"),
        (lambda: allocate_tasks({"x": 1}, {"a": {"x": 1}}, ties=("b",)), "ties name 'b'"),
        (lambda: divide_kai(5, [KaiQueue("q", 1, 1, 1)] * 2), "named 'q'"),
        (lambda: KaiQueue("q", -3, 1, 1), "queue 'q': deserved is -3"),
        (lambda: read_tree("a{b"), "not closed"),
        (lambda: allocate_tree({"x": 1}, read_tree("a{b,b}"), {"b": {"x": 1}}), "'b' twice"),
        (lambda: allocate_tree({"x": 1}, read_tree("a{b,c}"), {"b": {"x": 1}}), "'c'"),
        (lambda: ElasticQuota(5, 4), "min <= max"),
        (lambda: binpack_score({"x": -1}, {}, {}, {}), r"request\['x'\] is -1"),
        (lambda: jain_index([1, -1]), "0 or above"),
        (lambda: share_gap([1], [0]), "above 0"),
        (lambda: share_gap([1], [1, 2]), "shapes"),
    ],
)
def test_bad_input_is_named(call: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_cohorts_in_a_circle_are_named() -> None:
    circle = [Cohort("a", "b"), Cohort("b", "c"), Cohort("c", "a")]
    with pytest.raises(InputError, match="a → b → c → a"):
        Ledger([], circle)
    with pytest.raises(InputError, match="a → a"):
        Ledger([], [Cohort("a", "a")])
    with pytest.raises(InputError, match="parent is 'x'"):
        Ledger([], [Cohort("a", "x")])
    with pytest.raises(InputError, match="cohort is 'x'"):
        Ledger([ClusterQueue("q", {}, "x")], [Cohort("a")])
    with pytest.raises(InputError, match="two queues are named 'q'"):
        Ledger([ClusterQueue("q", {}), ClusterQueue("q", {})])
    with pytest.raises(InputError, match="queue is 'z'"):
        find_victims(Ledger([ClusterQueue("q", {})]), Workload("w", "z", {"gpu": 1}))


def test_a_tree_of_cohorts_lends_within_its_limits() -> None:
    ledger = Ledger(
        [
            ClusterQueue("a", {"gpu": 4}, "left", lending_limit={"gpu": 1}),
            ClusterQueue("b", {"gpu": 4}, "left"),
            ClusterQueue("c", {"gpu": 4}, "right", borrowing_limit={"gpu": 3}),
        ],
        [Cohort("root", nominal={"gpu": 2}), Cohort("left", "root"), Cohort("right", "root")],
    )
    # b: its own 4, 1 of a's, 2 of the root's, 4 of c's
    assert ledger.available("b", "gpu") == 11
    # a keeps 3 to itself: 3 + (1 + 4 + 2 + 4)
    assert ledger.available("a", "gpu") == 14
    assert ledger.available("c", "gpu") == 7
    ledger.add(Workload("w", "b", {"gpu": 9}))
    assert ledger.available("a", "gpu") == 5
    assert ledger.available("c", "gpu") == 2
    # 5 borrowed of 11 that the root has to lend; left as a whole borrows 4 beyond its 5
    assert ledger.share("b") == math.ceil(5 * 1000 / 11)
    assert ledger.share("left") == math.ceil(4 * 1000 / 11)


def check_victim(ledger: Ledger, incoming: Workload, victim: Workload) -> None:
    queue = ledger.queues[incoming.queue]
    policy = queue.within if victim.queue == queue.name else queue.reclaim
    assert policy != "never"
    if policy == "lower":
        assert victim.priority < incoming.priority
    if policy == "lower_or_newer_equal":
        assert victim.priority <= incoming.priority
    if victim.queue != queue.name:
        assert ledger.borrows(victim.queue, "gpu")


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_preemption_makes_room_by_the_rules(data: st.DataObject) -> None:
    policies = st.sampled_from(["never", "lower", "lower_or_newer_equal", "any"])
    queues = [
        ClusterQueue(
            name,
            {"gpu": data.draw(st.integers(0, 6))},
            "all",
            {"gpu": data.draw(st.sampled_from([0, 2, 100]))},
            weight=data.draw(st.sampled_from([0.0, 1.0, 3.0])),
            within=data.draw(policies),
            reclaim=data.draw(policies),
        )
        for name in "abc"
    ]
    ledger = Ledger(queues)
    for number in range(data.draw(st.integers(0, 10))):
        workload = Workload(
            f"w{number}",
            data.draw(st.sampled_from("abc")),
            {"gpu": data.draw(st.integers(1, 4))},
            data.draw(st.integers(-1, 1)),
            created_s=data.draw(st.integers(0, 9)),
            admitted_s=data.draw(st.integers(0, 9)),
        )
        if admits(ledger, workload):
            ledger.add(workload)
    incoming = Workload(
        "in", data.draw(st.sampled_from("abc")), {"gpu": data.draw(st.integers(1, 6))}, 0, 5
    )
    before = dict(ledger.workloads)
    for find in (find_victims, find_fair_victims):
        victims = find(ledger, incoming)
        assert ledger.workloads == before
        if not victims:
            continue
        gone = [before[victim.name] for victim in victims]
        for victim in gone:
            check_victim(ledger, incoming, victim)
        for victim in gone:
            ledger.remove(victim)
        assert admits(ledger, incoming)
        # each of them is needed
        for victim in gone:
            ledger.add(victim)
            if find is find_fair_victims:
                assert not admits(ledger, incoming)
            ledger.remove(victim)
        for victim in gone:
            ledger.add(victim)


def test_borrowing_while_reclaiming_takes_only_below_the_threshold() -> None:
    def victims(priority: int) -> list[str]:
        ledger = Ledger(
            [
                ClusterQueue("a", {"gpu": 4}, "all", reclaim="any", borrow_below=0),
                ClusterQueue("b", {"gpu": 4}, "all"),
            ]
        )
        ledger.add(Workload("a1", "a", {"gpu": 4}))
        ledger.remove(ledger.workloads["a1"])
        ledger.add(Workload("b1", "b", {"gpu": 6}, priority))
        return [v.name for v in find_victims(ledger, Workload("in", "a", {"gpu": 6}, 1))]

    # with 6 it borrows 2 itself
    assert victims(-1) == ["b1"]
    assert victims(0) == []


def test_elastic_quota_takes_back_from_those_above_their_minimum() -> None:
    quotas = {"a": ElasticQuota(4, 8, 0), "b": ElasticQuota(4, 8, 8)}
    pods = [QuotaPod("b1", "b", 4, 9), QuotaPod("b2", "b", 4, 1)]
    assert check_quota(quotas, "a", 4) == "Unschedulable"
    # within its minimum: priority does not protect a borrower; the higher one is spared
    assert find_quota_victims(quotas, 0, pods, QuotaPod("new", "a", 4)) == ["b2"]
    assert find_quota_victims(quotas, 0, pods, QuotaPod("new", "a", 5)) == []
    assert check_quota(quotas, "free", 99) == "Success"


def test_the_paper_stops_where_we_go_on() -> None:
    capacity, demand = {"gpu": 3.0, "cpu": 9.0}, {"A": {"gpu": 2.0}, "B": {"cpu": 3.0}}
    stop = allocate_tasks(capacity, demand, stop_when_blocked=True)
    assert stop.tasks == {"A": 1, "B": 2}
    assert allocate_tasks(capacity, demand).tasks == {"A": 1, "B": 3}


def test_indices_by_hand() -> None:
    assert jain_index([]) == jain_index([0, 0]) == 1
    assert jain_index([1, 0, 0, 0]) == 0.25
    assert jain_index(np.full(7, 1e-200)) == 1
    assert share_gap([0.6, 0.1], [1, 1], [True, False]) == 0
    assert share_gap([0.6, 0.1], [1, 1], [False, True]) == pytest.approx(0.5)
    assert share_gap([], []) == 0
