"""Training: material on disk, the stages' losses, and the one loop."""
