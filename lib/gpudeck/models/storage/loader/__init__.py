"""The input pipeline: storage fills a bounded buffer from which GPUs take their batches.

- `pipeline`: readers, buffer and GPUs, simulated, and its closed form
- `published`: submissions to MLPerf Storage
"""

from gpudeck.models.storage.loader.pipeline import (
    Loader,
    LoaderResult,
    bound_utilisation,
    simulate_loader,
)

__all__ = ["Loader", "LoaderResult", "bound_utilisation", "simulate_loader"]
