import numpy as np
import pytest
from scipy.stats import spearmanr

from gpudeck.errors import InputError
from gpudeck.workload.request_resample import (
    PERCENTS,
    find_lengths,
    request_workloads,
    resample_requests,
)

# of 200,000 draws: the tails between the quantiles that are kept are straight
MEAN_TOLERANCE, QUANTILE_TOLERANCE = 0.03, 0.015
each_workload = pytest.mark.parametrize("workload", request_workloads())


def test_all_traces_are_there() -> None:
    assert request_workloads() == (
        "azure-conversation-2023",
        "azure-code-2023",
        "mooncake-conversation",
        "mooncake-synthetic",
        "sharegpt-llama-3.1-8b",
    )


@each_workload
def test_a_resample_has_the_means_and_quantiles_of_its_trace(workload: str) -> None:
    lengths = find_lengths(workload)
    drawn = resample_requests(workload, 200_000, seed=1)
    for mean, quantiles, tokens in (
        (lengths.prompt_mean, lengths.prompt_tokens, drawn.prompt_tokens),
        (lengths.output_mean, lengths.output_tokens, drawn.output_tokens),
    ):
        assert tokens.mean() == pytest.approx(mean, rel=MEAN_TOLERANCE)
        for percent in (50, 90, 99):
            kept = quantiles[PERCENTS.index(percent)]
            assert np.percentile(tokens, percent) == pytest.approx(kept, rel=QUANTILE_TOLERANCE)
        assert tokens.min() >= quantiles[0]
        assert tokens.max() <= quantiles[-1]


@each_workload
def test_prompt_and_answer_go_together_as_in_the_trace(workload: str) -> None:
    drawn = resample_requests(workload, 50_000, seed=2)
    found = spearmanr(drawn.prompt_tokens, drawn.output_tokens).statistic
    assert found == pytest.approx(find_lengths(workload).rank_correlation, abs=0.02)


@each_workload
def test_quantiles_rise(workload: str) -> None:
    lengths = find_lengths(workload)
    assert (np.diff(lengths.prompt_tokens) >= 0).all()
    assert (np.diff(lengths.output_tokens) >= 0).all()
    assert lengths.prompt_tokens[0] >= 1


def test_the_rate_is_the_traces_or_the_one_told() -> None:
    own = resample_requests("azure-code-2023", 50_000, seed=3)
    assert own.rate_per_s == pytest.approx(find_lengths("azure-code-2023").rate_per_s, rel=0.02)
    told = resample_requests("azure-code-2023", 50_000, 7.0, seed=3)
    assert told.rate_per_s == pytest.approx(7.0, rel=0.02)
    assert told.prompt_tokens.tolist() == own.prompt_tokens.tolist()


def test_gamma_arrivals_have_the_variation_of_the_trace() -> None:
    drawn = resample_requests("mooncake-conversation", 50_000, arrivals="gamma", seed=4)
    gaps = np.diff(drawn.arrival_s)
    wanted = find_lengths("mooncake-conversation").gap_cv
    assert gaps.std() / gaps.mean() == pytest.approx(wanted, rel=0.1)


def test_the_same_seed_gives_the_same_requests() -> None:
    one, same, other = (resample_requests("azure-code-2023", 99, seed=seed) for seed in (1, 1, 2))
    assert one.arrival_s.tolist() == same.arrival_s.tolist()
    assert one.output_tokens.tolist() == same.output_tokens.tolist()
    assert one.output_tokens.tolist() != other.output_tokens.tolist()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (("chat", 1), "id is 'chat'; allowed in .* are azure-conversation-2023"),
        (("azure-code-2023", -1), "count is -1; allowed is 0 to"),
        (("azure-code-2023", 1, 0.0), "rate_per_s is 0.0"),
        (
            ("azure-code-2023", 1, 1.0, "diurnal"),
            "arrivals is 'diurnal'; allowed is poisson, gamma",
        ),
    ],
)
def test_bad_input_is_named(told: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resample_requests(*told)
    assert len(resample_requests("azure-code-2023", 0)) == 0
