"""Threads of torch: some sums and powers round otherwise for each number of them."""

from collections.abc import Generator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Generator[None]:
    """Within, torch works in one thread: what it gives is the same wherever it is made."""
    given = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(given)
