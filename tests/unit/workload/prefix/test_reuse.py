import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.workload.prefix import hash_prompt, prefix_reuse, reuse_curve
from gpudeck.workload.prefix.kernel import run_cache
from gpudeck.workload.request import RequestTable

A, B, C, D = 10, 11, 12, 13


def run_by_hand(
    rows: list[list[int]], stored: list[int], capacity: int
) -> tuple[list[int], list[int]]:
    cache: OrderedDict[int, None] = OrderedDict()
    hits = []
    for row, most in zip(rows, stored, strict=True):
        found = 0
        while found < len(row) and row[found] in cache:
            found += 1
        hits.append(found)
        mine = row[: min(most, capacity)]
        for block in mine:
            cache.pop(block, None)
        while len(cache) + len(mine) > capacity:
            cache.popitem(last=False)
        for block in reversed(mine):
            cache[block] = None
    return hits, list(cache)


@st.composite
def conversations(draw: st.DrawFn) -> list[list[int]]:
    """Paths from the root of a small tree: block i of a row is the tree's node."""
    words = draw(st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=12))
    numbers: dict[tuple[int, ...], int] = {}
    return [
        [numbers.setdefault(tuple(word[: end + 1]), len(numbers)) for end in range(len(word))]
        for word in words
    ]


def flatten(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return offsets, np.array([block for row in rows for block in row], dtype=np.int64)


@settings(max_examples=50, deadline=None)
@given(conversations(), st.integers(0, 10), st.integers(0, 5))
def test_the_kernel_is_a_dictionary_in_order_of_use(
    rows: list[list[int]], capacity: int, shorter: int
) -> None:
    offsets, ids = flatten(rows)
    distinct = int(ids.max(initial=-1)) + 1
    stored = [max(len(row) - shorter % 2, 0) for row in rows]
    hits, left = run_cache(offsets, ids, np.array(stored), distinct, min(capacity, distinct))
    assert (hits.tolist(), left.tolist()) == run_by_hand(rows, stored, min(capacity, distinct))


@settings(max_examples=50, deadline=None)
@given(conversations())
def test_more_capacity_never_finds_less_until_all_is_kept(rows: list[list[int]]) -> None:
    count = len(rows)
    requests = RequestTable(np.arange(count), [64] * count, [1] * count, rows, 16)
    distinct = len(np.unique(requests.hashes))  # type: ignore[arg-type]
    whole = prefix_reuse(requests)
    assert prefix_reuse(requests, capacity_blocks=distinct).hit_blocks.tolist() == (
        whole.hit_blocks.tolist()
    )
    # every block is either the first of its kind or a hit
    assert int(whole.hit_blocks.sum()) == len(requests.hashes) - distinct  # type: ignore[arg-type]
    assert not prefix_reuse(requests, capacity_blocks=0).hit_blocks.any()


def prompts_of_o6() -> list[list[int]]:
    whole = list(range(100))
    return [
        whole[:50],
        whole[:50],
        whole[:40] + [900] * 20,
        [7, *whole[:49]],
        whole[:64],
        whole[:64],
    ]


def test_hit_tokens_of_the_oracle(shared: Path) -> None:
    cases = json.loads((shared / "oracles" / "serving.json").read_text(encoding="utf-8"))
    expect = next(case for case in cases if case["id"] == "O6")["expect"]
    prompts = prompts_of_o6()
    sizes = [len(prompt) for prompt in prompts]
    assert sizes == expect["prompt_lens"]
    hashes = [hash_prompt(prompt, 16) for prompt in prompts]
    requests = RequestTable(range(6), sizes, [1] * 6, hashes, 16)
    raw, vllm = prefix_reuse(requests), prefix_reuse(requests, rule="vllm")
    assert raw.hit_tokens.tolist() == expect["hit_tokens_raw"]
    assert vllm.hit_tokens.tolist() == expect["hit_tokens_vllm_rule"]
    assert raw.token_share == pytest.approx(expect["hit_ratio_raw"], abs=1e-15)
    assert vllm.token_share == pytest.approx(expect["hit_ratio_vllm"], abs=1e-15)


def test_evicted_blocks_of_the_oracle(shared: Path) -> None:
    cases = json.loads((shared / "oracles" / "serving.json").read_text(encoding="utf-8"))
    expect = next(case for case in cases if case["id"] == "O7")["expect"]
    name = {A: "a", B: "b", C: "c", D: "d"}
    rows = [[A, B], [C, D], [A, B]]
    requests = RequestTable(range(3), [32] * 3, [1] * 3, rows, 16)
    after = prefix_reuse(requests.take(slice(2)), capacity_blocks=3)
    assert sorted(name[each] for each in after.resident) == expect["resident_after_B"]
    assert prefix_reuse(requests, 16, 3).hit_blocks[2] == expect["third_request_hit_blocks"]


def test_hits_of_a_prompt_that_repeats() -> None:
    # the same as the oracles, for a checkout that stands alone
    requests = RequestTable([0, 1], [64, 64], [1, 1], [[1, 2, 3, 4]] * 2, 16)
    assert prefix_reuse(requests).hit_tokens.tolist() == [0, 64]
    assert prefix_reuse(requests, rule="vllm").hit_tokens.tolist() == [0, 48]
    assert prefix_reuse(requests, capacity_blocks=3).hit_blocks.tolist() == [0, 3]


def test_results_are_in_the_order_of_the_rows() -> None:
    requests = RequestTable([9.0, 1.0], [16, 32], [1, 1], [[1], [1, 2]], 16)
    assert prefix_reuse(requests).hit_blocks.tolist() == [1, 0]


def test_a_block_that_is_full_in_part_counts_its_tokens() -> None:
    requests = RequestTable([0, 1], [600, 600], [1, 1], [[1, 2]] * 2, 512)
    assert prefix_reuse(requests).hit_tokens.tolist() == [0, 600]
    small = prefix_reuse(requests, 16)
    assert (small.blocks.tolist(), small.hit_blocks.tolist()) == ([38, 38], [0, 38])
    assert prefix_reuse(requests, 16, rule="vllm").hit_tokens.tolist() == [0, 592]
    # a cache of full blocks only has dropped the second one, where its size is 512
    assert prefix_reuse(requests, rule="vllm").hit_tokens.tolist() == [0, 512]


def test_the_curve_takes_capacities_in_tokens() -> None:
    requests = RequestTable(range(3), [32] * 3, [1] * 3, [[A, B], [C, D], [A, B]], 16)
    curve = reuse_curve(requests, [47, 48, 64])
    assert curve.capacity_tokens.tolist() == [47, 48, 64]
    assert (curve.block_share * 6).round(9).tolist() == [0, 1, 2]
    assert curve.token_share.tolist() == curve.block_share.tolist()


def test_no_request_finds_nothing() -> None:
    nothing = prefix_reuse(RequestTable([], [], [], [], 16))
    assert nothing.block_share == nothing.token_share == 0


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"block_tokens": 3}, "block_tokens is 3; allowed is a divisor of 16"),
        ({"block_tokens": 0}, "block_tokens is 0"),
        ({"capacity_blocks": -1}, "capacity_blocks is -1; allowed is 0 or above"),
        ({"rule": "sglang"}, "rule is 'sglang'; allowed is raw or vllm"),
    ],
)
def test_bad_input_is_named(told: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prefix_reuse(RequestTable([0], [16], [1], [[1]], 16), **told)


def test_requests_need_hashes() -> None:
    with pytest.raises(InputError, match="block_hashes is None"):
        prefix_reuse(RequestTable([0], [16], [1]))
    with pytest.raises(InputError, match="block_hashes is None"):
        reuse_curve(RequestTable([0], [16], [1]), [16])


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 1), max_size=12),
    st.lists(st.integers(0, 1), max_size=12),
    st.integers(1, 4),
)
def test_hashes_are_equal_as_long_as_all_tokens_are(
    first: list[int], second: list[int], size: int
) -> None:
    one, other = hash_prompt(first, size), hash_prompt(second, size)
    assert (len(one), len(other)) == (len(first) // size, len(second) // size)
    for block, (left, right) in enumerate(zip(one, other, strict=False), start=1):
        assert (left == right) == (first[: block * size] == second[: block * size])


def test_hash_prompt_names_bad_input() -> None:
    with pytest.raises(InputError, match="block_size is 0"):
        hash_prompt([1, 2], 0)
    with pytest.raises(InputError, match="tokens has shape"):
        hash_prompt([[1.5]], 2)
