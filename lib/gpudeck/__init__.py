"""gpudeck: an executable deck on GPU compute efficiency."""

__version__ = "0.1.0"
