"""Engines that run a batch to its end."""
