"""Resilience: what fails, what a failure costs, and how a job goes on; elasticity of services."""
