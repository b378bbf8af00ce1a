"""A source: opened, told apart, decoded."""
