"""Where light adds up: the camera's response is taken to be a gamma."""

GAMMA = 2.2
"""Eq. B: encoded = linear ** (1 / GAMMA)."""
