"""Ours: what goes beyond the paper, one part a file, each with its config key and its row in docs/ablations.md."""
