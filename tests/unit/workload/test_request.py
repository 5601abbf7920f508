import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.workload.request import BlockHashes, RequestTable

HASHES = ([1, 2], [1, 2, 3], [])


def table(**changes: object) -> RequestTable:
    columns: dict = {
        "arrival_s": [0.5, 0.0, 2.0],
        "prompt_tokens": [20, 40, 5],
        "output_tokens": [3, 2, 1],
    }
    return RequestTable(**{**columns, **changes})


def test_columns_are_frozen_copies() -> None:
    arrival = np.array([0.5, 0.0, 2.0])
    requests = table(arrival_s=arrival)
    arrival[0] = 9.0
    assert requests.arrival_s.tolist() == [0.5, 0.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        requests.prompt_tokens[0] = 1
    assert requests.hashes is None
    assert requests.hash_offsets is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt_tokens": [20, 0, 5]}, r"row 1: prompt_tokens is 0; allowed is 1 or above"),
        ({"output_tokens": [3, 2, -1]}, r"row 2: output_tokens is -1; allowed is 1 or above"),
        ({"arrival_s": [0.0, 1.0, -2.0]}, r"row 2: arrival_s is -2.0; allowed is 0 or above"),
        ({"arrival_s": [0.0, np.nan, 2.0]}, r"row 1: arrival_s is nan"),
        ({"arrival_s": [np.inf, 0.0, 2.0]}, r"row 0: arrival_s is inf"),
        ({"prompt_tokens": [20, 4]}, r"prompt_tokens has shape \(2,\); allowed is \(3,\)"),
        ({"output_tokens": [[3, 2, 1]]}, r"output_tokens has shape \(1, 3\)"),
        ({"output_tokens": [3, 2.5, 1]}, r"row 1: output_tokens is 2.5; allowed are whole"),
        ({"output_tokens": [3, np.nan, 1]}, r"row 1: output_tokens is nan; allowed are whole"),
        ({"prompt_tokens": [1e300, 1, 1]}, r"row 0: prompt_tokens is 1e\+300; allowed are whole"),
        ({"prompt_tokens": ["20", "4", "5"]}, r"prompt_tokens holds <U2; allowed are numbers"),
        ({"block_hashes": HASHES, "block_tokens": 1.5}, r"block_tokens is 1.5; allowed with"),
        ({"block_hashes": HASHES, "block_tokens": 0}, r"block_tokens is 0"),
        ({"block_hashes": HASHES[:2], "block_tokens": 16}, r"block_hashes has 2 rows; allowed are"),
        (
            {"block_hashes": ([1], [1, 2, 3, 4], []), "block_tokens": 16},
            r"row 1: block_hashes has 4 blocks; allowed are 3 of 16 tokens, .* of 40",
        ),
        (
            {"block_hashes": ([1], [0.5], []), "block_tokens": 16},
            r"row 1: block_hashes is \[0.5\]; allowed are lists of whole numbers",
        ),
        (
            {"block_hashes": ([1], [7, 2, 7], [7]), "block_tokens": 16},
            r"row 1: block_hashes has 7 twice; allowed are distinct",
        ),
    ],
)
def test_bad_input_names_the_row(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(**changes)


def test_a_hash_stands_for_16_tokens_unless_told() -> None:
    assert table(block_hashes=HASHES).block_tokens == 16
    assert table(block_tokens=16).block_tokens is None


def test_no_request_is_a_table_too() -> None:
    empty = RequestTable([], [], [])
    assert len(empty) == 0
    assert empty.duration_s == empty.rate_per_s == 0
    assert len(empty.with_rate(3.0).sorted_by_arrival()) == 0


@settings(max_examples=50)
@given(st.data(), st.integers(1, 8))
def test_rows_keep_their_hashes(data: st.DataObject, count: int) -> None:
    rows = data.draw(
        st.lists(
            st.lists(st.integers(0, 9), max_size=4, unique=True), min_size=count, max_size=count
        )
    )
    picked = data.draw(st.lists(st.integers(-count, count - 1), max_size=6))
    whole = RequestTable(np.arange(count), [64] * count, [1] * count, rows, 16)
    taken = whole.take(np.array(picked, dtype=int))
    assert taken.block_hashes is not None
    assert [row.tolist() for row in taken.block_hashes] == [rows[index] for index in picked]
    assert taken.hash_offsets is not None
    assert taken.hash_offsets[-1] == len(taken.hashes)  # type: ignore[arg-type]


def test_take_reads_masks_and_slices() -> None:
    requests = table(block_hashes=HASHES, block_tokens=16)
    assert requests.take(np.array([True, False, True])).prompt_tokens.tolist() == [20, 5]
    assert requests.take(slice(1, None)).hashes.tolist() == [1, 2, 3]  # type: ignore[union-attr]


def test_order_of_arrival_is_stable() -> None:
    requests = RequestTable([1.0, 0.0, 1.0, 0.0], [1, 2, 3, 4], [1] * 4).sorted_by_arrival()
    assert requests.prompt_tokens.tolist() == [2, 4, 1, 3]


@settings(max_examples=30)
@given(
    st.lists(st.floats(0, 1e6), min_size=2, max_size=9).filter(lambda a: max(a) - min(a) > 1e-3),
    st.floats(1e-3, 1e6),
)
def test_another_rate_keeps_the_shape_of_the_arrivals(arrival: list[float], rate: float) -> None:
    requests = RequestTable(arrival, [1] * len(arrival), [1] * len(arrival))
    faster = requests.with_rate(rate)
    assert faster.rate_per_s == pytest.approx(rate)
    shape = (requests.arrival_s - min(arrival)) / requests.duration_s
    assert faster.arrival_s / faster.duration_s == pytest.approx(shape)


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
def test_a_rate_is_above_0(rate: float) -> None:
    with pytest.raises(InputError, match="rate_per_s is"):
        table().with_rate(rate)


def test_requests_that_arrive_at_once_have_no_rate_to_stretch() -> None:
    with pytest.raises(InputError, match="all 2 requests arrive at"):
        RequestTable([1.0, 1.0], [1, 1], [1, 1]).with_rate(2.0)


def test_times_can_be_replaced() -> None:
    moved = table(block_hashes=HASHES, block_tokens=16).at_times([7, 8, 9])
    assert moved.arrival_s.tolist() == [7.0, 8.0, 9.0]
    assert moved.block_tokens == 16
    with pytest.raises(InputError, match="arrival_s"):
        table().at_times([1.0, 2.0, -1.0])


def test_hashes_are_read_like_a_list() -> None:
    blocks = BlockHashes.from_rows(HASHES)
    assert len(blocks) == 3
    assert blocks[-2].tolist() == [1, 2, 3]
    assert [row.tolist() for row in blocks[1:]] == [[1, 2, 3], []]
    with pytest.raises(IndexError):
        blocks[3]
