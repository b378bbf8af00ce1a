"""Ours: the camera's motion between two frames and during one exposure."""
