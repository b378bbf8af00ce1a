"""The trained network over a whole clip."""
