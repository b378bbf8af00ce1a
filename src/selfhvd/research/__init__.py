"""Evaluation, benchmark, baselines: what compares, not what restores."""
