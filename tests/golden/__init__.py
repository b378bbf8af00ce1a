"""Golden numbers of the published networks; `golden.loader` says how to use them, README.md where they come from."""

from golden.loader import NAMES, Expected, Golden, Key, assert_same_layout, fill, golden

__all__ = ["NAMES", "Expected", "Golden", "Key", "assert_same_layout", "fill", "golden"]
