"""Ahead: what can be found of each item alone is found in threads, a few items before it is asked for."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from selfhvd.system.threads import one_thread

Found = TypeVar("Found")


def ahead(work: Callable[[int], Found], count: int) -> Iterator[Found]:
    """`work` of 0 to `count` - 1, in order, in as many threads as torch was given; each has one of torch's.

    So what is found does not hang on the number of threads, and no more is held than twice as many results.
    """
    threads = torch.get_num_threads()
    if threads < 2:
        yield from map(work, range(count))
        return
    with one_thread(), ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque[Future[Found]] = deque()
        for number in range(count):
            waiting.append(pool.submit(work, number))
            if len(waiting) == 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
