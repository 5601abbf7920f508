"""Loss and hashing: shares between their bounds, closed forms at their ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.fabric.congestion import (
    go_back_n_share,
    hash_flows,
    selective_repeat_share,
    window_packets,
)
from gpudeck.models.fabric.loss import study_loss


@settings(max_examples=50)
@given(st.floats(0, 1), st.floats(1, 1e4))
def test_going_back_is_never_better_than_repeating(loss, window):
    share = float(go_back_n_share(loss, window))
    assert 0 <= share <= float(selective_repeat_share(loss)) <= 1


def test_ends_of_the_closed_forms():
    assert go_back_n_share([0, 1], 100).tolist() == [1, 0]
    assert float(go_back_n_share(0.3, 1)) == pytest.approx(0.7)
    assert float(go_back_n_share(0.01, 100)) == pytest.approx(0.99 / 1.99)
    assert window_packets(50, 8) == pytest.approx(50e3 * 8 / 4096)
    assert window_packets(1e-6, 1) == 1


def twin(flows, links, connections, draws, seed):
    """Place every connection by hand, and return the share of the slowest flow of each draw."""
    draw = np.random.default_rng(seed)
    shares = []
    for _ in range(draws):
        load = [0.0] * links
        for _ in range(flows * connections):
            load[int(draw.integers(links))] += 1 / connections
        shares.append(1 / max(1.0, *load))
    return np.array(shares)


@pytest.mark.parametrize(("flows", "links", "connections"), [(8, 8, 1), (8, 8, 4), (4, 16, 1)])
def test_hashing_agrees_with_placing_by_hand(flows, links, connections):
    mean = hash_flows(flows, links, (connections,), draws=3000).share[connections].mean()
    by_hand = twin(flows, links, connections, 3000, 1)
    spread = 4 * by_hand.std() * np.sqrt(2 / 3000)
    assert mean == pytest.approx(by_hand.mean(), abs=max(spread, 1e-9))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 40), st.integers(1, 16))
def test_shares_are_bounded(flows, links, connections):
    share = hash_flows(flows, links, (connections,), draws=5).share[connections]
    assert (share >= 1 / flows - 1e-12).all()
    assert (share <= 1).all()


def test_more_connections_and_more_links_are_fairer():
    study = study_loss(50)
    for load in (study.equal, study.under):
        means = [share.mean() for share in load.share.values()]
        assert means == sorted(means)
    assert study.under.share[1].mean() > study.equal.share[1].mean()
    assert (hash_flows(4, 4, seed=3).share[1] == hash_flows(4, 4, seed=3).share[1]).all()


def test_mistakes_are_refused():
    with pytest.raises(InputError, match=r"loss is 1.5; allowed are probabilities"):
        go_back_n_share(1.5, 10)
    with pytest.raises(InputError, match=r"loss is -0.1"):
        selective_repeat_share(-0.1)
    with pytest.raises(InputError, match=r"window is 0.5"):
        go_back_n_share(0.1, 0.5)
    with pytest.raises(InputError, match="port_gb_s is 0"):
        study_loss(0)
    with pytest.raises(InputError, match="links is 0"):
        hash_flows(4, 0)
    with pytest.raises(InputError, match="draws is 1"):
        hash_flows(4, 4, draws=1)
