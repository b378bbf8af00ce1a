"""The child process that decodes and encodes."""
