"""Hardware: GPUs, the nodes that hold them, and what connects them."""

from gpudeck.hardware.node import Nodes

__all__ = ["Nodes"]
