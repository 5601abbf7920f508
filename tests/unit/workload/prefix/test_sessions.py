import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.workload.prefix import Sessions, draw_sessions, prefix_reuse


def test_the_same_seed_gives_the_same_requests() -> None:
    one, same, other = (draw_sessions(Sessions(), 50, 2.0, seed=seed) for seed in (1, 1, 2))
    assert one.arrival_s.tolist() == same.arrival_s.tolist()
    assert one.hashes.tolist() == same.hashes.tolist()  # type: ignore[union-attr]
    assert one.arrival_s.tolist()[:5] != other.arrival_s.tolist()[:5]
    assert (np.diff(one.arrival_s) >= 0).all()


def test_means_are_those_told() -> None:
    told = Sessions(turns=4.0, user_tokens=80.0, output_tokens=150.0, think_s=5.0)
    drawn = draw_sessions(told, 4000, 2.0, seed=3)
    assert len(drawn) / 4000 == pytest.approx(4.0, rel=0.05)
    assert drawn.output_tokens.mean() == pytest.approx(150.0, rel=0.05)


def test_single_turns_share_the_system_prompt_and_nothing_else() -> None:
    told = Sessions(system_prompts=3, system_tokens=100, turns=1.0)
    drawn = draw_sessions(told, 200, 1.0, seed=4)
    found = prefix_reuse(drawn).hit_blocks
    # 100 tokens are 6 full blocks of 16; the seventh holds the user's words too
    assert sorted(found.tolist()) == [0] * 3 + [6] * 197


def test_a_turn_finds_all_full_blocks_of_the_one_before() -> None:
    told = Sessions(system_prompts=1, system_tokens=0, turns=5.0)
    drawn = draw_sessions(told, 60, 1.0, seed=5)
    assert drawn.block_hashes is not None
    found = prefix_reuse(drawn)
    seen: dict[int, int] = {}
    for row, hashes in enumerate(drawn.block_hashes):
        before = seen.get(int(hashes[0]), 0) if len(hashes) else 0
        assert found.hit_blocks[row] == before
        if len(hashes):
            seen[int(hashes[0])] = len(hashes)


def test_reuse_rises_with_turns_and_system_prompt() -> None:
    def share(**told: float) -> float:
        drawn = draw_sessions(Sessions(**told), 500, 5.0, seed=6)  # type: ignore[arg-type]
        return prefix_reuse(drawn).token_share

    by_turns = [share(system_tokens=0, turns=turns) for turns in (1.0, 2.0, 6.0)]
    assert by_turns == sorted(by_turns)
    assert share(system_tokens=0) < share(system_tokens=200) < share(system_tokens=2000)
    assert share(system_tokens=0, turns=1.0) == 0


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"system_prompts": 0}, "system_prompts is 0; allowed is 1 or above"),
        ({"system_tokens": -1}, "system_tokens is -1; allowed is 0 or above"),
        ({"turns": 0.5}, "turns is 0.5; allowed is 1 or above"),
        ({"user_tokens": float("nan")}, "user_tokens is nan"),
        (
            {"output_tokens": float("inf")},
            "output_tokens is inf; allowed is 1 or above, and finite",
        ),
        ({"think_s": 0.0}, "think_s is 0.0; allowed is above 0"),
    ],
)
def test_bad_sessions_are_named(told: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sessions(**told)


def test_bad_draws_are_named() -> None:
    with pytest.raises(InputError, match="count is -1; allowed is 0 to 1666666"):
        draw_sessions(Sessions(), -1, 1.0)
    with pytest.raises(InputError, match="count is 10000000; allowed is"):
        draw_sessions(Sessions(), 10**7, 1.0)
    with pytest.raises(InputError, match="rate_per_s is 0"):
        draw_sessions(Sessions(), 1, 0.0)
    with pytest.raises(InputError, match="block_tokens is 0"):
        draw_sessions(Sessions(), 1, 1.0, block_tokens=0)
    assert len(draw_sessions(Sessions(), 0, 1.0)) == 0
