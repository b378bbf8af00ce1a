"""Training: both stages on one clip or on many; precomputed alignments, sampler, loop, checkpoints, recipes."""
