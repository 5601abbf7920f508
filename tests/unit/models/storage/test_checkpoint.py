"""Checkpoints: 14 bytes a parameter, written by all nodes."""

import pytest

from gpudeck.errors import InputError
from gpudeck.models.storage import Lustre, checkpoint_bytes, save_checkpoint

SYSTEM = Lustre(4, 8, 2.5, 2.0, 25, 15, 50, 40, 80, 4, 1e5, 2e5, 1e-3, 8, 0.9)


def test_fourteen_bytes_a_parameter() -> None:
    assert checkpoint_bytes(1e9) == 14e9


def test_time_is_size_over_bandwidth() -> None:
    saved = save_checkpoint(SYSTEM, 1e9, clients=100)
    assert (saved.write.gb_s, saved.read.gb_s) == (60, 80)
    assert saved.save_s == pytest.approx(14 / 60)
    assert saved.load_s == pytest.approx(14 / 80)


@pytest.mark.parametrize("parameters", [0, -1, float("nan")])
def test_a_model_has_parameters(parameters: float) -> None:
    with pytest.raises(InputError, match="parameters is"):
        checkpoint_bytes(parameters)
