"""A run: one clip from file to file, resumable, and many of them."""
