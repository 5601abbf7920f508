"""One replica's KV memory under full load."""

from gpudeck.models.serving.kv_memory.full_load import FullLoad, fill_memory

__all__ = ["FullLoad", "fill_memory"]
