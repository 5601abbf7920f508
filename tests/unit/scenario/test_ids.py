"""Ids of tables in a scenario, and numbers that have to divide."""

import pytest

from gpudeck.errors import InputError
from gpudeck.scenario import read_scenario


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("training.model=llama-3-7b", "did you mean llama-3-70b"),
        ("training.gpu=H100", "allowed is an id of data/gpus.csv"),
        ("training.link=IB-NRD", "did you mean IB-NDR"),
        ("loading.workload=unet3d", "allowed is an id of data/training_inputs.csv"),
        ("storage.link=ethernet", "allowed is an id of data/network.csv"),
        ("loading.gpus=12", "12 gpus, which 8 gpus_per_node do not divide"),
        ("training.gpus=63", "63 gpus, which 8 gpus_per_node do not divide"),
        ("training.batch_tokens=1000000", "which 8192 sequence_tokens do not divide"),
    ],
)
def test_what_no_table_has_is_refused_with_the_nearest(told: str, answer: str) -> None:
    with pytest.raises(InputError, match=answer):
        read_scenario("small", [told])
