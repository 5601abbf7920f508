"""How long a replica takes to serve: from nothing, stage by stage, and out of a warm pool."""

from __future__ import annotations

from dataclasses import dataclass, fields

from gpudeck.errors import InputError


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The stages of a start, one after the other.

    Parameters
    ----------
    provision_s
        A GPU is found and the pod placed on it, seconds.
    image_gib, weights_gib
        What has to be fetched: the container's image and the model's weights, in GiB.
    fetch_gib_s
        Rate at which both come over the network, above 0, in GiB/s.
    engine_s
        The engine starts: kernels compiled, graphs captured, memory reserved, seconds.
    attach_s
        A loaded replica of the warm pool is given to a service, seconds.

    Raises
    ------
    InputError
        A number is negative or not finite, or the rate not above 0.

    >>> ColdStart(60, 10, 20, 0.25, 60, 20).cold_s
    240.0
    """

    provision_s: float
    image_gib: float
    weights_gib: float
    fetch_gib_s: float
    engine_s: float
    attach_s: float

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            least = "above 0" if entry.name == "fetch_gib_s" else "0 or above"
            if not 0 <= value < float("inf") or (least == "above 0" and value == 0):
                msg = f"{entry.name} is {value}; allowed are finite numbers {least}"
                raise InputError(msg)

    @property
    def stages_s(self) -> dict[str, float]:
        """Seconds of each stage, in their order."""
        return {
            "provision": self.provision_s,
            "image": self.image_gib / self.fetch_gib_s,
            "weights": self.weights_gib / self.fetch_gib_s,
            "engine": self.engine_s,
        }

    @property
    def cold_s(self) -> float:
        """Seconds of a start from nothing."""
        return float(sum(self.stages_s.values()))

    @property
    def warm_s(self) -> float:
        """Seconds of a start out of the pool, never more than a cold one."""
        return min(self.attach_s, self.cold_s)
