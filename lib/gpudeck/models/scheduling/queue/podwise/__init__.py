"""Pods placed one by one, as a scheduler does that knows no gangs."""
