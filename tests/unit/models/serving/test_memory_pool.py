"""Memory pools: nothing overlaps, nothing is lost, and each wastes what its rule says."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving.memory_pool import (
    ArenaPool,
    BlockPool,
    BuddyPool,
    MemoryStream,
    SlabPool,
    make_stream,
    pools_of,
    settled,
    use_pool,
)

CAPACITY = 1024
MAKERS = {
    "block": lambda: BlockPool(CAPACITY, 16),
    "slab": lambda: SlabPool(CAPACITY, 256),
    "buddy": lambda: BuddyPool(CAPACITY),
    "arena": lambda: ArenaPool(CAPACITY),
}
sizes = st.lists(st.integers(1, 256), min_size=1, max_size=30)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=40)
@given(asked=sizes, order=st.randoms(use_true_random=False))
def test_what_is_held_and_what_is_free_is_the_whole_pool(name, asked, order):
    pool = MAKERS[name]()
    held = []
    for size in asked:
        could = pool.usable(size) > 0
        found = pool.allocate(size)
        if name != "block":
            assert (found is not None) == could
        if found is not None:
            assert found[1] >= size
            held.append(found)
        if held and order.random() < 0.4:
            pool.release(held.pop(order.randrange(len(held))))
        assert pool.free() + sum(length for _, length in held) == CAPACITY
        assert 0 <= pool.usable(size) <= pool.free()
    for piece in held:
        pool.release(piece)
    assert pool.free() == pool.usable(256) == CAPACITY


@pytest.mark.parametrize("name", ["arena", "buddy"])
@settings(max_examples=40)
@given(asked=sizes)
def test_pieces_of_contiguous_pools_never_overlap(name, asked):
    pool = MAKERS[name]()
    held = [found for size in asked if (found := pool.allocate(size))]
    ends = sorted(held)
    assert all(a + n <= b for (a, n), (b, _) in pairwise(ends))
    assert all(start + length <= CAPACITY for start, length in held)


def test_buddies_join_again_also_where_the_capacity_is_no_power_of_two():
    pool = BuddyPool(112)
    held = [pool.allocate(16) for _ in range(7)]
    assert pool.allocate(1) is None
    for piece in held:
        pool.release(piece)
    assert pool.usable(64) == 64
    assert pool.free() == 112


def test_holes_too_short_for_the_next_request_are_external_waste():
    # 30, 20 and 30 of 100 tokens; the middle one leaves, and two holes of 20 serve no decile
    stream = MemoryStream(
        np.array([0, 0, 0, 5]),
        np.array([0, 1, 2, 1]),
        np.array([True, True, True, False]),
        np.array([30, 20, 30]),
        100,
    )
    use = use_pool(stream, ArenaPool(100))
    assert use.asked_pct.tolist() == [30, 50, 80, 60]
    assert use.external_pct.tolist() == [0, 0, 20, 40]
    assert use.internal_pct.max() == use.refused == 0


def test_the_stream_stays_under_its_load_and_releases_in_order_of_end():
    generator = np.random.default_rng(3)
    prompt, output = generator.integers(1, 60, 50), generator.integers(1, 30, 50)
    stream = make_stream(prompt, output, 400, load=0.9)
    signed = np.where(stream.takes, 1, -1) * stream.size[stream.row]
    assert np.cumsum(signed).max() <= 360
    assert np.cumsum(signed)[-1] == 0
    assert (np.diff(stream.step) >= 0).all()


def test_blocks_waste_less_than_a_block_a_request_and_nothing_outside():
    generator = np.random.default_rng(1)
    stream = make_stream(generator.integers(1, 900, 200), generator.integers(1, 99, 200), 8192)
    used = pools_of(stream)
    inner = settled(stream)
    live = np.cumsum(np.where(stream.takes, 1, -1))
    assert (used["block"].internal_pct <= 100 * 15 * live / 8192 + 1e-9).all()
    assert used["block"].external_pct.max() == 0
    assert used["arena"].internal_pct.max() == 0
    # a power of two holds at most twice what was asked
    for name in ("slab", "buddy"):
        large = used[name].asked_pct[inner].mean()
        assert 0 < used[name].internal_pct[inner].mean() < large + 100 * 16 * live.max() / 8192


@pytest.mark.parametrize(
    ("prompt", "load", "message"),
    [
        ([], 0.9, "0 requests"),
        ([5, 99], 0.9, "row 1"),
        ([5], 0.0, "load 0"),
        ([0], 1.5, "load 1.5"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(prompt, load, message):
    with pytest.raises(InputError, match=message):
        make_stream(prompt, [1] * len(prompt), 100, load)
