"""A result: planned, encoded, other tracks copied, read back."""
